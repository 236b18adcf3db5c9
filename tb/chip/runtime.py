"""LiteRT as the judge of a whole network, every tensor by its reference kernels; and the host's operators."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from compiler.host import with_integer_fully_connected
from compiler.ir import Graph
from scripts.tools import ROOT, UserError

NAME = "LiteRT BUILTIN_REF"
PROBE = [sys.executable, "-m", "tb.chip.runtime"]
FC_FORMS = {
    "integer": "integers, like a convolution (TFLite Micro, CMSIS-NN; judged by LiteRT's CONV_2D)",
    "litert": "LiteRT 2.3.0's own float requantisation",
}


class Runtime:
    """A .tflite model in LiteRT. graph: of the same model; it names the tensors.

    fully_connected: one of FC_FORMS. Integer tensors come and go as the graph has them, uint8 as int8.
    Raises UserError when LiteRT refuses the model.
    """

    def __init__(self, model: bytes, graph: Graph, fully_connected: str = "integer") -> None:
        if fully_connected == "integer" and any(node.op == "FULLY_CONNECTED" for node in graph.nodes):
            model = with_integer_fully_connected(model)
        self.graph = graph
        self.index = {name: number for number, name in enumerate(graph.tensors)}
        try:
            self.interpreter = Interpreter(
                model_content=model,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                experimental_preserve_all_tensors=True,
            )
            self.interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise UserError(f"LiteRT refuses the model: {one_line(error)}") from error
        details = self.interpreter.get_input_details()
        self.inputs = [list(graph.tensors)[detail["index"]] for detail in details]
        self.unsigned = {name for name, tensor in graph.tensors.items() if tensor.unsigned}

    def run(self, values: Mapping[str, NDArray]) -> None:
        """One inference; values by the names of the model's inputs, of their shape."""
        for name in self.inputs:
            value = values[name].reshape(self.graph.tensors[name].shape)
            self.interpreter.set_tensor(self.index[name], self._flip(name, value, np.uint8))
        try:
            self.interpreter.invoke()
        except RuntimeError as error:
            raise UserError(f"LiteRT cannot run the model: {one_line(error)}") from error

    def tensor(self, name: str) -> NDArray:
        """A tensor after the last run."""
        return self._flip(name, self.interpreter.get_tensor(self.index[name]), np.int8)

    def _flip(self, name: str, value: NDArray, to: type) -> NDArray:
        return (value.view(np.uint8) ^ 0x80).view(to) if name in self.unsigned else value


def check(model: bytes) -> None:
    """Raises UserError for a damaged model that would end the process that LiteRT runs in."""
    done = subprocess.run(PROBE, input=model, capture_output=True, cwd=ROOT)
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise UserError(f"LiteRT dies of the model ({name}): the file is damaged")


def _allocate() -> None:
    """Load the model on stdin. What LiteRT says of it is not said here: only whether it lives."""
    try:
        model = sys.stdin.buffer.read()
        resolver = OpResolverType.BUILTIN_REF
        Interpreter(model_content=model, experimental_op_resolver_type=resolver).allocate_tensors()
    except (RuntimeError, ValueError):
        pass


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


if __name__ == "__main__":
    _allocate()
