"""What a tile met, for the coverage model: worked out from its sums and its records."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.blocks import param_records
from models.isa import Config
from models.quantize import INT32_MAX, INT32_MIN, Rounding, requantize
from tb.common.compute import BUFFER_WORDS, Desc, Image
from tb.common.cover import Hits
from tb.post.stimulus import Sums, as_command, signed, wrap

Wide = NDArray[np.int64]


def sample(cover: Hits, desc: Desc, config: Config, sums: Sums, par: Image, first: int) -> None:
    """A tile that came out right. sums: int32 [pixels, n]. first: its first output address."""
    values = sums.astype(np.int64)
    mode = {} if desc.bypass else {"mode": desc.mode}
    if not desc.bypass:
        bias, multiplier, shift = (
            p[0].astype(np.int64) for p in param_records(as_command(desc), config, par)
        )
        x = wrap(values + bias)
        if desc.mode == Rounding.FP32:
            cover.sample_each(exponent=multiplier >> 23 & 0xFF)
        else:
            cover.sample_each(mode=desc.mode, shift=shift)
        _roundings(cover, Rounding(desc.mode), x.astype(np.int64), multiplier, shift)
        values = requantize(x, multiplier, shift, Rounding(desc.mode)).astype(np.int64)
    low, high = signed(desc.act_min), signed(desc.act_max)
    total = values + signed(desc.zero_point)
    met = {
        "saturated_high": total > high,
        "saturated_low": total < low,
        "on_max": total == high,
        "on_min": total == low,
        "inside": (total > low) & (total < high),
    }
    for name, where in met.items():
        cover.sample(int(np.count_nonzero(where)), out=name, **mode)
    _tile(cover, desc, config, first)


def _roundings(cover: Hits, mode: Rounding, x: Wide, multiplier: Wide, shift: Wide) -> None:
    """Ties and what int32 does not hold. x: sums with their bias, [pixels, n]."""

    def tie(where: NDArray[np.bool_], name: str) -> None:
        cover.sample(int(np.count_nonzero(where)), mode=int(mode), tie=name)

    def edge(where: NDArray[np.bool_], name: str) -> None:
        cover.sample(int(np.count_nonzero(where)), edge=name)

    if mode == Rounding.FP32:
        scale = multiplier.astype(np.int32).view(np.float32)
        with np.errstate(over="ignore"):
            real = x.astype(np.float32) * scale
        nearest, half = np.rint(real), real - np.floor(real) == 0.5
        tie(half & (nearest > real), "up")
        tie(half & (nearest < real), "down")
        edge(np.abs(nearest) > 2.0**31, "fp32_saturates")
    elif mode == Rounding.SINGLE:
        amount = 31 - shift
        product, one = x * multiplier, np.left_shift(np.int64(1), amount)
        tie(product & (one - 1) == one >> 1, "up")
        rounded = (product + (one >> 1)) >> amount
        edge((rounded > INT32_MAX) | (rounded < INT32_MIN), "single_wraps")
    else:
        left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
        wide = x << left
        shifted = wrap(wide).astype(np.int64)
        product = shifted * multiplier
        high = np.minimum((product + (1 << 30)) >> 31, INT32_MAX)
        half = (right > 0) & (high & ((1 << right) - 1) == (1 << right) >> 1)
        tie(product & 0x7FFFFFFF == 1 << 30, "first")
        tie(half & (high > 0), "up")
        tie(half & (high < 0), "down")
        edge(wide != shifted, "left_shift_wraps")
        edge((product + (1 << 30)) >> 31 > INT32_MAX, "int_min_squared")


def _tile(cover: Hits, desc: Desc, config: Config, first: int) -> None:
    low, high = signed(desc.act_min), signed(desc.act_max)
    source = "pool" if desc.from_pool else f"bank_{desc.bank}"
    depth = config.acc_depth
    sizes = {1: "one", depth: "bank"}
    cover.sample(clamp="full" if (low, high) == (-128, 127) else "one_value" if low == high else "part")
    cover.sample(zero_point=signed(desc.zero_point))
    table = ("first", "second")[desc.table_sel] if desc.table_en else "off"
    cover.sample(bypass=desc.bypass, elem=desc.elem, table=table, elem_mode=desc.mode)
    pixels = "beyond_bank" if desc.pixels > depth else sizes.get(desc.pixels, "some")
    cover.sample(source=source, start=desc.restart, pixels=pixels)
    token = {(0, 0): "none", (1, 0): "wait", (0, 1): "signal", (1, 1): "both"}[desc.wait, desc.signal]
    cover.sample(token=token, stamp=desc.stamp)
    cover.sample(wrap=int(first + (desc.pixels - 1) * desc.out_pitch >= BUFFER_WORDS))
