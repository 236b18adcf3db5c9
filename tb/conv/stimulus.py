"""Random CONV commands: every field over its range, the work of one command bounded."""

from __future__ import annotations

import functools
import math
import random
from typing import Any

from models.config import Config
from models.isa import Conv
from tb.common.compute import POST_FIELDS
from tb.common.draws import ANY16, Draws, Weights, flags, int8_range

WEIGHTS: dict[str, Weights] = {
    **POST_FIELDS,
    **dict.fromkeys(("act_base", "wgt_base"), ANY16),
    **flags("wait_store", "signal_store", "stamp"),
    "clear": {True: 1},
    "drain": {True: 1},
    "groups": {1: 2, 2: 1, 3: 1},
}


class Passes:
    """CONVs in passes of at most about `words` activation words."""

    def __init__(self, rng: random.Random, config: Config) -> None:
        self.rng, self.config = rng, config
        work = ("words", "groups", "kw", "kh", "cb")
        self.draws = Draws(
            rng,
            WEIGHTS,
            {
                ("act_min", "act_max"): (functools.partial(int8_range, rng), ()),
                ("kw", "kh", "cb"): (self.kernel, ("words", "groups")),
                ("out_w", "out_h"): (self.size, work),
                "tile": (self.tile, (*work, "out_w", "out_h")),
                "x_step": (lambda cb: rng.choice((1, cb, 2 * cb, rng.getrandbits(16))), ("cb",)),
                "y_step": (lambda out_w, cb: rng.choice((out_w * cb, rng.getrandbits(16))), ("out_w", "cb")),
                "kx_step": (lambda cb: rng.choice((cb, 2 * cb, rng.getrandbits(16))), ("cb",)),
                "ky_step": (lambda kw, cb: rng.choice((kw * cb, rng.getrandbits(16))), ("kw", "cb")),
            },
            given=("words",),
        )

    def kernel(self, words: int, groups: int) -> tuple[int, int, int]:
        """kw, kh, cb: a pass takes at least the n cycles of its weights."""
        rng = self.rng
        kw, kh = rng.choice(((1, 1), (3, 3), (rng.randint(1, 7), rng.randint(1, 7))))
        cb = rng.choice((1, 1, 2, rng.randint(1, 9)))
        if kw * kh * cb * groups * self.config.n > words:
            return 1, rng.randint(1, 3), 1
        return kw, kh, cb

    def size(self, words: int, *work: int) -> tuple[int, int]:
        """out_w, out_h."""
        rng, pixels = self.rng, max(1, words // math.prod(work))
        out_w = rng.choice((1, rng.randint(1, min(pixels, 40))))
        return out_w, rng.choice((1, rng.randint(1, max(1, min(pixels // out_w, 40)))))

    def tile(self, words: int, *work: int) -> int:
        """Of one pixel only where its passes are few."""
        tile = a_tile(self.rng, self.config)
        return self.config.acc_depth if tile == 1 and math.prod(work) * self.config.n > 2 * words else tile


class Slides:
    """CONVs with `window` that read at most about `words` words."""

    def __init__(self, rng: random.Random, config: Config) -> None:
        self.rng, self.config = rng, config
        kernel = ("words", "groups", "kw", "kh")
        self.draws = Draws(
            rng,
            # x_step and y_step are not looked at.
            {**WEIGHTS, "window": {True: 1}, "cb": {1: 1}, **dict.fromkeys(("x_step", "y_step"), ANY16)},
            {
                ("act_min", "act_max"): (functools.partial(int8_range, rng), ()),
                ("kw", "kh"): (self.kernel, ()),
                "x_stride": (self.stride, ()),
                "y_stride": (self.stride, ()),
                "out_w": (self.width, (*kernel, "x_stride")),
                "out_h": (self.height, (*kernel, "out_w", "x_stride", "y_stride")),
                "tile": (functools.partial(a_tile, rng, config), ()),
                "kx_step": (lambda groups: rng.choice((groups, rng.getrandbits(16))), ("groups",)),
                "ky_step": (self.row, ("groups", "kw", "out_w", "x_stride")),
            },
            given=("words",),
        )

    def kernel(self) -> tuple[int, int]:
        """kw, kh: the largest, 3 x 3, any."""
        rng, (rows, columns) = self.rng, self.config.window
        return rng.choice(
            (
                (columns, rows),
                (min(3, columns), min(3, rows)),
                (rng.randint(2, columns), rng.randint(1, rows)),
            )
        )

    def stride(self) -> int:
        return self.rng.choice((1, 1, 2, self.rng.randint(1, 5)))

    def width(self, words: int, groups: int, kw: int, kh: int, x_stride: int) -> int:
        """out_w: what the line of the window holds."""
        room = min(self.config.line_words, max(words // (groups * kh), kw))
        widest = (room - kw) // x_stride + 1
        return self.rng.choice((1, self.rng.randint(1, widest), self.rng.randint(1, widest)))

    def height(
        self, words: int, groups: int, kw: int, kh: int, out_w: int, x_stride: int, y_stride: int
    ) -> int:
        """out_h: what the words allow."""
        in_w = (out_w - 1) * x_stride + kw
        highest = max(words // (groups * in_w) - kh, 0) // y_stride + 1
        return self.rng.choice((1, self.rng.randint(1, highest), self.rng.randint(1, highest)))

    def row(self, groups: int, kw: int, out_w: int, x_stride: int) -> int:
        """ky_step: from row to row of the input, or anything."""
        return self.rng.choice((groups * ((out_w - 1) * x_stride + kw), self.rng.getrandbits(16)))


def a_tile(rng: random.Random, config: Config) -> int:
    """Pixels of a tile: one, a whole bank, a part."""
    return rng.choice((1, config.acc_depth, config.acc_depth, rng.randint(1, config.acc_depth)))


@functools.lru_cache(maxsize=4)
def _passes(rng: random.Random, config: Config) -> Passes:
    return Passes(rng, config)


@functools.lru_cache(maxsize=4)
def _slides(rng: random.Random, config: Config) -> Slides:
    return Slides(rng, config)


def checked(command: Conv, config: Config) -> Conv:
    """The command. Raises BadCommand if the core refuses it: what a test fixed does not go together."""
    command.check(config)
    return command


def random_conv(rng: random.Random, config: Config, words: int, **fixed: Any) -> Conv:
    """See Passes; `fixed` fields are taken as they are."""
    return checked(Conv(**_passes(rng, config).draws.draw(words=words, **fixed)), config)


def window_conv(rng: random.Random, config: Config, words: int, **fixed: Any) -> Conv:
    """See Slides; `fixed` fields are taken as they are."""
    if "out_w" in fixed and "x_stride" not in fixed:
        # A line of this width must fit the window whatever the kernel is.
        longest = (fixed["out_w"] - 1) * 5 + config.window[1]
        fixed |= {"x_stride": 1} if longest > config.line_words else {}
    return checked(Conv(**_slides(rng, config).draws.draw(words=words, **fixed)), config)


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
