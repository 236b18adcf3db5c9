"""Random CONV commands: every field over its range, the work of one command bounded."""

from __future__ import annotations

import random
from typing import Any

from models.isa import Config, Conv
from tb.common.compute import random_post_fields


def random_conv(rng: random.Random, config: Config, words: int, **fixed: Any) -> Conv:
    """A CONV of at most about `words` activation words; `fixed` fields are taken as they are."""
    groups = fixed.get("groups", rng.choice((1, 1, 2, 3)))
    kw, kh = rng.choice(((1, 1), (3, 3), (rng.randint(1, 7), rng.randint(1, 7))))
    cb = rng.choice((1, 1, 2, rng.randint(1, 9)))
    # A pass takes at least the n cycles of its weights.
    passes = kw * kh * cb * groups
    if passes * config.n > words:
        kw, kh, cb = 1, rng.randint(1, 3), 1
        passes = kh * groups
    pixels = max(1, words // passes)
    out_w = rng.choice((1, rng.randint(1, min(pixels, 40))))
    out_h = rng.choice((1, rng.randint(1, max(1, min(pixels // out_w, 40)))))
    fields: dict[str, Any] = {
        **random_post_fields(rng),
        "act_base": rng.getrandbits(16),
        "wgt_base": rng.getrandbits(16),
        "x_step": rng.choice((1, cb, 2 * cb, rng.getrandbits(16))),
        "y_step": rng.choice((out_w * cb, rng.getrandbits(16))),
        "kx_step": rng.choice((cb, 2 * cb, rng.getrandbits(16))),
        "ky_step": rng.choice((kw * cb, rng.getrandbits(16))),
        "kw": kw,
        "kh": kh,
        "cb": cb,
        "out_w": out_w,
        "out_h": out_h,
        "groups": groups,
        "tile": rng.choice((1, config.acc_depth, config.acc_depth, rng.randint(1, config.acc_depth))),
        "wait_store": bool(rng.getrandbits(1)),
        "signal_store": bool(rng.getrandbits(1)),
        "stamp": bool(rng.getrandbits(1)),
        "clear": True,
        "drain": True,
    }
    if fields["tile"] == 1 and out_w * out_h * passes * config.n > 2 * words:
        fields["tile"] = config.acc_depth
    fields.update(fixed)
    command = Conv(**fields)
    command.check(config)
    return command


def split_conv(rng: random.Random, config: Config, words: int, largest: int) -> list[Conv]:
    """One reduction in 2 to 4 commands: the first clears, the last drains, all add to one bank.

    largest: pixels, at most.
    """
    tile = rng.randint(1, largest)
    out_w = rng.randint(1, tile)
    parts = rng.randint(2, 4)
    commands = []
    for part in range(parts):
        last = part == parts - 1
        tokens = {} if last else {"wait_store": False, "signal_store": False, "stamp": False}
        shape = {"groups": 1, "out_w": out_w, "out_h": tile // out_w, "tile": tile}
        cb = {"kw": 1, "kh": rng.randint(1, 3), "cb": rng.randint(1, 2)}
        commands.append(random_conv(rng, config, words, **shape, **cb, **tokens, clear=part == 0, drain=last))
    return commands


def random_convs(rng: random.Random, config: Config, count: int, words: int) -> list[Conv]:
    """`count` or a few more commands, corners first: one pixel and one tap, FC, 7 x 7, full banks, splits."""
    n, depth = config.n, config.acc_depth
    one = {"kw": 1, "kh": 1, "out_w": 1, "out_h": 1}
    corners = [
        {**one, "cb": 1, "groups": 1, "tile": 1, "signal_load": True},
        {**one, "cb": max(2, words // (2 * n)), "groups": 2},  # fully connected
        {"kw": 7, "kh": 7, "cb": 1, "groups": 1, "out_w": 2, "out_h": 2, "tile": min(3, depth)},
        {"kw": 1, "kh": 1, "cb": 1, "groups": 2, "out_w": depth, "out_h": 2, "tile": depth},  # full banks
        {"kw": 2, "kh": 1, "cb": 1, "groups": 1, "out_w": depth + 1, "out_h": 1, "tile": depth},  # one over
    ]
    commands = [random_conv(rng, config, words, **corner) for corner in corners[:count]]
    while len(commands) < count:
        if rng.random() < 0.3:
            commands += split_conv(rng, config, words, config.acc_depth)
        else:
            commands.append(random_conv(rng, config, words))
    return commands
