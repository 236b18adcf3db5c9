"""What requant is fed with: configurations and sums where rounding can go wrong."""

from __future__ import annotations

import functools
import random

import numpy as np
from numpy.typing import NDArray

from models.quantize import Rounding
from tb.bench import seed
from tb.common.draws import Draws, Weights, clamp

BATCH = 64  # words between two configurations
INT32 = (-(2**31), 2**31)
EDGES = np.array(
    [0, 1, -1, 2, -2, 2**31 - 1, -(2**31), 2**24, 2**24 + 1, -(2**24) - 1, 2**23, 2**30], np.int64
)


def pack(values: NDArray) -> int:
    """An array as one wide pin, element 0 lowest."""
    return int.from_bytes(np.ascontiguousarray(values).tobytes(), "little")


# Of a batch.
SETTINGS: dict[str, Weights] = {
    "bypass": {False: 19, True: 1},
    "gaps": {False: 19, True: 1},  # between words
    "zero_point": {0: 1, -128: 1, 127: 1, range(-128, 128): 1},
}


class Source:
    """Settings, records and sums of one mode, aimed at the places where rounding can go wrong."""

    def __init__(self, mode: Rounding, n: int) -> None:
        self.mode, self.n = mode, n
        settings = random.Random(f"{seed()} {int(mode)}")
        limits = functools.partial(clamp, settings, whole=35, part=12, one=3)
        self.settings = Draws(settings, SETTINGS, {("low", "high"): (limits, ())})
        self.rng = np.random.default_rng([seed(), int(mode)])
        self.batch = 0

    def scale(self) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """(multiplier [n], shift [n]); over 62 batches every lane has every shift."""
        rng, n = self.rng, self.n
        shift = ((np.arange(n) + self.batch) % 62 - 31).astype(np.int8)
        self.batch += 1
        if self.mode == Rounding.FP32:
            # Scales from subnormal to huge; most of them where results are neither 0 nor saturated.
            exponent = np.where(rng.random(n) < 0.9, rng.integers(97, 128, n), rng.integers(0, 255, n))
            exponent[self.batch % n] = 0  # each lane is subnormal at some time
            fraction = np.where(rng.random(n) < 0.2, 0, rng.integers(0, 2**23, n))
            sign = np.where(rng.random(n) < 0.1, INT32[0], 0)
            return (sign + (exponent << 23 | fraction)).astype(np.int32), shift
        multiplier = rng.integers(2**30, 2**31, n)
        edge = rng.random(n)
        multiplier = np.where(edge < 0.1, 2**30, np.where(edge < 0.2, 2**31 - 1, multiplier))
        multiplier = np.where(edge > 0.97, rng.integers(*INT32, n), np.where(edge > 0.95, 0, multiplier))
        multiplier = np.where(edge > 0.99, INT32[0], multiplier)
        return multiplier.astype(np.int32), shift

    def sums(self, multiplier: NDArray[np.int32], shift: NDArray[np.int8]) -> NDArray[np.int32]:
        """int32 [BATCH, n]: near results of a few units and halves, any magnitude, edges."""
        rng = self.rng
        shape = (BATCH, self.n)
        if self.mode == Rounding.FP32:
            real = multiplier.view(np.float32).astype(np.float64)
        else:
            real = multiplier / 2.0**31 * 2.0**shift
        target = rng.integers(-600, 601, shape) / 2
        whole = np.clip(target / np.where(real == 0, 1, real), -(2.0**31), 2.0**31 - 1)
        near = np.rint(whole).astype(np.int64) + rng.integers(-1, 2, shape)
        any_size = rng.integers(*INT32, shape) >> rng.integers(0, 32, shape)
        kind = rng.random(shape)
        value = np.where(kind < 0.6, near, np.where(kind < 0.9, any_size, rng.choice(EDGES, shape)))
        return np.clip(value, -(2**31), 2**31 - 1).astype(np.int32)
