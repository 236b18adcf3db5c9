"""int32 accumulators to int8: multipliers, the three rounding modes, the activation clamp.

docs/numerics.md is the contract in words. Everything here works on the last axis as the output channel.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
SHIFT_MIN, SHIFT_MAX = -31, 30

# The largest float32 below 2^31: a float beyond it has no int32.
_FLOAT32_BELOW_2_31 = np.float32(2147483520.0)

# Real-valued ends of the activations that a layer can fuse; None is the end of int8.
_ACTIVATION_ENDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_0_TO_1": (0.0, 1.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}


class Rounding(IntEnum):
    """How a layer requantises; the value is the command's rounding-mode field."""

    DOUBLE = 0
    SINGLE = 1
    FP32 = 2


def effective_scale(x_scale: ArrayLike, w_scale: ArrayLike, y_scale: ArrayLike) -> NDArray[np.float64]:
    """Real multiplier of a convolution, one per output channel: x_scale * w_scale / y_scale.

    Scales are float32 values (a .tflite file holds no others); product and quotient are double, in this
    order.
    Source: TFLite PopulateConvolutionQuantizationParams.
    """
    x, w, y = (np.asarray(s, dtype=np.float32).astype(np.float64) for s in (x_scale, w_scale, y_scale))
    return x * w / y


def quantize_multiplier(real: ArrayLike) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Split a real multiplier into a Q31 significand and a power of two: real ~ M / 2^31 * 2^shift.

    real: 0 <= real < 2^30, any shape. Returns (M, shift) of that shape: M is 0 or in [2^30, 2^31), shift in
    [-31, 30], positive is left. Below about 2^-32 both are 0. Raises ValueError for a negative, not finite or
    too large multiplier.
    Source: TFLite QuantizeMultiplier.
    """
    value = np.asarray(real, dtype=np.float64)
    if not np.all(np.isfinite(value) & (value >= 0)):
        raise ValueError(f"multiplier must be finite and not negative, got {value}")
    fraction, shift = np.frexp(value)
    significand = np.floor(fraction * 2.0**31 + 0.5).astype(np.int64)
    carried = significand == 2**31
    significand = np.where(carried, 2**30, significand)
    shift = np.where(carried, shift + 1, shift)
    tiny = shift < SHIFT_MIN
    significand = np.where(tiny, 0, significand)
    shift = np.where(tiny, 0, shift)
    if np.any(shift > SHIFT_MAX):
        raise ValueError(f"multiplier must be below 2^{SHIFT_MAX}, got {value.max()}")
    return significand.astype(np.int32), shift.astype(np.int32)


def fp32_multiplier(x_scale: ArrayLike, w_scale: ArrayLike, y_scale: ArrayLike) -> NDArray[np.int32]:
    """Multiplier word for Rounding.FP32: the bits of float32 (x_scale * w_scale) / y_scale, as int32.

    Source: ONNX Runtime QLinearConv and XNNPACK, which both form it in float32 in this order.
    """
    x, w, y = (np.asarray(s, dtype=np.float32) for s in (x_scale, w_scale, y_scale))
    return np.asarray(x * w / y, dtype=np.float32).view(np.int32)


def requantize(acc: NDArray, multiplier: ArrayLike, shift: ArrayLike, mode: Rounding) -> NDArray[np.int32]:
    """Scale accumulators to the output's scale; zero point and clamp come after, in `clamp`.

    acc: int32 [..., C]. multiplier: int32 [C] or scalar, Q31 (modes DOUBLE and SINGLE) or the bits of a
    finite float32 (FP32). shift: [C] or scalar in [-31, 30], positive is left; FP32 ignores it.
    Returns int32 [..., C]. DOUBLE: the left shift wraps in int32. SINGLE: the result wraps in int32.
    FP32: the result saturates. Raises ValueError for another dtype of acc and for values outside the ranges.
    Source: TFLite MultiplyByQuantizedMultiplier (DOUBLE; SINGLE with TFLITE_SINGLE_ROUNDING), ONNX Runtime
    MlasRequantizeOutput and XNNPACK fp32 requantisation (FP32).
    """
    if acc.dtype != np.int32:
        raise ValueError(f"acc must be int32, got {acc.dtype}")
    word = np.asarray(multiplier, dtype=np.int64)
    if np.any((word < INT32_MIN) | (word > INT32_MAX)):
        raise ValueError(f"multiplier must fit in int32, got {word}")
    if mode == Rounding.FP32:
        return _requantize_fp32(acc, word)
    amount = np.asarray(shift, dtype=np.int64)
    if np.any((amount < SHIFT_MIN) | (amount > SHIFT_MAX)):
        raise ValueError(f"shift must be in [{SHIFT_MIN}, {SHIFT_MAX}], got {amount}")
    if mode == Rounding.SINGLE:
        total = 31 - amount
        half = np.left_shift(np.int64(1), total - 1)
        return ((acc.astype(np.int64) * word + half) >> total).astype(np.int32)
    shifted = (acc.astype(np.int64) << np.maximum(amount, 0)).astype(np.int32)
    high = saturating_rounding_doubling_high_mul(shifted, word)
    return rounding_divide_by_pot(high, np.maximum(-amount, 0))


def requantize_litert_fc(acc: NDArray, real: ArrayLike) -> NDArray[np.int32]:
    """Requantisation of LiteRT 2.3.0's reference FULLY_CONNECTED. Not a mode of the hardware.

    That kernel alone leaves the integer path: round(double(acc) * real), half away from zero. TFLite Micro
    and CMSIS-NN, and so this core, requantise a fully connected layer like a convolution (Rounding.DOUBLE).
    acc: int32 [..., C]. real: double [C] or scalar from `effective_scale`. Returns int32 [..., C], saturated
    (LiteRT's own cast is undefined there).
    Source: LiteRT reference_integer_ops::FullyConnected and FullyConnectedPerChannel, the float overloads.
    """
    product = acc.astype(np.float64) * np.asarray(real, dtype=np.float64)
    # trunc(x + 0.5) is wrong just below one half, where the sum rounds up; comparing the fraction is exact.
    whole = np.trunc(product)
    away = np.abs(product - whole) >= 0.5
    rounded = whole + np.where(away, np.sign(product), 0.0)
    return np.clip(rounded, INT32_MIN, INT32_MAX).astype(np.int64).astype(np.int32)


def saturating_rounding_doubling_high_mul(a: NDArray, b: ArrayLike) -> NDArray[np.int32]:
    """(2 * a * b) / 2^32 rounded to nearest, a tie towards plus infinity; saturates for INT32_MIN twice.

    a: int32. b: int32 values, broadcast. Source: gemmlowp, whose truncating division with a sign-dependent
    nudge is the same as this shift (models/tests/test_quantize.py shows it).
    """
    product = a.astype(np.int64) * np.asarray(b, dtype=np.int64)
    return np.minimum((product + 2**30) >> 31, INT32_MAX).astype(np.int32)


def rounding_divide_by_pot(a: NDArray, exponent: ArrayLike) -> NDArray[np.int32]:
    """a / 2^exponent, a tie away from zero. a: int32. exponent: [0, 31], broadcast. Source: gemmlowp."""
    amount = np.asarray(exponent, dtype=np.int64)
    half = np.left_shift(np.int64(1), amount) >> 1
    magnitude = (np.abs(a.astype(np.int64)) + half) >> amount
    return np.where(a < 0, -magnitude, magnitude).astype(np.int32)


def clamp(
    value: NDArray, zero_point: int, act_min: int = INT8_MIN, act_max: int = INT8_MAX
) -> NDArray[np.int8]:
    """Add the output's zero point and clamp to [act_min, act_max].

    value: int32, any shape. zero_point, act_min, act_max: int8. The sum does not wrap. Returns int8. Raises
    ValueError for an empty or too wide range.
    """
    if not INT8_MIN <= act_min <= act_max <= INT8_MAX:
        raise ValueError(
            f"activation range must lie in [-128, 127] and not be empty, got [{act_min}, {act_max}]"
        )
    return np.clip(value.astype(np.int64) + zero_point, act_min, act_max).astype(np.int8)


def activation_range(activation: str, scale: float, zero_point: int) -> tuple[int, int]:
    """(act_min, act_max) of a fused activation on an int8 output.

    activation: NONE, RELU, RELU6 or RELU_N1_TO_1. scale, zero_point: of the output. The real ends are divided
    by the scale in float32 and rounded half away from zero. Raises ValueError for another activation.
    Source: TFLite CalculateActivationRangeQuantized.
    """
    if activation not in _ACTIVATION_ENDS:
        raise ValueError(f"unknown activation {activation!r}; expected one of {', '.join(_ACTIVATION_ENDS)}")
    low, high = _ACTIVATION_ENDS[activation]
    act_min = INT8_MIN if low is None else max(INT8_MIN, zero_point + quantize_real(low, scale))
    act_max = INT8_MAX if high is None else min(INT8_MAX, zero_point + quantize_real(high, scale))
    return act_min, act_max


def quantize_real(real: float, scale: float) -> int:
    """real / scale in float32, rounded half away from zero; no zero point."""
    return int(round_half_away(np.float32(real) / np.float32(scale)))


def round_half_away(value: NDArray | np.floating) -> NDArray[np.float64]:
    """Nearest integer of float32 values, a tie away from zero, as TfLiteRound."""
    # Widened first: value + 0.5 is exact in double for a float32 whose fraction matters.
    wide = np.asarray(value, dtype=np.float64)
    return np.copysign(np.floor(np.abs(wide) + 0.5), wide)


def _requantize_fp32(acc: NDArray, word: NDArray[np.int64]) -> NDArray[np.int32]:
    scale = word.astype(np.int32).view(np.float32)
    if not np.all(np.isfinite(scale)):
        raise ValueError(f"FP32 multiplier word must hold a finite float32, got {scale}")
    with np.errstate(over="ignore"):
        product = acc.astype(np.float32) * scale
    rounded = np.rint(product)
    saturated = np.clip(rounded, np.float32(INT32_MIN), _FLOAT32_BELOW_2_31).astype(np.int32)
    return np.where(rounded > _FLOAT32_BELOW_2_31, np.int32(INT32_MAX), saturated)
