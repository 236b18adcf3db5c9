"""Post-training quantisation of a sequential float network to a .tflite file, by TFLite's int8 rules.

Activations: one scale and zero point per tensor, from the range seen in calibration, widened to hold 0.
Weights: symmetric in [-127, 127], a scale per output channel. Bias: int32 at input scale * weight scale.
Source: https://ai.google.dev/edge/litert/models/quantization_spec
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compiler.tflite_build import TfliteBuilder


@dataclass(frozen=True)
class Conv:
    """SAME convolution. weight: float32 [O,k,k,I], bias: float32 [O]."""

    name: str
    weight: np.ndarray
    bias: np.ndarray
    stride: int
    dilation: int
    relu: bool


@dataclass(frozen=True)
class Pool:
    """kind: "max" or "average". padding: "VALID" or "SAME" (average leaves padding out of its count)."""

    name: str
    kind: str
    kernel: int
    stride: int
    padding: str


@dataclass(frozen=True)
class Dense:
    """Fully connected over the flattened NHWC input. weight: float32 [O,H*W*C], bias: float32 [O]."""

    name: str
    weight: np.ndarray
    bias: np.ndarray


Layer = Conv | Pool | Dense
Range = tuple[float, float]


@dataclass(frozen=True)
class _Tensor:
    index: int
    shape: tuple[int, ...]
    scale: np.float32
    zero_point: int


def out_size(size: int, kernel: int, stride: int, padding: str) -> int:
    """Output rows (or columns) of a window by TFLite's rule; kernel is the dilated one."""
    return -(-size // stride) if padding == "SAME" else (size - kernel) // stride + 1


def macs(layers: Sequence[Layer], input_shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates of one image. input_shape: (rows, columns, channels)."""
    rows, columns, _ = input_shape
    total = 0
    for layer in layers:
        if isinstance(layer, Dense):
            total += layer.weight.size
            continue
        kernel, padding = (layer.kernel, layer.padding) if isinstance(layer, Pool) else (1, "SAME")
        rows, columns = (out_size(n, kernel, layer.stride, padding) for n in (rows, columns))
        if isinstance(layer, Conv):
            total += rows * columns * layer.weight.size
    return total


def activation_scale(low: float, high: float) -> tuple[np.float32, int]:
    """(scale, zero point) of an int8 tensor that must hold [low, high] and, exactly, 0."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / 255.0)
    if scale == 0:
        raise ValueError(f"a tensor that is always zero cannot be quantised (range {low}..{high})")
    return scale, int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))


def quantise_weights(
    weight: np.ndarray, bias: np.ndarray, input_scale: np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(int8 weights, int32 bias, float32 scales [O]); axis 0 of weight is the output channel.

    Raises ValueError for a channel without weights and for a bias that leaves 31 bits at its scale.
    """
    peak = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    if not peak.all():
        raise ValueError(f"output channel {int(np.argmin(peak))} has no weights other than zero")
    scales = (peak / 127.0).astype(np.float32)
    shaped = scales.astype(np.float64).reshape(-1, *(1,) * (weight.ndim - 1))
    whole = np.clip(np.rint(weight / shaped), -127, 127).astype(np.int8)
    # One bit is left for the sum of products.
    offset = np.rint(bias / (np.float64(input_scale) * scales))
    worst = int(np.argmax(np.abs(offset)))
    if abs(offset[worst]) >= 2**30:
        raise ValueError(f"bias of output channel {worst} does not fit its int32 scale")
    return whole, offset.astype(np.int32), scales


class _Writer:
    """Adds one layer after the other to a builder; holds the tensor that the next layer reads."""

    def __init__(self, name: str, input_shape: tuple[int, int, int], input_range: Range) -> None:
        self.builder = TfliteBuilder(name)
        scale, zero_point = activation_scale(*input_range)
        self.tensor = self._activation("image", (1, *input_shape), scale, zero_point)

    def conv(self, layer: Conv, limits: Range) -> None:
        _, rows, columns, _ = self.tensor.shape
        rows, columns = (out_size(n, 1, layer.stride, "SAME") for n in (rows, columns))
        weight, bias = self._parameters(layer)
        shape = (1, rows, columns, len(layer.weight))
        x, y = self.tensor, self._activation(layer.name, shape, *activation_scale(*limits))
        self.builder.conv2d(
            x.index,
            weight,
            bias,
            y.index,
            stride=(layer.stride, layer.stride),
            dilation=(layer.dilation, layer.dilation),
            padding="SAME",
            activation="RELU" if layer.relu else "NONE",
        )
        self.tensor = y

    def pool(self, layer: Pool) -> None:
        x = self.tensor
        _, rows, columns, channels = x.shape
        rows, columns = (out_size(n, layer.kernel, layer.stride, layer.padding) for n in (rows, columns))
        y = self._activation(layer.name, (1, rows, columns, channels), x.scale, x.zero_point)
        add = self.builder.max_pool if layer.kind == "max" else self.builder.average_pool
        kernel, stride = (layer.kernel, layer.kernel), (layer.stride, layer.stride)
        add(x.index, y.index, kernel=kernel, stride=stride, padding=layer.padding)
        self.tensor = y

    def dense(self, layer: Dense, limits: Range) -> None:
        x = self.tensor
        flat = self._activation("flatten", (1, layer.weight.shape[1]), x.scale, x.zero_point)
        self.builder.reshape(x.index, flat.index)
        self.tensor = flat
        weight, bias = self._parameters(layer)
        y = self._activation(layer.name, (1, len(layer.weight)), *activation_scale(*limits))
        self.builder.fully_connected(flat.index, weight, bias, y.index)
        self.tensor = y

    def _activation(self, name: str, shape: tuple[int, ...], scale: np.float32, zero_point: int) -> _Tensor:
        index = self.builder.add_tensor(name, shape, np.int8, float(scale), zero_point)
        return _Tensor(index, shape, scale, zero_point)

    def _parameters(self, layer: Conv | Dense) -> tuple[int, int]:
        try:
            weight, bias, scales = quantise_weights(layer.weight, layer.bias, self.tensor.scale)
        except ValueError as error:
            raise ValueError(f"layer {layer.name!r}: {error}") from error
        add = self.builder.add_tensor
        return (
            add(f"{layer.name}/weight", weight.shape, np.int8, scales, 0, data=weight),
            add(f"{layer.name}/bias", bias.shape, np.int32, scales * self.tensor.scale, 0, data=bias),
        )


def quantise(
    name: str,
    layers: Sequence[Layer],
    input_shape: tuple[int, int, int],
    input_range: Range,
    ranges: Mapping[str, Range],
) -> bytes:
    """The network as a .tflite file.

    input_shape: (rows, columns, channels). input_range: real values of the input. ranges: layer name to the
    (least, greatest) value that calibration saw after the activation function, for every Conv and Dense.
    Raises ValueError, naming the layer, when it cannot be quantised.
    """
    writer = _Writer(name, input_shape, input_range)
    first = writer.tensor.index
    for layer in layers:
        if isinstance(layer, Conv):
            writer.conv(layer, ranges[layer.name])
        elif isinstance(layer, Pool):
            writer.pool(layer)
        else:
            writer.dense(layer, ranges[layer.name])
    return writer.builder.finish([first], [writer.tensor.index])


def run(model: bytes, inputs: np.ndarray) -> np.ndarray:
    """Outputs of a .tflite file on LiteRT's reference kernels. inputs: int8 [n,...] -> int8 [n,O]."""
    interpreter = Interpreter(
        model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    outputs = []
    for one in inputs:
        interpreter.set_tensor(source, one[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result)[0])
    return np.stack(outputs)
