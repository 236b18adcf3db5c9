"""int8 -> int8 activations as 256-byte tables.

A table holds, at the bit pattern of each int8 input (viewed as uint8), the output. The core looks tables up
and computes nothing, so an activation is exact when its table is. Each function here reproduces the
arithmetic by which LiteRT's reference kernel gets its values, float or fixed point.

Scales are float32 values (converted here), zero points int8. Every table is int8 [256]. mode: DOUBLE, or
SINGLE for TFLITE_SINGLE_ROUNDING builds.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.quantize import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    INT32_MIN,
    Rounding,
    activation_range,
    clamp,
    quantize_multiplier,
    requantize,
    round_half_away,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)

Table = NDArray[np.int8]

INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
_RSQRT_BITS = 20  # of a fraction between two multiplications

# Entry i of a table belongs to this input.
INPUTS = np.arange(256, dtype=np.uint8).view(np.int8)

# The C library's own float functions, because LiteRT calls them and they are not correctly rounded: with
# glibc 2.36 a float64 tanh rounded to float32 differs in one value of five and in one table entry of two
# million.
_LIBM = ctypes.CDLL(None)
for _name in ("expf", "expm1f", "tanhf", "erfcf", "logf"):
    getattr(_LIBM, _name).restype = ctypes.c_float
    getattr(_LIBM, _name).argtypes = [ctypes.c_float]


def apply_table(x: NDArray[np.int8], table: Table) -> NDArray[np.int8]:
    """Look every value of x up. x: int8, any shape. Returns int8 of that shape."""
    return table[x.view(np.uint8)]


def float_table(
    function: Callable[[np.float32], float | np.floating],
    x_scale: float,
    x_zp: int,
    y_scale: float,
    y_zp: int,
) -> Table:
    """Table of any real function: dequantise, apply, times 1 / y_scale, round half away, clamp; in float32.

    function: called with one float32 at a time, its result is rounded to float32. Source: TFLite LUTPopulate.
    """
    real = np.float32(x_scale) * (INPUTS.astype(np.float32) - np.float32(x_zp))
    transformed = np.array([function(value) for value in real], dtype=np.float32)
    inverse = np.float32(1.0) / np.float32(y_scale)
    levels = round_half_away(transformed * inverse) + y_zp
    return np.clip(levels, INT8_MIN, INT8_MAX).astype(np.int8)


def sigmoid_table(x_scale: float, x_zp: int, y_scale: float = 1 / 256, y_zp: int = -128) -> Table:
    """1 / (1 + exp(-x)). TFLite fixes y_scale at 1/256 and y_zp at -128. Source: TFLite SigmoidPrepare."""

    def sigmoid(value: np.float32) -> np.float32:
        return np.float32(1.0) / (np.float32(1.0) + np.float32(_LIBM.expf(-value)))

    # exp of a large argument is inf on purpose: its reciprocal is 0.
    return float_table(sigmoid, x_scale, x_zp, y_scale, y_zp)


def tanh_table(x_scale: float, x_zp: int, y_scale: float = 1 / 128, y_zp: int = 0) -> Table:
    """tanh(x). TFLite specifies y_scale 1/128 and y_zp 0. Source: TFLite TanhPrepare."""
    return float_table(_LIBM.tanhf, x_scale, x_zp, y_scale, y_zp)


def gelu_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int, *, approximate: bool = False) -> Table:
    """x times the normal distribution function of x, by erfc or, approximate, by tanh.

    Source: TFLite GeluPrepare (GeluTransform, GeluTransformApproximate).
    """
    half, one = np.float32(0.5), np.float32(1.0)

    def exact(value: np.float32) -> np.float32:
        return half * value * np.float32(_LIBM.erfcf(value * np.float32(-math.sqrt(0.5))))

    def by_tanh(value: np.float32) -> np.float32:
        inner = value + np.float32(0.044715) * value * value * value
        slope = np.float32(math.sqrt(2 / math.pi))
        return half * value * (one + np.float32(_LIBM.tanhf(slope * inner)))

    return float_table(by_tanh if approximate else exact, x_scale, x_zp, y_scale, y_zp)


def exp_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """e to the power of x. Source: TFLite ExpPrepare."""
    with np.errstate(over="ignore"):
        return float_table(_LIBM.expf, x_scale, x_zp, y_scale, y_zp)


def elu_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """x, or e^x - 1 below zero. Source: TFLite EluPrepare."""
    return float_table(lambda x: np.float32(_LIBM.expm1f(x)) if x < 0 else x, x_scale, x_zp, y_scale, y_zp)


def abs_table(
    x_scale: float, x_zp: int, y_scale: float, y_zp: int, *, mode: Rounding = Rounding.DOUBLE
) -> Table:
    """The magnitude; equal scales are not multiplied. Source: TFLite AbsEvalQuantized."""
    value = np.abs(_centred(x_zp))
    if np.float32(x_scale) != np.float32(y_scale):
        value = _scaled(value, np.float32(x_scale) / np.float32(y_scale), mode)
    return clamp(value, y_zp)


def prelu_table(
    x_scale: float,
    x_zp: int,
    y_scale: float,
    y_zp: int,
    *,
    slope: int,
    slope_scale: float,
    mode: Rounding = Rounding.DOUBLE,
) -> Table:
    """x, or slope * slope_scale * x below zero. slope: the quantised value less its zero point.

    Source: TFLite PreluPrepare and BroadcastPrelu4DSlow.
    """
    identity = np.float32(x_scale) / np.float32(y_scale)
    scaled = np.float32(x_scale) * np.float32(slope_scale) / np.float32(y_scale)
    centred = _centred(x_zp)
    below = _scaled((centred * slope).astype(np.int32), scaled, mode)
    return clamp(np.where(centred >= 0, _scaled(centred, identity, mode), below), y_zp)


def log_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """The natural logarithm; the least value of the output where there is none. Source: TFLite LogPrepare."""
    lowest = np.float32(y_scale) * np.float32(INT8_MIN - y_zp)
    return float_table(lambda x: np.float32(_LIBM.logf(x)) if x > 0 else lowest, x_scale, x_zp, y_scale, y_zp)


def sqrt_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """The square root, rounded down; 0 below zero, where LiteRT refuses to run.

    Found by experiment with LiteRT 2.3.0.
    """
    real = np.maximum(_centred(x_zp), 0).astype(np.float32) * np.float32(x_scale)
    levels = np.floor(np.sqrt(real) / np.float32(y_scale))
    return clamp(np.minimum(levels, 2.0**30).astype(np.int64), y_zp)


def rsqrt_table(
    x_scale: float, x_zp: int, y_scale: float, y_zp: int, *, mode: Rounding = Rounding.DOUBLE
) -> Table:
    """One over the square root in fixed point; 127 at zero, and below it, where LiteRT refuses to run.

    Source: TFLite RsqrtEvalQuantized and GetInvSqrtQuantizedMultiplierExp.
    """
    real = 1 / np.float64(np.sqrt(np.float32(x_scale)) * np.float32(y_scale))
    multiplier, shift = quantize_multiplier(real)
    table = np.full(256, INT8_MAX, dtype=np.int8)
    positive = np.flatnonzero(_centred(x_zp) > 0)
    inverse, exponent = np.array([_inverse_square_root(v) for v in _centred(x_zp)[positive].tolist()]).T
    ones = np.ones(positive.size, dtype=np.int32)
    fine = requantize(ones, inverse, exponent + _RSQRT_BITS, mode)
    table[positive] = clamp(requantize(fine, multiplier, shift - _RSQRT_BITS, mode), y_zp)
    return table


def neg_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """LiteRT's int8 kernel negates the integers, whatever they mean, and -128 stays.

    Raises ValueError where that is not the negated value: zero points other than 0, or two scales.
    """
    if x_zp or y_zp or np.float32(x_scale) != np.float32(y_scale):
        raise ValueError(
            "LiteRT negates the integers; only with zero points of 0 and one scale is that the negated value"
        )
    return -INPUTS


def requantize_table(
    x_scale: float, x_zp: int, y_scale: float, y_zp: int, *, mode: Rounding = Rounding.DOUBLE
) -> Table:
    """The same real value at another scale and zero point. Source: TFLite QUANTIZE (Requantize)."""
    ratio = np.float64(np.float32(x_scale)) / np.float64(np.float32(y_scale))
    return clamp(_scaled(_centred(x_zp), ratio, mode), y_zp)


def relu_table(
    x_scale: float,
    x_zp: int,
    y_scale: float,
    y_zp: int,
    *,
    activation: str = "RELU",
    mode: Rounding = Rounding.DOUBLE,
) -> Table:
    """RELU, RELU6, RELU_0_TO_1 or RELU_N1_TO_1 as an operator of its own, which may change the scale.

    Fused into another operator it is only the clamp of `activation_range`. The ratio of scales is rounded to
    float32 here, unlike `requantize_table`. Source: TFLite QuantizedReluX.
    """
    ratio = np.float32(x_scale) / np.float32(y_scale)
    return clamp(_scaled(_centred(x_zp), ratio, mode), y_zp, *activation_range(activation, y_scale, y_zp))


def leaky_relu_table(
    x_scale: float, x_zp: int, y_scale: float, y_zp: int, *, alpha: float, mode: Rounding = Rounding.DOUBLE
) -> Table:
    """x, or alpha * x below zero. alpha: not negative. The multipliers are formed in float32.

    Source: TFLite LeakyReluPrepare and QuantizeLeakyRelu.
    """
    identity = np.float32(x_scale) / np.float32(y_scale)
    slope = np.float32(x_scale) * np.float32(alpha) / np.float32(y_scale)
    centred = _centred(x_zp)
    return clamp(
        np.where(centred >= 0, _scaled(centred, identity, mode), _scaled(centred, slope, mode)), y_zp
    )


def hard_swish_table(x_scale: float, x_zp: int, y_scale: float, y_zp: int) -> Table:
    """x * relu6(x + 3) / 6 in TFLite's 16-bit fixed point.

    x_scale / y_scale must be at most 128 (as LiteRT demands) and above 2^-9, x_scale above 2^-22: beyond,
    gemmlowp's 16-bit rounding shift is not defined. Raises ValueError there.
    Source: TFLite HardSwishPrepare and reference_ops::HardSwish.
    """
    fine_scale = np.float32(1.0 / 128.0) * np.float32(x_scale)
    to_output, output_exponent = _quantize_multiplier_16(fine_scale / np.float32(y_scale))
    to_reluish, reluish_exponent = _quantize_multiplier_16(
        fine_scale / (np.float32(3.0) / np.float32(32768.0))
    )
    if not -15 <= output_exponent <= 0 or reluish_exponent < -15:
        raise ValueError(f"hard swish cannot represent x_scale {x_scale} with y_scale {y_scale}")

    fine = _centred(x_zp).astype(np.int64) * 128
    output = _high_mul_16(fine, to_output)
    # The real value on the scale where 3.0 is 32768; only the last bit of a left shift may saturate visibly.
    reluish = _saturate_16(fine << max(reluish_exponent - 1, 0))
    reluish = _high_mul_16(reluish, to_reluish)
    if reluish_exponent > 0:
        reluish = _saturate_16(reluish << 1)
    gate = (rounding_divide_by_pot(reluish, max(-reluish_exponent, 0)) + 2**15) >> 1
    # Truncates towards zero, to cancel the bias of the rounding products above.
    product = np.trunc(gate * output / 2**15).astype(np.int64)
    return clamp(rounding_divide_by_pot(product, -output_exponent), y_zp)


@cache
def _inverse_square_root(value: int) -> tuple[int, int]:
    """(Q31, exponent) of 1 / sqrt(value), for 1 <= value <= 255: five steps of Newton in gemmlowp's Q28."""
    if value == 1:
        return INT32_MAX, 0
    pairs = (31 - value.bit_length()) // 2 - 1
    scaled = value << (2 * pairs) >> 1
    half = np.int32((scaled + 1) >> 1)
    three_halves, root = np.int32(3 << 27), np.int32(1 << 28)

    def rescaled(raw: int) -> np.int32:
        return np.int32(np.clip(raw << 3, INT32_MIN, INT32_MAX))

    def product(a: np.int32, b: np.int32) -> int:
        return int(saturating_rounding_doubling_high_mul(np.asarray(a), b))

    for _ in range(5):
        cube = product(np.int32(product(root, root)), root) << 6
        cubed = np.int32(np.clip(cube, INT32_MIN, INT32_MAX))
        root = rescaled(product(three_halves, root) - product(half, cubed))
    return product(root, np.int32(1518500250)), pairs - 11


def _centred(x_zp: int) -> NDArray[np.int32]:
    return INPUTS.astype(np.int32) - np.int32(x_zp)


def _scaled(value: NDArray[np.int32], real: float | np.floating, mode: Rounding) -> NDArray[np.int32]:
    return requantize(value, *quantize_multiplier(real), mode)


def _quantize_multiplier_16(real: np.floating) -> tuple[int, int]:
    """Q15 multiplier (the low 16 bits rounded away) and exponent: TFLite DownScaleInt32ToInt16Multiplier."""
    significand, exponent = quantize_multiplier(real)
    return min((int(significand) + 2**15) >> 16, INT16_MAX), int(exponent)


def _saturate_16(value: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.clip(value, INT16_MIN, INT16_MAX)


def _high_mul_16(value: NDArray[np.int64], multiplier: int) -> NDArray[np.int64]:
    """Rounding doubling high multiplication of int16 values by a positive Q15: no case saturates."""
    return (value * multiplier + 2**14) >> 15
