"""Small CONV commands of every shape: each kernel with each step, each cut into tiles, in random order."""

from __future__ import annotations

import random
from itertools import product

import numpy as np

from models.config import Config
from models.isa import Conv
from tb.common.compute import Image
from tb.conv.stimulus import random_conv, window_conv


def every_reach(rng: random.Random, config: Config) -> list[Conv]:
    """Passes: every kind of kernel with every stride and dilation."""
    several = rng.randint(2, 7)
    kernels = ((1, 1), (1, several), (several, 1), (3, 3), (7, 7), (rng.randint(2, 6), 2))
    commands = []
    for (kh, kw), stride, dilation in product(kernels, (None, 1, 2, 0), (1, 2, 0)):
        cb = rng.choice((1, 1, 2)) if kh * kw < 49 else 1
        fields = {"kh": kh, "kw": kw, "cb": cb, "out_w": rng.randint(2, 4) if stride else 1, "out_h": 1}
        if stride == 0:
            fields |= {"out_w": 2, "x_step": rng.randint(3 * cb, 0xFFFF)}
        elif stride:
            fields["x_step"] = stride * cb
        fields["kx_step"] = dilation * cb or rng.randint(3 * cb, 0xFFFF)
        if kw > 1 or dilation == 1:  # one tap has no dilation
            commands.append(random_conv(rng, config, 1 << 20, groups=1, **fields))
    return rng.sample(commands, len(commands))


def every_slide(rng: random.Random, config: Config) -> dict[str, list[Conv]]:
    """Windows: every kind of kernel that the core has, each with every pair of strides."""
    rows, columns = config.window
    kernels = {"smallest": (1, 2), "row": (1, 3), "largest": (rows, columns)}
    if rows > 1:
        kernels["inside"] = (2, rng.randint(2, 3))
    commands: dict[str, list[Conv]] = {}
    for name, (kh, kw) in kernels.items():
        commands[name] = []
        for x_stride, y_stride in product((None, 1, 2, 3), repeat=2):
            fields = {"kh": kh, "kw": kw, "x_stride": x_stride or 1, "y_stride": y_stride or 1}
            fields |= {"out_w": rng.randint(2, 4) if x_stride else 1}
            fields |= {"out_h": rng.randint(2, 4) if y_stride else 1}
            commands[name].append(window_conv(rng, config, 1, **fields))
    return commands


def every_tiling(rng: random.Random, config: Config) -> list[Conv]:
    """Both kinds: tiles of one pixel, of a part of a bank and of a whole bank; one, two or three of them; the
    last one whole or short."""
    commands = []
    tiles = (1, rng.randint(2, config.acc_depth - 1), config.acc_depth)
    for make, tile, count, short in product((random_conv, window_conv), tiles, (1, 2, 3), (False, True)):
        if short and tile == 1:
            continue
        pixels = tile * count - (rng.randint(1, tile - 1) if short else 0)
        out_w = rng.choice([width for width in range(1, pixels + 1) if pixels % width == 0])
        fields = {"kh": 1, "kw": 2, "out_w": out_w, "out_h": pixels // out_w, "tile": tile}
        fields |= {"x_stride": 1} if make is window_conv else {"cb": 1}
        commands.append(make(rng, config, 1 << 20, groups=1, **fields))
    return rng.sample(commands, len(commands))


def extremes(rng: random.Random, config: Config, act: Image, wgt: Image) -> list[Conv]:
    """Both kinds: all words read hold -128 or 127, so that sums are as far from 0 as they can be."""
    commands = []
    for make, act_byte, wgt_byte in product((random_conv, window_conv), (0x80, 0x7F), (0x80, 0x7F)):
        bases = [int(np.flatnonzero((w == b).all(axis=1))[0]) for w, b in ((act, act_byte), (wgt, wgt_byte))]
        fields = {"act_base": bases[0], "wgt_base": bases[1], "kw": 2, "kh": 1, "out_w": 1, "out_h": 1}
        fields |= {"kx_step": 1, "groups": 1} if make is window_conv else {"kx_step": 1, "cb": 1, "groups": 1}
        commands.append(make(rng, config, 1, **fields))
    return commands
