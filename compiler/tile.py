"""Cuts a layer so that its pieces fit the buffers, twice over so that load, compute and store overlap.

A layer is computed tile by tile (a rectangle of output pixels) and chunk by chunk (a range of output-channel
blocks). Three orders differ in what is loaded again:

    RESIDENT     all weights fit: loaded once, then tile by tile
    CHUNK_OUTER  weights once, chunk by chunk; the input again for each chunk (not when there is one tile)
    TILE_OUTER   input once, tile by tile; the weights again for each tile

Every legal cut is rated by the slowest of the three engines and the time it takes them to start and to
finish; the cheapest wins. A window whose weights or input do not fit at all is cut itself (`cut_window`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import product

from compiler.layer import ConvLayer, Geometry, Layer, Pair
from compiler.window import Piece, balanced, cut_window, input_size
from models.config import PARAM_WORDS, Config

# Estimates in cycles. A short burst costs the memory's latency divided by the bursts in flight.
COMMAND = 20
SHORTEST_BURST = 8


class Reuse(Enum):
    RESIDENT = "weights stay"
    CHUNK_OUTER = "weights once, input again"
    TILE_OUTER = "input once, weights again"


@dataclass(frozen=True)
class Tiling:
    """rows, columns: of a tile, in output pixels. chunk: output-channel blocks. pieces: the window, whole or
    cut. own_input: each piece loads its own part of the input. params_stay: all records are loaded at once.
    cycles: the estimate; compute: those of it that the array or pool is busy."""

    rows: int
    columns: int
    chunk: int
    reuse: Reuse
    pieces: tuple[Piece, ...]
    own_input: bool
    params_stay: bool
    compute: int
    cycles: int
    in_pieces: bool = False  # sums stay in the accumulators from one CONV to the next


@dataclass(frozen=True)
class Tile:
    """Output rows [oy, oy+rows), columns [ox, ox+columns)."""

    oy: int
    rows: int
    ox: int
    columns: int

    @property
    def pixels(self) -> int:
        return self.rows * self.columns


def tiles(geometry: Geometry, tiling: Tiling) -> Iterator[Tile]:
    """All tiles in raster order; the last in each direction may be smaller."""
    for oy in range(0, geometry.out_h, tiling.rows):
        for ox in range(0, geometry.out_w, tiling.columns):
            rows = min(tiling.rows, geometry.out_h - oy)
            yield Tile(oy, rows, ox, min(tiling.columns, geometry.out_w - ox))


def plan_conv(layer: ConvLayer, config: Config) -> Tiling | None:
    """The cheapest cut of a convolution, or None when not even one pixel of one piece fits."""
    geometry = layer.geometry
    passes = geometry.kernel[0] * geometry.kernel[1] * geometry.cb
    # Half a buffer is computed on while the other is loaded. Cutting the window costs little as long as the
    # tile fits one accumulator bank, so it comes before giving up that overlap.
    half = max(config.wgt_words // 2 // config.n, 1)
    most = passes if layer.rest is None else min(passes, half)
    for share in (2, 1):
        plans = list(_rate_conv(layer, config, cut_window(geometry, most), False, share))
        if not plans and passes > half:
            plans = list(_rate_conv(layer, config, cut_window(geometry, half), False, share))
        if plans:
            return min(plans, key=lambda plan: plan.cycles)
    # Not even the input of one window fits.
    for share in (2, 1):
        most = half
        while most:
            plans = list(_rate_conv(layer, config, cut_window(geometry, most), True, share))
            if plans:
                return min(plans, key=lambda plan: plan.cycles)
            most //= 2
    return None


def plan_pool(layer: Layer, config: Config) -> Tiling | None:
    """The cheapest cut of a pooling layer, or None when one window of one channel block does not fit."""
    for share in (2, 1):
        plans = list(_rate_pool(layer, config, share))
        if plans:
            return min(plans, key=lambda plan: plan.cycles)
    return None


def _rate_conv(
    layer: ConvLayer, config: Config, pieces: tuple[Piece, ...], own_input: bool, share: int
) -> Iterator[Tiling]:
    """Every legal cut that leaves `share` places of its size in each buffer."""
    geometry = layer.geometry
    n, groups = config.n, geometry.groups
    passes = geometry.kernel[0] * geometry.kernel[1] * geometry.cb
    times = 1 if layer.rest is None else 2
    split, weights = len(pieces) * times > 1, times * groups * passes * n
    whole = Piece(0, geometry.kernel[0], 0, geometry.kernel[1], 0, geometry.cb)
    params_stay = (groups * PARAM_WORDS + _record(layer, config)) * share <= config.par_words
    for rows, columns in tile_sizes(geometry):
        pixels, count = rows * columns, _count(geometry, rows, columns)
        if split and pixels > config.acc_depth:
            continue
        loaded = pieces if own_input else (whole,)
        sizes = [(input_size(geometry, rows, columns, piece), piece) for piece in loaded]
        # The input of the only tile has nothing to overlap with: it may fill the buffer.
        places = share if count > 1 or own_input else 1
        if any(height * width * piece.cb * places > config.act_words for (height, width), piece in sizes):
            continue
        act = sum(input_cycles(geometry, size, piece) for size, piece in sizes)
        compute = times * groups * passes * _pass_cycles(geometry, rows, columns, config)
        for chunk in parts(groups):
            if pixels * chunk * share > _out_words(layer, config):
                continue
            if not params_stay and (chunk * PARAM_WORDS + _record(layer, config)) * share > config.par_words:
                continue
            chunks = -(-groups // chunk)
            store = count * chunks * store_cycles(geometry, rows, columns, chunk)
            for reuse in Reuse:
                held = weights if reuse is Reuse.RESIDENT else chunk * passes * n
                # Cut windows come block by block: nothing but the input could stay.
                if reuse is not Reuse.TILE_OUTER if split else held * share > config.wgt_words:
                    continue
                again = chunks if reuse is Reuse.CHUNK_OUTER and count > 1 else 1
                load = act * count * (groups if own_input and split else again)
                load += weights * (count if reuse is Reuse.TILE_OUTER else 1)
                commands = count * chunks * (3 + (times * len(pieces) - 1) * 2 * chunk)
                cycles = max(load, compute, store) + commands * COMMAND
                cycles += act + held + store_cycles(geometry, rows, columns, chunk)
                yield Tiling(
                    rows, columns, chunk, reuse, pieces, own_input, params_stay, compute, cycles, split
                )


def _rate_pool(layer: Layer, config: Config, share: int) -> Iterator[Tiling]:
    """Every legal cut that leaves `share` places of its size in each buffer."""
    geometry, params = layer.geometry, layer.params is not None
    (kh, kw), groups = geometry.kernel, geometry.groups
    params_stay = (groups * PARAM_WORDS + _record(layer, config)) * share <= config.par_words
    compute = geometry.out_h * geometry.out_w * kh * kw * groups
    for chunk in parts(groups):
        if (
            params
            and not params_stay
            and (chunk * PARAM_WORDS + _record(layer, config)) * share > config.par_words
        ):
            continue
        piece = Piece(0, kh, 0, kw, 0, chunk)
        for rows, columns in tile_sizes(geometry):
            size = input_size(geometry, rows, columns, piece)
            if size[0] * size[1] * chunk * share > config.act_words:
                continue
            if rows * columns * chunk * share > _out_words(layer, config):
                continue
            count = _count(geometry, rows, columns) * -(-groups // chunk)
            first = input_cycles(geometry, size, piece)
            last = store_cycles(geometry, rows, columns, chunk)
            cycles = max(first * count, compute, last * count) + first + last + count * 3 * COMMAND
            yield Tiling(
                rows, columns, chunk, Reuse.TILE_OUTER, (piece,), False, params_stay, compute, cycles
            )


def _out_words(layer: Layer, config: Config) -> int:
    """Words of a tile's output at most: what it is added to takes as much of the residual buffer."""
    return min(config.out_words, config.res_words) if layer.partner else config.out_words


def _record(layer: Layer, config: Config) -> int:
    """Words of the element record that lies beside the parameter records."""
    return config.elem_words if layer.partner else 0


def input_cycles(geometry: Geometry, size: Pair, piece: Piece) -> int:
    height, width = size
    if piece.cb == geometry.cb:
        return height * max(width * piece.cb, SHORTEST_BURST)
    return height * width * max(piece.cb, SHORTEST_BURST)


def store_cycles(geometry: Geometry, rows: int, columns: int, chunk: int) -> int:
    if chunk == geometry.groups:
        return max(rows * columns * chunk, SHORTEST_BURST)
    return rows * columns * max(chunk, SHORTEST_BURST)


def _pass_cycles(geometry: Geometry, rows: int, columns: int, config: Config) -> int:
    """Cycles of one pass over all tiles of that size: a pixel a cycle, and at least n in each bank."""
    cycles = 0
    for height, width in product(_cut(geometry.out_h, rows), _cut(geometry.out_w, columns)):
        bank = balanced(height * width, config.acc_depth)
        whole, rest = divmod(height * width, bank)
        cycles += whole * max(bank, config.n) + (max(rest, config.n) if rest else 0)
    return cycles


def _cut(total: int, size: int) -> list[int]:
    """Sizes of the parts of `total`, the last of which may be smaller."""
    return [min(size, total - first) for first in range(0, total, size)]


def _count(geometry: Geometry, rows: int, columns: int) -> int:
    """Tiles of that size."""
    return -(-geometry.out_h // rows) * -(-geometry.out_w // columns)


def parts(total: int) -> list[int]:
    """Every size that `total` has when cut into equal parts, largest first."""
    return sorted({-(-total // parts) for parts in range(1, total + 1)}, reverse=True)


def tile_sizes(geometry: Geometry) -> Iterator[Pair]:
    """(rows, columns) to try: whole rows, then parts of one row."""
    for rows in parts(geometry.out_h):
        yield rows, geometry.out_w
    for columns in parts(geometry.out_w)[1:]:
        yield 1, columns
