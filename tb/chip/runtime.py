"""LiteRT as the judge of a network, tensor by tensor, by its reference kernels or its default path."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from compiler.delegate import taken
from compiler.host import exposed, extract, with_integer_fully_connected
from compiler.ir import Graph
from scripts.tools import ROOT, UserError

NAMES = {"tflite": "LiteRT BUILTIN_REF", "fp32": "LiteRT default path (XNNPACK)"}  # by contract
PROBE = [sys.executable, "-m", "tb.chip.runtime"]
FC_FORMS = {
    "integer": "integers, like a convolution (TFLite Micro, CMSIS-NN; judged by LiteRT's CONV_2D)",
    "litert": "LiteRT 2.3.0's own float requantisation",
}
FC_XNNPACK = "float32, like a convolution (XNNPACK)"
# LiteRT has no reference kernel of these; the optimised one is a table, and the only one there is.
NO_REFERENCE = ("ELU",)


class Runtime:
    """A .tflite model in LiteRT. graph: of the same model; it names the tensors.

    contract: tflite, by reference kernels, or fp32, by the default path. expose: there, make every tensor an
    output; else only the network's can be read.
    fully_connected: one of FC_FORMS, in contract tflite. Integer tensors come and go as the graph has them,
    uint8 as int8. Raises UserError when LiteRT refuses the model.
    """

    def __init__(
        self,
        model: bytes,
        graph: Graph,
        fully_connected: str = "integer",
        contract: str = "tflite",
        expose: bool = True,
    ) -> None:
        self.graph = graph
        self.index = {name: number for number, name in enumerate(graph.tensors)}
        self.unsigned = {name for name, tensor in graph.tensors.items() if tensor.unsigned}
        if contract == "fp32":
            model = exposed(model) if expose else model
            self.parts = [_interpreter(model, OpResolverType.BUILTIN)]
        else:
            self.parts = [
                _reference(part, fully_connected, special) for part, special in _by_kernels(model, graph)
            ]
        # An input of the network that nothing reads may be in no part.
        for part in self.parts:
            _check_shapes(part, graph)
        names = list(graph.tensors)
        given = [[names[d["index"]] for d in part.get_input_details()] for part in self.parts]
        self.given = given
        made = {node_output: at for at, part in enumerate(self.parts) for node_output in self._made(part)}
        self.made = made
        self.inputs = [name for name in dict.fromkeys(n for g in given for n in g) if name not in made]

    def _made(self, part: Interpreter) -> list[str]:
        names = list(self.graph.tensors)
        numbers = {int(tensor) for node in part._get_ops_details() for tensor in node["outputs"]}
        return [names[number] for number in sorted(numbers) if number < len(names)]

    def taken(self) -> frozenset[int]:
        """The operators that XNNPACK executes, by their number."""
        return frozenset().union(*(taken(part) for part in self.parts))

    def run(self, values: Mapping[str, NDArray]) -> None:
        """One inference; values by the names of the model's inputs, of their shape."""
        for part, given in zip(self.parts, self.given, strict=True):
            for name in given:
                value = values[name] if name in self.inputs else self.tensor(name)
                value = value.reshape(self.graph.tensors[name].shape)
                part.set_tensor(self.index[name], self._flip(name, value, np.uint8))
            try:
                part.invoke()
            except RuntimeError as error:
                raise UserError(f"LiteRT cannot run the model: {one_line(error)}") from error

    def tensor(self, name: str) -> NDArray:
        """A tensor after the last run."""
        part = self.parts[self.made.get(name, 0)]
        return self._flip(name, part.get_tensor(self.index[name]), np.int8)

    def _flip(self, name: str, value: NDArray, to: type) -> NDArray:
        return (value.view(np.uint8) ^ 0x80).view(to) if name in self.unsigned else value


def _by_kernels(model: bytes, graph: Graph) -> list[tuple[bytes, bool]]:
    """The model in parts that one resolver runs, in order, and whether a part lacks reference kernels."""
    special = [node.op in NO_REFERENCE for node in graph.nodes]
    if not any(special):
        return [(model, False)]
    runs = groupby(range(len(special)), key=lambda number: special[number])
    return [(extract(model, graph, list(members)), lacks) for lacks, members in runs]


def _reference(model: bytes, fully_connected: str, special: bool) -> Interpreter:
    if special:
        return _interpreter(model, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    if fully_connected == "integer":
        model = with_integer_fully_connected(model)
    return _interpreter(model, OpResolverType.BUILTIN_REF)


def _interpreter(model: bytes, resolver: OpResolverType) -> Interpreter:
    try:
        interpreter = Interpreter(
            model_content=model,
            experimental_op_resolver_type=resolver,
            # The default path's delegate hides what it keeps: there every tensor must be an output.
            experimental_preserve_all_tensors=resolver != OpResolverType.BUILTIN,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise UserError(f"LiteRT refuses the model: {one_line(error)}") from error
    return interpreter


def _check_shapes(interpreter: Interpreter, graph: Graph) -> None:
    """LiteRT computes the shapes of all tensors; raises UserError where the file says something else."""
    found = {detail["index"]: tuple(detail["shape"].tolist()) for detail in interpreter.get_tensor_details()}
    for number, tensor in enumerate(graph.tensors.values()):
        # Without values: known only when the network runs.
        if 0 not in found.get(number, (0,)) and found[number] != tensor.shape:
            raise UserError(
                f"tensor {tensor.name!r} is {list(tensor.shape)} in the model; LiteRT makes "
                f"{list(found[number])} of its inputs: the file is damaged"
            )


def one_node(model: bytes, graph: Graph, number: int) -> Runtime:
    """One operator of a network alone, on the default path."""
    return Runtime(extract(model, graph, [number]), graph, contract="fp32")


def check(model: bytes, contract: str) -> None:
    """Raises UserError for a damaged model that would end the process that LiteRT runs in."""
    done = subprocess.run([*PROBE, contract], input=model, capture_output=True, cwd=ROOT)
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise UserError(f"LiteRT dies of the model ({name}): the file is damaged")


def _allocate(contracts: Sequence[str]) -> None:
    """Load the model on stdin. What LiteRT says of it is not said here: only whether it lives."""
    model = sys.stdin.buffer.read()
    resolver = OpResolverType.BUILTIN if "fp32" in contracts else OpResolverType.BUILTIN_REF
    try:
        Interpreter(model_content=model, experimental_op_resolver_type=resolver).allocate_tensors()
    except (RuntimeError, ValueError):
        pass


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    _allocate(sys.argv[1:])
