"""Two int8 tensors in, one out: add, subtract, multiply, as `post` computes them and TFLite defines them.

The core's part is an element record (docs/architecture.md): everything the arithmetic needs, ready to be
multiplied. `element` says what the core makes of a record; `tflite_element` and `fp32_element` derive the
record from scales. In modes DOUBLE and SINGLE the result is TFLite's to the last bit; in mode FP32 it is the
real sum rounded once, while ONNX Runtime adds in float32 (models/float_runtime.py): docs/operators.md has
the measured share of values that differ, never by more than one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from models import ort
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
# Mode FP32: added to s_out, it makes ties go as in XNNPACK.
PLAIN_TIES = 64
RECORD_BYTES = 20

# Steps by which `fit_fp32_element` moves a multiplier, the smallest first.
_NUDGES = sorted(
    {0, *(sign * step << n >> 1 for n in range(1, 12) for step in (2, 3) for sign in (1, -1))}, key=abs
)

Scale = float | np.floating


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
    s_out scale the product (FP32: m_out holds the bits of a float32, s_out is 0). Mode FP32, s_out plus
    PLAIN_TIES: the tie of a sum goes up, that of a product to even without the zero point.
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
    x1: NDArray[np.int8],
    x2: NDArray[np.int8],
    kind: Elementwise,
    record: Element,
    mode: Rounding,
    *,
    tie_after_zero_point: bool = True,
) -> NDArray[np.int8]:
    """What the core makes of x1 and x2, int8, of shapes that broadcast. Returns int8.

    tie_after_zero_point: in mode FP32 a tie goes to the value that is even with the output's zero point
    added, as in ONNX Runtime's element-wise operators and in the core; else to the one that is even before,
    as in a convolution.

    Broadcasting is for a constant or a vector per channel; the core reads such an operand from the residual
    buffer like any other. A sum of scaled values wraps in int32 as the core's does. Raises ValueError for
    another dtype, for kind NONE and for an FP32 shift outside [0, 62].
    """
    if x1.dtype != np.int8 or x2.dtype != np.int8:
        raise ValueError(f"expected int8 and int8, got {x1.dtype} and {x2.dtype}")
    a = x1.astype(np.int32) - record.zp1
    b = x2.astype(np.int32) - record.zp2
    plain = bool(record.s_out & PLAIN_TIES) and mode == Rounding.FP32
    odd = bool(record.out_zp & 1) and tie_after_zero_point and not plain
    if kind == Elementwise.MUL:
        if mode == Rounding.FP32:
            scaled = _product_fp32(a * b, record.m_out, odd)
        else:
            scaled = requantize(a * b, record.m_out, record.s_out, mode)
    elif kind in (Elementwise.ADD, Elementwise.SUB):
        sign = 1 if kind == Elementwise.ADD else -1
        if mode == Rounding.FP32:
            total = a.astype(np.int64) * record.m1 + sign * (b.astype(np.int64) * record.m2)
            scaled = _shift_nearest(total, record.s_out - PLAIN_TIES * plain, odd, plain)
        else:
            left = requantize(a << LEFT_SHIFT, record.m1, record.s1, mode)
            right = requantize(b << LEFT_SHIFT, record.m2, record.s2, mode)
            scaled = requantize(left + sign * right, record.m_out, record.s_out, mode)
    else:
        raise ValueError(f"kind must be ADD, SUB or MUL, got {kind}")
    return clamp(scaled, record.out_zp, record.out_min, record.out_max)


def tflite_element(
    kind: Elementwise,
    scales: tuple[Scale, Scale, Scale],
    zero_points: tuple[int, int, int],
    out_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Element:
    """The record for modes DOUBLE and SINGLE. scales, zero_points: of input 1, input 2, output.

    Scales are float32 values; sums are scaled by double ratios, a product by a float32 one. out_range: of the
    fused activation (models/quantize.py:activation_range). Raises ValueError when TFLite has no such
    operator: a sum whose output scale is so small that the last multiplier is not below one. Source: TFLite
    PrepareGeneralAddSub (add.cc, sub.cc) and mul.cc Prepare.
    """
    s1, s2, s_out = (float(np.float32(s)) for s in scales)
    common = dict(zip(("zp1", "zp2", "out_zp"), zero_points, strict=True))
    common |= {"out_min": out_range[0], "out_max": out_range[1]}
    if kind == Elementwise.MUL:
        # Here alone TFLite forms the ratio in float32.
        m_out, shift = _multiplier(float(np.float32(s1) * np.float32(s2) / np.float32(s_out)))
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
    scales: tuple[Scale, Scale, Scale],
    zero_points: tuple[int, int, int],
    out_range: tuple[int, int] = (INT8_MIN, INT8_MAX),
) -> Element:
    """The record for mode FP32; arguments as `tflite_element`.

    ADD and SUB: the float32 ratios input scale / output scale that ONNX Runtime multiplies by, as integers
    over one power of two as large as fits. The larger ratio is exact; the smaller one, too, while it is
    above 2^-7 of the larger. MUL: float32 s1 * s2 / s_out, as ONNX Runtime forms it. Raises ValueError for
    ratios of 2^31 or more.
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


def pairs_apart(
    kind: Elementwise,
    scales: tuple[Scale, Scale, Scale],
    record: Element,
    *,
    unsigned: bool = False,
    tie_after_zero_point: bool = True,
) -> int:
    """Of all 65,536 pairs of values, those that the core in mode FP32 computes otherwise than ONNX Runtime.

    0 proves a layer exact, whatever its tensors hold. kind: ADD or MUL. record: from `fp32_element` with
    these scales. unsigned: the network's tensors are uint8. Raises ValueError for SUB: ONNX Runtime has no
    quantised one.
    """
    x1, x2, theirs = _runtime_pairs(kind, scales, record, unsigned)
    ours = element(x1, x2, kind, record, Rounding.FP32, tie_after_zero_point=tie_after_zero_point)
    return int(np.count_nonzero(ours != theirs))


def fit_fp32_element(
    kind: Elementwise,
    scales: tuple[Scale, Scale, Scale],
    record: Element,
    *,
    unsigned: bool = False,
    tie_after_zero_point: bool = True,
) -> Element:
    """The record with its multipliers moved a little, so that as many pairs as can be equal ONNX Runtime.

    The runtime's float32 errors move a sum across a tie for a pair or two in one layer of eight; multipliers
    that differ in their last bits move it, too. Arguments as `pairs_apart`, which says how many are left.
    """
    x1, x2, theirs = _runtime_pairs(kind, scales, record, unsigned)

    def apart(candidate: Element, chosen: NDArray[np.intp] | slice) -> int:
        ours = element(
            x1[chosen], x2[chosen], kind, candidate, Rounding.FP32, tie_after_zero_point=tie_after_zero_point
        )
        return int(np.count_nonzero(ours != theirs[chosen]))

    everything = slice(None)
    least = apart(record, everything)
    if least == 0:
        return record
    if kind == Elementwise.MUL:
        candidates = [replace(record, m_out=record.m_out + step) for step in _NUDGES if abs(step) <= 16]
        close: NDArray[np.intp] | slice = everything
    else:
        candidates = [
            replace(record, m1=record.m1 + step1, m2=record.m2 + step2)
            for step1 in _NUDGES
            for step2 in _NUDGES
            if max(record.m1 + step1, record.m2 + step2) <= INT32_MAX
        ]
        total = (x1.astype(np.int64) - record.zp1) * record.m1 + (
            x2.astype(np.int64) - record.zp2
        ) * record.m2
        fraction = np.ldexp((total & ((1 << record.s_out) - 1)).astype(np.float64), -record.s_out)
        # No candidate moves a sum by more than this: pairs farther from a tie stay as they are.
        reach = np.ldexp(2 * 255.0 * max(_NUDGES), -record.s_out)
        close = np.nonzero(np.abs(fraction - 0.5) <= reach)[0]
    best = record
    for candidate in candidates:
        found = apart(candidate, close)
        if found < least:
            best, least = candidate, found
            if least == 0:
                break
    return best


def _runtime_pairs(
    kind: Elementwise, scales: tuple[Scale, Scale, Scale], record: Element, unsigned: bool
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int8]]:
    """(x1, x2, what ONNX Runtime makes of them), all pairs, flat."""
    if kind not in (Elementwise.ADD, Elementwise.MUL):
        raise ValueError(f"kind must be ADD or MUL, got {kind}")
    values = np.arange(256, dtype=np.uint8).view(np.int8)
    x1, x2 = np.repeat(values, 256), np.tile(values, 256)
    shift = 128 if unsigned else 0
    zero_points = (record.zp1 + shift, record.zp2 + shift, record.out_zp + shift)
    runtime = ort.qlinear_add if kind == Elementwise.ADD else ort.qlinear_mul
    a, b = (x.view(np.uint8) ^ 0x80 if unsigned else x for x in (x1, x2))
    theirs = runtime(a, b, scales, zero_points).astype(np.int32) - shift
    return x1, x2, np.clip(theirs, record.out_min, record.out_max).astype(np.int8)


def _multiplier(real: float) -> tuple[int, int]:
    significand, shift = quantize_multiplier(real)
    return int(significand), int(shift)


def _product_fp32(product: NDArray[np.int32], word: int, odd: bool) -> NDArray[np.int32]:
    """`requantize` in mode FP32; odd: a tie goes to the odd value."""
    scaled = requantize(product, word, 0, Rounding.FP32)
    if not odd:
        return scaled
    real = product.astype(np.float32) * np.int32(word).view(np.float32)
    tie = np.abs(real - np.trunc(real)) == 0.5
    return np.where(tie, 2 * np.trunc(real) + np.sign(real) - scaled, scaled).astype(np.int32)


def _shift_nearest(value: NDArray[np.int64], shift: int, odd: bool, up: bool) -> NDArray[np.int32]:
    """value / 2^shift, saturated to int32; a tie up, or to the even neighbour, or to the odd one."""
    if not 0 <= shift <= FP32_SHIFT_MAX:
        raise ValueError(f"FP32 shift must be in [0, {FP32_SHIFT_MAX}], got {shift}")
    whole = value >> shift
    if shift:
        rest, half = value - (whole << shift), np.int64(1) << (shift - 1)
        whole = whole + ((rest > half) | ((rest == half) & (up | ((whole & 1) != odd))))
    return np.clip(whole, INT32_MIN, INT32_MAX).astype(np.int32)
