"""What a tile met, for the coverage model: worked out from its sums and its records."""

from __future__ import annotations

import numpy as np

from models.blocks import param_records
from models.config import Config
from models.elementwise import PLAIN_TIES
from models.quantize import Rounding, requantize
from tb.common.compute import BUFFER_WORDS, Desc, Image
from tb.common.cover import Hits
from tb.common.rounding import sample_clamp, sample_out, sample_scale
from tb.post.stimulus import Sums, as_command, signed, wrap


def sample(cover: Hits, desc: Desc, config: Config, sums: Sums, par: Image, first: int) -> None:
    """A tile that came out right. sums: int32 [pixels, n]. first: its first output address."""
    values = sums.astype(np.int64)
    mode = {} if desc.bypass else {"mode": desc.mode}
    if not desc.bypass:
        bias, multiplier, shift = (
            p[0].astype(np.int64) for p in param_records(as_command(desc), config, par)
        )
        x = wrap(values + bias)
        sample_scale(cover, Rounding(desc.mode), x.astype(np.int64), multiplier, shift)
        values = requantize(x, multiplier, shift, Rounding(desc.mode)).astype(np.int64)
    low, high = signed(desc.act_min), signed(desc.act_max)
    sample_out(cover, values + signed(desc.zero_point), low, high, **mode)
    if desc.elem and desc.mode == Rounding.FP32:
        word, byte = divmod(7, config.n)  # s_out
        s_out = int(par[(desc.elem_addr + word) % BUFFER_WORDS, byte])
        cover.sample(elem=desc.elem, tie_rule=bool(s_out & PLAIN_TIES))
    _tile(cover, desc, config, first)


def _tile(cover: Hits, desc: Desc, config: Config, first: int) -> None:
    low, high = signed(desc.act_min), signed(desc.act_max)
    source = "pool" if desc.from_pool else f"bank_{desc.bank}"
    depth = config.acc_depth
    sizes = {1: "one", depth: "bank"}
    sample_clamp(cover, low, high, signed(desc.zero_point))
    table = ("first", "second")[desc.table_sel] if desc.table_en else "off"
    cover.sample(bypass=desc.bypass, elem=desc.elem, table=table, elem_mode=desc.mode)
    pixels = "beyond_bank" if desc.pixels > depth else sizes.get(desc.pixels, "some")
    cover.sample(source=source, start=desc.restart, pixels=pixels)
    token = {(0, 0): "none", (1, 0): "wait", (0, 1): "signal", (1, 1): "both"}[desc.wait, desc.signal]
    cover.sample(token=token, stamp=desc.stamp)
    cover.sample(wrap=int(first + (desc.pixels - 1) * desc.out_pitch >= BUFFER_WORDS))
