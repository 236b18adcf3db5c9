"""Random POOL commands: windows, strides, valid rectangles, from one tap to hundreds, some of nothing."""

from __future__ import annotations

import functools
import math
import random
from itertools import product
from typing import Any

import numpy as np

from models.config import Config
from models.isa import Pool, PoolKind
from tb.common.compute import POST_FIELDS, Image
from tb.common.draws import ANY16, Draws, Weights, flags, int8_range

WEIGHTS: dict[str, Weights] = {
    **POST_FIELDS,
    "kind": {kind: 1 for kind in PoolKind},
    "act_base": ANY16,
    "x_stride": {1: 1, 2: 1, 3: 1},
    "y_stride": {1: 1, 2: 1, 3: 1},
    **flags("wait_store", "signal_store", "stamp"),
}


class Pools:
    """POOLs of at most about `taps` reads."""

    def __init__(self, rng: random.Random, config: Config) -> None:
        self.rng = rng
        width, height = ("kw", "out_w", "x_stride"), ("kh", "out_h", "y_stride")
        self.draws = Draws(
            rng,
            WEIGHTS,
            {
                ("act_min", "act_max"): (functools.partial(int8_range, rng), ()),
                "cb": (lambda: rng.choice((1, 1, 2, rng.randint(1, 4))), ()),
                ("kw", "kh"): (self.kernel, ("taps", "cb")),
                ("out_w", "out_h"): (self.size, ("taps", "cb", "kw", "kh")),
                ("x_lo", "x_hi"): (self.rectangle, width),
                ("y_lo", "y_hi"): (self.rectangle, height),
                "x_step": (self.step, ("cb", "x_stride")),
                "kx_step": (self.step, ("cb",)),
                "y_step": (
                    lambda cb, y_stride, *row: self.step(cb, y_stride, read(*row)),
                    ("cb", "y_stride", *width),
                ),
                "ky_step": (lambda cb, *row: self.step(cb, read(*row)), ("cb", *width)),
            },
            given=("taps",),
        )

    def kernel(self, taps: int, cb: int) -> tuple[int, int]:
        """kw, kh: often square."""
        rng, left = self.rng, max(1, taps // cb)
        side = rng.choice((1, 2, 3, rng.randint(1, 16)))
        kw = min(side, left)
        return kw, min(rng.choice((side, rng.randint(1, 16))), max(1, left // kw))

    def size(self, taps: int, *work: int) -> tuple[int, int]:
        """out_w, out_h: what the taps allow."""
        rng, left = self.rng, max(1, taps // math.prod(work))
        out_w = rng.choice((1, rng.randint(1, min(left, 12))))
        return out_w, rng.choice((1, rng.randint(1, min(max(1, left // out_w), 12))))

    def rectangle(self, *side: int) -> tuple[int, int]:
        """The columns, or rows, that count: all, a part, nothing, from behind the last."""
        rng, size = self.rng, read(*side)
        low, high = rng.randint(0, size), rng.randint(0, size)
        return rng.choice(
            ((0, size), (0, 0xFFFF), (min(low, 2), size), (0, high), (low, high), (size, 0xFFFF))
        )

    def step(self, *factors: int) -> int:
        """Next to each other in memory, or anywhere."""
        return self.rng.choice((math.prod(factors), self.rng.getrandbits(16)))


def read(taps: int, windows: int, stride: int) -> int:
    """Columns, or rows, that windows in a row read."""
    return (windows - 1) * stride + taps


@functools.lru_cache(maxsize=4)
def _pools(rng: random.Random, config: Config) -> Pools:
    return Pools(rng, config)


def random_pool(rng: random.Random, config: Config, taps: int, **fixed: Any) -> Pool:
    """See Pools; `fixed` fields are taken as they are."""
    command = Pool(**_pools(rng, config).draws.draw(taps=taps, **fixed))
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
