"""Random POOL commands: windows, strides, valid rectangles, from one tap to hundreds, some of nothing."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import numpy as np

from models.isa import Config, Pool, PoolKind
from tb.common.compute import Image, random_post_fields


def random_pool(rng: random.Random, config: Config, taps: int, **fixed: Any) -> Pool:
    """A POOL of at most about `taps` reads; `fixed` fields are taken as they are."""
    cb = rng.choice((1, 1, 2, rng.randint(1, 4)))
    left = max(1, taps // cb)
    side = rng.choice((1, 2, 3, rng.randint(1, 16)))
    kw = min(side, left)
    kh = min(rng.choice((side, rng.randint(1, 16))), max(1, left // kw))
    left = max(1, left // (kw * kh))
    out_w = rng.choice((1, rng.randint(1, min(left, 12))))
    out_h = rng.choice((1, rng.randint(1, min(max(1, left // out_w), 12))))
    x_stride, y_stride = rng.randint(1, 3), rng.randint(1, 3)
    width, height = (out_w - 1) * x_stride + kw, (out_h - 1) * y_stride + kh

    def rectangle(size: int) -> tuple[int, int]:
        low, high = rng.randint(0, size), rng.randint(0, size)
        return rng.choice(
            ((0, size), (0, 0xFFFF), (min(low, 2), size), (0, high), (low, high), (size, 0xFFFF))
        )

    (x_lo, x_hi), (y_lo, y_hi) = rectangle(width), rectangle(height)
    fields: dict[str, Any] = {
        **random_post_fields(rng),
        "kind": rng.choice(tuple(PoolKind)),
        "act_base": rng.getrandbits(16),
        "x_step": rng.choice((x_stride * cb, rng.getrandbits(16))),
        "y_step": rng.choice((y_stride * width * cb, rng.getrandbits(16))),
        "kx_step": rng.choice((cb, rng.getrandbits(16))),
        "ky_step": rng.choice((width * cb, rng.getrandbits(16))),
        "kw": kw,
        "kh": kh,
        "cb": cb,
        "out_w": out_w,
        "out_h": out_h,
        "x_stride": x_stride,
        "y_stride": y_stride,
        "x_lo": x_lo,
        "x_hi": x_hi,
        "y_lo": y_lo,
        "y_hi": y_hi,
        "wait_store": bool(rng.getrandbits(1)),
        "signal_store": bool(rng.getrandbits(1)),
        "stamp": bool(rng.getrandbits(1)),
    }
    fields.update(fixed)
    command = Pool(**fields)
    command.check(config)
    return command


def random_pools(rng: random.Random, config: Config, words: Image, count: int, taps: int) -> list[Pool]:
    """`count` commands, corners first: one tap, nothing or a part that counts, ties, extremes of `words`."""
    everything = {"x_lo": 0, "x_hi": 0xFFFF, "y_lo": 0, "y_hi": 0xFFFF}
    nothing = {"x_lo": 9, "x_hi": 9, "y_lo": 0, "y_hi": 9}
    part = {"x_lo": 1, "x_hi": 3, "y_lo": 1, "y_hi": 2}
    one = {"kw": 1, "kh": 1, "out_w": 1, "out_h": 1, "cb": 1}
    nine = {"kw": 3, "kh": 3, "out_w": 1, "out_h": 1, "cb": 1, "kx_step": 1, "ky_step": 3}
    corners: list[dict[str, Any]] = [{"kind": PoolKind.AVERAGE, **one, "signal_load": True}]
    for kind in PoolKind:
        corners += [{"kind": kind, **nine, **rectangle} for rectangle in (nothing, part)]
        for extreme in (0x80, 0x7F):
            start = int(np.flatnonzero((words == extreme).all(axis=1))[0])
            corners.append({"kind": kind, **nine, **everything, "act_base": start})
    wide = {"kw": min(taps, 255), "kh": max(1, min(taps // 255, 255))}
    corners += [
        {"kind": PoolKind.AVERAGE, "kw": 2, "kh": 2, "out_w": 5, "out_h": 3, "cb": 1, **everything},
        {"kind": PoolKind.AVERAGE, **one, **wide, **everything},
    ]
    commands = [random_pool(rng, config, taps, **corner) for corner in corners[:count]]
    return commands + [random_pool(rng, config, taps) for _ in range(count - len(commands))]


def every_slide(rng: random.Random, config: Config) -> list[Pool]:
    """Every form of window with every step, in random order: one window, overlapping ones, and apart."""
    side = rng.randint(2, 4)
    forms = ((1, 1), (1, side), (side, 1), (side, side), (side, side + 1))
    commands = []
    for (kh, kw), across, down in product(forms, (None, -1, 0, 1), (None, -1, 0, 1)):
        if (kw == 1 and across == -1) or (kh == 1 and down == -1):
            continue  # windows of one tap cannot overlap
        fields = {
            "kh": kh,
            "kw": kw,
            "cb": 1,
            "out_w": 1 + (across is not None),
            "out_h": 1 + (down is not None),
        }
        fields |= {"x_stride": kw + (across or 0), "y_stride": kh + (down or 0), "x_lo": 0, "y_lo": 0}
        commands.append(random_pool(rng, config, 1, **fields, x_hi=0xFFFF, y_hi=0xFFFF))
    return rng.sample(commands, len(commands))


def every_border(rng: random.Random, config: Config) -> list[Pool]:
    """Windows of 3 x 3 over 4 x 4 words, every set of sides of which is padding, in random order."""
    cuts = ((0, 4), (rng.randint(1, 3), 4), (0, rng.randint(1, 3)), (1, rng.randint(2, 3)), (4, 4))
    fields = {"kh": 3, "kw": 3, "cb": 1, "out_w": 2, "out_h": 2, "x_stride": 1, "y_stride": 1}
    commands = []
    for (x_lo, x_hi), (y_lo, y_hi) in product(cuts, cuts):
        commands.append(random_pool(rng, config, 1, **fields, x_lo=x_lo, x_hi=x_hi, y_lo=y_lo, y_hi=y_hi))
    return rng.sample(commands, len(commands))
