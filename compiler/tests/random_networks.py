"""Random int8 networks in any contract, and what the operator models and LiteRT say about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models import xnnpack
from models.activation import (
    apply_table,
    gelu_table,
    hard_swish_table,
    leaky_relu_table,
    relu_table,
    requantize_table,
    sigmoid_table,
)
from models.config import Config
from models.conv import conv2d, tflite_padding
from models.elementwise import Elementwise, element, tflite_element
from models.fully_connected import fully_connected
from models.pool import average_pool, max_pool, mean, mean_multiplier
from models.quantize import (
    Rounding,
    activation_range,
    clamp,
    effective_scale,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)
from models.xnnpack import xnnpack_element

Int8 = NDArray[np.int8]

# Buffers small enough that everything is cut, and large enough that nothing is.
SMALL = {
    "act_words": 256,
    "wgt_words": 128,
    "out_words": 64,
    "par_words": 32,
    "acc_depth": 16,
    "line_words": 16,
    "max_burst": 8,
}
CONFIGS = {
    "n4_small": Config(n=4, **SMALL),
    "n4_tiny": Config(
        n=4, act_words=64, wgt_words=16, out_words=8, par_words=16, acc_depth=4, line_words=8, max_burst=2
    ),
    "n16_small": Config(n=16, **SMALL),
    "n16": Config(n=16),
}


@dataclass
class RandomNetwork:
    """Grows a .tflite file and, beside it, the value of every tensor by the operator models.

    rng decides sizes, scales and weights. contract: whose arithmetic the values have, one of
    compiler/ir.py:CONTRACTS. values: int8 [H, W, C] (or [C]) by tensor name.
    """

    rng: np.random.Generator
    x: Int8
    contract: str = "tflite"
    builder: TfliteBuilder = field(default_factory=TfliteBuilder)
    values: dict[str, Int8] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    # (index in the file, scale, zero point) by name.
    known: dict[str, tuple[int, float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scale, self.zero_point = float(np.float32(self.rng.uniform(0.01, 0.1))), self._zero_point()
        self.input = self.last = self._tensor("x", self.x)

    def _zero_point(self) -> int:
        return int(self.rng.integers(-128, 128))

    def _tensor(self, name: str, value: Int8) -> int:
        self.values[name] = value
        index = self.builder.add_tensor(name, (1, *value.shape), np.int8, self.scale, self.zero_point)
        self.known[name] = (index, self.scale, self.zero_point)
        return index

    def _push(self, name: str, value: Int8) -> tuple[int, int]:
        """(input, output) tensor indices of the operator that makes `name`."""
        before, self.last = self.last, self._tensor(name, value)
        self.x = value
        self.outputs = [self.last]
        return before, self.last

    def finish(self) -> bytes:
        return self.builder.finish([self.input], self.outputs)

    def conv(
        self,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
        groups: int = 1,
        to: tuple[float, int] | None = None,
    ) -> None:
        """groups divides both channel counts. to: scale and zero point of the output, drawn if None."""
        rng, (height, width, channels) = self.rng, self.x.shape
        name = f"conv{len(self.values)}"
        w = rng.integers(-127, 128, (outputs, *kernel, channels // groups)).astype(np.int8)
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        x_scale, x_zp = self.scale, self.zero_point
        pad = tflite_padding(padding, (height, width), kernel, stride, dilation)
        parts = [
            conv2d(x, part, k, stride=stride, dilation=dilation, padding=pad, x_zp=x_zp)
            for x, part, k in zip(
                np.split(self.x, groups, axis=2), np.split(w, groups), np.split(bias, groups), strict=True
            )
        ]
        acc = np.concatenate(parts, axis=2)
        self.scale, self.zero_point, w_scale = self._scales(acc, to)
        value = self._post(acc, x_scale, w_scale, activation)
        weights = self.builder.add_tensor(f"{name}/w", w.shape, np.int8, w_scale, 0, data=w)
        k = self.builder.add_tensor(f"{name}/b", bias.shape, np.int32, x_scale * w_scale, 0, data=bias)
        x, y = self._push(name, value)
        self.builder.conv2d(
            x, weights, k, y, stride=stride, dilation=dilation, padding=padding, activation=activation
        )

    def depthwise(
        self,
        kernel: tuple[int, int],
        *,
        multiplier: int = 1,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> None:
        rng, (height, width, channels) = self.rng, self.x.shape
        name, outputs = f"depthwise{len(self.values)}", channels * multiplier
        w = rng.integers(-127, 128, (1, *kernel, outputs)).astype(np.int8)
        bias = rng.integers(-500, 500, outputs).astype(np.int32)
        x_scale, x_zp = self.scale, self.zero_point
        pad = tflite_padding(padding, (height, width), kernel, stride, dilation)
        sums = [
            conv2d(
                self.x[..., o // multiplier, None],
                w[..., o, None],
                bias[o : o + 1],
                stride=stride,
                dilation=dilation,
                padding=pad,
                x_zp=x_zp,
            )
            for o in range(outputs)
        ]
        acc = np.concatenate(sums, axis=2)
        self.scale, self.zero_point, w_scale = self._scales(acc)
        value = self._post(acc, x_scale, w_scale, activation)
        weights = self.builder.add_tensor(
            f"{name}/w", w.shape, np.int8, w_scale, 0, quantized_dimension=3, data=w
        )
        k = self.builder.add_tensor(f"{name}/b", bias.shape, np.int32, x_scale * w_scale, 0, data=bias)
        x, y = self._push(name, value)
        self.builder.depthwise_conv2d(
            x,
            weights,
            k,
            y,
            multiplier=multiplier,
            stride=stride,
            dilation=dilation,
            padding=padding,
            activation=activation,
        )

    def _scales(
        self, acc: NDArray[np.int32], to: tuple[float, int] | None = None
    ) -> tuple[float, int, NDArray[np.float32]]:
        """Scale and zero point of an output and the scales of its weights, one or one per channel.

        Such that the output is neither all clamped nor all the same, and its real values lie around 1,
        however deep the network: their spread is that of the accumulators acc, [..., channels].
        """
        rng = self.rng
        scales = rng.uniform(0.3, 3, acc.shape[-1] if rng.integers(2) else 1)
        spread = rng.uniform(25, 60)
        scale = to[0] if to else float(np.float32(rng.uniform(0.5, 4) / spread))
        real = acc * self.scale * scales
        # Real networks stay within these weight scales; quantised multipliers are below 1, mostly.
        scales = (scales * np.clip(scale * spread / max(real.std(), 1e-9), 1e-5, 1)).astype(np.float32)
        middle = float(np.mean(acc * self.scale * scales / scale))
        zero_point = to[1] if to else int(np.clip(rng.integers(-60, 60) - round(middle), -128, 127))
        return scale, zero_point, scales

    def concat(self, branches: Sequence[Sequence[Callable[[], None]]], keep: bool = False) -> None:
        """Operators that all start from the last tensor and end with its scale and zero point, side by side.

        keep: the last tensor itself comes first.
        """
        start = (self.x, self.last, self.scale, self.zero_point)
        ends = [start[:2]] if keep else []
        for branch in branches:
            self.x, self.last, self.scale, self.zero_point = start
            for operator in branch:
                operator()
            assert (self.scale, self.zero_point) == start[2:], "a branch changes the scale"
            ends.append((self.x, self.last))
        value = np.concatenate([x for x, _ in ends], axis=2)
        _, y = self._push(f"concat{len(self.values)}", value)
        self.builder.concatenation([index for _, index in ends], y)

    def pad(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        value = np.pad(self.x, (rows, columns, (0, 0)), constant_values=self.zero_point)
        x, y = self._push(f"pad{len(self.values)}", value)
        self.builder.pad(x, y, [(0, 0), rows, columns, (0, 0)])

    def cut(self, rows: slice, columns: slice, channels: slice) -> None:
        """STRIDED_SLICE; the slices have a start, a stop and a positive step."""
        kept = (slice(0, 1, 1), rows, columns, channels)
        x, y = self._push(f"cut{len(self.values)}", np.ascontiguousarray(self.x[kept[1:]]))
        self.builder.strided_slice(
            x, y, [k.start for k in kept], [k.stop for k in kept], [k.step for k in kept]
        )

    def flatten(self) -> None:
        x, y = self._push(f"flat{len(self.values)}", self.x.reshape(-1))
        self.builder.reshape(x, y)

    def dense(self, outputs: int, activation: str = "NONE") -> None:
        rng, name = self.rng, f"dense{len(self.values)}"
        w = rng.integers(-127, 128, (outputs, self.x.size)).astype(np.int8)
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        x_scale, x_zp = self.scale, self.zero_point
        acc = fully_connected(self.x, w, bias, x_zp=x_zp)
        self.scale, self.zero_point, w_scale = self._scales(acc)
        value = self._post(acc, x_scale, w_scale, activation)
        weights = self.builder.add_tensor(f"{name}/w", w.shape, np.int8, w_scale, 0, data=w)
        k = self.builder.add_tensor(f"{name}/b", bias.shape, np.int32, x_scale * w_scale, 0, data=bias)
        x, y = self._push(name, value)
        self.builder.fully_connected(x, weights, k, y, activation=activation)

    def _post(self, acc: NDArray, x_scale: float, w_scale: NDArray, activation: str) -> Int8:
        if self.contract == "fp32":
            scaled = requantize(acc, fp32_multiplier(x_scale, w_scale, self.scale), 0, Rounding.FP32)
        else:
            words = quantize_multiplier(effective_scale(x_scale, w_scale, self.scale))
            scaled = requantize(acc, *words, self._rounding)
        return clamp(scaled, self.zero_point, *self._ends(activation))

    @property
    def _rounding(self) -> Rounding:
        """Of TFLite's kernels; in contract fp32 of those that XNNPACK leaves to it."""
        return Rounding.SINGLE if self.contract == "tflite-single" else Rounding.DOUBLE

    def _ends(self, activation: str, xnnpack_takes_it: bool = True) -> tuple[int, int]:
        if self.contract == "fp32" and xnnpack_takes_it:
            return xnnpack.activation_range(activation, self.scale, self.zero_point)
        return activation_range(activation, self.scale, self.zero_point)

    def pool(
        self,
        kind: str,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] | None = None,
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> None:
        stride = stride or kernel
        pad = tflite_padding(padding, self.x.shape[:2], kernel, stride)
        model = max_pool if kind == "max" else average_pool
        value = model(self.x, kernel, stride=stride, padding=pad)
        value = np.clip(value, *self._ends(activation, kind == "max")).astype(np.int8)
        x, y = self._push(f"{kind}{len(self.values)}", value)
        add = self.builder.max_pool if kind == "max" else self.builder.average_pool
        add(x, y, kernel=kernel, stride=stride, padding=padding, activation=activation)

    def mean(self) -> None:
        x_scale, x_zp = self.scale, self.zero_point
        rows, columns, _ = self.x.shape
        value = None
        while value is None:
            self.scale = float(np.float32(x_scale * float(self.rng.uniform(0.3, 1.5))))
            self.zero_point = self._zero_point()
            value = self._mean(x_scale, x_zp, rows * columns)
        x, y = self._push(f"mean{len(self.values)}", value.reshape(1, 1, -1))
        self.builder.mean(x, y)

    def _mean(self, x_scale: float, x_zp: int, count: int) -> Int8 | None:
        """None for scales with which the core differs from XNNPACK (models/xnnpack.py:fit_mean)."""
        if self.contract == "fp32":
            fit = xnnpack.fit_mean(count, (x_scale, self.scale), (x_zp, self.zero_point))
            total = self.x.sum(axis=(0, 1), dtype=np.int32)
            return None if fit.sums_apart else fit.levels(total, self.zero_point)
        multiplier, shift = mean_multiplier(x_scale, self.scale, count)
        zeros = {"x_zp": x_zp, "y_zp": self.zero_point}
        return mean(self.x, **zeros, multiplier=multiplier, shift=shift, mode=self._rounding)

    def join_constant(self, op: str, shape: tuple[int, ...], activation: str = "NONE") -> None:
        """ADD, SUB or MUL of the last tensor and a constant of a shape that broadcasts to it."""
        value = self.rng.integers(-128, 128, shape).astype(np.int8)
        scale, zero_point = float(np.float32(self.rng.uniform(0.01, 0.1))), self._zero_point()
        name = f"constant{len(self.values)}"
        index = self.builder.add_tensor(name, shape, np.int8, scale, zero_point, data=value)
        self._join(op, np.broadcast_to(value, (1, *self.x.shape))[0], (index, scale, zero_point), activation)

    def join(self, op: str, other: str, activation: str = "NONE") -> None:
        """ADD, SUB or MUL of the last tensor and `other`, an earlier one of the same shape."""
        self._join(op, self.values[other], self.known[other], activation)

    def _join(self, op: str, o_value: Int8, other: tuple[int, float, int], activation: str) -> None:
        """other: index in the file, scale and zero point."""
        x_scale, x_zp = self.scale, self.zero_point
        o_index, o_scale, o_zp = other
        if op == "mul":
            self.scale = float(np.float32(x_scale * o_scale * self.rng.uniform(40, 120)))
        else:
            self.scale = float(np.float32(max(x_scale, o_scale) * self.rng.uniform(0.8, 2.0)))
        self.zero_point = self._zero_point()
        kind = Elementwise[op.upper()]
        scales, zeros = (x_scale, o_scale, self.scale), (x_zp, o_zp, self.zero_point)
        fp32 = self.contract == "fp32"
        record = (xnnpack_element if fp32 else tflite_element)(kind, scales, zeros, self._ends(activation))
        mode = Rounding.FP32 if fp32 else self._rounding
        value = element(self.x, o_value, kind, record, mode)
        if fp32 and op == "mul" and self.last == o_index:
            to = (x_scale, x_zp, self.scale, self.zero_point)
            value = apply_table(self.x, xnnpack.square_table(*to, self._ends(activation)))
        x, y = self._push(f"{op}{len(self.values)}", value)
        getattr(self.builder, op)(x, o_index, y, activation=activation)

    def table(self, op: str) -> None:
        x_scale, x_zp = self.scale, self.zero_point
        if op == "logistic":
            self.scale, self.zero_point = 1 / 256, -128
            table = self._table(op, x_scale, x_zp)
        else:
            self.scale = float(np.float32(x_scale * self.rng.uniform(0.6, 1.5)))
            self.zero_point = self._zero_point()
            table = self._table(op, x_scale, x_zp)
        x, y = self._push(f"{op}{len(self.values)}", apply_table(self.x, table))
        options = {"alpha": 0.1} if op == "leaky_relu" else {}
        getattr(self.builder, op)(x, y, **options)

    def _table(self, op: str, x_scale: float, x_zp: int) -> Int8:
        to, mode = (x_scale, x_zp, self.scale, self.zero_point), self._rounding
        match op, self.contract:
            case "logistic", "fp32":
                return xnnpack.float_table(xnnpack.sigmoid, *to)
            case "leaky_relu", "fp32":
                return xnnpack.leaky_relu_table(*to, alpha=0.1)
            case "quantize", "fp32":
                return xnnpack.requantize_table(*to)
            case "logistic", _:
                return sigmoid_table(*to)
            case "leaky_relu", _:
                return leaky_relu_table(*to, alpha=0.1, mode=mode)
            case "quantize", _:
                return requantize_table(*to, mode=mode)
            case "relu", _:
                return relu_table(*to, mode=mode)
            case "gelu", _:
                return gelu_table(*to)
        return hard_swish_table(*to)


def start(
    rng: np.random.Generator, most: int = 12, channels: int = 20, contract: str = "tflite"
) -> RandomNetwork:
    """A network without operators, with an input of at least 4 x 4 pixels."""
    shape = (*rng.integers(4, most + 1, 2), rng.integers(1, channels + 1))
    return RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8), contract)
