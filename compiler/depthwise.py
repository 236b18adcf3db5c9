"""Depthwise convolutions by CONV with `window`: all taps of a kernel at once, each input word read once.

Chunk by chunk (a range of channel blocks), strip by strip (a range of output columns), and down each strip
tile by tile. The activation buffer is a ring there: a tile loads the rows that the one above has not loaded
yet. A kernel larger than the core's window is cut in pieces, whose sums meet in the accumulators.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compiler.layer import Geometry, GroupedLayer
from compiler.memory import Memory
from compiler.program import Program
from compiler.schedule import Emitter
from compiler.tile import COMMAND, SHORTEST_BURST, Reuse, Tile, Tiling, parts, store_cycles
from compiler.window import Piece, Span, balanced, input_span
from models.config import PARAM_WORDS, Config
from models.isa import Conv, Dest, Load

TILE_CYCLES = 25  # of post, beyond a cycle a pixel: an estimate


class Rows(NamedTuple):
    """Input rows of a tile, counted from the tensor's first: it sees [first, end) and loads [start, end)."""

    first: int
    start: int
    end: int


def plan_depthwise(layer: GroupedLayer, config: Config) -> Tiling | None:
    """The cheapest cut, or None where the core's windows cannot do it or not even one window fits."""
    pieces = _pieces(layer, config)
    if not pieces:
        return None
    return min(_rate(layer, config, pieces), key=lambda plan: plan.cycles, default=None)


def _pieces(layer: GroupedLayer, config: Config) -> tuple[Piece, ...]:
    """The kernel cut into windows of the core; none if that cannot be."""
    g, (high, wide) = layer.geometry, config.window
    ends = zip(g.pad, g.kernel, g.stride, (g.out_h, g.out_w), (g.in_h, g.in_w), strict=True)
    # A window of nothing but padding has no row or column to load.
    inside = all(pad < k and (out - 1) * step - pad < size for pad, k, step, out, size in ends)
    if not layer.one_to_one or g.dilation != (1, 1) or g.kernel[1] < 2 or not inside:
        return ()
    rows, columns = (list(_shares(k, most)) for k, most in zip(g.kernel, (high, wide), strict=True))
    return tuple(Piece(ky, kh, kx, kw, 0, 1) for ky, kh in rows for kx, kw in columns)


def _shares(total: int, most: int) -> Iterator[tuple[int, int]]:
    """(first, size) of parts of `total`, at most `most` each, whose sizes differ by 1 at most."""
    count, first = -(-total // most), 0
    for number in range(count):
        size = total // count + (number < total % count)
        yield first, size
        first += size


def rows_of(g: Geometry, rows: int) -> list[Rows]:
    """Input rows of each tile down a strip, for tiles of `rows` output rows."""
    found: list[Rows] = []
    final = (g.out_h - 1) * g.stride[0] - g.pad[0] + g.kernel[0]
    loaded = -g.pad[0]
    for oy in range(0, g.out_h, rows):
        first = oy * g.stride[0] - g.pad[0]
        end = first + (min(rows, g.out_h - oy) - 1) * g.stride[0] + g.kernel[0]
        # A LOAD needs a row of the tensor: padding at the bottom comes with the last one.
        end = final if end >= g.in_h else end
        found.append(Rows(first, max(first, loaded), end))
        loaded = end
    return found


def _rate(layer: GroupedLayer, config: Config, pieces: tuple[Piece, ...]) -> Iterator[Tiling]:
    """Every legal cut."""
    g, n, split = layer.geometry, config.n, len(pieces) > 1
    params_stay = g.groups * PARAM_WORDS <= config.par_words
    for rows in parts(g.out_h):
        down = rows_of(g, rows)
        seen = max(tile.end - tile.first for tile in down)
        both = max((after.end - tile.first for tile, after in pairwise(down)), default=2 * seen)
        for columns in parts(g.out_w):
            pixels = rows * columns
            width = (columns - 1) * g.stride[1] + g.kernel[1]
            if (columns - 1) * g.stride[1] + max(p.kw for p in pieces) > config.line_words:
                continue
            if split and pixels > config.acc_depth:
                continue
            strips = -(-g.out_w // columns)
            tile = balanced(pixels, config.acc_depth)
            # Cycles of one block in one tile: its words, or post's time for its sums.
            words = sum(
                ((rows - 1) * g.stride[0] + p.kh) * ((columns - 1) * g.stride[1] + p.kw) for p in pieces
            )
            busy = max(words, n * len(pieces), pixels + -(-pixels // tile) * TILE_CYCLES)
            for chunk in parts(g.groups):
                if seen * width * chunk > config.act_words or pixels * chunk > config.out_words:
                    continue
                if chunk * len(pieces) * n * 2 > config.wgt_words:
                    continue
                if not params_stay and chunk * PARAM_WORDS * 2 > config.par_words:
                    continue
                chunks = -(-g.groups // chunk)
                long = chunk == g.groups
                row = width * chunk if long else width * max(chunk, SHORTEST_BURST)
                load = sum(tile.end - tile.start for tile in down) * row * strips * chunks
                compute = len(down) * strips * g.groups * busy
                last = store_cycles(g, rows, columns, chunk)
                store = len(down) * strips * chunks * last
                overlaps = both * width * chunk <= config.act_words
                overlaps = overlaps and pixels * chunk * 2 <= config.out_words
                cycles = max(load, compute, store) if overlaps else load + compute + store
                commands = 2 + (chunk * len(pieces) if split else 1)
                cycles += (down[0].end - down[0].start) * row + chunk * busy + last
                cycles += len(down) * strips * chunks * commands * COMMAND
                yield Tiling(
                    rows,
                    columns,
                    chunk,
                    Reuse.CHUNK_OUTER,
                    pieces,
                    False,
                    params_stay,
                    compute,
                    cycles,
                    split,
                )


def pack_windows(kernels: NDArray[np.int8], pieces: tuple[Piece, ...], config: Config) -> NDArray[np.int8]:
    """int8 [groups, n, kh, kw] -> [groups, pieces, n, n]: a block for each piece, byte 0 its last tap."""
    columns = config.window[1]
    packed = np.zeros((len(kernels), len(pieces), config.n, config.n), dtype=np.int8)
    for number, p in enumerate(pieces):
        for r in range(p.kh):
            for c in range(p.kw):
                tap = kernels[:, :, p.ky + p.kh - 1 - r, p.kx + p.kw - 1 - c]
                packed[:, number, :, r * columns + c] = tap
    return packed


class DepthwiseEmitter(Emitter):
    layer: GroupedLayer

    def __init__(self, layer: GroupedLayer, plan: Tiling, program: Program, memory: Memory) -> None:
        super().__init__(layer, plan, program, memory)
        assert layer.kernels is not None
        self.weights = memory.add_constant(pack_windows(layer.kernels, plan.pieces, program.config))
        self.act_words = program.config.act_words

    def emit(self) -> None:
        """Append the commands."""
        g, plan = self.geometry, self.plan
        blocks = len(plan.pieces)
        # All that does not depend on the layer before comes first, if there is room.
        weights_stay = g.groups * blocks * self.n * 2 <= self.program.config.wgt_words
        if plan.params_stay:
            self.load_params(0, g.groups)
        if weights_stay:
            whole = self.load_weights(self.weights, 0, g.groups * blocks)
        for first, count in self.chunks():
            if not plan.params_stay:
                self.load_params(first, count)
            if weights_stay:
                wgt_base = whole + first * blocks * self.n
            else:
                wgt_base = self.load_weights(self.weights, first * blocks, count * blocks)
            for ox in range(0, g.out_w, plan.columns):
                columns = min(plan.columns, g.out_w - ox)
                x = input_span(g, 1, ox, columns, 0, g.kernel[1])
                origin = 0  # where row 0 of the tensor is or would be
                for number, rows in enumerate(rows_of(g, plan.rows)):
                    oy = number * plan.rows
                    tile = Tile(oy, min(plan.rows, g.out_h - oy), ox, columns)
                    if rows.start < rows.end:
                        base = self._load_rows(rows, x, first, count)
                        # Rows that follow those of the tile above in the ring have the same origin.
                        origin = (base - rows.start * x.size * count) % self.act_words
                    out_base = self.program.allocate(None, tile.pixels * count)
                    act_base = origin + rows.first * x.size * count
                    self._compute(tile, x.size, act_base, first, count, wgt_base, out_base)
                    self.store(tile, first, count, out_base)

    def _load_rows(self, rows: Rows, x: Span, first: int, count: int) -> int:
        """Rows [start, end) of these blocks, padding included; returns their place in the buffer."""
        g, n = self.geometry, self.n
        base = self.program.allocate(Dest.ACT, (rows.end - rows.start) * x.size * count)
        low, high = max(rows.start, 0), min(rows.end, g.in_h)
        row, pixel = g.in_w * g.cb * n, g.cb * n
        window: dict[str, Any] = {"count_y": high - low, "stride_y": row}
        # Rows that follow each other in DRAM and in the buffer; a row of padding is as wide as a run.
        whole = x.count == x.size == g.in_w and (low, high) == (rows.start, rows.end)
        if count != g.cb:
            window |= {"run": count, "count_x": x.count, "stride_x": pixel}
        elif whole and (high - low) * x.size * count <= 65535:
            window = {"run": (high - low) * x.size * count}
        else:
            window |= {"run": x.count * count}
        self.program.add(
            Load(
                dest=Dest.ACT,
                buffer=base,
                address=self.source + low * row + x.first * pixel + first * n,
                pad_top=low - rows.start,
                pad_bottom=rows.end - high,
                pad_left=x.before * count,
                pad_right=x.after * count,
                pad_value=self.layer.pad_value,
                **window,
            )
        )
        return base

    def _compute(
        self, tile: Tile, width: int, act_base: int, first: int, count: int, wgt_base: int, out_base: int
    ) -> None:
        """A tile of output blocks [first, first + count): one command, or for each block one per piece."""
        config, g, pieces = self.program.config, self.geometry, self.plan.pieces
        row = width * count
        for group in range(first, first + count) if len(pieces) > 1 else (first,):
            for number, piece in enumerate(pieces):
                last = number == len(pieces) - 1
                block = (group - first) * len(pieces) + number
                out = {
                    "out_base": (out_base + group - first) % config.out_words,
                    "out_pitch": count,
                    "par_base": self.par_of(group, first),
                    **self.post,
                }
                self.program.add(
                    Conv(
                        window=True,
                        act_base=(act_base + piece.ky * row + piece.kx * count + group - first)
                        % self.act_words,
                        wgt_base=(wgt_base + block * self.n) % config.wgt_words,
                        kw=piece.kw,
                        kh=piece.kh,
                        kx_step=count,
                        # A step that is never taken may be too large for its field.
                        ky_step=row if piece.kh > 1 or tile.rows > 1 else 0,
                        x_stride=g.stride[1],
                        y_stride=g.stride[0],
                        out_w=tile.columns,
                        out_h=tile.rows,
                        groups=count if len(pieces) == 1 else 1,
                        tile=balanced(tile.pixels, config.acc_depth),
                        clear=number == 0,
                        drain=last,
                        **(out if last else {}),
                    )
                )
