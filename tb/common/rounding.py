"""Functional coverage of arithmetic that post, requant and element share: roundings, ties, the clamp."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.quantize import INT32_MAX, INT32_MIN, Rounding
from tb.common.cover import Cross, Hits, Never, Point

Wide = NDArray[np.int64]

MODE = (
    Point("mode", {"double": 0, "single": 1, "fp32": 2}, "rounding mode of what is requantised"),
    Point("tie", ["first", "up", "down"], "a sum half-way between two results; `first` of two roundings"),
    Cross(
        "mode_x_tie",
        ("mode", "tie"),
        [
            Never("only double rounds twice", mode=("single", "fp32"), tie="first"),
            Never("ties of single go up", mode="single", tie="down"),
        ],
    ),
    Point(
        "out",
        ["saturated_high", "saturated_low", "on_max", "on_min", "inside"],
        "a requantised sum plus zero point against the clamp",
    ),
    Cross("mode_x_out", ("mode", "out")),
)
SCALE = (
    Point("shift", {"left": range(1, 31), "none": 0, "right": range(-31, 0)}, "shift of a lane's record"),
    Cross("mode_x_shift", ("mode", "shift"), [Never("fp32 takes no shift from the record", mode="fp32")]),
    Point(
        "exponent",
        {"subnormal": 0, "small": range(1, 97), "useful": range(97, 128), "large": range(128, 255)},
        "of a lane's float32 multiplier; with a useful one results are neither 0 nor saturated",
    ),
    Point(
        "edge",
        ["left_shift_wraps", "int_min_squared", "single_wraps", "fp32_saturates"],
        "results that int32 does not hold",
    ),
)
CLAMP = (
    Point("clamp", ["full", "part", "one_value"], "range of the activation"),
    Point("zero_point", {"lowest": -128, "zero": 0, "highest": 127, "other": range(-127, 127)}, "of outputs"),
)


def sample_scale(cover: Hits, mode: Rounding, x: Wide, multiplier: Wide, shift: Wide) -> None:
    """MODE and SCALE but for `out`. x: sums with their bias, [..., C]; multiplier, shift: [C]."""
    if mode == Rounding.FP32:
        cover.sample_each(exponent=multiplier >> 23 & 0xFF)
    else:
        cover.sample_each(mode=int(mode), shift=shift)
    ties, edges = roundings(mode, x, multiplier, shift)
    for name, where in ties.items():
        cover.sample(int(np.count_nonzero(where)), mode=int(mode), tie=name)
    for name, where in edges.items():
        cover.sample(int(np.count_nonzero(where)), edge=name)


Found = dict[str, NDArray[np.bool_]]


def roundings(
    mode: Rounding, x: Wide, multiplier: Wide | np.int64, shift: Wide | np.int64
) -> tuple[Found, Found]:
    """Where ties are, and results that int32 does not hold: (name -> where, name -> where)."""
    if mode == Rounding.FP32:
        scale = multiplier.astype(np.int32).view(np.float32)
        with np.errstate(over="ignore"):
            real = x.astype(np.float32) * scale
        nearest, half = np.rint(real), real - np.floor(real) == 0.5
        ties = {"up": half & (nearest > real), "down": half & (nearest < real)}
        return ties, {"fp32_saturates": np.abs(nearest) > 2.0**31}
    if mode == Rounding.SINGLE:
        amount = 31 - shift
        product, one = x * multiplier, np.left_shift(np.int64(1), amount)
        rounded = (product + (one >> 1)) >> amount
        edges = {"single_wraps": (rounded > INT32_MAX) | (rounded < INT32_MIN)}
        return {"up": product & (one - 1) == one >> 1}, edges
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    wide = x << left
    shifted = wide.astype(np.int32).astype(np.int64)
    product = shifted * multiplier
    high = np.minimum((product + (1 << 30)) >> 31, INT32_MAX)
    half = (right > 0) & (high & ((1 << right) - 1) == (1 << right) >> 1)
    ties = {"first": product & 0x7FFFFFFF == 1 << 30, "up": half & (high > 0), "down": half & (high < 0)}
    return ties, {
        "left_shift_wraps": wide != shifted,
        "int_min_squared": (product + (1 << 30)) >> 31 > INT32_MAX,
    }


def sample_out(cover: Hits, total: Wide, low: int, high: int, **more: int | str) -> None:
    """`out` of results with their zero point; more: points sampled with it."""
    met = {
        "saturated_high": total > high,
        "saturated_low": total < low,
        "on_max": total == high,
        "on_min": total == low,
        "inside": (total > low) & (total < high),
    }
    for name, where in met.items():
        cover.sample(int(np.count_nonzero(where)), out=name, **more)


def sample_clamp(cover: Hits, low: int, high: int, zero_point: int) -> None:
    """CLAMP."""
    clamp = "full" if (low, high) == (-128, 127) else "one_value" if low == high else "part"
    cover.sample(clamp=clamp)
    cover.sample(zero_point=zero_point)
