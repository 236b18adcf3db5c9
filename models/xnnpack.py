"""What XNNPACK, LiteRT's default path on x86, computes for int8 and uint8 tensors, to the last bit.

Convolutions and fully connected layers need nothing from here: they are integer sums followed by
`requantize(.., Rounding.FP32)`. Sums and products of two tensors are element records that the core computes
exactly. A mean is float32 in the runtime; `fit_mean` looks for the multiplier with which the core makes the
same of every sum that can occur. All other functions of one tensor are tables.

Tensors are int8 here, as everywhere in the models; `unsigned` says that the file's are uint8, 128 more,
because float32 sums contain the zero point. Scales are float32 values. Found by experiment with LiteRT 2.3.0
on a machine with AVX-512, and from XNNPACK (reference/unary-elementwise.cc, microparams-init.c).
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.activation import INPUTS, Table
from models.elementwise import PLAIN_TIES, Element, Elementwise
from models.quantize import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    Rounding,
    clamp,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
)

Scale = float | np.floating
Scales = tuple[Scale, Scale, Scale]
Range = tuple[int, int]

SUM_BITS = 20  # of the larger multiplier of a sum, below its leading one
TABLE_BITS = 8  # of a fixed-point multiplier of one tensor, below the point
MANY_SUMS = 1 << 20  # more than these are not compared one by one with every candidate

# Real-valued ends of the activations that a layer can fuse; None is the end of the type.
_ACTIVATION_ENDS: dict[str, tuple[float | None, float | None]] = {
    "NONE": (None, None),
    "RELU": (0.0, None),
    "RELU6": (0.0, 6.0),
    "RELU_N1_TO_1": (-1.0, 1.0),
}

_LIBM = ctypes.CDLL(None)
for _name in ("expm1f", "tanhf"):
    getattr(_LIBM, _name).restype = ctypes.c_float
    getattr(_LIBM, _name).argtypes = [ctypes.c_float]


def activation_range(activation: str, scale: Scale, zero_point: int, *, unsigned: bool = False) -> Range:
    """(act_min, act_max) of a fused activation: the zero point is added before the rounding, half to even.

    Arguments as models/quantize.py:activation_range. Raises ValueError for another activation.
    """
    if activation not in _ACTIVATION_ENDS:
        raise ValueError(f"unknown activation {activation!r}; expected one of {', '.join(_ACTIVATION_ENDS)}")
    shift = 128 if unsigned else 0
    ends = []
    for real, otherwise in zip(_ACTIVATION_ENDS[activation], (INT8_MIN, INT8_MAX), strict=True):
        if real is None:
            ends.append(otherwise)
        else:
            level = np.rint(np.float32(real) / np.float32(scale) + np.float32(zero_point + shift)) - shift
            ends.append(int(np.clip(level, INT8_MIN, INT8_MAX)))
    return ends[0], ends[1]


def xnnpack_element(
    kind: Elementwise,
    scales: Scales,
    zero_points: tuple[int, int, int],
    out_range: Range = (INT8_MIN, INT8_MAX),
) -> Element:
    """The record for mode FP32 with which the core does what XNNPACK does. Arguments as `tflite_element`.

    ADD, SUB: ratios of scales as integers, the larger one of 21 bits; the sum is shifted to the right, a tie
    up. MUL: float32 product times float32 scale, half to even, then the zero point. Raises ValueError where
    XNNPACK has no such operator: a sum whose larger ratio is not in [2^-10, 2^8).
    Source: XNNPACK xnn_init_qs8_add_minmax_scalar_params, xnn_init_qs8_mul_minmax_scalar_params.
    """
    common = dict(zip(("zp1", "zp2", "out_zp"), zero_points, strict=True))
    common |= {"out_min": out_range[0], "out_max": out_range[1]}
    if kind == Elementwise.MUL:
        return Element(**common, m_out=int(fp32_multiplier(*scales)), s_out=PLAIN_TIES)
    ratios = [np.float32(s) / np.float32(scales[2]) for s in scales[:2]]
    if not 2.0**-10 <= max(ratios) < 2.0**8:
        raise ValueError(f"XNNPACK does not add scales {scales[0]} and {scales[1]} to {scales[2]}")
    _, exponent = np.frexp(max(ratios))
    shift = SUM_BITS + 1 - int(exponent)
    m1, m2 = (int(np.rint(np.ldexp(ratio, shift))) for ratio in ratios)
    return Element(**common, m1=m1, m2=m2, s_out=shift + PLAIN_TIES)


def mean_levels(
    total: NDArray[np.integer],
    count: int,
    scales: tuple[Scale, Scale],
    zero_points: tuple[int, int],
    *,
    unsigned: bool = False,
) -> NDArray[np.int8]:
    """MEAN: rint(float32(sum) * F + (y_zp - count * x_zp * F)), every step in float32; F is
    x_scale / y_scale * (1 / count).

    total: sums of `count` int8 values, not centred, any shape. scales, zero_points: of input and output.
    """
    shift = 128 if unsigned else 0
    factor = _mean_factor(count, scales)
    x_zp, y_zp = (np.float32(z + shift) for z in zero_points)
    offset = y_zp - np.float32(count) * x_zp * factor
    value = (total + shift * count).astype(np.float32) * factor + offset
    return np.clip(np.rint(value) - shift, INT8_MIN, INT8_MAX).astype(np.int8)


def _mean_factor(count: int, scales: tuple[Scale, Scale]) -> np.float32:
    # Divided by count instead, 2 of 10 million values are another.
    return np.float32(np.float32(scales[0]) / np.float32(scales[1]) * (np.float32(1) / np.float32(count)))


@dataclass(frozen=True)
class MeanFit:
    """How the core makes a mean of a sum. sums_apart: of all sums that can occur, those that XNNPACK rounds
    otherwise, by one."""

    rounding: Rounding
    bias: int
    multiplier: int
    shift: int
    sums_apart: int

    def levels(self, total: NDArray[np.int32], y_zp: int) -> NDArray[np.int8]:
        """What the core makes of sums of int8 values, not centred."""
        centred = total + np.int32(self.bias)
        return clamp(requantize(centred, self.multiplier, self.shift, self.rounding), y_zp)


def fit_mean(
    count: int, scales: tuple[Scale, Scale], zero_points: tuple[int, int], *, unsigned: bool = False
) -> MeanFit:
    """The core's form that agrees with `mean_levels` for as many sums as can be. Arguments as there.

    The runtime's float32 errors decide where ties go; a rounding mode and a multiplier that differs in its
    last bits decide otherwise. Only sums near a tie can differ, so most layers are exact.
    Raises ValueError for a ratio of scales that no multiplier holds.
    """
    totals = np.arange(INT8_MIN * count, INT8_MAX * count + 1, dtype=np.int32)
    theirs = mean_levels(totals, count, scales, zero_points, unsigned=unsigned)
    near = totals
    if totals.size > MANY_SUMS:
        real = (totals - count * zero_points[0]) * (float(scales[0]) / float(scales[1]) / count)
        near = totals[np.abs(real - np.floor(real) - 0.5) < 2.0**-10]
    best: MeanFit | None = None
    for rounding, multiplier, shift in _mean_candidates(count, scales):
        fit = MeanFit(rounding, -count * zero_points[0], multiplier, shift, 0)
        apart = int(np.count_nonzero(fit.levels(near, zero_points[1]) != theirs[near - totals[0]]))
        if best is None or apart < best.sums_apart:
            best = replace(fit, sums_apart=apart)
        if apart == 0:
            break
    assert best is not None
    apart = int(np.count_nonzero(best.levels(totals, zero_points[1]) != theirs))
    return replace(best, sums_apart=apart)


def _mean_candidates(count: int, scales: tuple[Scale, Scale]) -> Iterator[tuple[Rounding, int, int]]:
    """(rounding, multiplier word, shift), the most likely first."""
    factor = _mean_factor(count, scales)
    word = int(np.asarray(factor, dtype=np.float32).view(np.int32))
    steps = (0, 1, -1, 2, -2)
    for step in steps:
        yield Rounding.FP32, word + step, 0
    significand, shift = (int(part) for part in quantize_multiplier(np.float64(factor)))
    # 2^7 is one unit of the float32; less than that tells ties from their neighbours, too.
    for step in (0, 1, -1, 8, -8, 64, -64, 128, -128):
        if significand + step <= INT32_MAX:
            yield Rounding.SINGLE, significand + step, shift
            yield Rounding.DOUBLE, significand + step, shift


def requantize_table(x_scale: Scale, x_zp: int, y_scale: Scale, y_zp: int) -> Table:
    """QUANTIZE of int8 to int8: a multiplier of 8 bits below the point, a tie up.

    Raises ValueError for a ratio of scales beyond [2^-8, 2^7]. Source: XNNPACK qs8-vcvt.
    """
    return _fixed_point(_centred(x_zp), _table_multiplier(np.float32(x_scale) / np.float32(y_scale)), y_zp)


def leaky_relu_table(x_scale: Scale, x_zp: int, y_scale: Scale, y_zp: int, *, alpha: float) -> Table:
    """LEAKY_RELU: as `requantize_table`, with another multiplier below zero. Source: XNNPACK qs8-vlrelu."""
    ratio = np.float32(x_scale) / np.float32(y_scale)
    above, below = _table_multiplier(ratio), _table_multiplier(ratio * np.float32(alpha))
    centred = _centred(x_zp)
    return _fixed_point(centred, np.where(centred >= 0, above, below), y_zp)


def float_table(
    function: Callable[[np.float32], float],
    x_scale: Scale,
    x_zp: int,
    y_scale: Scale,
    y_zp: int,
    *,
    unsigned: bool = False,
) -> Table:
    """Table of any real function: dequantise, apply, times 1 / y_scale, plus the zero point, half to even.

    function: called with one float32 at a time, its result is rounded to float32. Source: XNNPACK
    reference/unary-elementwise.cc.
    """
    shift = 128 if unsigned else 0
    real = _centred(x_zp).astype(np.float32) * np.float32(x_scale)
    value = np.array([function(x) for x in real], dtype=np.float32)
    levels = np.rint(value * (np.float32(1) / np.float32(y_scale)) + np.float32(y_zp + shift)) - shift
    return np.clip(levels, INT8_MIN, INT8_MAX).astype(np.int8)


def sigmoid(x: np.float32) -> float:
    """e^x / (1 + e^x) in double, 0 and 1 beyond -100 and 100."""
    if abs(x) > 100:
        return float(x > 0)
    power = math.exp(float(x))
    return power / (1 + power)


def tanh(x: np.float32) -> float:
    """The C library's tanhf."""
    return float(_LIBM.tanhf(x))


def elu(x: np.float32) -> float:
    """x, or e^x - 1 below zero, by the C library's expm1f."""
    return float(_LIBM.expm1f(x)) if x < 0 else float(x)


def square_table(
    x_scale: Scale, x_zp: int, y_scale: Scale, y_zp: int, out_range: Range, *, unsigned: bool = False
) -> Table:
    """MUL of a tensor with itself, which XNNPACK replaces by its square. out_range: of a fused activation."""
    table = float_table(lambda x: float(x * x), x_scale, x_zp, y_scale, y_zp, unsigned=unsigned)
    return np.clip(table, *out_range).astype(np.int8)


def _centred(x_zp: int) -> NDArray[np.int64]:
    return INPUTS.astype(np.int64) - x_zp


def _table_multiplier(real: np.floating) -> int:
    if not 2.0**-8 <= abs(real) <= 2.0**7:
        raise ValueError(f"XNNPACK does not multiply by {real}; [2^-8, 2^7] is needed")
    return int(np.rint(real * np.float32(1 << TABLE_BITS)))


def _fixed_point(centred: NDArray[np.int64], multiplier: ArrayLike, y_zp: int) -> Table:
    rounded = (centred * np.asarray(multiplier) + (1 << TABLE_BITS >> 1)) >> TABLE_BITS
    return np.clip(rounded + y_zp, INT8_MIN, INT8_MAX).astype(np.int8)
