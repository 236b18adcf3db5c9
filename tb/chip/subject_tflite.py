"""A .tflite network for `make net`: its parts on host and core, and LiteRT as its judge.

Contract fp32 is LiteRT's default path. Inside XNNPACK's delegate no tensor can be read, so the judge is the
same network with every tensor as an output; the network as it is must hand the same operators to XNNPACK and
end in the same outputs. A mean may differ by one where XNNPACK's float32 decides a tie (models/xnnpack.py);
then every layer is held to LiteRT, alone, on the inputs that the RTL gave it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compiler.host import Parts, split
from compiler.ir import Graph, Node
from compiler.network import Compiled
from compiler.tflite import read_contract, read_tflite
from models.fully_connected import fully_connected
from models.quantize import activation_range, clamp, effective_scale, requantize_litert_fc
from models.xnnpack import fit_mean, mean_levels
from scripts.tools import UserError
from tb.chip.runtime import FC_FORMS, FC_XNNPACK, NAMES, Runtime, check, one_node
from tb.chip.verdict import Judged, Verdict

CONTRACTS = ("tflite", "tflite-single", "fp32")


class TfliteSubject:
    """border: what the user's inputs fit. core: what is compiled. head, tail: nodes of the host. runtime: who
    judges, empty when nobody does. fully_connected: the form in which such layers are judged, or None.
    Raises CompileError for what is no network for the core."""

    short = "LiteRT"

    def __init__(self, model: bytes, contract: str, fc: str) -> None:
        self.model, self.fc, self.contract = model, fc, contract
        self.parts: Parts = split(model)
        self.border: Graph = self.parts.graph
        self.core = replace(read_tflite(self.parts.core), contract=contract)
        if contract == "fp32":
            check(model, contract)
            whole = read_contract(model, contract)
            self.core = replace(self.core, delegated=whole.delegated)
        self.head, self.tail = self.parts.head, self.parts.tail
        self.runtime = NAMES.get(contract, "")
        dense = any(node.op == "FULLY_CONNECTED" for node in self.border.nodes)
        forms = {"tflite": fc, "tflite-single": "integer", "fp32": "float32"}
        self.fully_connected = forms[contract] if dense else None

    def start(self) -> None:
        """Load the model into LiteRT. Raises UserError when it is damaged or refused."""
        check(self.model, "tflite")
        self.judge = Runtime(self.model, self.border, self.fc, self._kernels)
        self.plain: Runtime | None = None
        if self.contract == "fp32":
            self.plain = Runtime(self.model, self.border, contract="fp32", expose=False)
            if self.plain.taken() != self.judge.taken():
                raise UserError("LiteRT hands other operators to XNNPACK when every tensor is an output")

    @property
    def _kernels(self) -> str:
        """The contract by which LiteRT runs; there is no build of it that rounds once."""
        return "fp32" if self.contract == "fp32" else "tflite"

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a tensor of head or tail."""
        return self.border.tensors[name].shape

    def core_inputs(
        self, compiled: Compiled, inputs: Sequence[dict[str, NDArray]]
    ) -> list[dict[str, NDArray[np.int8]]]:
        """What the core starts from: the inputs, after the host has quantised those that are float."""
        parts = self.parts
        if parts.head_model is None:
            return [{name: image[name] for name in compiled.inputs} for image in inputs]
        head = Runtime(parts.head_model, parts.graph, contract=self._kernels)
        fed = []
        for image in inputs:
            head.run(image)
            made = {node.name: head.tensor(node.name) for node in parts.head}
            fed.append({name: made[name] if name in made else image[name] for name in compiled.inputs})
        return fed

    def compare(
        self, compiled: Compiled, inputs: Sequence[dict[str, NDArray]], dram: NDArray[np.uint8]
    ) -> Verdict:
        """Every tensor that the RTL has written, and what the host makes of them, against LiteRT's."""
        verdict, parts = Verdict(), self.parts
        judged = bool(self.runtime)
        floats = _after_float(parts.graph.nodes) if self.fc == "litert" else set()
        own: dict[str, int] = {}
        tail = None
        if parts.tail_model:
            tail = Runtime(parts.tail_model, read_tflite(parts.tail_model), contract=self._kernels)
        for number, image in enumerate(inputs):
            values = {
                name: compiled.read_tensor(dram, number, name)
                for name in compiled.tensors
                if name not in compiled.inputs
            }
            if tail is not None:
                tail.run({name: values[name] for name in tail.inputs})
                values |= {node.name: tail.tensor(node.name) for node in parts.tail}
            if judged:
                self._judge(verdict, image, values, floats)
            if self.contract == "fp32":
                self._judge_layers(verdict, compiled, image, values, own)
            for name in parts.graph.outputs:
                if name in values:
                    value = values[name]
                    unsigned = parts.graph.tensors[name].unsigned
                    verdict.outputs.setdefault(name, []).append(
                        (value.view(np.uint8) ^ 0x80) if unsigned else value
                    )
        self._explain(verdict, compiled, own)
        return verdict

    def _judge(
        self, verdict: Verdict, image: dict[str, NDArray], values: dict[str, NDArray], floats: set[str]
    ) -> None:
        self.judge.run(image)
        for node in self.border.nodes:
            for name in node.outputs:
                if name in values:
                    judged = verdict.tensors.setdefault(name, Judged(excused=name in floats))
                    judged.add(values[name], self.judge.tensor(name))
            if self.fc == "litert" and node.op == "FULLY_CONNECTED":
                verdict.unexplained += _unexplained(self.border, node, self.judge)

    def _judge_layers(
        self,
        verdict: Verdict,
        compiled: Compiled,
        image: dict[str, NDArray],
        values: dict[str, NDArray],
        own: dict[str, int],
    ) -> None:
        """The network as it is must agree with the judge. Where the RTL does not, find where it begins."""
        assert self.plain is not None
        self.plain.run(image)
        for name in self.border.outputs:
            same = np.array_equal(self.plain.tensor(name), self.judge.tensor(name))
            verdict.unexplained += 0 if same else 1
        apart = {name for name, value in values.items() if not np.array_equal(value, self.judge.tensor(name))}
        if not apart:
            return
        known, tainted = {**image, **values}, set[str]()
        means = {layer.target for layer in compiled.layers if layer.sums_apart}
        for number, node in enumerate(self.border.nodes):
            behind = any(name in tainted for name in node.inputs)
            if not behind and not apart.intersection(node.outputs):
                known.update({name: self.judge.tensor(name) for name in node.outputs if name not in known})
                continue
            alone = one_node(self.model, self.border, number)
            alone.run({name: known[name] for name in alone.inputs})
            for name in node.outputs:
                expected = alone.tensor(name)
                if behind:
                    tainted.add(name)
                if name not in values:
                    known[name] = expected
                    continue
                differ = int(np.count_nonzero(expected != values[name]))
                if differ and not (name in means and _is_tie(self.core, node, known, expected, values[name])):
                    verdict.unexplained += differ
                    continue
                own[name] = own.get(name, 0) + differ
                if differ or behind:
                    tainted.add(name)
                    if name in verdict.tensors:
                        verdict.tensors[name].excused = True

    def _explain(self, verdict: Verdict, compiled: Compiled, own: dict[str, int]) -> None:
        if self.contract == "fp32":
            self._explain_fp32(verdict, compiled, own)
            return
        if not self.runtime:
            verdict.notes.append(
                "contract tflite-single: no runtime here rounds once; the judge is the model of each operator"
            )
        if self.fully_connected:
            form = FC_FORMS[self.fully_connected]
            verdict.notes.append(f"FULLY_CONNECTED as {self.fully_connected}: {form}")
        if verdict.unexplained:
            verdict.notes.append(
                f"{verdict.unexplained} values of LiteRT's FULLY_CONNECTED are not what its float form "
                "predicts"
            )
        excused = sum(judged.mismatches for judged in verdict.tensors.values() if judged.excused)
        if excused:
            verdict.notes.append(
                f"{excused} values from FULLY_CONNECTED on differ: LiteRT requantises it in float "
                "(FC=integer)"
            )

    def _explain_fp32(self, verdict: Verdict, compiled: Compiled, own: dict[str, int]) -> None:
        left = [node for node in self.core.nodes if node.name not in (self.core.delegated or ())]
        verdict.notes.append(
            f"{len(self.core.nodes) - len(left)} of {len(self.core.nodes)} operators are XNNPACK's"
            + (f"; left to TFLite: {', '.join(sorted({node.op for node in left}))}" if left else "")
        )
        verdict.notes.append(
            "compared with the network with every tensor as an output, whose outputs are those of the "
            "network as it is"
        )
        if self.fully_connected:
            verdict.notes.append(f"FULLY_CONNECTED as {self.fully_connected}: {FC_XNNPACK}")
        sums = {layer.target: layer.sums_apart for layer in compiled.layers}
        for name, count in own.items():
            if count and name in verdict.tensors:
                verdict.tensors[name].own = count
                verdict.notes.append(
                    f"MEAN {name!r}: {count} values differ by 1: {sums[name]} of all possible sums are ties "
                    "that XNNPACK's float32 decides otherwise"
                )
        if verdict.unexplained:
            verdict.notes.append(f"{verdict.unexplained} values differ for no known reason")


def _is_tie(graph: Graph, node: Node, known: dict[str, NDArray], theirs: NDArray, ours: NDArray) -> bool:
    """Whether a mean that differs from LiteRT's does so as the models of both say, and by one."""
    source, target = graph.tensors[str(node.inputs[0])], graph.tensors[node.name]
    x = known[source.name].reshape(source.shape)
    total = x.sum(axis=(0, 1, 2), dtype=np.int32)
    count = source.shape[1] * source.shape[2]
    quantisation = ((source.scale, target.scale), (source.zero_point, target.zero_point))
    runtime = mean_levels(total, count, *quantisation, unsigned=target.unsigned)
    core = fit_mean(count, *quantisation, unsigned=target.unsigned).levels(total, target.zero_point)
    by_one = np.abs(ours.astype(np.int16) - theirs).max() <= 1
    return bool(
        by_one and np.array_equal(runtime, theirs.reshape(-1)) and np.array_equal(core, ours.reshape(-1))
    )


def _after_float(nodes: Sequence[Node]) -> set[str]:
    """Tensors that depend on a fully connected layer."""
    tainted: set[str] = set()
    for node in nodes:
        if node.op == "FULLY_CONNECTED" or any(name in tainted for name in node.inputs):
            tainted.update(node.outputs)
    return tainted


def _unexplained(graph: Graph, node: Node, judge: Runtime) -> int:
    """Values of LiteRT's fully connected layer that are not round(double(acc) * R) of LiteRT's own input."""
    x, w, y = (graph.tensors[str(name)] for name in (*node.inputs[:2], node.name))
    bias = graph.tensors[node.inputs[2]].data if len(node.inputs) > 2 and node.inputs[2] else None
    assert w.data is not None
    if bias is None:
        bias = np.zeros(len(w.data), np.int32)
    rows = judge.tensor(x.name).reshape(-1, w.data.shape[1])
    acc = np.stack([fully_connected(row, w.data, bias, x_zp=x.zero_point) for row in rows])
    rounded = requantize_litert_fc(acc, effective_scale(x.scale, w.scales, y.scale))
    low, high = activation_range(node.options["fusedActivationFunction"], y.scale, y.zero_point)
    expected = clamp(rounded, y.zero_point, low, high)
    return int(np.count_nonzero(expected.reshape(-1) != judge.tensor(y.name).reshape(-1)))
