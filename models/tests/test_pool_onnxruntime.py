"""MaxPool, QLinearAveragePool and QLinearGlobalAveragePool against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.ort import average_multiplier, average_pool, average_pool_once
from models.pool import average_pool as half_away_average_pool
from models.pool import max_pool
from models.quantize import Rounding, clamp, requantize
from models.tests.litert import Verdict, assert_caught, generator, judge
from models.tests.onnxruntime_ops import (
    UInt8,
    as_int8,
    as_type,
    draw_scale,
    draw_type,
    hwc,
    measure,
    nchw,
    run_node,
)


@dataclass
class Window:
    """One pooling. x: int8 [H, W, C]; dtype: the network's type, in which zero_points are given."""

    x: NDArray[np.int8]
    dtype: np.dtype
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    include_padding: bool
    scales: tuple[np.float32, np.float32]
    zero_points: tuple[int, int]

    def arguments(self, zero_points: tuple[int, int]) -> dict[str, Any]:
        return {
            "kernel": self.kernel,
            "stride": self.stride,
            "padding": self.padding,
            "include_padding": self.include_padding,
            "scales": self.scales,
            "zero_points": zero_points,
        }

    def exact(self) -> NDArray[np.int8]:
        return as_int8(average_pool(as_type(self.x, self.dtype), **self.arguments(self.zero_points)))

    def core(self) -> NDArray[np.int8]:
        shift = 128 if self.dtype == UInt8 else 0
        zero_points = (self.zero_points[0] - shift, self.zero_points[1] - shift)
        return average_pool_once(self.x, **self.arguments(zero_points))

    def maximum(self) -> NDArray[np.int8]:
        return max_pool(self.x, self.kernel, stride=self.stride, padding=self.padding)

    def runtime(self, operator: str) -> NDArray[np.int8]:
        top, bottom, left, right = self.padding
        window: dict[str, Any] = {
            "kernel_shape": self.kernel,
            "strides": self.stride,
            "pads": [top, left, bottom, right],
        }
        feeds = {"x": as_type(nchw(self.x), self.dtype)}
        if operator == "MaxPool":
            return as_int8(hwc(run_node(operator, [("x", None)], feeds, domain="", **window)))
        inputs: list[tuple[str, Any]] = [("x", None)]
        for name, scale, zero in zip("xy", self.scales, self.zero_points, strict=True):
            inputs += [(f"{name}s", scale), (f"{name}z", np.array(zero, dtype=self.dtype))]
        include = int(self.include_padding)
        return as_int8(hwc(run_node(operator, inputs, feeds, count_include_pad=include, **window)))


def draw(rng: np.random.Generator, shared: float, bits: int = 24) -> Window:
    """shared: share of cases with one scale and zero point for input and output, as quantisers write them.
    bits: significant ones of the scales."""
    dtype, shift = draw_type(rng)
    kernel = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    # Never the whole image: that is the global average.
    size = rng.integers([kernel[0] + 1, kernel[1] + 1], [40, 40])
    # A narrow band of values makes equal maxima frequent.
    low, high = sorted(rng.integers(-128, 128, 2))
    scale, zero_point = draw_scale(rng), int(rng.integers(-128, 128)) + shift
    fraction, exponent = np.frexp(scale)
    scale = np.float32(np.ldexp(np.ceil(np.ldexp(fraction, bits)), exponent - bits))
    other_scale, other_zero = (
        np.float32(scale * 2 ** rng.uniform(-1, 1)),
        int(rng.integers(-128, 128)) + shift,
    )
    same = rng.random() < shared
    pads = [int(rng.integers(0, k)) for k in (kernel[0], kernel[0], kernel[1], kernel[1])]
    return Window(
        x=rng.integers(low, high + 1, (*size, int(rng.integers(1, 24))), dtype=np.int8),
        dtype=dtype,
        kernel=kernel,
        stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        padding=(pads[0], pads[1], pads[2], pads[3]) if rng.random() < 0.7 else (0, 0, 0, 0),
        include_padding=bool(rng.random() < 0.5),
        scales=(scale, scale if same else other_scale),
        zero_points=(zero_point, zero_point if same else other_zero),
    )


def windows(
    name: str,
    operator: str,
    model: Callable[[Window], NDArray[np.int8]],
    shared: float = 0.5,
    bits: int = 24,
) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng, shared, bits)
        yield model(case), case.runtime(operator)


def test_max_pool_matches_onnxruntime() -> None:
    judge("MaxPool on int8 and uint8", windows("ort max", "MaxPool", Window.maximum))


def test_float_average_matches_onnxruntime() -> None:
    judge("QLinearAveragePool, float model", windows("ort avg", "QLinearAveragePool", Window.exact))


def test_core_average_with_two_scales() -> None:
    name = "QLinearAveragePool, core, two scales"
    measure(name, windows(name, "QLinearAveragePool", Window.core, shared=0), share=1e-3)


def test_core_average_with_one_scale() -> None:
    name = "QLinearAveragePool, core, one scale"
    measure(name, windows(name, "QLinearAveragePool", Window.core, shared=1), share=0.05)


def test_core_average_with_one_short_scale_matches_onnxruntime() -> None:
    """Scales as compiler/onnx_quantise.py makes them: exact (docs/adr/0003)."""
    name = "QLinearAveragePool, core, one scale of 11 bits"
    judge(name, windows(name, "QLinearAveragePool", Window.core, shared=1, bits=11))


def test_other_averages_are_caught() -> None:
    """TFLite's rounding, and a padding that counts when it should not."""

    def half_away(case: Window) -> NDArray[np.int8]:
        return half_away_average_pool(case.x, case.kernel, stride=case.stride, padding=case.padding)

    def counted(case: Window) -> NDArray[np.int8]:
        case.include_padding = not case.include_padding
        result = case.exact()
        case.include_padding = not case.include_padding
        return result

    assert_caught("half away", windows("ort half away", "QLinearAveragePool", half_away, shared=1))
    assert_caught("padding counted", windows("ort counted", "QLinearAveragePool", counted))


@dataclass
class Global:
    """One QLinearGlobalAveragePool over x: int8 [H, W, C]; zero points as int8."""

    x: NDArray[np.int8]
    dtype: np.dtype
    scales: tuple[np.float32, np.float32]
    zero_points: tuple[int, int]

    def model(self, count: int = 0) -> NDArray[np.int8]:
        rows, columns, _ = self.x.shape
        total = self.x.sum(axis=(0, 1), dtype=np.int32) - np.int32(rows * columns * self.zero_points[0])
        word = average_multiplier(*self.scales, count or rows * columns)
        return clamp(requantize(total, word, 0, Rounding.FP32), self.zero_points[1])

    def runtime(self) -> NDArray[np.int8]:
        shift = 128 if self.dtype == UInt8 else 0
        inputs: list[tuple[str, Any]] = [("x", None)]
        for name, scale, zero in zip("xy", self.scales, self.zero_points, strict=True):
            inputs += [(f"{name}s", scale), (f"{name}z", np.array(zero + shift, dtype=self.dtype))]
        feeds = {"x": as_type(nchw(self.x), self.dtype)}
        return as_int8(run_node("QLinearGlobalAveragePool", inputs, feeds, channels_last=0)).reshape(-1)


def globals_(name: str, model: Callable[[Global], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        dtype, _ = draw_type(rng)
        scale = draw_scale(rng)
        ratio = 1.0 if rng.random() < 0.3 else 4 ** rng.uniform(-1, 1)
        rows, columns = (int(n) for n in rng.integers(1, 8, 2))
        case = Global(
            x=rng.integers(-128, 128, (rows, columns, int(rng.integers(1, 8000))), dtype=np.int8),
            dtype=dtype,
            scales=(scale, np.float32(scale * ratio)),
            zero_points=(int(rng.integers(-128, 128)), int(rng.integers(-128, 128))),
        )
        yield model(case), case.runtime()


def test_global_average_matches_onnxruntime() -> None:
    judge("QLinearGlobalAveragePool, mode 2", globals_("ort global", Global.model))


def test_wrong_count_is_caught() -> None:
    def one_more(case: Global) -> NDArray[np.int8]:
        return case.model(case.x.shape[0] * case.x.shape[1] + 1)

    assert_caught("global average", globals_("ort global count", one_more))
