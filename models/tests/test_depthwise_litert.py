"""Depthwise convolution, with and without a channel multiplier, against LiteRT's reference kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.conv import conv2d, tflite_padding
from models.quantize import (
    Rounding,
    activation_range,
    clamp,
    effective_scale,
    quantize_multiplier,
    requantize,
)
from models.tests.litert import Verdict, assert_caught, generator, judge, run


@dataclass
class Case:
    """One depthwise convolution. w: [kh, kw, C * multiplier], as TFLite has it."""

    x: NDArray[np.int8]
    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    kind: str
    activation: str
    x_zp: int
    y_zp: int
    x_scale: float
    w_scale: NDArray[np.float32]
    y_scale: float

    def model(
        self, mode: Rounding = Rounding.DOUBLE, order: Callable[[NDArray], NDArray] = lambda w: w
    ) -> NDArray:
        """order: what a wrong model does to the weights [O, kh, kw, 1]."""
        padding = tflite_padding(self.kind, self.x.shape[:2], self.w.shape[:2], self.stride, self.dilation)
        weights = order(np.ascontiguousarray(self.w.transpose(2, 0, 1))[..., np.newaxis])
        acc = conv2d(
            self.x, weights, self.bias, stride=self.stride, dilation=self.dilation, padding=padding,
            x_zp=self.x_zp, groups=self.x.shape[2],
        )  # fmt: skip
        multiplier, shift = quantize_multiplier(effective_scale(self.x_scale, self.w_scale, self.y_scale))
        scaled = requantize(acc, multiplier, shift, mode)
        return clamp(scaled, self.y_zp, *activation_range(self.activation, self.y_scale, self.y_zp))

    def litert(self) -> NDArray[np.int8]:
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, *self.x.shape), np.int8, self.x_scale, self.x_zp)
        weights = self.w[np.newaxis]
        w = b.add_tensor("w", weights.shape, np.int8, self.w_scale, quantized_dimension=3, data=weights)
        bias_scale = np.float32(self.x_scale) * self.w_scale
        bias = b.add_tensor("bias", self.bias.shape, np.int32, bias_scale, data=self.bias)
        y = b.add_tensor("y", (1, *self.model().shape), np.int8, self.y_scale, self.y_zp)
        b.depthwise_conv2d(
            x, w, bias, y, multiplier=self.w.shape[2] // self.x.shape[2], stride=self.stride,
            dilation=self.dilation, padding=self.kind, activation=self.activation,
        )  # fmt: skip
        return run(b.finish([x], [y]), self.x[np.newaxis])[0][0]


def draw(rng: np.random.Generator) -> Case:
    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    kernel, stride, dilation = pair(1, 5), pair(1, 3), pair(1, 3)
    size = tuple(int(rng.integers((k - 1) * d + 1, 40)) for k, d in zip(kernel, dilation, strict=True))
    channels, multiplier = int(rng.integers(1, 24)), int(rng.choice([1, 1, 2, 3, 4]))
    outputs, taps = channels * multiplier, kernel[0] * kernel[1]
    x_scale = float(np.float32(rng.uniform(0.005, 0.1)))
    w_scale = rng.uniform(0.001, 0.02, outputs if rng.random() < 0.75 else 1).astype(np.float32)
    typical = x_scale * float(w_scale.mean()) * (2**10 + 100 * 73 * taps**0.5)
    return Case(
        x=rng.integers(-128, 128, (*size, channels), dtype=np.int8),
        w=rng.integers(-127, 128, (*kernel, outputs), dtype=np.int8),
        bias=rng.integers(-(2**10), 2**10, outputs, dtype=np.int32),
        stride=stride,
        dilation=dilation,
        kind=str(rng.choice(["SAME", "VALID"])),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"], p=[0.8, 0.1, 0.1])),
        x_zp=int(rng.integers(-128, 128)),
        y_zp=int(rng.integers(-128, 128)),
        x_scale=x_scale,
        w_scale=w_scale,
        y_scale=float(np.float32(typical / rng.uniform(20, 200))),
    )


def verdicts(name: str, model: Callable[[Case], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng)
        yield model(case), case.litert()


def test_depthwise_matches_litert() -> None:
    judge("depthwise conv2d, mode 0", verdicts("depthwise", Case.model))


def test_wrong_rounding_is_caught() -> None:
    assert_caught("depthwise", verdicts("depthwise single", lambda case: case.model(Rounding.SINGLE)))


def test_reversed_output_channels_are_caught() -> None:
    assert_caught("depthwise", verdicts("depthwise order", lambda case: case.model(order=lambda w: w[::-1])))


def test_groups_are_slices_of_channels() -> None:
    """A grouped convolution is the convolutions of its groups, side by side."""
    rng = generator("groups")
    for groups in (1, 2, 3, 6):
        x = rng.integers(-128, 128, (7, 6, 6), dtype=np.int8)
        w = rng.integers(-128, 128, (12, 3, 2, 6 // groups), dtype=np.int8)
        bias = rng.integers(-1000, 1000, 12, dtype=np.int32)
        whole = conv2d(x, w, bias, stride=(2, 1), padding=(1, 0, 1, 1), x_zp=9, w_zp=-5, groups=groups)
        parts = zip(np.split(x, groups, 2), np.split(w, groups), np.split(bias, groups), strict=True)
        apart = [conv2d(*part, stride=(2, 1), padding=(1, 0, 1, 1), x_zp=9, w_zp=-5) for part in parts]
        np.testing.assert_array_equal(whole, np.concatenate(apart, axis=2))


def test_impossible_groups_are_refused() -> None:
    x, bias = np.zeros((3, 3, 4), np.int8), np.zeros(5, np.int32)
    with pytest.raises(ValueError, match="do not belong together"):
        conv2d(x, np.zeros((5, 1, 1, 2), np.int8), bias, groups=2)
    with pytest.raises(ValueError, match="do not belong together"):
        conv2d(x, np.zeros((5, 1, 1, 4), np.int8), bias, groups=5)
