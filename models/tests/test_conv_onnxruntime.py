"""QLinearConv, QLinearMatMul and QGemm against ONNX Runtime: integer sums, requantised in mode FP32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.conv import conv2d
from models.fully_connected import fully_connected
from models.quantize import (
    INT32_MAX,
    INT32_MIN,
    Rounding,
    clamp,
    effective_scale,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)
from models.tests.litert import Verdict, assert_caught, generator, judge
from models.tests.onnxruntime_ops import (
    WEIGHT_MAX,
    Int8,
    UInt8,
    as_int8,
    as_type,
    draw_type,
    hwc,
    nchw,
    run_node,
)


@dataclass
class Quantised:
    """What all three operators have. Tensors are int8 here; `dtype`, `w_dtype` are the network's types."""

    x: NDArray[np.int8]
    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    dtype: np.dtype
    w_dtype: np.dtype
    x_zp: int
    w_zp: int
    y_zp: int
    x_scale: np.float32
    w_scale: NDArray[np.float32]
    y_scale: np.float32

    def finish(self, acc: NDArray[np.int32], mode: Rounding = Rounding.FP32) -> NDArray[np.int8]:
        if mode == Rounding.FP32:
            word = fp32_multiplier(self.x_scale, self.w_scale, self.y_scale)
            return clamp(requantize(acc, word, 0, mode), self.y_zp)
        multiplier, shift = quantize_multiplier(effective_scale(self.x_scale, self.w_scale, self.y_scale))
        return clamp(requantize(acc, multiplier, shift, mode), self.y_zp)

    def zero(self, zero_point: int, dtype: np.dtype) -> NDArray:
        return np.array(zero_point + (128 if dtype == UInt8 else 0), dtype=dtype)

    def w_zeros(self) -> NDArray:
        return np.broadcast_to(self.zero(self.w_zp, self.w_dtype), self.w_scale.shape).copy()


def draw_quantised(rng: np.random.Generator, x_shape: tuple[int, ...], w_shape: tuple[int, ...]) -> Quantised:
    """w_shape: [O, ...]. Outputs mostly stay inside int8; one case in eight has biases of all 32 bits."""
    dtype, _ = draw_type(rng)
    # Weights of another zero point than 0 are uint8, as exporters write them; uint8 weights need uint8
    # inputs.
    w_dtype = UInt8 if dtype == UInt8 and rng.random() < 0.4 else Int8
    largest = 127 if w_dtype == UInt8 else WEIGHT_MAX
    outputs, taps = w_shape[0], int(np.prod(w_shape[1:]))
    x_scale = np.float32(rng.uniform(0.005, 0.1))
    w_scale = rng.uniform(0.001, 0.02, outputs if rng.random() < 0.6 else 1).astype(np.float32)
    typical = x_scale * float(w_scale.mean()) * (2**13 + 100 * 73 * taps**0.5)
    bias = rng.integers(-(2**13), 2**13, outputs, dtype=np.int32)
    y_scale = typical / rng.uniform(20, 200)
    if rng.random() < 0.125:
        bias = rng.integers(INT32_MIN, INT32_MAX, outputs, dtype=np.int32, endpoint=True)
        y_scale = x_scale * w_scale.mean() * 2.0 ** rng.uniform(-2, 26)
    return Quantised(
        x=rng.integers(-128, 128, x_shape, dtype=np.int8),
        w=rng.integers(-largest, largest + 1, w_shape, dtype=np.int8),
        bias=bias,
        dtype=dtype,
        w_dtype=w_dtype,
        x_zp=int(rng.integers(-128, 128)),
        w_zp=int(rng.integers(-128, 128)) if w_dtype == UInt8 else 0,
        y_zp=int(rng.integers(-128, 128)),
        x_scale=x_scale,
        w_scale=w_scale,
        y_scale=np.float32(y_scale),
    )


@dataclass
class Conv:
    """One QLinearConv. q.x: [H, W, C], q.w: [O, kh, kw, C / groups]."""

    q: Quantised
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]
    groups: int

    def accumulators(self) -> NDArray[np.int32]:
        q = self.q
        return conv2d(
            q.x, q.w, q.bias, stride=self.stride, dilation=self.dilation, padding=self.padding,
            x_zp=q.x_zp, w_zp=q.w_zp, groups=self.groups,
        )  # fmt: skip

    def model(self, mode: Rounding = Rounding.FP32) -> NDArray[np.int8]:
        return self.q.finish(self.accumulators(), mode)

    def runtime(self) -> NDArray[np.int8]:
        q = self.q
        top, bottom, left, right = self.padding
        inputs: list[tuple[str, Any]] = [
            ("x", None), ("xs", q.x_scale), ("xz", q.zero(q.x_zp, q.dtype)),
            ("w", as_type(np.ascontiguousarray(q.w.transpose(0, 3, 1, 2)), q.w_dtype)),
            ("ws", q.w_scale), ("wz", q.w_zeros()),
            ("ys", q.y_scale), ("yz", q.zero(q.y_zp, q.dtype)), ("b", q.bias),
        ]  # fmt: skip
        y = run_node(
            "QLinearConv", inputs, {"x": as_type(nchw(q.x), q.dtype)}, domain="", group=self.groups,
            strides=self.stride, dilations=self.dilation, pads=[top, left, bottom, right],
        )  # fmt: skip
        return as_int8(hwc(y))


def draw_conv(rng: np.random.Generator) -> Conv:
    def pair(low: int, high: int) -> tuple[int, int]:
        return int(rng.integers(low, high + 1)), int(rng.integers(low, high + 1))

    kernel, stride, dilation = pair(1, 5), pair(1, 3), pair(1, 2)
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(int(rng.integers(s, s + 24)) for s in span)
    groups = int(rng.choice([1, 1, 2, 3, 8]))
    depthwise = rng.random() < 0.25
    channels = groups * (1 if depthwise else int(rng.integers(1, 20)))
    outputs = groups * int(rng.integers(1, 12))
    q = draw_quantised(rng, (*size, channels), (outputs, *kernel, channels // groups))
    return Conv(q, stride, dilation, (*pair(0, span[0] - 1), *pair(0, span[1] - 1)), groups)


@dataclass
class Product:
    """One QLinearMatMul (no bias) or QGemm. q.x: [M, K], q.w: [N, K]."""

    q: Quantised
    gemm: bool

    def model(self, mode: Rounding = Rounding.FP32) -> NDArray[np.int8]:
        q = self.q
        rows = q.x.astype(np.int64).sum(axis=1, dtype=np.int32) - np.int32(q.x.shape[1] * q.x_zp)
        bias = q.bias if self.gemm else np.zeros_like(q.bias)
        acc = fully_connected(q.x, q.w, bias, x_zp=q.x_zp) - q.w_zp * rows[:, np.newaxis]
        return q.finish(acc.astype(np.int32), mode)

    def runtime(self) -> NDArray[np.int8]:
        q = self.q
        b = as_type(np.ascontiguousarray(q.w if self.gemm else q.w.T), q.w_dtype)
        scalar = q.w_scale.size == 1
        w_scale, w_zero = (v.reshape(()) if scalar else v for v in (q.w_scale, q.w_zeros()))
        inputs: list[tuple[str, Any]] = [
            ("a", None), ("as", q.x_scale), ("az", q.zero(q.x_zp, q.dtype)),
            ("b", b), ("bs", w_scale), ("bz", w_zero),
        ]  # fmt: skip
        inputs += [("c", q.bias)] if self.gemm else []
        inputs += [("ys", q.y_scale), ("yz", q.zero(q.y_zp, q.dtype))]
        feeds = {"a": as_type(q.x, q.dtype)}
        if self.gemm:
            return as_int8(run_node("QGemm", inputs, feeds, transB=1, alpha=1.0))
        return as_int8(run_node("QLinearMatMul", inputs, feeds, domain=""))


def convs(name: str, model: Callable[[Conv], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw_conv(rng)
        yield model(case), case.runtime()


def products(name: str, gemm: bool, model: Callable[[Product], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        rows, inputs, outputs = (int(n) for n in rng.integers([1, 1, 1], [200, 200, 120]))
        case = Product(draw_quantised(rng, (rows, inputs), (outputs, inputs)), gemm)
        yield model(case), case.runtime()


def test_conv_matches_onnxruntime() -> None:
    judge("QLinearConv, mode 2", convs("qlinearconv", Conv.model))


def test_matmul_matches_onnxruntime() -> None:
    judge("QLinearMatMul, mode 2", products("qlinearmatmul", False, Product.model))


def test_gemm_matches_onnxruntime() -> None:
    judge("QGemm, mode 2", products("qgemm", True, Product.model))


def test_other_modes_are_caught() -> None:
    """The modes part at ties, which scales that are powers of two bring about."""
    for mode in (Rounding.DOUBLE, Rounding.SINGLE):

        def other(case: Conv | Product, mode: Rounding = mode) -> NDArray[np.int8]:
            q = case.q
            q.bias >>= 20
            q.x_scale, q.w_scale = np.float32(1 / 64), np.full_like(q.w_scale, 1 / 64)
            q.y_scale = np.float32(2.0 ** np.round(np.log2(q.y_scale)))
            return case.model(mode)

        assert_caught(f"QLinearConv, {mode.name}", convs(f"conv {mode.name}", other))
        assert_caught(f"QGemm, {mode.name}", products(f"gemm {mode.name}", True, other))


def test_missing_weight_zero_point_is_caught() -> None:
    def without(case: Conv) -> NDArray[np.int8]:
        q = case.q
        return q.finish(
            conv2d(q.x, q.w, q.bias, stride=case.stride, dilation=case.dilation, padding=case.padding,
                   x_zp=q.x_zp, groups=case.groups)
        )  # fmt: skip

    assert_caught("QLinearConv", convs("conv without", without))
