"""Pooling and MEAN against LiteRT's reference kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.conv import Padding, tflite_padding
from models.pool import average_pool, max_pool, mean, mean_multiplier, sum_pool
from models.quantize import Rounding, activation_range, clamp
from models.tests.litert import Verdict, assert_caught, generator, judge, run


@dataclass
class Window:
    """One pooling: tensor, geometry, quantisation."""

    x: NDArray[np.int8]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    kind: str
    activation: str
    scale: float
    zero_point: int

    @property
    def padding(self) -> Padding:
        return tflite_padding(self.kind, self.x.shape[:2], self.kernel, self.stride)

    def clamp(self, value: NDArray) -> NDArray[np.int8]:
        return clamp(value, 0, *activation_range(self.activation, self.scale, self.zero_point))

    def model(self, pool: Callable[..., NDArray[np.int8]]) -> NDArray[np.int8]:
        return self.clamp(pool(self.x, self.kernel, stride=self.stride, padding=self.padding))

    def litert(self, operator: str) -> NDArray[np.int8]:
        shape = self.model(max_pool).shape
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, *self.x.shape), np.int8, self.scale, self.zero_point)
        y = b.add_tensor("y", (1, *shape), np.int8, self.scale, self.zero_point)
        add = {"max": b.max_pool, "average": b.average_pool}[operator]
        add(x, y, kernel=self.kernel, stride=self.stride, padding=self.kind, activation=self.activation)
        return run(b.finish([x], [y]), self.x[np.newaxis])[0][0]


def draw(rng: np.random.Generator) -> Window:
    kernel = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    size = rng.integers(kernel, [40, 40])
    # A narrow band of values makes ties and equal maxima frequent.
    low, high = sorted(rng.integers(-128, 128, 2))
    return Window(
        x=rng.integers(low, high + 1, (*size, int(rng.integers(1, 40))), dtype=np.int8),
        kernel=kernel,
        stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        kind=str(rng.choice(["SAME", "VALID"])),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"], p=[0.8, 0.1, 0.1])),
        scale=float(np.float32(rng.uniform(0.005, 0.2))),
        zero_point=int(rng.integers(-128, 128)),
    )


def windows(name: str, operator: str, model: Callable[[Window], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng)
        yield model(case), case.litert(operator)


def test_max_pool_matches_litert() -> None:
    judge("max pool", windows("max pool", "max", lambda case: case.model(max_pool)))


def test_average_pool_matches_litert() -> None:
    judge("average pool", windows("average pool", "average", lambda case: case.model(average_pool)))


def test_zero_padding_is_caught() -> None:
    def padded_with_zero(case: Window) -> NDArray[np.int8]:
        top, bottom, left, right = case.padding
        x = np.pad(case.x, ((top, bottom), (left, right), (0, 0)))
        return case.clamp(max_pool(x, case.kernel, stride=case.stride))

    assert_caught("max pool", windows("max pool zero", "max", padded_with_zero))


def test_truncated_average_is_caught() -> None:
    def truncated(case: Window) -> NDArray[np.int8]:
        total, count = sum_pool(case.x, case.kernel, stride=case.stride, padding=case.padding)
        return case.clamp(np.trunc(total / count).astype(np.int32))

    assert_caught("average pool", windows("average truncated", "average", truncated))


def test_half_up_average_is_caught() -> None:
    def half_up(case: Window) -> NDArray[np.int8]:
        total, count = sum_pool(case.x, case.kernel, stride=case.stride, padding=case.padding)
        return case.clamp((2 * total + count) // (2 * count))

    assert_caught("average pool", windows("average half up", "average", half_up))


def test_counted_padding_is_caught() -> None:
    def counted(case: Window) -> NDArray[np.int8]:
        top, bottom, left, right = case.padding
        x = np.pad(case.x, ((top, bottom), (left, right), (0, 0)))
        return case.clamp(average_pool(x, case.kernel, stride=case.stride))

    assert_caught("average pool", windows("average counted", "average", counted))


def test_window_of_padding_only() -> None:
    """TFLite never makes one; the hardware's answer is fixed in docs/architecture.md."""
    x = np.full((2, 2, 1), 7, dtype=np.int8)
    border: Padding = (2, 0, 0, 0)
    assert max_pool(x, (2, 2), stride=(2, 2), padding=border).ravel().tolist() == [-128, 7]
    assert average_pool(x, (2, 2), stride=(2, 2), padding=border).ravel().tolist() == [0, 7]


def test_window_larger_than_input_is_refused() -> None:
    x = np.zeros((2, 5, 1), dtype=np.int8)
    with pytest.raises(ValueError, match="smaller than the window"):
        max_pool(x, (3, 1), stride=(1, 1))
    with pytest.raises(ValueError, match="expected x int8"):
        average_pool(x.astype(np.int32), (1, 1), stride=(1, 1))


@dataclass
class Mean:
    """One MEAN over rows and columns."""

    x: NDArray[np.int8]
    x_scale: float
    y_scale: float
    x_zp: int
    y_zp: int

    def model(self, mode: Rounding = Rounding.DOUBLE) -> NDArray[np.int8]:
        count = self.x.shape[0] * self.x.shape[1]
        multiplier, shift = mean_multiplier(self.x_scale, self.y_scale, count)
        return mean(self.x, x_zp=self.x_zp, y_zp=self.y_zp, multiplier=multiplier, shift=shift, mode=mode)

    def exact(self) -> NDArray[np.int8]:
        """The mean as real numbers would have it: close, and wrong."""
        real = (self.x.mean(axis=(0, 1), dtype=np.float64) - self.x_zp) * self.x_scale / self.y_scale
        return clamp(np.floor(real + 0.5).astype(np.int32), self.y_zp)

    def litert(self) -> NDArray[np.int8]:
        channels = self.x.shape[2]
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, *self.x.shape), np.int8, self.x_scale, self.x_zp)
        y = b.add_tensor("y", (1, 1, 1, channels), np.int8, self.y_scale, self.y_zp)
        b.mean(x, y)
        return run(b.finish([x], [y]), self.x[np.newaxis])[0].reshape(channels)


def means(name: str, model: Callable[[Mean], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        rows, columns = (int(n) for n in rng.integers(1, 8, 2))
        x_scale = rng.uniform(0.005, 0.2)
        case = Mean(
            x=rng.integers(-128, 128, (rows, columns, int(rng.integers(1, 8000))), dtype=np.int8),
            x_scale=float(np.float32(x_scale)),
            # From a quarter to four times; and equal scales, which converters like.
            y_scale=float(np.float32(x_scale * (1.0 if rng.random() < 0.2 else 4 ** rng.uniform(-1, 1)))),
            x_zp=int(rng.integers(-128, 128)),
            y_zp=int(rng.integers(-128, 128)),
        )
        yield model(case), case.litert()


def test_mean_matches_litert() -> None:
    judge("mean", means("mean", Mean.model))


def test_wrong_mean_rounding_is_caught() -> None:
    assert_caught("mean", means("mean single", lambda case: case.model(Rounding.SINGLE)))


def test_exact_mean_is_caught() -> None:
    assert_caught("mean", means("mean exact", Mean.exact))
