"""Random CONV commands: every field over its range, the work of one command bounded."""

from __future__ import annotations

import random
from typing import Any

from models.isa import Config, Conv
from tb.common.compute import random_post_fields


def _common(rng: random.Random) -> dict[str, Any]:
    """Fields that do not depend on the size of the work."""
    return {
        **random_post_fields(rng),
        "act_base": rng.getrandbits(16),
        "wgt_base": rng.getrandbits(16),
        "wait_store": bool(rng.getrandbits(1)),
        "signal_store": bool(rng.getrandbits(1)),
        "stamp": bool(rng.getrandbits(1)),
        "clear": True,
        "drain": True,
    }


def _tile(rng: random.Random, config: Config) -> int:
    return rng.choice((1, config.acc_depth, config.acc_depth, rng.randint(1, config.acc_depth)))


def random_conv(rng: random.Random, config: Config, words: int, **fixed: Any) -> Conv:
    """A CONV in passes of at most about `words` activation words; `fixed` fields are taken as they are."""
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
        **_common(rng),
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
        "tile": _tile(rng, config),
    }
    if fields["tile"] == 1 and out_w * out_h * passes * config.n > 2 * words:
        fields["tile"] = config.acc_depth
    fields.update(fixed)
    command = Conv(**fields)
    command.check(config)
    return command


def window_conv(rng: random.Random, config: Config, words: int, **fixed: Any) -> Conv:
    """The same with `window`."""
    rows, columns = config.window
    kw, kh = rng.choice(((columns, rows), (min(3, columns), min(3, rows)), (0, 0)))
    kw, kh = kw or rng.randint(2, columns), kh or rng.randint(1, rows)
    kw, kh = fixed.get("kw", kw), fixed.get("kh", kh)
    groups = fixed.get("groups", rng.choice((1, 1, 2, 3)))
    x_stride = fixed.get("x_stride", rng.choice((1, 1, 2, rng.randint(1, 5))))
    y_stride = fixed.get("y_stride", rng.choice((1, 1, 2, rng.randint(1, 5))))
    if "out_w" in fixed and (fixed["out_w"] - 1) * x_stride + kw > config.line_words:
        x_stride = 1
    widest = (min(config.line_words, max(words // (groups * kh), kw)) - kw) // x_stride + 1
    out_w = fixed.get("out_w", rng.choice((1, rng.randint(1, widest), rng.randint(1, widest))))
    in_w = (out_w - 1) * x_stride + kw
    highest = max(words // (groups * in_w) - kh, 0) // y_stride + 1
    fields: dict[str, Any] = {
        **_common(rng),
        "window": True,
        "kx_step": rng.choice((groups, rng.getrandbits(16))),
        "ky_step": rng.choice((groups * in_w, rng.getrandbits(16))),
        "kw": kw,
        "kh": kh,
        "x_stride": x_stride,
        "y_stride": y_stride,
        "out_w": out_w,
        "out_h": rng.choice((1, rng.randint(1, highest), rng.randint(1, highest))),
        "groups": groups,
        "tile": _tile(rng, config),
        # Not looked at.
        "x_step": rng.getrandbits(16),
        "y_step": rng.getrandbits(16),
    }
    command = Conv(**fields | fixed)
    command.check(config)
    return command


def any_conv(rng: random.Random, config: Config, words: int) -> Conv:
    """A CONV of either kind."""
    return rng.choice((random_conv, window_conv))(rng, config, words)


def split_conv(rng: random.Random, config: Config, words: int, largest: int) -> list[Conv]:
    """One reduction in 2 to 4 commands of either kind: the first clears, the last drains, all fill one bank.

    largest: pixels, at most.
    """
    tile = rng.randint(1, largest)
    out_w = rng.randint(1, min(tile, config.line_words - config.window[1] + 1))
    parts = rng.randint(2, 4)
    commands = []
    for part in range(parts):
        last = part == parts - 1
        tokens = {} if last else {"wait_store": False, "signal_store": False, "stamp": False}
        shape = {"groups": 1, "out_w": out_w, "out_h": tile // out_w, "tile": tile}
        fixed = {**shape, **tokens, "clear": part == 0, "drain": last}
        if rng.getrandbits(1):
            commands.append(window_conv(rng, config, words, **fixed))
        else:
            cb = {"kw": 1, "kh": rng.randint(1, 3), "cb": rng.randint(1, 2)}
            commands.append(random_conv(rng, config, words, **fixed, **cb))
    return commands


def random_convs(rng: random.Random, config: Config, count: int, words: int) -> list[Conv]:
    """`count` or a few more commands, corners first: one pixel and one tap, FC, 7 x 7, full banks, and with
    windows the smallest, the largest, the longest line, a bank and one; then splits and anything."""
    n, depth, line = config.n, config.acc_depth, config.line_words
    rows, columns = config.window
    one = {"kw": 1, "kh": 1, "out_w": 1, "out_h": 1}
    passes: list[dict[str, Any]] = [
        {**one, "cb": 1, "groups": 1, "tile": 1, "signal_load": True},
        {**one, "cb": max(2, words // (2 * n)), "groups": 2},  # fully connected
        {"kw": 7, "kh": 7, "cb": 1, "groups": 1, "out_w": 2, "out_h": 2, "tile": min(3, depth)},
        {"kw": 1, "kh": 1, "cb": 1, "groups": 2, "out_w": depth, "out_h": 2, "tile": depth},  # full banks
        {"kw": 2, "kh": 1, "cb": 1, "groups": 1, "out_w": depth + 1, "out_h": 1, "tile": depth},  # one over
    ]
    steps = {"x_stride": 1, "y_stride": 1, "groups": 1}
    windows: list[dict[str, Any]] = [
        {**steps, "kw": 2, "kh": 1, "out_w": 1, "out_h": 1, "tile": 1, "signal_load": True},
        {**steps, "kw": columns, "kh": rows, "out_w": line - columns + 1, "out_h": 2, "tile": depth},
        {**steps, "kw": 2, "kh": rows, "out_w": 1, "out_h": depth + 1, "tile": depth},
        {"kw": 2, "kh": rows, "x_stride": 5, "y_stride": 4, "out_w": 2, "out_h": 2, "tile": 1, "groups": 2},
    ]
    corners = [(random_conv, corner) for corner in passes]
    for at, corner in enumerate(windows):
        corners.insert(2 * at + 1, (window_conv, corner))
    commands = [make(rng, config, words, **corner) for make, corner in corners[:count]]
    while len(commands) < count:
        if rng.random() < 0.3:
            commands += split_conv(rng, config, words, config.acc_depth)
        else:
            commands.append(any_conv(rng, config, words))
    return commands
