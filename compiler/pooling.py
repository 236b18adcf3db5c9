"""Commands of pooling layers: one POOL per tile and chunk of channels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from compiler.layer import PoolLayer
from compiler.memory import Memory
from compiler.program import Program
from compiler.schedule import Emitter, Input
from compiler.tile import Tile, Tiling, tiles
from compiler.window import Piece, taps_inside
from models.isa import Pool, PoolKind


class PoolEmitter(Emitter):
    layer: PoolLayer

    def __init__(self, layer: PoolLayer, plan: Tiling, program: Program, memory: Memory) -> None:
        if layer.counts:
            plan = replace(plan, params_stay=False)
        super().__init__(layer, plan, program, memory)

    def emit(self) -> None:
        plan, g = self.plan, self.geometry
        if plan.params_stay:
            self.load_params(0, g.groups)
        for tile, record in self._tiles():
            for first, count in self.chunks():
                if not plan.params_stay:
                    self.load_params(record + first, count)
                piece = Piece(0, g.kernel[0], 0, g.kernel[1], first, count)
                held = self.load_input(tile, piece)
                partner = self.load_partner(tile, first, count)
                base = self.program.allocate(None, tile.pixels * count)
                self._compute(tile, held, piece, base, partner)
                self.store(tile, first, count, base)

    def _tiles(self) -> Iterator[tuple[Tile, int]]:
        """Tiles, and the first of their parameter records: those of one number of taps, where it matters."""
        counts = self.layer.counts
        for tile in tiles(self.geometry, self.plan):
            if not counts:
                yield tile, 0
                continue
            for oy, rows, high in self._taps(0, tile.oy, tile.rows):
                for ox, columns, wide in self._taps(1, tile.ox, tile.columns):
                    yield Tile(oy, rows, ox, columns), counts.index(high * wide) * self.geometry.groups

    def _taps(self, axis: int, first: int, count: int) -> Iterator[tuple[int, int, int]]:
        """(first, how many, taps inside the tensor) of neighbouring outputs with as many taps inside."""
        inside = taps_inside(self.geometry, axis)
        for taps, same in groupby(range(first, first + count), key=lambda at: inside[at]):
            members = list(same)
            yield members[0], len(members), taps

    def _compute(self, tile: Tile, held: Input, piece: Piece, base: int, partner: dict[str, Any]) -> None:
        self.program.add(
            Pool(
                act_base=self.first_word(held),
                kind=self.layer.kind,
                bypass=self.layer.kind != PoolKind.SUM,
                out_base=base,
                out_pitch=piece.cb,
                par_base=self.par_of(piece.c, piece.c),
                x_stride=held.x.stride,
                y_stride=held.y.stride,
                **self._counted(held),
                **self.steps(tile, held, piece),
                **self.post,
                **partner,
            )
        )

    def _counted(self, held: Input) -> dict[str, Any]:
        """Which coordinates of the loaded tile count: those of the tensor, or the padding as well."""
        x, y = held.x, held.y
        if self.layer.padding_counts:
            return {"x_lo": 0, "x_hi": x.size, "y_lo": 0, "y_hi": y.size}
        # No window that leaves padding out starts beyond the tensor, so nothing was skipped.
        assert x.skip == y.skip == 0
        return {"x_lo": x.before, "x_hi": x.before + x.count, "y_lo": y.before, "y_hi": y.before + y.count}
