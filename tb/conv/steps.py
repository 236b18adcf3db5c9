"""The activation words of a CONV in the order in which it reads them, and where each stands in its loops."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from models.blocks import conv_reads, conv_tiles, window_reads
from models.config import Config
from models.isa import Conv


class Step(NamedTuple):
    """addr: word of the activation buffer. pass_starts: the first word for a weight block. tile_starts,
    tile_ends: the first and the last that goes into a tile's accumulators. ends: the command's last."""

    addr: int
    pass_starts: bool
    tile_starts: bool
    tile_ends: bool
    ends: bool


def steps(command: Conv, config: Config) -> Iterator[Step]:
    """Every word that a command reads."""
    return _windows(command, config) if command.window else _passes(command, config)


def _passes(command: Conv, config: Config) -> Iterator[Step]:
    addresses = conv_reads(command, config)
    last = addresses.shape[1] - 1
    for group, first, end in conv_tiles(command):
        for tap in range(last + 1):
            for pixel in range(first, end):
                starts, final = pixel == first, pixel == end - 1 and tap == last
                ends = final and end == command.pixels and group == command.groups - 1
                yield Step(int(addresses[pixel, tap]), starts, starts and tap == 0, final, ends)


def _windows(command: Conv, config: Config) -> Iterator[Step]:
    words = window_reads(command, config).tolist()
    for group in range(command.groups):
        pixel = 0  # of the next sum
        for iy, ix in product(range(command.in_h), range(command.in_w)):
            # Rows and columns from the first window's last tap to this word.
            y, x = iy - command.kh + 1, ix - command.kw + 1
            sums = min(y, x) >= 0 and y % command.y_stride == 0 and x % command.x_stride == 0
            starts = sums and pixel % command.tile == 0
            pixel += sums
            last = pixel == command.pixels
            final = sums and (last or pixel % command.tile == 0)
            ends = final and last and group == command.groups - 1
            yield Step(words[group][iy][ix], (iy, ix) == (0, 0), starts, final, ends)
