"""Scales of a transposed convolution with which ONNX Runtime's float32 rounds nothing on the way to a sum.

The runtime computes it in float32 between DequantizeLinear and QuantizeLinear. A scale is a power of two
times an odd number; every product of a layer's input and weights is then a multiple of the product of both
scales, and all sums are exact while they stay below 2^24 such units. A sum becomes int8 by a division in the
runtime and by a product in the core: all sums that can be are tried. Stride and kernel are the same, so no
results overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

EXACT = 1 << 24  # float32 holds every integer up to here
ODD = range(1, 64, 2)
OUTPUT_ODD = range(1, 64, 2)  # of few bits: then a sum is either a tie or far from it, mostly
REACH = 512  # levels; beyond, whatever the zero point, both are cut to the same end


class Scales(NamedTuple):
    """Of input, weights (one, or one for each output channel) and output."""

    x: np.float32
    w: NDArray[np.float32]
    y: np.float32


def exact_scales(
    scales: Scales, w: NDArray[np.int8], bias: NDArray[np.float64] | None, most: int
) -> tuple[Scales, NDArray[np.int8]] | None:
    """(larger scales near these, the weights at them), or None where there are none.

    w: [C, O, kh, kw]. bias: real values [O]. most: largest magnitude of an input level less its zero point.
    """
    best: tuple[float, Scales, NDArray[np.int8], NDArray[np.int64]] | None = None
    for odd in ODD:
        x = grown(scales.x, odd)
        found = _weights(scales, w, bias, most, odd, x)
        if found is None:
            break  # a larger number leaves even less room
        w_scale, levels, bound = found
        cost = float(np.log(x / scales.x) + np.log(w_scale / scales.w).mean())
        if best is None or cost < best[0]:
            best = cost, Scales(x, w_scale, scales.y), levels, bound
    if best is None:
        return None
    _, near, levels, bound = best
    for y in sorted(grown(scales.y, odd) for odd in OUTPUT_ODD):
        result = near._replace(y=y)
        if _same_levels(result, bound):
            return result, levels
    return None


def grown(scale: np.floating, odd: int) -> np.float32:
    """The smallest `odd` times a power of two that is no less than the scale."""
    return np.float32(odd * 2.0 ** np.ceil(np.log2(np.float64(scale) / odd)))


def _weights(
    scales: Scales, w: NDArray[np.int8], bias: NDArray[np.float64] | None, most: int, odd: int, x: np.float32
) -> tuple[NDArray[np.float32], NDArray[np.int8], NDArray[np.int64]] | None:
    """(scales, levels, largest sum of each output channel) for that input scale."""
    w_scale, levels = scales.w.copy(), w.copy()
    bound = np.zeros(w.shape[1], np.int64)
    channels = [slice(o, o + 1) for o in range(w.shape[1])] if scales.w.size > 1 else [slice(None)]
    for number, part in enumerate(channels):
        for w_odd, candidate in _candidates(scales.w[number], odd):
            moved = np.rint(w[:, part] * (np.float64(scales.w[number]) / candidate))
            sums = np.abs(moved).sum(axis=0).max(axis=(1, 2)) * most
            if bias is not None:
                sums += np.abs(np.rint(bias[part] / (np.float64(x) * candidate))) + 1
            if sums.max() * odd * w_odd <= EXACT:
                w_scale[number], levels[:, part], bound[part] = candidate, moved, sums
                break
        else:
            return None
    return w_scale, levels, bound


def _candidates(scale: np.float32, odd: int) -> Iterator[tuple[int, np.float32]]:
    """(odd number, scale), the smallest scale first."""
    yield from sorted(((n, grown(scale, n)) for n in ODD if n * odd < EXACT >> 16), key=lambda pair: pair[1])


def _same_levels(scales: Scales, bound: NDArray[np.int64]) -> bool:
    """Whether the runtime's quotient and the core's product round alike, for every sum within the bounds."""
    for number, w in enumerate(scales.w):
        most = int(bound[number] if scales.w.size > 1 else bound.max())
        factor = np.float32(scales.x * w) / scales.y
        most = min(most, int(REACH / factor))
        sums = np.arange(-most, most + 1).astype(np.float32)
        if not np.array_equal(np.rint(sums * factor), np.rint(sums * (scales.x * w) / scales.y)):
            return False
    return True
