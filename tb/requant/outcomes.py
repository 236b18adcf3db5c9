"""What a batch of sums met, for the coverage model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.quantize import Rounding, requantize
from tb.common.cover import Hits
from tb.common.rounding import sample_clamp, sample_out, sample_scale


def sample(
    cover: Hits,
    mode: Rounding,
    sums: NDArray[np.int32],
    scale: tuple[NDArray[np.int32], NDArray[np.int8]] | None,
    clamp: tuple[int, int, int],
) -> None:
    """A batch that came out right. sums: with their bias, [words, n]. scale: multiplier and shift [n], None
    in bypass. clamp: zero point, lowest, highest."""
    zero_point, low, high = clamp
    sample_clamp(cover, low, high, zero_point)
    if scale is None:
        sample_out(cover, sums.astype(np.int64) + zero_point, low, high, bypass=True)
        return
    multiplier, shift = (part.astype(np.int64) for part in scale)
    x = sums.astype(np.int64)
    sample_scale(cover, mode, x, multiplier, shift)
    if mode == Rounding.FP32:
        _operands(cover, x)
        cover.sample(int(np.count_nonzero(multiplier < 0)), sign="negative")
        cover.sample(int(np.count_nonzero(multiplier >= 0)), sign="positive")
    else:
        cover.sample_each(mode=int(mode), amount=shift)
    scaled = requantize(sums, multiplier, shift, mode).astype(np.int64)
    sample_out(cover, scaled + zero_point, low, high, bypass=False, mode=int(mode))


def _operands(cover: Hits, x: NDArray[np.int64]) -> None:
    magnitude = np.abs(x)
    bits = np.frexp(magnitude.astype(np.float64))[1]
    cover.sample_each(bits=bits)
    dropped = np.maximum(bits - 24, 0)
    rest = magnitude & ((np.int64(1) << dropped) - 1)
    half = (np.int64(1) << dropped) >> 1
    single = magnitude.astype(np.float32).astype(np.int64)
    tie = (dropped > 0) & (rest == half)
    met = {
        "exact": rest == 0,
        "down": (single < magnitude) & ~tie,
        "up": (single > magnitude) & ~tie,
        "tie_down": tie & (single < magnitude),
        "tie_up": tie & (single > magnitude),
        "carry": single >> np.minimum(bits, 62) != 0,
    }
    for name, where in met.items():
        cover.sample(int(np.count_nonzero(where)), operand=name)
