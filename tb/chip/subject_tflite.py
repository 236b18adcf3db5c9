"""A .tflite network for `make net`: its parts on host and core, and LiteRT as its judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from compiler.host import Parts, split
from compiler.ir import Graph, Node
from compiler.network import Compiled
from compiler.tflite import read_tflite
from models.fully_connected import fully_connected
from models.quantize import activation_range, clamp, effective_scale, requantize_litert_fc
from tb.chip.runtime import FC_FORMS, NAME, Runtime, check
from tb.chip.verdict import Judged, Verdict

CONTRACTS = ("tflite", "tflite-single")


class TfliteSubject:
    """border: what the user's inputs fit. core: what is compiled. head, tail: nodes of the host. runtime: who
    judges, empty when nobody does. fully_connected: the form in which such layers are judged, or None.
    Raises CompileError for what is no network for the core."""

    short = "LiteRT"

    def __init__(self, model: bytes, contract: str, fc: str) -> None:
        self.model, self.fc = model, fc
        self.parts: Parts = split(model)
        self.border: Graph = self.parts.graph
        self.core = replace(read_tflite(self.parts.core), contract=contract)
        self.head, self.tail = self.parts.head, self.parts.tail
        self.runtime = NAME if contract == "tflite" else ""
        dense = any(node.op == "FULLY_CONNECTED" for node in self.border.nodes)
        self.fully_connected = fc if dense and self.runtime else None

    def start(self) -> None:
        """Load the model into LiteRT. Raises UserError when it is damaged or refused."""
        check(self.model)
        self.judge = Runtime(self.model, self.border, self.fc)

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
        head = Runtime(parts.head_model, parts.graph)
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
        tail = Runtime(parts.tail_model, read_tflite(parts.tail_model)) if parts.tail_model else None
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
            for name in parts.graph.outputs:
                if name in values:
                    value = values[name]
                    unsigned = parts.graph.tensors[name].unsigned
                    verdict.outputs.setdefault(name, []).append(
                        (value.view(np.uint8) ^ 0x80) if unsigned else value
                    )
        self._explain(verdict)
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

    def _explain(self, verdict: Verdict) -> None:
        if not self.runtime:
            verdict.notes.append(
                "contract tflite-single: no runtime here rounds once; the judge is the model of each operator"
            )
        if self.fully_connected:
            form = FC_FORMS[self.fully_connected]
            verdict.notes.append(f"FULLY_CONNECTED judged as {self.fully_connected}: {form}")
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
