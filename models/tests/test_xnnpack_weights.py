"""Operators with weights on LiteRT's default path, which is XNNPACK: mode fp32, int8 and uint8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.conv import conv2d, tflite_padding
from models.quantize import (
    Rounding,
    clamp,
    effective_scale,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)
from models.quantize import activation_range as tflite_range
from models.tests.litert import Verdict, assert_caught, generator, judge
from models.tests.xnnpack_ops import (
    ACTIVATIONS,
    Int8Array,
    Judged,
    Kind,
    draw_kind,
    draw_scale,
    draw_zero,
    verdicts,
)
from models.xnnpack import activation_range

OPERATORS = ("convolution", "grouped convolution", "depthwise convolution", "fully connected")


@dataclass
class Case:
    """x: [H, W, C]. w: [O, kh, kw, C / groups], zero point w_zp, which is 0 in an int8 file."""

    operator: str
    kind: Kind
    x: Int8Array
    w: Int8Array
    bias: NDArray[np.int32]
    groups: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: str
    activation: str
    zeros: tuple[int, int, int]  # of x, w, y
    x_scale: float
    w_scale: NDArray[np.float32]
    y_scale: float

    def accumulators(self) -> NDArray[np.int32]:
        size, kernel = self.x.shape[:2], self.w.shape[1:3]
        return conv2d(
            self.x, self.w, self.bias, stride=self.stride, dilation=self.dilation,
            padding=tflite_padding(self.padding, size, kernel, self.stride, self.dilation),
            x_zp=self.zeros[0], w_zp=self.zeros[1], groups=self.groups,
        )  # fmt: skip

    def model(self) -> Int8Array:
        word = fp32_multiplier(self.x_scale, self.w_scale, self.y_scale)
        ends = activation_range(self.activation, self.y_scale, self.zeros[2], unsigned=self.kind.unsigned)
        return clamp(requantize(self.accumulators(), word, 0, Rounding.FP32), self.zeros[2], *ends)

    def double(self) -> Int8Array:
        """Contract tflite: wrong here."""
        word = quantize_multiplier(effective_scale(self.x_scale, self.w_scale, self.y_scale))
        ends = activation_range(self.activation, self.y_scale, self.zeros[2], unsigned=self.kind.unsigned)
        return clamp(requantize(self.accumulators(), *word, Rounding.DOUBLE), self.zeros[2], *ends)

    def tflite_ends(self) -> Int8Array:
        """The clamp of contract tflite: wrong here."""
        word = fp32_multiplier(self.x_scale, self.w_scale, self.y_scale)
        ends = tflite_range(self.activation, self.y_scale, self.zeros[2])
        return clamp(requantize(self.accumulators(), word, 0, Rounding.FP32), self.zeros[2], *ends)

    def reference(self) -> Int8Array:
        """Contract tflite of a uint8 file: its multiplier comes from a float32 product of scales."""
        product = np.float32(self.x_scale) * self.w_scale
        word = quantize_multiplier(effective_scale(product, 1.0, self.y_scale))
        ends = tflite_range(self.activation, self.y_scale, self.zeros[2])
        return clamp(requantize(self.accumulators(), *word, Rounding.DOUBLE), self.zeros[2], *ends)

    def litert_reference(self) -> Int8Array:
        return self.litert(reference=True)

    def litert(self, reference: bool = False) -> Int8Array:
        j = Judged(self.kind)
        b, shape = j.builder, self.accumulators().shape
        dense = self.operator == "fully connected"
        x_shape = (self.x.shape[0], self.x.shape[2]) if dense else (1, *self.x.shape)
        x = j.given(self.x.reshape(x_shape), self.x_scale, self.zeros[0])
        weights, axis = self.w, 0
        if dense:
            weights = self.w.reshape(len(self.w), -1)
        elif self.operator == "depthwise convolution":
            weights, axis = np.ascontiguousarray(self.w.transpose(3, 1, 2, 0)), 3
        # XNNPACK leaves a uint8 depthwise layer alone when one scale belongs to an axis.
        axis = axis if self.w_scale.size > 1 else 0
        w = j.constant(weights, self.w_scale, self.zeros[1], quantized_dimension=axis)
        scale = np.float32(self.x_scale) * self.w_scale
        bias = b.add_tensor("bias", self.bias.shape, np.int32, scale, data=self.bias)
        y = j.tensor((shape[0], shape[2]) if dense else (1, *shape), self.y_scale, self.zeros[2])
        window: dict[str, Any] = {"stride": self.stride, "dilation": self.dilation, "padding": self.padding}
        if dense:
            b.fully_connected(x, w, bias, y, activation=self.activation)
        elif axis == 3 or self.operator == "depthwise convolution":
            multiplier = len(self.w) // self.x.shape[2]
            b.depthwise_conv2d(x, w, bias, y, multiplier=multiplier, activation=self.activation, **window)
        else:
            b.conv2d(x, w, bias, y, activation=self.activation, **window)
        return (j.run_reference(y) if reference else j.run(y)).reshape(shape)


def draw(operator: str, rng: np.random.Generator) -> Case:
    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    kind = draw_kind(rng)
    kernel, stride, dilation = pair(1, 5), pair(1, 3), (1, 1)
    if operator == "fully connected":
        kernel, stride = (1, 1), (1, 1)
    elif max(stride) == 1:
        dilation = pair(1, 2)
    size = tuple(int(rng.integers((k - 1) * d + 1, 40)) for k, d in zip(kernel, dilation, strict=True))
    if operator == "fully connected":
        size = (int(rng.integers(1, 300)), 1)
    channels = int(rng.integers(1, 40))
    groups, multiplier = 1, 1
    outputs = int(rng.integers(1, 60))
    if operator == "depthwise convolution":
        groups, multiplier = channels, int(rng.choice([1, 1, 2, 3]))
        outputs = channels * multiplier
    elif operator == "grouped convolution":
        groups = int(rng.integers(2, 5))
        channels, outputs = groups * int(rng.integers(1, 12)), groups * int(rng.integers(1, 16))
    taps = kernel[0] * kernel[1] * channels // groups
    per_channel = not kind.unsigned and rng.random() < 0.6
    w_scale = np.array([draw_scale(rng, 0.001, 0.02) for _ in range(outputs if per_channel else 1)])
    x_scale = draw_scale(rng, 0.005, 0.1)
    typical = x_scale * float(w_scale.mean()) * (2**12 + 100 * 73 * taps**0.5)
    y_scale = float(np.float32(typical / rng.uniform(20, 200)))
    if rng.random() < 0.3:
        y_scale = float(2.0 ** np.round(np.log2(y_scale)) * rng.choice([1, 1.25, 1.5]))
    return Case(
        operator=operator,
        kind=kind,
        x=rng.integers(-128, 128, (*size, channels), dtype=np.int8),
        w=rng.integers(-127, 128, (outputs, *kernel, channels // groups), dtype=np.int8),
        bias=rng.integers(-(2**12), 2**12, outputs, dtype=np.int32),
        groups=groups,
        stride=stride,
        dilation=dilation,
        padding=str(rng.choice(["SAME", "VALID"])),
        activation=str(rng.choice(ACTIVATIONS, p=[0.55, 0.15, 0.15, 0.15])),
        zeros=(draw_zero(rng), draw_zero(rng) if kind.unsigned else 0, draw_zero(rng)),
        x_scale=x_scale,
        w_scale=w_scale.astype(np.float32),
        y_scale=y_scale,
    )


@pytest.mark.parametrize("operator", OPERATORS)
def test_weights_match_xnnpack(operator: str) -> None:
    judge(f"{operator}, XNNPACK", verdicts(f"x {operator}", partial(draw, operator), Case.model))


def reference_verdicts(operator: str) -> Iterator[Verdict]:
    rng = generator(f"uint8 {operator}")
    while True:
        case = draw(operator, rng)
        if case.kind.unsigned:
            yield case.reference(), case.litert_reference()


@pytest.mark.parametrize("operator", OPERATORS[:3])
def test_uint8_weights_match_the_reference_kernels(operator: str) -> None:
    """In contract tflite, with any zero point of the weights. Fully connected: requantised in float there."""
    judge(f"{operator}, uint8, mode 0", reference_verdicts(operator))


@pytest.mark.parametrize("operator", OPERATORS)
def test_contract_tflite_is_caught(operator: str) -> None:
    assert_caught(operator, verdicts(f"x double {operator}", partial(draw, operator), Case.double))


def test_activation_ends_of_contract_tflite_are_caught() -> None:
    """They differ where an end lies half-way between two levels."""

    def ties(rng: np.random.Generator) -> Case:
        case = draw("convolution", rng)
        return replace(case, y_scale=float(np.float32(6 / rng.choice([1.5, 2.5, 12.5]))), activation="RELU6")

    assert_caught("activation ends", verdicts("x ends", ties, Case.tflite_ends))
