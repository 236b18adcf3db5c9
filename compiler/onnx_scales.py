"""Moves the scales of a quantised network a little, so that ONNX Runtime's float32 rounds nothing on the way.

Averages and sums are float32 in the runtime and exact in the core (docs/adr/0002, 0003). They agree for every
input where float32 is exact, too: an average of taps times a scale of few bits; a sum whose ratios of scales
lie on a grid so coarse that all products and sums fit 24 bits. Scales only grow, by a thousandth or so, so
that what fitted their range still does; those of a transposed convolution by more, its weights' too
(compiler/onnx_transposed.py). Only for networks that are quantised here: a file's own scales stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import numpy_helper

from compiler.onnx_transposed import Scales, exact_scales

SCALE_BITS = 11  # sums of 32 levels of 8 bits times such a scale fit a float32
SIGNIFICAND = 24
NEAR = 8  # points of a grid that are tried
# Operators whose result has the scale of what they read.
SAME = (
    "AveragePool Concat Flatten Identity MaxPool Pad Reshape Resize Slice Split Squeeze Transpose Unsqueeze"
).split()  # fmt: skip
CLAMPS = ("Relu", "Clip")


def with_exact_scales(parsed: Any) -> Any:
    """The ModelProto in QDQ form with its activation scales moved, int32 biases with them."""
    scales = _Scales(parsed.graph)
    scales.shorten()
    for node in parsed.graph.node:
        if node.op_type == "ConvTranspose":
            scales.fit_transposed(node)
    for node in reversed(parsed.graph.node):
        if node.op_type == "Add":
            scales.align(node)
    scales.write()
    return parsed


def short_scale(scale: float) -> np.float32:
    """The next scale up with SCALE_BITS significant bits."""
    fraction, exponent = np.frexp(np.float64(scale))
    return np.float32(np.ldexp(np.ceil(np.ldexp(fraction, SCALE_BITS)), exponent - SCALE_BITS))


def on_grid(scale: float, other: float, target: float) -> np.float32 | None:
    """The next scale up whose float32 ratio to `target` makes a sum exact beside `other`; None if there is
    none near."""
    total = 256 * (scale + other) / target + 256
    step = 2.0 ** (np.ceil(np.log2(total)) - SIGNIFICAND + 1)
    first = np.ceil(scale / target / step)
    for ratio in (np.float32((first + more) * step) for more in range(NEAR)):
        near = np.float32(ratio * np.float32(target))
        for candidate in (near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(0))):
            # Not every ratio is one of two float32 values.
            if candidate / np.float32(target) == ratio:
                return np.float32(candidate)
    return None


class _Scales:
    """The scales of a graph's activations, by the name of their initializer; equal ones that belong together
    move together."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph
        self.held = {i.name: i for i in graph.initializer}
        self.made = {name: node for node in graph.node for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        quantisers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
        self.values = {node.input[1]: float(self._array(node.input[1])) for node in quantisers}
        self.leader = {name: name for name in self.values}
        for node in graph.node:
            if node.op_type in SAME:
                ends = [self.reads(name) for name in node.input] + [self.writes(name) for name in node.output]
                known = [name for name in ends if name is not None]
                for name in known[1:]:
                    self._join(known[0], name)
        self.fixed = {
            self.group(str(self.reads(node.input[0])))
            for node in graph.node
            if node.op_type == "AveragePool" and self.reads(node.input[0])
        }

    def _array(self, name: str) -> NDArray:
        return numpy_helper.to_array(self.held[name])

    def _join(self, one: str, other: str) -> None:
        if self.values[one] == self.values[other]:
            self.leader[self.group(other)] = self.group(one)

    def group(self, name: str) -> str:
        """The scale that stands for all that are equal to this one."""
        while self.leader[name] != name:
            name = self.leader[name]
        return name

    def reads(self, name: str) -> str | None:
        """The scale of an activation that a node reads, None for anything else."""
        node = self.made.get(name)
        if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in self.values:
            return None
        return str(node.input[1])

    def writes(self, name: str) -> str | None:
        """The scale with which a node's result is quantised, behind a Relu or Clip at most."""
        readers = self.readers.get(name, [])
        if len(readers) == 1 and readers[0].op_type in CLAMPS:
            return self.writes(readers[0].output[0])
        found = [node.input[1] for node in readers if node.op_type == "QuantizeLinear"]
        return str(found[0]) if len(found) == 1 == len(readers) else None

    def shorten(self) -> None:
        """Few bits for every scale."""
        for name in {self.group(name) for name in self.values}:
            self.values[name] = float(short_scale(self.values[name]))

    def align(self, node: Any) -> None:
        """An Add's inputs to a grid of its output's scale, unless another operator has fixed them."""
        names = [*(self.reads(name) for name in node.input), self.writes(node.output[0])]
        if None in names:
            return
        first, second, target = (self.group(str(name)) for name in names)
        if target not in (first, second) and not self.fixed & {first, second}:
            y = self.values[target]
            # The larger first: the other one's grid depends on their sum alone.
            a, b = self.values[first], self.values[second]
            found = [on_grid(a, b, y), on_grid(b, a, y)]
            if None not in found:
                self.values[first], self.values[second] = (float(np.float32(s)) for s in found if s)
        self.fixed |= {first, second, target}

    def fit_transposed(self, node: Any) -> None:
        """A ConvTranspose's input, weights and output to scales with which its sums are exact, unless another
        operator has fixed them."""
        x, y = self.reads(node.input[0]), self.writes(node.output[0])
        constants = [self.made[name] for name in node.input[1:] if name in self.made]
        if x is None or y is None or self.group(x) == self.group(y):
            return
        if self.fixed & {self.group(x), self.group(y)} or any(d.input[0] not in self.held for d in constants):
            return
        w, *bias = ([self._array(name) for name in d.input] for d in constants)
        zero = int(self._array(self.made[node.input[0]].input[2]))
        real = bias[0][0] * bias[0][1].astype(np.float64) if bias else None
        before = Scales(
            np.float32(self.values[self.group(x)]), w[1].reshape(-1), np.float32(self.values[self.group(y)])
        )
        found = exact_scales(before, w[0], real, max(127 - zero, zero + 128))
        if found is None:
            return
        scales, levels = found
        self.values[self.group(x)], self.values[self.group(y)] = float(scales.x), float(scales.y)
        self._put(constants[0].input[0], levels)
        self._put(constants[0].input[1], scales.w.reshape(w[1].shape))
        self.fixed |= {self.group(x), self.group(y)}

    def write(self) -> None:
        """Into the initializers; int32 biases get the scale of their sums again."""
        old = {name: self._array(name) for name in self.held}
        for name in self.values:
            self._put(name, np.array(self.values[self.group(name)], np.float32).reshape(old[name].shape))
        for node in self.graph.node:
            sources = [self.made[name] for name in node.input if name in self.made]
            if node.op_type not in ("Conv", "Gemm", "ConvTranspose") or len(sources) < 3:
                continue
            x, w, bias = (source.input for source in sources)
            scale = self._array(x[1]) * old[w[1]]
            levels = np.rint(old[bias[0]] * (old[bias[1]].astype(np.float64) / scale))
            self._put(bias[0], levels.clip(-(2**31), 2**31 - 1).astype(np.int32))
            self._put(bias[1], scale.reshape(old[bias[1]].shape).astype(np.float32))

    def _put(self, name: str, data: NDArray) -> None:
        self.held[name].CopyFrom(numpy_helper.from_array(data, name))
