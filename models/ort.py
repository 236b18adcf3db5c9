"""What ONNX Runtime's CPU provider computes on x86, in its own float32 order, to the last bit.

Convolutions, matrix products and global averages need nothing from here: they are integer sums followed by
`requantize(.., Rounding.FP32)`. The operators below are float32 in the runtime. The core does not copy that;
it rounds the real value once (`models/elementwise.py`, `average_pool_once`), and the judges measure how
often the two differ. Tables are exact by construction.

Activations are int8 or uint8 as in the network: the runtime's float sums contain the zero point, so a shift
by 128 may change the last bit. Scales are float32 values. Found by experiment with ONNX Runtime 1.31.1 on a
machine with AVX2 and FMA, and from MLAS (qladd_avx2.cpp, qlmul.cpp, qlgavgpool.cpp, logistic.cpp,
qlinear_pool.cc).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from models.conv import Padding, Pair
from models.quantize import Rounding, clamp, requantize

Float = NDArray[np.float32]
Scale = float | np.floating

# MlasLogisticConstants: the polynomials of the sigmoid, highest power first.
_LOGISTIC_ALPHA = (4.37031012579801e-11, 1.15627324459942e-07, 6.08574864600143e-05, 8.51377133304701e-03,
                   2.48287947061529e-01)  # fmt: skip
_LOGISTIC_BETA = (6.10247389755681e-13, 5.76102136993427e-09, 6.29106785017040e-06, 1.70198817374094e-03,
                  1.16817656904453e-01, 9.93151921023180e-01)  # fmt: skip
_LOGISTIC_RANGE = np.float32(18.0)


def fma(a: ArrayLike, b: ArrayLike, c: ArrayLike) -> Float:
    """a * b + c of float32 values, rounded once.

    Through x87's 64-bit significand, so a sum that spans more than 64 bits is rounded twice: the values here
    never do by enough to matter (the judges would see it).
    """
    wide = np.asarray(a, dtype=np.longdouble) * np.asarray(b, dtype=np.longdouble)
    return np.asarray(wide + np.asarray(c, dtype=np.longdouble), dtype=np.float32)


def qlinear_add(
    a: NDArray,
    b: NDArray,
    scales: tuple[Scale, Scale, Scale],
    zero_points: tuple[int, int, int],
    *,
    b_first: bool = False,
) -> NDArray:
    """QLinearAdd with AVX2 and FMA. a, b: int8 or uint8, one type, shapes that broadcast; so is the result.

    scales, zero_points: of a, b, y. b_first: swap the order of the two float additions, as the runtime does
    when a is the operand that stays the same along the innermost broadcast axes (a constant, or a vector per
    channel in NCHW).
    """
    s_a, s_b, s_y = np.asarray(scales, dtype=np.float32)
    z_a, z_b, z_y = zero_points
    if b_first:
        a, b, s_a, s_b, z_a, z_b = b, a, s_b, s_a, z_b, z_a
    ratio_a, ratio_b = s_a / s_y, s_b / s_y
    fixed = np.float32(z_y) - fma(ratio_a, z_a, ratio_b * np.float32(z_b))
    value = fma(a, ratio_a, fma(b, ratio_b, fixed))
    return _saturate(np.rint(value), a.dtype)


def qlinear_mul(
    a: NDArray, b: NDArray, scales: tuple[Scale, Scale, Scale], zero_points: tuple[int, int, int]
) -> NDArray:
    """QLinearMul: no FMA; the zero point is added in float32, before rounding. Arguments: `qlinear_add`."""
    s_a, s_b, s_y = np.asarray(scales, dtype=np.float32)
    z_a, z_b, z_y = zero_points
    product = (a.astype(np.int32) - z_a) * (b.astype(np.int32) - z_b)
    value = product.astype(np.float32) * (s_a * s_b / s_y) + np.float32(z_y)
    return _saturate(np.rint(value), a.dtype)


def quantize(x: Float, scale: Scale, zero_point: int, dtype: type) -> NDArray:
    """QuantizeLinear: round(x / scale) half to even, plus the zero point, saturated to int8 or uint8."""
    limits = np.iinfo(dtype)
    levels = np.asarray(x, dtype=np.float32) / np.float32(scale)
    bounded = np.clip(levels, np.float32(limits.min - zero_point), np.float32(limits.max - zero_point))
    return (np.rint(bounded).astype(np.int32) + zero_point).astype(dtype)


def dequantize(x: NDArray, scale: Scale, zero_point: int) -> Float:
    """DequantizeLinear: scale * (x - zero_point), one float32 product. x: int8, uint8 or int32."""
    return (x.astype(np.int64) - zero_point).astype(np.float32) * np.float32(scale)


def average_pool(
    x: NDArray,
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = (0, 0, 0, 0),
    include_padding: bool = False,
    scales: tuple[Scale, Scale],
    zero_points: tuple[int, int],
) -> NDArray:
    """QLinearAveragePool: the window's real values added up one by one in float32, row by row.

    x: int8 or uint8 [H, W, C]; padding: (top, bottom, left, right). include_padding: count_include_pad;
    padded taps are zeros. Returns [OH, OW, C] of x's type. A window over the whole unpadded image is another
    kernel: `average_multiplier` and an integer sum.
    """
    real = dequantize(x, scales[0], zero_points[0])
    windows, count = _taps(real, kernel, stride, padding, include_padding)
    total = np.zeros(windows.shape[:3], dtype=np.float32)
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            total = total + windows[..., row, column]
    mean = total / count.astype(np.float32)
    return _saturate(np.rint(mean / np.float32(scales[1]) + np.float32(zero_points[1])), x.dtype)


def average_multiplier(x_scale: Scale, y_scale: Scale, count: ArrayLike) -> NDArray[np.int32]:
    """FP32 multiplier word of a sum over `count` values: x_scale / (y_scale * count) in float32.

    With it QLinearGlobalAveragePool is `requantize(sum(x - x_zp), word, 0, Rounding.FP32)`, exactly.
    Source: MLAS CheckQLinearGlobalAveragePoolScaleAndSize.
    """
    divisor = np.float32(y_scale) * np.asarray(count, dtype=np.float32)
    return np.asarray(np.float32(x_scale) / divisor, dtype=np.float32).view(np.int32)


def average_pool_once(
    x: NDArray[np.int8],
    kernel: Pair,
    *,
    stride: Pair,
    padding: Padding = (0, 0, 0, 0),
    include_padding: bool = False,
    scales: tuple[Scale, Scale],
    zero_points: tuple[int, int],
) -> NDArray[np.int8]:
    """The core's form of `average_pool` on int8: an integer sum per window, requantised once in mode FP32.

    Where input and output share scale and zero point, the zero point stays inside the sum, so that a tie goes
    to the even quantised value as in the runtime, and not to the even distance from the zero point. Where the
    count changes from window to window (padding excluded) so does the multiplier: on the core such a layer is
    one command per count.
    """
    (x_scale, y_scale), (x_zp, y_zp) = scales, zero_points
    shared = x_scale == y_scale and x_zp == y_zp
    centre, out_zp = (0, 0) if shared else (x_zp, y_zp)
    # A padded tap is worth zero, which is x_zp in x.
    top, bottom, left, right = padding
    value = x_zp if include_padding else centre
    bordered = np.pad(
        x.astype(np.int32) - centre,
        ((top, bottom), (left, right), (0, 0)),
        constant_values=value - centre,
    )
    windows = sliding_window_view(bordered, kernel, axis=(0, 1))[:: stride[0], :: stride[1]]
    _, count = _taps(np.zeros((*x.shape[:2], 1), np.float32), kernel, stride, padding, include_padding)
    words = average_multiplier(x_scale, y_scale, count)
    total = windows.sum(axis=(3, 4), dtype=np.int32)
    result = np.empty(total.shape, dtype=np.int8)
    for word in np.unique(words):
        same = words[..., 0] == word
        result[same] = clamp(requantize(total[same], word, 0, Rounding.FP32), out_zp)
    return result


def table(
    function: Callable[[Float], Float],
    scales: tuple[Scale, Scale],
    zero_points: tuple[int, int],
    dtype: type = np.int8,
) -> NDArray:
    """256 entries of a real function between DequantizeLinear and QuantizeLinear, indexed by bit pattern.

    function: float32 [256] to float32 [256]. scales, zero_points: of input and output. dtype: int8 or uint8,
    of both. Source: ONNX Runtime QlinearBuildLookupTable.
    """
    inputs: NDArray = np.arange(256, dtype=np.uint8).view(dtype)
    return quantize(function(dequantize(inputs, scales[0], zero_points[0])), scales[1], zero_points[1], dtype)


def leaky_relu(alpha: float) -> Callable[[Float], Float]:
    """x, or alpha * x below zero, in float32."""
    return lambda x: np.where(x >= 0, x, np.float32(alpha) * x).astype(np.float32)


def sigmoid(x: Float) -> Float:
    """MLAS's sigmoid: a quotient of two polynomials, plus one half. Source: MlasLogisticKernel."""
    value = np.clip(x, -_LOGISTIC_RANGE, _LOGISTIC_RANGE)
    square = value * value

    def polynomial(coefficients: tuple[float, ...]) -> Float:
        total: Float = np.full(value.shape, np.float32(coefficients[0]))
        for coefficient in coefficients[1:]:
            total = fma(total, square, np.float32(coefficient))
        return total

    quotient = polynomial(_LOGISTIC_ALPHA) * value / polynomial(_LOGISTIC_BETA)
    return np.clip(quotient + np.float32(0.5), np.float32(0), np.float32(1))


def _saturate(levels: Float, dtype: np.dtype) -> NDArray:
    limits = np.iinfo(dtype)
    return np.clip(levels, limits.min, limits.max).astype(dtype)


def _taps(
    real: Float, kernel: Pair, stride: Pair, padding: Padding, include_padding: bool
) -> tuple[Float, NDArray[np.int64]]:
    """(windows [OH, OW, C, kh, kw] with zeros for padding, taps that count [OH, OW, 1])."""
    top, bottom, left, right = padding
    border = ((top, bottom), (left, right), (0, 0))
    step = (slice(None, None, stride[0]), slice(None, None, stride[1]))
    windows = sliding_window_view(np.pad(real, border), kernel, axis=(0, 1))[step]
    inside = np.pad(np.ones((*real.shape[:2], 1), np.int64), border, constant_values=int(include_padding))
    return windows, sliding_window_view(inside, kernel, axis=(0, 1))[step].sum(axis=(3, 4))
