"""Programs' places, and commands that are just bad or just good."""

from __future__ import annotations

import random
from typing import Any

from models.config import Config
from models.isa import PAGE, Conv, End, Load, Pool, Store


def anywhere(rng: random.Random) -> int:
    """A program's address, often shortly before a 4 KiB boundary."""
    base = rng.randrange(1 << 19) * PAGE * 2
    return base + (PAGE - 64 * rng.randint(1, 9) if rng.random() < 0.6 else 64 * rng.randrange(64))


BAD: list[tuple[Any, dict[str, Any]]] = [
    *((kind, {name: 0}) for kind in (Load, Store) for name in ("run", "count_x", "count_y")),
    *((kind, {name: 0}) for kind in (Conv, Pool) for name in ("kw", "kh", "cb", "out_w", "out_h")),
    *((Conv, {name: 0}) for name in ("groups", "tile")),
    *((kind, {name: 1}) for kind in (Load, Store) for name in ("address", "stride_y", "stride_x")),
    *((kind, {"rounding": 3}) for kind in (Conv, Pool)),
    *((Load, {"dest": dest}) for dest in (5, 6, 7)),
    (Pool, {"kind": 3}),
    *((Load, {name: 1}) for name in ("wait_load", "signal_load", "signal_store")),
    *((Store, {name: 1}) for name in ("wait_load", "wait_store", "signal_store")),
    *((kind, {name: 1}) for kind in (Conv, Pool) for name in ("wait_compute", "signal_compute")),
    *((End, {f"{verb}_{to}": 1}) for verb in ("wait", "signal") for to in ("load", "compute", "store")),
    *((Conv, {"drain": 0, name: 1}) for name in ("wait_store", "signal_store", "stamp", "elem")),
    *((Conv, {name: 0, "groups": 2}) for name in ("clear", "drain")),
    *((Conv, {name: 0, "tile": 1, "out_w": 2}) for name in ("clear", "drain")),
    (Conv, {"clear": 0, "tile": 4, "out_w": 256, "out_h": 256}),
]
# Good at rest: one pixel, one group, both flags, nothing for post.
CALM = dict.fromkeys(("clear", "drain", "groups", "out_w", "out_h"), 1)
CALM |= dict.fromkeys(("wait_store", "signal_store", "stamp", "elem"), 0)
# Good without and with `window`.
CALM |= {"kw": 2, "kh": 1, "cb": 1, "window": 0, "x_stride": 1, "y_stride": 1}


def bounds(config: Config) -> tuple[list[tuple[Any, dict[str, Any]]], list[dict[str, Any]]]:
    """Fields of commands (of CALM ones) that are just bad for this core, and of CONVs that are just good."""
    depth, line, (rows, columns) = config.acc_depth, config.line_words, config.window
    most = {"tile": depth, "out_w": depth, "clear": 0, "drain": 1, "groups": 1, "out_h": 1}
    slide = {"window": 1, "kw": columns, "kh": rows, "x_stride": 1, "y_stride": 65535}
    wide = {**slide, "out_w": line - columns + 1}
    far = {**slide, "out_w": 2, "x_stride": line - columns}
    bad = [
        {"tile": depth + 1},
        {**most, "out_w": depth + 1},
        {**slide, "kw": 1},
        {**slide, "kw": columns + 1},
        {**slide, "kh": rows + 1},
        {**slide, "cb": 2},
        {**slide, "x_stride": 0},
        {**slide, "y_stride": 0},
        {**wide, "out_w": line - columns + 2},
        {**far, "x_stride": line - columns + 1},
        {**slide, "out_w": 65535, "x_stride": 65535},
        {**slide, "kw": 2, "out_w": 0x4001, "x_stride": 0x8000},  # 16 bits of the product are 0
    ]
    good = [most, wide, far, {**slide, "kw": 2, "kh": 1, "out_w": 1, "x_stride": 65535}]
    return [(Conv, fields) for fields in bad], good
