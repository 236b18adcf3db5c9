"""A topology with seeded random weights, quantised by TFLite's rules, as a .tflite file.

Weights are drawn as He initialisation draws them, with a spread of their own per output channel. Every
convolution has a batch norm whose statistics are those of its own output on a calibration picture, as after
training, and which is then folded into weights and bias. The same pass gives the range of every tensor,
hence its scale and zero point: the minimum and the maximum seen, zero included. Weights are int8, symmetric,
a scale per output channel.

Two departures from the graph, as in TensorFlow's own ResNet: max pooling pads as SAME does, and the softmax
is left to the host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.topology import Step, Topology
from compiler.tflite_build import TfliteBuilder

Floats = NDArray[np.float32]

CHANNELS = 3  # of the picture
EPSILON = 1e-5  # of a batch norm
# Branches that end in a sum are damped, as training does: otherwise the sums grow from block to block.
DAMPED = 0.5
CALIBRATION, INPUT = 0, 1  # pictures by their part in the seed


def picture(size: int, seed: int, part: int) -> Floats:
    """A picture of seeded noise that is smooth, as photographs are: float [size, size, 3], about -2 to 2."""
    rng = np.random.default_rng([seed, 7, part])
    total = np.zeros((size, size, CHANNELS), np.float32)
    grain, weight = 1, 1.0
    while grain < size:
        grain = min(grain * 2, size)
        coarse = rng.normal(0, weight, (grain, grain, CHANNELS)).astype(np.float32)
        index = np.arange(size) * grain // size
        total += coarse[index][:, index]
        weight *= 0.8
    return total / total.std()


@dataclass(frozen=True)
class Quantised:
    """A quantised activation: index in the file, shape [rows, columns, channels]."""

    index: int
    shape: tuple[int, ...]
    scale: np.float32
    zero_point: int


def quantisation(value: Floats) -> tuple[np.float32, int]:
    """Scale and zero point of int8 for the range of `value`."""
    low, high = min(float(value.min()), 0.0), max(float(value.max()), 0.0)
    scale = np.float32((high - low) / 255 or 1.0)
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))


def to_int8(value: Floats, scale: np.float32, zero_point: int) -> NDArray[np.int8]:
    """value / scale + zero_point, rounded and clipped."""
    return np.clip(np.rint(value / scale) + zero_point, -128, 127).astype(np.int8)


@dataclass(frozen=True)
class Network:
    """model: the .tflite or quantised .onnx file. input: a seeded picture that is not one of the calibration,
    int8 [rows, columns, 3] or float32 [1, 3, rows, columns]."""

    name: str
    model: bytes
    input: NDArray


def build(topology: Topology, seed: int) -> Network:
    """The quantised network of this topology and seed."""
    maker = _Maker(topology, seed)
    for step in topology.steps:
        maker.add(step)
    last = maker.made[topology.steps[-1].name]
    first = maker.made["input"]
    model = maker.builder.finish([first.index], [last.index])
    image = to_int8(picture(topology.size, seed, INPUT), first.scale, first.zero_point)
    return Network(topology.name, model, image)


class _Maker:
    """Adds steps to the file; `floats` has the calibration picture's value of every tensor."""

    def __init__(self, topology: Topology, seed: int) -> None:
        self.rng = np.random.default_rng([seed, 11])
        self.builder = TfliteBuilder(topology.name)
        self.joined = {source for step in topology.steps if step.kind == "add" for source in step.sources}
        self.floats: dict[str, Floats] = {}
        self.made: dict[str, Quantised] = {}
        self._keep("input", picture(topology.size, seed, CALIBRATION))

    def add(self, step: Step) -> None:
        """One step, with the activation that it ends with."""
        kinds: dict[str, Callable[[Step], None]] = {
            "conv": self._conv,
            "depthwise": self._conv,
            "max": self._max,
            "average": self._average,
            "add": self._add,
            "dense": self._dense,
        }
        kinds[step.kind](step)

    def _keep(self, name: str, value: Floats, like: Quantised | None = None) -> Quantised:
        """A tensor with its own quantisation, or that of another."""
        scale, zero_point = (like.scale, like.zero_point) if like else quantisation(value)
        index = self.builder.add_tensor(name, (1, *value.shape), np.int8, float(scale), zero_point)
        self.floats[name] = value
        self.made[name] = Quantised(index, value.shape, scale, zero_point)
        return self.made[name]

    def _weights(self, shape: tuple[int, ...], inputs: int) -> Floats:
        """Weights, output channel last; inputs: how many of them a sum has."""
        spread = np.exp(self.rng.normal(0, 0.3, shape[-1]))
        drawn = self.rng.standard_normal(shape, dtype=np.float32)
        return (drawn * (spread * np.sqrt(2 / inputs))).astype(np.float32)

    def _constants(self, step: Step, source: Quantised, weights: Floats, bias: Floats) -> tuple[int, int]:
        """Indices of int8 weights and int32 bias in the file. weights: output channel first."""
        axis = weights.ndim - 1 if step.kind == "depthwise" else 0
        others = tuple(other for other in range(weights.ndim) if other != axis)
        scales = (np.abs(weights).max(axis=others) / 127).astype(np.float32)
        shape = [1] * weights.ndim
        shape[axis] = -1
        integers = np.rint(weights / scales.reshape(shape)).astype(np.int8)
        offset = np.rint(bias.astype(np.float64) / (np.float64(source.scale) * scales)).astype(np.int32)
        add = self.builder.add_tensor
        return (
            add(
                f"{step.name}/w",
                integers.shape,
                np.int8,
                scales,
                quantized_dimension=axis,
                data=integers,
            ),
            add(f"{step.name}/b", offset.shape, np.int32, source.scale * scales, data=offset),
        )

    def _conv(self, step: Step) -> None:
        (name,) = step.sources
        source, x, k = self.made[name], self.floats[name], step.kernel
        deep = step.kind == "depthwise"
        inputs = 1 if deep else x.shape[-1]
        weights = self._weights((k, k, inputs, step.channels), k * k * inputs)
        padded = np.pad(x, ((step.pad, step.pad), (step.pad, step.pad), (0, 0)))
        raw = _convolve(padded, weights, step.stride, deep)
        # Folded batch norm: gain and shift take its place.
        mean, deviation = raw.mean((0, 1)), np.sqrt(raw.var((0, 1)) + EPSILON)
        gain = self.rng.uniform(0.7, 1.3, step.channels) * (DAMPED if step.name in self.joined else 1)
        gain = (gain / deviation).astype(np.float32)
        shift = (self.rng.normal(0, 0.3, step.channels) - mean * gain).astype(np.float32)
        value = _activate(raw * gain + shift, step.activation)
        # [k, k, in, out] -> [out, k, k, in], or [1, k, k, out]
        folded = (weights * gain).transpose(2, 0, 1, 3) if deep else (weights * gain).transpose(3, 0, 1, 2)
        w, bias = self._constants(step, source, folded, shift)
        x_index, padding = source.index, "SAME"
        if step.pad and step.stride > 1:
            # SAME would pad less at the top and on the left.
            around = (step.pad, step.pad)
            pad_shape = (1, *padded.shape)
            x_index = self.builder.add_tensor(
                f"{step.name}/padded", pad_shape, np.int8, float(source.scale), source.zero_point
            )
            self.builder.pad(source.index, x_index, [(0, 0), around, around, (0, 0)])
            padding = "VALID"
        target = self._keep(step.name, value)
        stride = (step.stride, step.stride)
        operator = self.builder.depthwise_conv2d if deep else self.builder.conv2d
        operator(x_index, w, bias, target.index, stride=stride, padding=padding, activation=step.activation)

    def _max(self, step: Step) -> None:
        (name,) = step.sources
        x, k, s = self.floats[name], step.kernel, step.stride
        rows, columns = (-(-length // s) for length in x.shape[:2])
        missing = [max((out - 1) * s + k - size, 0) for out, size in ((rows, len(x)), (columns, x.shape[1]))]
        border = [(total // 2, total - total // 2) for total in missing]
        padded = np.pad(x, [*border, (0, 0)], constant_values=-np.inf)
        taps = [padded[i : i + rows * s : s, j : j + columns * s : s] for i in range(k) for j in range(k)]
        target = self._keep(step.name, np.maximum.reduce(taps), self.made[name])
        self.builder.max_pool(
            self.made[name].index, target.index, kernel=(k, k), stride=(s, s), padding="SAME"
        )

    def _average(self, step: Step) -> None:
        """The mean of the whole picture."""
        (name,) = step.sources
        value = self.floats[name].mean((0, 1), keepdims=True)
        target = self._keep(step.name, value, self.made[name])
        kernel = self.floats[name].shape[:2]
        self.builder.average_pool(self.made[name].index, target.index, kernel=kernel)

    def _add(self, step: Step) -> None:
        first, second = step.sources
        value = _activate(self.floats[first] + self.floats[second], step.activation)
        target = self._keep(step.name, value)
        self.builder.add(
            self.made[first].index, self.made[second].index, target.index, activation=step.activation
        )

    def _dense(self, step: Step) -> None:
        (name,) = step.sources
        source, x = self.made[name], self.floats[name].reshape(-1)
        flat = self.builder.add_tensor(
            f"{step.name}/flat", (1, x.size), np.int8, float(source.scale), source.zero_point
        )
        self.builder.reshape(source.index, flat)
        weights = self._weights((x.size, step.channels), x.size).T
        bias = self.rng.normal(0, 0.1, step.channels).astype(np.float32)
        w, b = self._constants(step, source, weights, bias)
        target = self._keep(step.name, weights @ x + bias)
        self.builder.fully_connected(flat, w, b, target.index)


def _activate(value: Floats, activation: str) -> Floats:
    if activation == "NONE":
        return value
    return np.clip(value, 0, 6 if activation == "RELU6" else None)


def _convolve(padded: Floats, weights: Floats, stride: int, deep: bool) -> Floats:
    """padded: [rows, columns, in]; weights: [k, k, in, out], depthwise [k, k, 1, channels]."""
    k = weights.shape[0]
    rows, columns = ((length - k) // stride + 1 for length in padded.shape[:2])
    total = np.zeros((rows, columns, weights.shape[-1]), np.float32)
    for i in range(k):
        for j in range(k):
            tap = padded[i : i + rows * stride : stride, j : j + columns * stride : stride]
            total += tap * weights[i, j, 0] if deep else tap @ weights[i, j]
    return total
