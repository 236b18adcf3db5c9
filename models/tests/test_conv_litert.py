"""Convolution against LiteRT's reference CONV_2D."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from ai_edge_litert.interpreter import OpResolverType
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.conv import Padding, conv2d, tflite_padding
from models.quantize import (
    INT32_MAX,
    INT32_MIN,
    Rounding,
    activation_range,
    clamp,
    effective_scale,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)
from models.tests.litert import Verdict, assert_caught, generator, judge, run

ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass
class Case:
    """One convolution: tensors, geometry and quantisation."""

    x: NDArray[np.int8]
    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    kind: str
    padding: Padding
    activation: str
    x_zp: int
    y_zp: int
    x_scale: float
    w_scale: NDArray[np.float32]
    y_scale: float

    def accumulators(self, padding: Padding | None = None) -> NDArray[np.int32]:
        return conv2d(
            self.x,
            self.w,
            self.bias,
            stride=self.stride,
            dilation=self.dilation,
            padding=self.padding if padding is None else padding,
            x_zp=self.x_zp,
        )

    def finish(self, acc: NDArray[np.int32], mode: Rounding = Rounding.DOUBLE) -> NDArray[np.int8]:
        multiplier, shift = quantize_multiplier(effective_scale(self.x_scale, self.w_scale, self.y_scale))
        scaled = requantize(acc, multiplier, shift, mode)
        return clamp(scaled, self.y_zp, *activation_range(self.activation, self.y_scale, self.y_zp))

    def largest(self) -> float:
        """The largest magnitude of a scaled sum, before the clamp."""
        real = effective_scale(self.x_scale, self.w_scale, self.y_scale)
        return float(np.abs(self.accumulators() * real).max())

    def fp32(self) -> NDArray[np.int8]:
        bits = fp32_multiplier(self.x_scale, self.w_scale, self.y_scale)
        scaled = requantize(self.accumulators(), bits, 0, Rounding.FP32)
        return clamp(scaled, self.y_zp, *activation_range(self.activation, self.y_scale, self.y_zp))

    def litert(self, resolver: OpResolverType = OpResolverType.BUILTIN_REF) -> NDArray[np.int8]:
        """The same in LiteRT; padding that is neither SAME nor VALID is a PAD before a VALID convolution."""
        shape = self.accumulators().shape
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, *self.x.shape), np.int8, self.x_scale, self.x_zp)
        source = x
        if self.kind == "EXPLICIT":
            top, bottom, left, right = self.padding
            height, width, channels = self.x.shape
            padded = (1, top + height + bottom, left + width + right, channels)
            source = b.add_tensor("padded", padded, np.int8, self.x_scale, self.x_zp)
            b.pad(x, source, [(0, 0), (top, bottom), (left, right), (0, 0)])
        w = b.add_tensor("w", self.w.shape, np.int8, self.w_scale, data=self.w)
        bias_scale = np.float32(self.x_scale) * self.w_scale
        bias = b.add_tensor("bias", self.bias.shape, np.int32, bias_scale, data=self.bias)
        y = b.add_tensor("y", (1, *shape), np.int8, self.y_scale, self.y_zp)
        kind = "VALID" if self.kind == "EXPLICIT" else self.kind
        b.conv2d(
            source,
            w,
            bias,
            y,
            stride=self.stride,
            dilation=self.dilation,
            padding=kind,
            activation=self.activation,
        )
        return run(b.finish([x], [y]), self.x[np.newaxis], resolver=resolver)[0][0]


def draw(rng: np.random.Generator) -> Case:
    """A random convolution whose outputs mostly stay inside int8."""

    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    kernel, stride, dilation = pair(1, 5), pair(1, 3), pair(1, 3)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = (int(rng.integers(span[0], span[0] + 24)), int(rng.integers(span[1], span[1] + 24)))
    channels, outputs = int(rng.integers(1, 20)), int(rng.integers(1, 40))
    kind = str(rng.choice(["SAME", "VALID", "EXPLICIT"]))
    if kind == "EXPLICIT":
        padding = (*pair(0, span[0]), *pair(0, span[1]))
    else:
        padding = tflite_padding(kind, size, kernel, stride, dilation)

    x_zp, y_zp = (int(z) for z in rng.integers(-128, 128, 2))
    x = rng.integers(-128, 128, (*size, channels), dtype=np.int8)
    w = rng.integers(-127, 128, (outputs, *kernel, channels), dtype=np.int8)
    taps = w[0].size
    bias = rng.integers(-(2**14), 2**14, outputs, dtype=np.int32)
    x_scale = float(np.float32(rng.uniform(0.005, 0.1)))
    w_scale = rng.uniform(0.001, 0.02, outputs if rng.random() < 0.75 else 1).astype(np.float32)
    typical = x_scale * float(w_scale.mean()) * (2**14 + 100 * 73 * taps**0.5)
    y_scale = float(np.float32(typical / rng.uniform(20, 200)))
    regime = rng.integers(8)
    if regime == 0:
        # Multipliers above one: small sums, left shift.
        w = rng.integers(-1, 2, w.shape, dtype=np.int8)
        bias //= 2**12
        y_scale = float(np.float32(x_scale * w_scale.mean() / rng.uniform(0.5, 30)))
    elif regime == 1:
        # The whole int32 range, so that sums wrap and small multipliers meet large sums.
        bias = rng.integers(INT32_MIN, INT32_MAX, outputs, dtype=np.int32, endpoint=True)
        y_scale = float(np.float32(x_scale * w_scale.mean() * 2.0 ** rng.uniform(-2, 26)))
    return Case(
        x, w, bias, stride, dilation, kind, padding, str(rng.choice(ACTIVATIONS, p=[0.7, 0.1, 0.1, 0.1])),
        x_zp, y_zp, x_scale, w_scale, y_scale,
    )  # fmt: skip


def verdicts(
    name: str,
    model: Callable[[Case], NDArray[np.int8]],
    resolver: OpResolverType = OpResolverType.BUILTIN_REF,
) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng)
        # XNNPACK's conversion of a float beyond int32 is not defined: it made 127 of -7.6e9.
        if resolver == OpResolverType.BUILTIN_REF or case.largest() < 2**31:
            yield model(case), case.litert(resolver)


def test_conv2d_matches_litert() -> None:
    judge("conv2d", verdicts("conv2d", lambda case: case.finish(case.accumulators())))


def test_fp32_matches_xnnpack() -> None:
    """LiteRT's default resolver runs XNNPACK, the judge of Rounding.FP32."""
    judge("conv2d fp32 (XNNPACK)", verdicts("conv2d fp32", Case.fp32, OpResolverType.BUILTIN))


def test_wrong_rounding_is_caught() -> None:
    wrong = verdicts("conv2d single", lambda case: case.finish(case.accumulators(), Rounding.SINGLE))
    assert_caught("conv2d", wrong)
    assert_caught("conv2d", verdicts("conv2d fp32 for double", Case.fp32))


def test_wrong_resolver_is_caught() -> None:
    """Were XNNPACK not running, the judge of FP32 would be judging something else."""
    double = verdicts("xnnpack", lambda case: case.finish(case.accumulators()), OpResolverType.BUILTIN)
    assert_caught("conv2d fp32", double)


def test_swapped_padding_is_caught() -> None:
    def swapped(case: Case) -> NDArray[np.int8]:
        top, bottom, left, right = case.padding
        return case.finish(case.accumulators((bottom, top, right, left)))

    assert_caught("conv2d", verdicts("conv2d padding", swapped))


def test_missing_zero_point_is_caught() -> None:
    def padded_with_zero(case: Case) -> NDArray[np.int8]:
        bordered = np.pad(case.x, (case.padding[:2], case.padding[2:], (0, 0)))
        return case.finish(replace(case, x=bordered).accumulators((0, 0, 0, 0)))

    assert_caught("conv2d", verdicts("conv2d zero point", padded_with_zero))
