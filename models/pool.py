"""Pooling: maximum, average, and the mean over all pixels. Padding never counts."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.conv import Padding, Pair
from models.quantize import INT8_MIN, Rounding, clamp, quantize_multiplier, requantize


def max_pool(
    x: NDArray[np.int8], kernel: Pair, *, stride: Pair, padding: Padding = (0, 0, 0, 0)
) -> NDArray[np.int8]:
    """Largest value of each window; -128 where a window holds padding only.

    x: int8 [H, W, C]. kernel, stride: (rows, columns). padding: (top, bottom, left, right). Returns int8 [OH,
    OW, C]; a fused activation is a clamp after it.
    Source: TFLite reference_integer_ops::MaxPool.
    """
    return _windows(x, kernel, stride, padding, INT8_MIN).max(axis=(3, 4))


def sum_pool(
    x: NDArray[np.int8], kernel: Pair, *, stride: Pair, padding: Padding = (0, 0, 0, 0)
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(sum int32 [OH, OW, C], taps that count int32 [OH, OW, 1]) of each window; arguments as `max_pool`."""
    total = _windows(x, kernel, stride, padding, 0).sum(axis=(3, 4), dtype=np.int32)
    inside = np.ones((*x.shape[:2], 1), dtype=np.int8)
    return total, _windows(inside, kernel, stride, padding, 0).sum(axis=(3, 4), dtype=np.int32)


def average_pool(
    x: NDArray[np.int8], kernel: Pair, *, stride: Pair, padding: Padding = (0, 0, 0, 0)
) -> NDArray[np.int8]:
    """Average of each window over the taps inside the tensor, half away from zero; 0 where there is none.

    Arguments and result as `max_pool`. The quantised values are averaged as they are: input and output share
    scale and zero point. Source: TFLite reference_integer_ops::AveragePool.
    """
    total, count = sum_pool(x, kernel, stride=stride, padding=padding)
    taps = np.maximum(count, 1)
    magnitude = (np.abs(total) + taps // 2) // taps
    return np.where(total < 0, -magnitude, magnitude).astype(np.int8)


def mean_multiplier(x_scale: float, y_scale: float, count: int) -> tuple[int, int]:
    """(M, shift) that turns the sum of `count` centred values into their mean at the output's scale.

    1 / count is folded into the Q31 multiplier by an integer division that truncates, after a shift that
    keeps 31 significant bits. Source: TFLite reference_ops::QuantizedMeanOrSum.
    """
    significand, exponent = quantize_multiplier(
        np.float64(np.float32(x_scale)) / np.float64(np.float32(y_scale))
    )
    shift = min(count.bit_length() - 1, 32, 31 + int(exponent))
    return (int(significand) << shift) // count, int(exponent) - shift


def mean(
    x: NDArray[np.int8],
    *,
    x_zp: int,
    y_zp: int,
    multiplier: int,
    shift: int,
    mode: Rounding = Rounding.DOUBLE,
) -> NDArray[np.int8]:
    """Mean over all pixels, requantised: TFLite's MEAN over H and W.

    x: int8 [H, W, C]. multiplier, shift: from `mean_multiplier` with count = H * W. Returns int8 [C]. On the
    hardware it is a sum with bias -H * W * x_zp, requantised like a convolution.
    Source: TFLite reference_ops::QuantizedMeanOrSum.
    """
    rows, columns, _ = x.shape
    total = x.sum(axis=(0, 1), dtype=np.int32) - np.int32(rows * columns * x_zp)
    return clamp(requantize(total, multiplier, shift, mode), y_zp)


def _windows(
    x: NDArray[np.int8], kernel: Pair, stride: Pair, padding: Padding, fill: int
) -> NDArray[np.int8]:
    """Views [OH, OW, C, kh, kw] of x with a border of `fill`."""
    if x.dtype != np.int8 or x.ndim != 3:
        raise ValueError(f"expected x int8 [H, W, C], got {x.dtype}{list(x.shape)}")
    top, bottom, left, right = padding
    bordered = np.pad(x, ((top, bottom), (left, right), (0, 0)), constant_values=fill)
    if bordered.shape[0] < kernel[0] or bordered.shape[1] < kernel[1]:
        raise ValueError(f"padded input {bordered.shape[:2]} is smaller than the window {kernel}")
    return sliding_window_view(bordered, kernel, axis=(0, 1))[:: stride[0], :: stride[1]]
