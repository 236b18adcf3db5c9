"""Requantisation against literal transcriptions of the definitions it claims to equal."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from models.quantize import (
    INT32_MAX,
    INT32_MIN,
    Rounding,
    activation_range,
    clamp,
    fp32_multiplier,
    quantize_multiplier,
    requantize,
    requantize_litert_fc,
    rounding_divide_by_pot,
    saturating_rounding_doubling_high_mul,
)
from models.tests.litert import generator

CORNERS = [
    INT32_MIN,
    INT32_MIN + 1,
    -(2**30) - 1,
    -(2**30),
    -3,
    -2,
    -1,
    0,
    1,
    2,
    3,
    2**30,
    2**30 + 1,
    INT32_MAX,
]


def int32_values(rng: np.random.Generator, count: int) -> np.ndarray:
    """Corners, and values of every magnitude."""
    magnitudes = rng.integers(INT32_MIN, INT32_MAX, count, endpoint=True) >> rng.integers(0, 32, count)
    return np.concatenate([CORNERS, magnitudes]).astype(np.int32)


def truncating_division(a: int, b: int) -> int:
    """C++ integer division."""
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def literal_high_mul(a: int, b: int) -> int:
    """gemmlowp SaturatingRoundingDoublingHighMul, word for word."""
    if a == b == INT32_MIN:
        return INT32_MAX
    product = a * b
    nudge = 2**30 if product >= 0 else 1 - 2**30
    return truncating_division(product + nudge, 2**31)


def literal_divide(x: int, exponent: int) -> int:
    """gemmlowp RoundingDivideByPOT, word for word."""
    mask = (1 << exponent) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (1 if x < 0 else 0)
    return (x >> exponent) + (1 if remainder > threshold else 0)


def test_high_mul_is_the_truncating_definition() -> None:
    rng = generator("high mul")
    a, b = int32_values(rng, 20_000), int32_values(rng, 20_000)
    # All pairs of corners, pairs of random values, and products made to be ties: odd * 2^30.
    pairs = [(int(x), int(y)) for x in CORNERS for y in CORNERS]
    pairs += [(int(x), int(y)) for x, y in zip(a, b, strict=True)]
    pairs += [(int(x) | 1, 2**30) for x in a]
    left, right = (np.array(side, dtype=np.int32) for side in zip(*pairs, strict=True))
    expected = [literal_high_mul(x, y) for x, y in pairs]
    np.testing.assert_array_equal(saturating_rounding_doubling_high_mul(left, right), expected)
    assert INT32_MAX in expected and any(x * y == INT32_MIN**2 for x, y in pairs)


def test_divide_is_the_masked_definition() -> None:
    values = int32_values(generator("divide"), 2_000)
    for exponent in range(32):
        # Values on and beside every tie as well.
        tie = 1 << exponent >> 1
        near = np.array([s * tie + d for s in (-3, -1, 1, 3) for d in (-1, 0, 1)])
        both = np.concatenate([values, near[(near >= INT32_MIN) & (near <= INT32_MAX)]]).astype(np.int32)
        expected = [literal_divide(int(x), exponent) for x in both]
        np.testing.assert_array_equal(rounding_divide_by_pot(both, exponent), expected)


def test_double_is_shift_multiply_divide() -> None:
    rng = generator("double")
    acc = int32_values(rng, 20_000)
    multiplier = rng.integers(0, 2**31, acc.size)
    shift = rng.integers(-31, 31, acc.size)
    expected = []
    for x, m, s in zip(acc.tolist(), multiplier.tolist(), shift.tolist(), strict=True):
        wrapped = ((x << max(s, 0)) + 2**31) % 2**32 - 2**31
        expected.append(literal_divide(literal_high_mul(wrapped, m), max(-s, 0)))
    np.testing.assert_array_equal(requantize(acc, multiplier, shift, Rounding.DOUBLE), expected)


def test_single_rounds_once() -> None:
    rng = generator("single")
    acc = int32_values(rng, 20_000)
    multiplier = rng.integers(0, 2**31, acc.size)
    shift = rng.integers(-31, 1, acc.size)
    expected = [
        math.floor(Fraction(x * m, 2 ** (31 - s)) + Fraction(1, 2))
        for x, m, s in zip(acc.tolist(), multiplier.tolist(), shift.tolist(), strict=True)
    ]
    np.testing.assert_array_equal(requantize(acc, multiplier, shift, Rounding.SINGLE), expected)


def test_the_modes_differ() -> None:
    """Each tie separates the modes the way numerics.md says."""
    acc = np.array([-3, -1, 1, 3, 2**24 + 1, 2**24 + 3], dtype=np.int32)
    half, shift = quantize_multiplier(0.5)
    bits = fp32_multiplier(0.5, 1.0, 1.0)
    up = [-1, 0, 1, 2, 2**23 + 1, 2**23 + 2]
    assert requantize(acc, half, shift, Rounding.SINGLE).tolist() == up
    assert requantize(acc, half, shift, Rounding.DOUBLE).tolist() == up
    # The conversion to float32 rounds too: 2^24 + 1 becomes 2^24, 2^24 + 3 becomes 2^24 + 4.
    assert requantize(acc, 0 * half + bits, 0, Rounding.FP32).tolist() == [-2, 0, 0, 2, 2**23, 2**23 + 2]
    quarter, shift = quantize_multiplier(0.25)
    ties = np.array([-6, -2, 2, 6], dtype=np.int32)
    assert requantize(ties, quarter, shift, Rounding.DOUBLE).tolist() == [-2, -1, 1, 2]
    assert requantize(ties, quarter, shift, Rounding.SINGLE).tolist() == [-1, 0, 1, 2]


def test_fp32_saturates() -> None:
    acc = np.array([INT32_MIN, -1, 0, 1, INT32_MAX], dtype=np.int32)
    big = fp32_multiplier(2.0**127, 1.0, 1.0)
    assert requantize(acc, big, 0, Rounding.FP32).tolist() == [INT32_MIN, INT32_MIN, 0, INT32_MAX, INT32_MAX]
    one = fp32_multiplier(1.0, 1.0, 1.0)
    assert requantize(acc, one, 0, Rounding.FP32).tolist() == acc.tolist()


def test_litert_fc_rounds_halves_away() -> None:
    acc = np.array([-3, -1, 1, 3], dtype=np.int32)
    assert requantize_litert_fc(acc, 0.5).tolist() == [-2, -1, 1, 2]
    assert requantize_litert_fc(acc[2:3], np.nextafter(0.5, 0)).tolist() == [0]


def test_multiplier_is_normalised() -> None:
    real = generator("multiplier").uniform(0.5, 1, 10_000) * 2.0 ** np.linspace(-31, 29, 10_000)
    multiplier, shift = quantize_multiplier(real)
    assert multiplier.min() >= 2**30
    np.testing.assert_allclose(multiplier * 2.0 ** (shift - 31), real, rtol=2.0**-31)
    # Rounding that carries into the next power of two, zero, and a value that is flushed.
    assert [tuple(int(v) for v in quantize_multiplier(r)) for r in (1 - 2.0**-40, 0.0, 2.0**-33)] == [
        (2**30, 1),
        (0, 0),
        (0, 0),
    ]


@pytest.mark.parametrize("real", [-1.0, math.inf, math.nan, 2.0**30])
def test_impossible_multiplier_is_refused(real: float) -> None:
    with pytest.raises(ValueError, match="multiplier must be"):
        quantize_multiplier(real)


def test_impossible_arguments_are_refused() -> None:
    acc = np.zeros(4, dtype=np.int32)
    with pytest.raises(ValueError, match="acc must be int32"):
        requantize(acc.astype(np.int64), 1, 0, Rounding.DOUBLE)
    with pytest.raises(ValueError, match="shift must be"):
        requantize(acc, 1, 31, Rounding.DOUBLE)
    with pytest.raises(ValueError, match="multiplier must fit"):
        requantize(acc, 2**31, 0, Rounding.SINGLE)
    with pytest.raises(ValueError, match="finite float32"):
        requantize(acc, 0x7F800000, 0, Rounding.FP32)
    with pytest.raises(ValueError, match="activation range"):
        clamp(acc, 0, 5, 4)
    with pytest.raises(ValueError, match="unknown activation"):
        activation_range("TANH", 1.0, 0)


def test_clamp_does_not_wrap() -> None:
    ends = np.array([INT32_MIN, -5, 5, INT32_MAX], dtype=np.int32)
    assert clamp(ends, -100).tolist() == [-128, -105, -95, 127]
    assert clamp(ends, 100, -3, 102).tolist() == [-3, 95, 102, 102]
