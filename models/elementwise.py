"""Two int8 tensors in, one out: add, subtract and multiply, as `post` computes them and as TFLite defines them.

The core's part is an element record (docs/architecture.md): everything the arithmetic needs, ready to be
multiplied. `element` says what the core makes of a record; `tflite_element` and `fp32_element` derive the record
from scales. In modes DOUBLE and SINGLE the result is TFLite's to the last bit; in mode FP32 it is the real sum
rounded once, while ONNX Runtime adds in float32 (models/float_runtime.py): docs/operators.md has the measured
share of values that differ, never by more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from models.quantize import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    INT32_MIN,
    Rounding,
    clamp,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)

LEFT_SHIFT = 20  # of both inputs before they are scaled, so that the scaled values keep a fraction
FP32_SHIFT_MAX = 62
RECORD_BYTES = 20


class Elementwise(IntEnum):
    """What post does with two words; the value is the command's `elem` field."""

    NONE = 0
    ADD = 1
    SUB = 2
    MUL = 3


@dataclass(frozen=True)
class Element:
    """An element record. zp1, zp2, out_zp, out_min, out_max, s1, s2, s_out: int8. m1, m2, m_out: int32.

    ADD and SUB, modes DOUBLE and SINGLE: m1, s1, m2, s2 scale the inputs, m_out, s_out the sum. ADD and SUB,
    mode FP32: m1, m2 are the ratios of scales times 2^s_out, s_out in [0, 62]; m_out is not used. MUL: m_out,
    s_out scale the product (FP32: m_out holds the bits of a float32).
    """

    zp1: int
    zp2: int
    out_zp: int
    out_min: int = INT8_MIN
    out_max: int = INT8_MAX
    s1: int = 0
    s2: int = 0
    s_out: int = 0
    m1: int = 0
    m2: int = 0
    m_out: int = 0

    def encode(self) -> bytes:
        """The record's 20 bytes, little endian, as they lie in the parameter buffer."""
        small = (self.zp1, self.zp2, self.out_zp, self.out_min, self.out_max, self.s1, self.s2, self.s_out)
        wide = (self.m1, self.m2, self.m_out)
        return np.array(small, dtype="<i1").tobytes() + np.array(wide, dtype="<i4").tobytes()


def element(
    x1: NDArray[np.int8], x2: NDArray[np.int8], kind: Elementwise, record: Element, mode: Rounding
) -> NDArray[np.int8]:
    """What the core makes of x1 and x2, int8, of shapes that broadcast. Returns int8.

    Broadcasting is for a constant or a vector per channel; the core reads such an operand from the residual
    buffer like any other. A sum of scaled values wraps in int32 as the core's does. Raises ValueError for
    another dtype, for kind NONE and for an FP32 shift outside [0, 62].
    """
    if x1.dtype != np.int8 or x2.dtype != np.int8:
        raise ValueError(f"expected int8 and int8, got {x1.dtype} and {x2.dtype}")
    a = x1.astype(np.int32) - record.zp1
    b = x2.astype(np.int32) - record.zp2
    if kind == Elementwise.MUL:
        scaled = requantize(a * b, record.m_out, record.s_out, mode)
    elif kind in (Elementwise.ADD, Elementwise.SUB):
        sign = 1 if kind == Elementwise.ADD else -1
        if mode == Rounding.FP32:
            total = a.astype(np.int64) * record.m1 + sign * (b.astype(np.int64) * record.m2)
            scaled = _shift_half_even(total, record.s_out)
        else:
            left = requantize(a << LEFT_SHIFT, record.m1, record.s1, mode)
            right = requantize(b << LEFT_SHIFT, record.m2, record.s2, mode)
            scaled = requantize(left + sign * right, record.m_out, record.s_out, mode)
    else:
        raise ValueError(f"kind must be ADD, SUB or MUL, got {kind}")
    return clamp(scaled, record.out_zp, record.out_min, record.out_max)


def tflite_element(
    kind: Elementwise,
    scales: tuple[float, float, float],
    zero_points: tuple[int, int, int],
    out_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Element:
    """The record for modes DOUBLE and SINGLE. scales, zero_points: of input 1, input 2, output.

    Scales are float32 values; the arithmetic is double, in TFLite's order. out_range: of the fused activation
    (models/quantize.py:activation_range). Raises ValueError when TFLite has no such operator: a sum whose output
    scale is so small that the last multiplier is not below one.
    Source: TFLite PrepareGeneralAddSub (add.cc, sub.cc) and mul.cc Prepare.
    """
    s1, s2, s_out = (float(np.float32(s)) for s in scales)
    common = dict(zip(("zp1", "zp2", "out_zp"), zero_points, strict=True))
    common |= {"out_min": out_range[0], "out_max": out_range[1]}
    if kind == Elementwise.MUL:
        m_out, shift = _multiplier(s1 * s2 / s_out)
        return Element(**common, m_out=m_out, s_out=shift)
    twice_largest = 2 * max(s1, s2)
    last = twice_largest / (2**LEFT_SHIFT * s_out)
    if not last < 1:
        raise ValueError(f"scales {s1} and {s2} are too far above the output's, {s_out}")
    m1, shift1 = _multiplier(s1 / twice_largest)
    m2, shift2 = _multiplier(s2 / twice_largest)
    m_out, shift = _multiplier(last)
    return Element(**common, m1=m1, s1=shift1, m2=m2, s2=shift2, m_out=m_out, s_out=shift)


def fp32_element(
    kind: Elementwise,
    scales: tuple[float, float, float],
    zero_points: tuple[int, int, int],
    out_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Element:
    """The record for mode FP32; arguments as `tflite_element`.

    ADD and SUB: the float32 ratios input scale / output scale that ONNX Runtime multiplies by, as integers over
    one power of two as large as fits. The larger ratio is exact; the smaller one, too, while it is above 2^-7 of
    the larger. MUL: float32 s1 * s2 / s_out, as ONNX Runtime forms it. Raises ValueError for ratios of 2^31 or
    more.
    """
    common = dict(zip(("zp1", "zp2", "out_zp"), zero_points, strict=True))
    common |= {"out_min": out_range[0], "out_max": out_range[1]}
    if kind == Elementwise.MUL:
        return Element(**common, m_out=int(fp32_multiplier(*scales)))
    ratios = [float(np.float32(s) / np.float32(scales[2])) for s in scales[:2]]
    _, exponent = np.frexp(max(ratios))
    shift = min(31 - int(exponent), FP32_SHIFT_MAX)
    if shift < 0:
        raise ValueError(f"scales {scales[0]} and {scales[1]} are too far above the output's, {scales[2]}")
    m1, m2 = (int(np.rint(np.ldexp(ratio, shift))) for ratio in ratios)
    return Element(**common, m1=m1, m2=m2, s_out=shift)


def _multiplier(real: float) -> tuple[int, int]:
    significand, shift = quantize_multiplier(real)
    return int(significand), int(shift)


def _shift_half_even(value: NDArray[np.int64], shift: int) -> NDArray[np.int32]:
    """value / 2^shift, a tie to even, saturated to int32."""
    if not 0 <= shift <= FP32_SHIFT_MAX:
        raise ValueError(f"FP32 shift must be in [0, {FP32_SHIFT_MAX}], got {shift}")
    whole = value >> shift
    rest = value - (whole << shift)
    half = np.int64(1) << shift >> 1
    up = (rest > half) | ((rest == half) & (whole & 1 == 1)) if shift else np.zeros(value.shape, dtype=bool)
    return np.clip(whole + up, INT32_MIN, INT32_MAX).astype(np.int32)
