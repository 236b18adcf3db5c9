"""Turns a layer into commands, in an order that is right one command at a time.

Weights and parameters come before the input: they do not depend on the layer before, so they load while it is
still computed and stored. Tokens are the program's business (compiler/program.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.layer import ConvLayer, Geometry, Layer, Scatter
from compiler.memory import Memory
from compiler.program import AREA, Program
from compiler.tile import Reuse, Tile, Tiling, tiles
from compiler.window import Piece, Span, balanced, input_span
from models.config import PARAM_WORDS
from models.isa import Conv, Dest, Load, Store

FIELD_MAX = 65535  # the largest count or step in a command


@dataclass(frozen=True)
class Input:
    """A tile's input in the activation buffer: pitch is its width in pixels, cb the words of a pixel."""

    base: int
    y: Span
    x: Span
    cb: int

    @property
    def pitch(self) -> int:
        return self.x.size


class Emitter:
    """What convolution and pooling share: inputs, parameters, outputs."""

    def __init__(self, layer: Layer, plan: Tiling, program: Program, memory: Memory) -> None:
        self.layer, self.plan, self.program, self.n = layer, plan, program, program.config.n
        self.geometry = layer.geometry
        self.source = AREA + memory.offset(layer.source)
        self.target = AREA + memory.offset(layer.target)
        self.params = None if layer.params is None else memory.add_constant(layer.params)
        self.par_base = 0
        self.post: dict[str, Any] = {
            "zero_point": layer.zero_point,
            "act_min": layer.act_min,
            "act_max": layer.act_max,
            "rounding": int(layer.rounding),
        }
        if layer.table is not None:
            self._load_table(memory.add_constant(layer.table))
        if layer.partner is not None:
            if layer.partner.source is not None:
                self.partner = AREA + memory.offset(layer.partner.source)
            else:
                assert layer.partner.data is not None
                self.partner = memory.add_constant(layer.partner.data)
            record = np.frombuffer(layer.partner.record.encode(), np.uint8)
            self.record = memory.add_constant(record)
            self.post["elem"] = int(layer.partner.kind)
            if self.params is None:
                self._load_record()

    def _load_table(self, address: int) -> None:
        words = self.program.config.table_words
        base = self.program.allocate(Dest.TABLE, words)
        self.program.add(Load(address=address, dest=Dest.TABLE, buffer=base, run=words))
        self.post |= {"table_en": True, "table_sel": base // words}

    def load_params(self, first: int, groups: int) -> None:
        """Records of output blocks [first, first + groups)."""
        if self.params is None:
            return
        if self.layer.partner is not None:
            self._load_record()
        words = groups * PARAM_WORDS
        self.par_base = self.program.allocate(Dest.PAR, words)
        address = self.params + first * PARAM_WORDS * self.n
        self.program.add(Load(address=address, dest=Dest.PAR, buffer=self.par_base, run=words))

    def _load_record(self) -> None:
        """The element record; again with each load of parameters, which may reuse its place."""
        words = self.program.config.elem_words
        base = self.program.allocate(Dest.PAR, words)
        self.program.add(Load(address=self.record, dest=Dest.PAR, buffer=base, run=words))
        self.post["elem_base"] = base

    def load_partner(self, tile: Tile, first: int, groups: int) -> dict[str, Any]:
        """The second operand for these output blocks of a tile; returns the command's fields for it."""
        if self.layer.partner is None:
            return {}
        base = self.program.allocate(Dest.RES, tile.pixels * groups)
        if self.layer.partner.broadcast:
            # The same words again and again.
            address = self.partner + first * self.n
            window: dict[str, Any] = {
                "address": address,
                "run": groups,
                "count_x": tile.columns,
                "count_y": tile.rows,
            }
        else:
            window = self._output_window(self.partner, tile, first, groups)
        self.program.add(Load(dest=Dest.RES, buffer=base, **window))
        return {"res_base": base, "res_pitch": groups}

    def load_weights(self, constant: int, block: int, blocks: int) -> int:
        """Weight blocks [block, block + blocks) of a constant; returns their place in the buffer."""
        words = blocks * self.n
        base = self.program.allocate(Dest.WGT, words)
        rows = -(-words // FIELD_MAX)
        while words % rows:
            rows += 1
        run = words // rows
        self.program.add(
            Load(
                address=constant + block * self.n * self.n,
                dest=Dest.WGT,
                buffer=base,
                run=run,
                count_y=rows,
                stride_y=run * self.n,
            )
        )
        return base

    def load_input(self, tile: Tile, piece: Piece) -> Input:
        """The input that a tile needs for a piece of the window, padding included."""
        return self.load_from(self.source, self.geometry, tile, piece)

    def load_from(self, source: int, g: Geometry, tile: Tile, piece: Piece) -> Input:
        """load_input() from any tensor: its DRAM address, and a geometry that says how it lies there."""
        n = self.n
        y = input_span(g, 0, tile.oy, tile.rows, piece.ky, piece.kh)
        x = input_span(g, 1, tile.ox, tile.columns, piece.kx, piece.kw)
        base = self.program.allocate(Dest.ACT, y.size * x.size * piece.cb)
        row, pixel = g.in_w * g.cb * n, g.cb * n
        window: dict[str, Any] = {
            "address": source + y.first * row + x.first * pixel + piece.c * n,
            "count_y": y.count,
            "stride_y": y.step * row,
            "pad_top": y.before,
            "pad_bottom": y.after,
            "pad_left": x.before * piece.cb,
            "pad_right": x.after * piece.cb,
            "pad_value": self.layer.pad_value,
        }
        if piece.cb == g.cb and x.step == 1:
            run = x.count * g.cb
            whole_rows = x.count == g.in_w and x.size == g.in_w and y.step == 1 and y.size == y.count
            if whole_rows and run * y.count <= FIELD_MAX:
                window |= {"run": run * y.count, "count_y": 1}
            else:
                window |= {"run": run}
        else:
            window |= {"run": piece.cb, "count_x": x.count, "stride_x": x.step * pixel}
        self.program.add(Load(dest=Dest.ACT, buffer=base, **window))
        return Input(base, y, x, piece.cb)

    def store(self, tile: Tile, first: int, groups: int, base: int) -> None:
        """Output blocks [first, first + groups) of a tile, from the output buffer to the tensor."""
        if self.layer.scatter is not None:
            self._store_apart(self.layer.scatter, tile, first, groups, base)
            return
        self.program.add(Store(buffer=base, **self._output_window(self.target, tile, first, groups)))

    def _store_apart(self, scatter: Scatter, tile: Tile, first: int, groups: int, base: int) -> None:
        """The same, once for each offset."""
        g, (high, wide) = self.geometry, scatter.factors
        pixel = g.groups * self.n
        row = scatter.columns * pixel
        for dy, dx in scatter.offsets:
            y, x = tile.oy * high + dy, tile.ox * wide + dx
            window: dict[str, Any] = {"run": groups, "count_x": tile.columns, "stride_x": wide * pixel}
            if wide == 1 and groups == g.groups:
                window = {"run": tile.columns * groups}
            window |= {"count_y": tile.rows, "stride_y": high * row}
            address = self.target + y * row + x * pixel + first * self.n
            self.program.add(Store(buffer=base, address=address, **window))

    def _output_window(self, tensor: int, tile: Tile, first: int, groups: int) -> dict[str, Any]:
        """Where these blocks of a tile lie in a tensor of the output's layout at this address."""
        g, n = self.geometry, self.n
        row, pixel = g.out_w * g.groups * n, g.groups * n
        address = tensor + tile.oy * row + tile.ox * pixel + first * n
        window: dict[str, Any]
        if groups != g.groups:
            window = {"run": groups, "count_x": tile.columns, "stride_x": pixel, "count_y": tile.rows}
        elif tile.columns != g.out_w or tile.pixels * groups > FIELD_MAX:
            window = {"run": tile.columns * groups, "count_y": tile.rows}
        else:
            window = {"run": tile.pixels * groups}
        return {"address": address, "stride_y": row, **window}

    def steps(self, tile: Tile, held: Input, piece: Piece) -> dict[str, Any]:
        """Address fields of a compute command for a piece whose input starts at held.base."""
        pixel, row = held.cb, held.pitch * held.cb
        return {
            "out_w": tile.columns,
            "out_h": tile.rows,
            "kw": piece.kw,
            "kh": piece.kh,
            "cb": piece.cb,
            # A step that is never taken may be too large for its field.
            "x_step": held.x.stride * pixel if tile.columns > 1 else 0,
            "y_step": held.y.stride * row if tile.rows > 1 else 0,
            "kx_step": held.x.dilation * pixel if piece.kw > 1 else 0,
            "ky_step": held.y.dilation * row if piece.kh > 1 else 0,
        }

    def first_word(self, held: Input, channel_block: int = 0) -> int:
        """Activation-buffer address of the first tap of a tile's first pixel."""
        skipped = (held.y.skip * held.pitch + held.x.skip) * held.cb
        return (held.base + skipped + channel_block) % self.program.config.act_words

    def chunks(self) -> Iterator[tuple[int, int]]:
        """(first output block, how many) of each chunk."""
        groups, chunk = self.geometry.groups, self.plan.chunk
        for first in range(0, groups, chunk):
            yield first, min(chunk, groups - first)

    def par_of(self, group: int, first: int) -> int:
        """Parameter-buffer address of a group's record; first: the first group of the chunk in hand."""
        offset = group if self.plan.params_stay else group - first
        return (self.par_base + offset * PARAM_WORDS) % self.program.config.par_words


class ConvEmitter(Emitter):
    layer: ConvLayer

    def __init__(self, layer: ConvLayer, plan: Tiling, program: Program, memory: Memory) -> None:
        super().__init__(layer, plan, program, memory)
        self.weights = memory.add_constant(layer.weights)
        self.rest = None if layer.rest is None else memory.add_constant(layer.rest)
        (kh, kw), cb = self.geometry.kernel, self.geometry.cb
        self.passes = kh * kw * cb
        self.whole = Piece(0, kh, 0, kw, 0, cb)
        self.wgt_base = 0

    def emit(self) -> None:
        plan, groups = self.plan, self.geometry.groups
        if plan.params_stay:
            self.load_params(0, groups)
        if plan.in_pieces:
            self._emit_pieces()
            return
        all_tiles = list(tiles(self.geometry, plan))
        if plan.reuse is Reuse.CHUNK_OUTER:
            held = None
            for first, count in self.chunks():
                self._load_chunk(first, count)
                for tile in all_tiles:
                    if held is None or len(all_tiles) > 1:
                        held = self.load_input(tile, self.whole)
                    self._compute(tile, held, first, count, self.wgt_base)
            return
        if plan.reuse is Reuse.RESIDENT:
            self._load_weights(0, groups * self.passes)
        for tile in all_tiles:
            held = None
            for first, count in self.chunks():
                base = self.wgt_base
                if plan.reuse is Reuse.RESIDENT:
                    base += first * self.passes * self.n
                    if not plan.params_stay:
                        self.load_params(first, count)
                else:
                    self._load_chunk(first, count)
                    base = self.wgt_base
                held = held or self.load_input(tile, self.whole)
                self._compute(tile, held, first, count, base)

    def _load_chunk(self, first: int, count: int) -> None:
        if not self.plan.params_stay:
            self.load_params(first, count)
        self._load_weights(first * self.passes, count * self.passes)

    def _load_weights(self, block: int, blocks: int) -> None:
        self.wgt_base = self.load_weights(self.weights, block, blocks)

    def _sums(self) -> list[tuple[int, Piece, int]]:
        """(constant, piece, its first block) of all that adds up to one output block."""
        sums = []
        for constant in (self.weights,) if self.rest is None else (self.weights, self.rest):
            block = 0
            for piece in self.plan.pieces:
                sums.append((constant, piece, block))
                block += piece.kh * piece.kw * piece.cb
        return sums

    def _compute(self, tile: Tile, held: Input, first: int, count: int, wgt_base: int) -> None:
        base = self.program.allocate(None, tile.pixels * count)
        partner = self.load_partner(tile, first, count)
        config = self.program.config
        self.program.add(
            Conv(
                act_base=self.first_word(held),
                wgt_base=wgt_base % config.wgt_words,
                groups=count,
                tile=balanced(tile.pixels, config.acc_depth),
                out_base=base,
                out_pitch=count,
                par_base=self.par_of(first, first),
                clear=True,
                drain=True,
                **self.steps(tile, held, self.whole),
                **self.post,
                **partner,
            )
        )
        self.store(tile, first, count, base)

    def _emit_pieces(self) -> None:
        """The window in pieces that leave their sums in the accumulators, one output block at a time."""
        plan, sums = self.plan, self._sums()
        for tile in tiles(self.geometry, plan):
            held = None
            for first, count in self.chunks():
                if not plan.params_stay:
                    self.load_params(first, count)
                base = self.program.allocate(None, tile.pixels * count)
                partner = self.load_partner(tile, first, count)
                for group in range(first, first + count):
                    out: dict[str, Any] = {
                        "drain": True,
                        "out_base": (base + group - first) % self.program.config.out_words,
                        "out_pitch": count,
                        "par_base": self.par_of(group, first),
                        **self.post,
                    }
                    if partner:
                        res_base = (partner["res_base"] + group - first) % self.program.config.res_words
                        out |= {**partner, "res_base": res_base}
                    for number, (constant, piece, block) in enumerate(sums):
                        blocks = piece.kh * piece.kw * piece.cb
                        self.wgt_base = self.load_weights(constant, group * self.passes + block, blocks)
                        if plan.own_input:
                            held = self.load_input(tile, piece)
                        elif held is None:
                            held = self.load_input(tile, self.whole)
                        done = out if number == len(sums) - 1 else {}
                        self._compute_piece(tile, held, piece, number == 0, done)
                self.store(tile, first, count, base)

    def _compute_piece(
        self, tile: Tile, held: Input, piece: Piece, clear: bool, done: dict[str, Any]
    ) -> None:
        act_base = self.first_word(held)
        if not self.plan.own_input:
            # The whole window is there: start at the piece's first tap.
            row = held.pitch * held.cb
            act_base += piece.ky * held.y.dilation * row + piece.kx * held.x.dilation * held.cb + piece.c
        self.program.add(
            Conv(
                act_base=act_base % self.program.config.act_words,
                wgt_base=self.wgt_base,
                tile=tile.pixels,
                clear=clear,
                **self.steps(tile, held, piece),
                **done,
            )
        )
