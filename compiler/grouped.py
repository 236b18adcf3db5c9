"""Depthwise and grouped convolutions: each output block needs its own few input blocks.

Chunk by chunk (a range of output blocks), and for each chunk tile by tile: weights and input channels of a
chunk are loaded once. A CONV command covers neighbouring output blocks that see the same input blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from compiler.layer import GroupedLayer
from compiler.memory import Memory
from compiler.program import Program
from compiler.schedule import Emitter, Input
from compiler.tile import COMMAND, Reuse, Tile, Tiling, input_cycles, parts, store_cycles, tile_sizes, tiles
from compiler.window import Piece, balanced, input_size
from models.config import PARAM_WORDS, Config
from models.isa import Conv


def plan_grouped(layer: GroupedLayer, config: Config) -> Tiling | None:
    """The cheapest cut, or None when not even one output block and pixel fit."""
    for share in (2, 1):
        plans = list(_rate(layer, config, share))
        if plans:
            return min(plans, key=lambda plan: plan.cycles)
    return None


def seen(layer: GroupedLayer, first: int, count: int) -> tuple[int, int]:
    """(first, how many) of the input blocks that a range of output blocks sees."""
    low, high = layer.starts[first], layer.starts[first + count - 1] + layer.depth
    return low, high - low


def _rate(layer: GroupedLayer, config: Config, share: int) -> Iterator[Tiling]:
    """Every legal cut that leaves `share` places of its size in each buffer."""
    g, n = layer.geometry, config.n
    (kh, kw), groups = g.kernel, g.groups
    taps = kh * kw * layer.depth
    params_stay = groups * PARAM_WORDS * share <= config.par_words
    for chunk in parts(groups):
        if chunk * taps * n * share > config.wgt_words:
            continue
        if not params_stay and chunk * PARAM_WORDS * share > config.par_words:
            continue
        firsts = range(0, groups, chunk)
        blocks = max(seen(layer, first, min(chunk, groups - first))[1] for first in firsts)
        piece = Piece(0, kh, 0, kw, 0, blocks)
        for rows, columns in tile_sizes(g):
            height, width = input_size(g, rows, columns, piece)
            if height * width * blocks * share > config.act_words:
                continue
            if rows * columns * chunk * share > config.out_words:
                continue
            count = -(-g.out_h // rows) * -(-g.out_w // columns) * len(firsts)
            banks = -(-rows * columns // config.acc_depth)
            compute = count * chunk * taps * banks * max(-(-rows * columns // banks), n)
            act = input_cycles(g, (height, width), piece)
            out = store_cycles(g, rows, columns, chunk)
            load = act * count + groups * taps * n
            cycles = max(load, compute, out * count) + count * (2 + chunk) * COMMAND + act + out
            yield Tiling(
                rows, columns, chunk, Reuse.CHUNK_OUTER, (piece,), False, params_stay, compute, cycles
            )


class GroupedEmitter(Emitter):
    layer: GroupedLayer

    def __init__(self, layer: GroupedLayer, plan: Tiling, program: Program, memory: Memory) -> None:
        super().__init__(layer, plan, program, memory)
        self.weights = memory.add_constant(layer.weights)
        self.taps = self.geometry.kernel[0] * self.geometry.kernel[1] * layer.depth

    def emit(self) -> None:
        """Append the commands."""
        g, (kh, kw) = self.geometry, self.geometry.kernel
        if self.plan.params_stay:
            self.load_params(0, g.groups)
        for first, count in self.chunks():
            if not self.plan.params_stay:
                self.load_params(first, count)
            wgt_base = self.load_weights(self.weights, first * self.taps, count * self.taps)
            low, blocks = seen(self.layer, first, count)
            for tile in tiles(g, self.plan):
                held = self.load_input(tile, Piece(0, kh, 0, kw, low, blocks))
                base = self.program.allocate(None, tile.pixels * count)
                for group, same in self._runs(first, count):
                    self._compute(tile, held, first, count, group, same, low, wgt_base, base)
                self.store(tile, first, count, base)

    def _runs(self, first: int, count: int) -> Iterator[tuple[int, int]]:
        """(first, how many) of output blocks that see the same input blocks."""
        for _, same in groupby(range(first, first + count), key=lambda group: self.layer.starts[group]):
            members = list(same)
            yield members[0], len(members)

    def _compute(
        self,
        tile: Tile,
        held: Input,
        first: int,
        pitch: int,
        group: int,
        groups: int,
        low: int,
        wgt_base: int,
        base: int,
    ) -> None:
        """Output blocks [group, group + groups) of the chunk that starts at block `first`."""
        config, (kh, kw) = self.program.config, self.geometry.kernel
        piece = Piece(0, kh, 0, kw, 0, held.cb)
        steps = self.steps(tile, held, piece) | {"cb": self.layer.depth}
        self.program.add(
            Conv(
                act_base=self.first_word(held, self.layer.starts[group] - low),
                wgt_base=(wgt_base + (group - first) * self.taps * self.n) % config.wgt_words,
                groups=groups,
                tile=balanced(tile.pixels, config.acc_depth),
                out_base=(base + group - first) % config.out_words,
                out_pitch=pitch,
                par_base=self.par_of(group, first),
                clear=True,
                drain=True,
                **steps,
                **self.post,
            )
        )
