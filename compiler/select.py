"""Layers that only move channels: 1 x 1 convolutions with weights of 0 and 1 and an exact identity in post.

Tensors lie apart in DRAM, so an output block that takes channels of several adds up one CONV per tensor in
the accumulators: one output block and at most one bank of pixels at a time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.layer import SelectLayer
from compiler.memory import Memory
from compiler.program import AREA, Program
from compiler.schedule import Emitter, Input
from compiler.tile import COMMAND, Reuse, Tile, Tiling, parts, tile_sizes, tiles
from compiler.window import Piece, input_size
from models.config import PARAM_WORDS, Config
from models.isa import Conv


def plan_select(layer: SelectLayer, config: Config) -> Tiling | None:
    """The largest tile and chunk that fit, or None."""
    g, n = layer.geometry, config.n
    passes = [sum(len(part.weights) for part in block) for block in layer.parts]
    whole = Piece(0, 1, 0, 1, 0, g.cb)
    for share in (2, 1):
        for rows, columns in tile_sizes(g):
            pixels = rows * columns
            height, width = input_size(g, rows, columns, whole)
            if pixels > config.acc_depth or height * width * sum(layer.sizes) * share > config.act_words:
                continue
            for chunk in parts(g.groups):
                largest = max(sum(passes[i : i + chunk]) for i in range(0, g.groups, chunk))
                if pixels * chunk * share > config.out_words or largest * n * share > config.wgt_words:
                    continue
                if PARAM_WORDS > config.par_words:
                    continue
                count = -(-g.out_h // rows) * -(-g.out_w // columns)
                compute = count * sum(passes) * max(pixels, n)
                cycles = compute + count * sum(len(block) for block in layer.parts) * COMMAND
                pieces = (whole,)
                return Tiling(rows, columns, chunk, Reuse.TILE_OUTER, pieces, False, True, compute, cycles)
    return None


class SelectEmitter(Emitter):
    layer: SelectLayer

    def __init__(self, layer: SelectLayer, plan: Tiling, program: Program, memory: Memory) -> None:
        super().__init__(layer, plan, program, memory)
        blocks = [part.weights for block in layer.parts for part in block]
        self.weights = memory.add_constant(np.concatenate(blocks))
        self.addresses = [AREA + memory.offset(name) for name in layer.sources]

    def emit(self) -> None:
        """Append the commands."""
        # One record serves every output block.
        self.load_params(0, 1)
        resident = self.plan.chunk == self.geometry.groups
        wgt_base = self._load_chunk(0, self.geometry.groups) if resident else 0
        for tile in tiles(self.geometry, self.plan):
            held = [self._load_source(tile, number) for number in range(len(self.addresses))]
            for first, count in self.chunks():
                if not resident:
                    wgt_base = self._load_chunk(first, count)
                base = self.program.allocate(None, tile.pixels * count)
                self._compute(tile, held, first, count, wgt_base, base)
                self.store(tile, first, count, base)

    def _passes(self, first: int, count: int) -> int:
        return sum(len(part.weights) for block in self.layer.parts[first : first + count] for part in block)

    def _load_chunk(self, first: int, count: int) -> int:
        return self.load_weights(self.weights, self._passes(0, first), self._passes(first, count))

    def _load_source(self, tile: Tile, number: int) -> Input:
        cb = self.layer.sizes[number]
        geometry = replace(self.geometry, cb=cb)
        return self.load_from(self.addresses[number], geometry, tile, Piece(0, 1, 0, 1, 0, cb))

    def _compute(
        self, tile: Tile, held: list[Input], first: int, count: int, wgt_base: int, base: int
    ) -> None:
        config = self.program.config
        for group in range(first, first + count):
            block = self.layer.parts[group]
            for part in block:
                source = held[part.source]
                piece = Piece(0, 1, 0, 1, part.first, len(part.weights))
                done = {}
                if part is block[-1]:
                    done = {
                        "drain": True,
                        "out_base": (base + group - first) % config.out_words,
                        "out_pitch": count,
                        "par_base": self.par_base,
                        **self.post,
                    }
                self.program.add(
                    Conv(
                        act_base=self.first_word(source, part.first),
                        wgt_base=wgt_base % config.wgt_words,
                        tile=tile.pixels,
                        clear=part is block[0],
                        **self.steps(tile, source, piece),
                        **done,
                    )
                )
                wgt_base += len(part.weights) * self.n
