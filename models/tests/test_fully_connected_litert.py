"""Fully connected, twice: as LiteRT's own kernel rounds it, and as the hardware does.

LiteRT's FULLY_CONNECTED requantises in double precision, so it judges `requantize_litert_fc` only. The
hardware's form (Rounding.DOUBLE) is judged by the same layer written as a 1 x 1 CONV_2D, whose kernel is
integer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.fully_connected import fully_connected
from models.quantize import (
    Rounding,
    activation_range,
    clamp,
    effective_scale,
    quantize_multiplier,
    requantize,
    requantize_litert_fc,
)
from models.tests.litert import Verdict, assert_caught, generator, judge, run


@dataclass
class Case:
    """One layer over a batch of rows."""

    x: NDArray[np.int8]
    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    activation: str
    x_zp: int
    y_zp: int
    x_scale: float
    w_scale: NDArray[np.float32]
    y_scale: float

    def real(self) -> NDArray[np.float64]:
        return effective_scale(self.x_scale, self.w_scale, self.y_scale)

    def accumulators(self) -> NDArray[np.int32]:
        return fully_connected(self.x, self.w, self.bias, x_zp=self.x_zp)

    def finish(self, scaled: NDArray[np.int32]) -> NDArray[np.int8]:
        return clamp(scaled, self.y_zp, *activation_range(self.activation, self.y_scale, self.y_zp))

    def hardware(self, mode: Rounding = Rounding.DOUBLE) -> NDArray[np.int8]:
        return self.finish(requantize(self.accumulators(), *quantize_multiplier(self.real()), mode))

    def like_litert(self) -> NDArray[np.int8]:
        return self.finish(requantize_litert_fc(self.accumulators(), self.real()))

    def litert(self) -> NDArray[np.int8]:
        """LiteRT's FULLY_CONNECTED."""
        b = TfliteBuilder()
        x = b.add_tensor("x", self.x.shape, np.int8, self.x_scale, self.x_zp)
        w = b.add_tensor("w", self.w.shape, np.int8, self.w_scale, data=self.w)
        y = b.add_tensor("y", (len(self.x), len(self.w)), np.int8, self.y_scale, self.y_zp)
        b.fully_connected(x, w, self._bias(b), y, activation=self.activation)
        return run(b.finish([x], [y]), self.x)[0]

    def litert_conv(self) -> NDArray[np.int8]:
        """LiteRT's CONV_2D over a picture one column wide, a row of the batch in every pixel."""
        rows, inputs = self.x.shape
        outputs = len(self.w)
        weights = self.w.reshape(outputs, 1, 1, inputs)
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, rows, 1, inputs), np.int8, self.x_scale, self.x_zp)
        w = b.add_tensor("w", weights.shape, np.int8, self.w_scale, data=weights)
        y = b.add_tensor("y", (1, rows, 1, outputs), np.int8, self.y_scale, self.y_zp)
        b.conv2d(x, w, self._bias(b), y, padding="VALID", activation=self.activation)
        return run(b.finish([x], [y]), self.x.reshape(1, rows, 1, inputs))[0].reshape(rows, outputs)

    def _bias(self, b: TfliteBuilder) -> int:
        scale = np.float32(self.x_scale) * self.w_scale
        return b.add_tensor("bias", self.bias.shape, np.int32, scale, data=self.bias)


def draw(rng: np.random.Generator) -> Case:
    """A random layer whose outputs mostly stay inside int8."""
    rows, inputs, outputs = (int(n) for n in rng.integers([1, 1, 1], [200, 100, 120]))
    x_zp, y_zp = (int(z) for z in rng.integers(-128, 128, 2))
    x_scale = float(np.float32(rng.uniform(0.005, 0.1)))
    w_scale = rng.uniform(0.001, 0.02, outputs if rng.random() < 0.5 else 1).astype(np.float32)
    typical = x_scale * float(w_scale.mean()) * (2**14 + 100 * 73 * inputs**0.5)
    return Case(
        x=rng.integers(-128, 128, (rows, inputs), dtype=np.int8),
        w=rng.integers(-127, 128, (outputs, inputs), dtype=np.int8),
        bias=rng.integers(-(2**14), 2**14, outputs, dtype=np.int32),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"], p=[0.8, 0.1, 0.1])),
        x_zp=x_zp,
        y_zp=y_zp,
        x_scale=x_scale,
        w_scale=w_scale,
        y_scale=float(np.float32(typical / rng.uniform(20, 200))),
    )


def verdicts(
    name: str, model: Callable[[Case], NDArray[np.int8]], oracle: Callable[[Case], NDArray[np.int8]]
) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng)
        yield model(case), oracle(case)


def test_hardware_matches_litert_conv() -> None:
    judge("fully connected (hardware)", verdicts("fc", Case.hardware, Case.litert_conv))


def test_litert_rounding_matches_litert() -> None:
    judge("fully connected (LiteRT's own rounding)", verdicts("litert fc", Case.like_litert, Case.litert))


def test_the_two_roundings_are_told_apart() -> None:
    """Were they equal, neither judge would see which one a model uses."""
    assert_caught("hardware as LiteRT", verdicts("fc apart", Case.hardware, Case.litert))
    assert_caught("LiteRT as hardware", verdicts("litert fc apart", Case.like_litert, Case.litert_conv))


def test_wrong_rounding_is_caught() -> None:
    wrong = verdicts("fc single", lambda case: case.hardware(Rounding.SINGLE), Case.litert_conv)
    assert_caught("fully connected", wrong)
