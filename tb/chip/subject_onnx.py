"""An .onnx network for `make net`: quantised on the way if need be, ONNX Runtime as its judge.

Element-wise operators and averages are float32 in the runtime and rounded once in the core
(docs/adr/0003). Where tensors differ, every layer is held to the runtime's arithmetic on the inputs that the
RTL gave it. A difference may only begin in such a layer, and every differing value must be proven to lie at a
tie (compiler/ties.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compiler.interpret import run_node
from compiler.ir import Node
from compiler.network import Compiled
from compiler.onnx import read_onnx
from compiler.ties import proven
from models.ort import dequantize
from tb.chip.inputs import Values
from tb.chip.onnx_border import border
from tb.chip.onnx_runtime import NAME, Session, behind
from tb.chip.verdict import Judged, Verdict

CONTRACTS = ("fp32",)
PAIRS = 1 << 16
# What the runtime makes of these in float32 does not depend on the order of sums.
MODELLED = ("ADD", "SUB", "MUL")


def _shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """What ONNX can tell of the shapes of a model's tensors, for the table."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError:
        return {}  # whether the model is right, ONNX Runtime says
    infos = (*inferred.value_info, *inferred.output)
    return {info.name: tuple(size.dim_value for size in info.type.tensor_type.shape.dim) for info in infos}


class OnnxSubject:
    """model: the file's bytes. samples: with how many inputs it was quantised on the way, 0 if it came so.
    border: what the user's inputs fit. core: what is compiled. head, tail: nodes of the host, named by
    what they make. Raises CompileError for what is no network for the core."""

    short, runtime = "ONNX Runtime", NAME
    fully_connected = None

    def __init__(self, model: bytes, samples: int = 0) -> None:
        self.model, self.samples = model, samples
        self.parsed = onnx.load_model_from_string(model)
        self.core = read_onnx(model)
        self.border = border(self.parsed, self.core)
        origins = self.core.origins
        self.judged = {name: origin for name, origin in origins.items() if origin.name}
        self.given: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}
        for name in self.core.outputs:
            origin = origins[name]
            dtype = origin.dtype if origin.name else np.dtype(np.float32)
            self.given[origin.name or name] = (dtype, origin.shape)
        self.behind = behind(self.parsed, self.given)
        self.head = tuple(node for node in self.border.nodes if node.op == "QuantizeLinear")
        self.tail = tuple(
            Node(node.op_type, tuple(node.input), tuple(node.output))
            for node in (self.behind.graph.node if self.behind else ())
        )
        self.shapes: dict[str, tuple[int, ...]] = {node.name: origins[node.name].shape for node in self.head}
        if self.behind:
            self.shapes |= _shapes(self.behind)

    def start(self) -> None:
        """Load the model into ONNX Runtime. Raises UserError when it is refused."""
        self.session = Session(self.parsed, [origin.name for origin in self.judged.values()])
        # Nothing exposed in between: the runtime must be free to fuse there as it is in the whole network.
        self.tail_session = Session(self.behind) if self.behind else None

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor of head or tail; empty when ONNX cannot tell."""
        return self.shapes.get(name, ())

    def core_inputs(self, compiled: Compiled, inputs: Sequence[Values]) -> list[dict[str, NDArray[np.int8]]]:
        """What the core starts from: the integers that the runtime's own QuantizeLinear makes."""
        # One inference per image serves input and judge.
        self.theirs = [self.session.run(self._feeds(image)) for image in inputs]
        return [
            {name: self.judged[name].to_ir(found[self.judged[name].name]) for name in compiled.inputs}
            for found in self.theirs
        ]

    def _feeds(self, image: Values) -> dict[str, NDArray]:
        feeds = {}
        for name in self.border.inputs:
            tensor, value = self.border.tensors[name], image[name]
            value = (value.view(np.uint8) ^ 0x80) if tensor.unsigned else value
            feeds[name] = value.reshape(tensor.shape)
        return feeds

    def compare(self, compiled: Compiled, inputs: Sequence[Values], dram: NDArray[np.uint8]) -> Verdict:
        """Every tensor that the RTL has written, and what the host makes of them, against ONNX Runtime's."""
        verdict, follows = Verdict(), 0
        own: dict[str, int] = {}
        for number, found in enumerate(self.theirs):
            runtime = {name: origin.to_ir(found[origin.name]) for name, origin in self.judged.items()}
            values = {name: compiled.read_tensor(dram, number, name) for name in compiled.tensors}
            values |= {name: runtime[name] for name in compiled.inputs}
            apart = {name for name, value in runtime.items() if np.any(values.get(name, value) != value)}
            for name, value in runtime.items():
                if name in values and name not in compiled.inputs:
                    verdict.tensors.setdefault(name, Judged()).add(values[name], value)
            tainted = self._explain(verdict, values, runtime, apart, own) if apart else set()
            for name in tainted & apart:
                follows += int(np.count_nonzero(values[name] != runtime[name]))
            self._finish(verdict, values, found, bool(tainted.intersection(self.core.outputs)))
        self._notes(verdict, compiled, own, follows)
        return verdict

    def _explain(
        self,
        verdict: Verdict,
        values: dict[str, NDArray[np.int8]],
        runtime: dict[str, NDArray[np.int8]],
        apart: set[str],
        own: dict[str, int],
    ) -> set[str]:
        """Find where one image's differences begin; returns the tensors that they explain.

        A layer that has the runtime's own inputs must differ just as the float models say; one behind a
        difference is held to the float models on the inputs that it had. What then differs must be proven.
        """
        graph, tainted, known = self.core, set(), dict(values)
        for node in graph.nodes:
            behind_known = any(name in tainted for name in node.inputs)
            if node.name in values and not behind_known and node.name not in apart:
                continue
            expected = run_node(graph, node, known, exact=True)
            if node.name not in values:
                known[node.name] = expected
                if behind_known:
                    tainted.add(node.name)
                continue
            modelled = node.op in MODELLED or not node.options.get("in_float", False)
            if not behind_known and not modelled:
                expected = runtime[node.name]
            elif not behind_known:
                verdict.unexplained += int(np.count_nonzero(expected != runtime[node.name]))
            found = values[node.name]
            differ = expected != found
            count = int(np.count_nonzero(differ))
            if count and not np.all(proven(graph, node, known, found, expected)[differ]):
                verdict.unexplained += count
                continue
            own[node.name] = own.get(node.name, 0) + count
            if count or behind_known:
                tainted.add(node.name)
                if node.name in verdict.tensors:
                    verdict.tensors[node.name].excused = True
        return tainted

    def _finish(
        self, verdict: Verdict, values: dict[str, NDArray], found: dict[str, NDArray], excused: bool
    ) -> None:
        """The host's part of an image, and the network's outputs."""
        made: dict[str, NDArray] = {}
        for name in self.core.outputs:
            origin, tensor = self.core.origins[name], self.core.tensors[name]
            integers = origin.from_ir(values[name])
            shift = 128 if tensor.unsigned else 0
            real = dequantize(integers, tensor.scale, tensor.zero_point + shift)
            made[origin.name or name] = integers if origin.name else real
        given = set(made)
        if self.tail_session is not None:
            reads = {info.name for info in self.behind.graph.input}
            made |= self.tail_session.run({name: made[name] for name in reads})
        for info in self.parsed.graph.output:
            verdict.outputs.setdefault(info.name, []).append(made[info.name])
            if info.name not in given:
                judged = verdict.tensors.setdefault(info.name, Judged())
                judged.add(made[info.name], found[info.name])
                judged.excused |= excused

    def _notes(self, verdict: Verdict, compiled: Compiled, own: dict[str, int], follows: int) -> None:
        pairs = {layer.target: layer.pairs_apart for layer in compiled.layers}
        for node in self.core.nodes:
            if count := own.get(node.name, 0):
                verdict.tensors[node.name].own = count
                why = (
                    f"{pairs[node.name]} of {PAIRS} pairs of values round otherwise in the runtime's float32"
                    if pairs.get(node.name)
                    else "the runtime adds up in float32, the core rounds once"
                )
                verdict.notes.append(f"{node.op} {node.name!r}: {count} values differ by 1: {why}")
        if follows:
            verdict.notes.append(
                f"{follows} values in all differ there and behind; on the inputs that it had, every other "
                "layer equals the runtime's arithmetic (docs/operators.md)"
            )
        if verdict.unexplained:
            verdict.notes.append(f"{verdict.unexplained} values differ for no known reason")
