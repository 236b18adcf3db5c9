"""Fully connected layer: int8 in, int32 accumulators out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fully_connected(
    x: NDArray[np.int8], w: NDArray[np.int8], bias: NDArray[np.int32], *, x_zp: int = 0
) -> NDArray[np.int32]:
    """Sum of (x - x_zp) * w, plus bias: a 1 x 1 convolution.

    x: int8 [..., K]. w: int8 [O, K], zero point 0. bias: int32 [O]. Returns int32 [..., O], wrapped. Raises
    ValueError for other dtypes and shapes that do not fit.
    The hardware requantises these sums with Rounding.DOUBLE, as TFLite Micro and CMSIS-NN do; LiteRT's
    reference kernel does not (models/quantize.py:requantize_litert_fc). TFLite Micro forms a per-tensor
    multiplier from a float32 product of scales, unlike `effective_scale`: its M may differ in the low bits.
    Source: TFLite reference_integer_ops::FullyConnected.
    """
    if (x.dtype, w.dtype, bias.dtype) != (np.int8, np.int8, np.int32):
        raise ValueError(f"expected x int8, w int8, bias int32, got {x.dtype}, {w.dtype}, {bias.dtype}")
    if x.shape[-1] != w.shape[1] or bias.shape != (w.shape[0],):
        raise ValueError(f"x {x.shape}, w {w.shape} and bias {bias.shape} do not belong together")
    # float64 for speed: exact below 2^53.
    sums = (x.astype(np.float64) - x_zp) @ w.astype(np.float64).T
    return (sums.astype(np.int64) + bias).astype(np.int32)
