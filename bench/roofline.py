"""How many cycles each layer should take: the engines of the core as roofs, joined by the tokens.

Each command occupies its engine for as long as its port, the array or post needs for it, and starts when the
engine is free and its tokens have come. Nothing else of the RTL is in here, so what is measured beyond this
is lost in the core.

    load, store   a beat a cycle; a burst at least LATENCY / OUTSTANDING cycles; a store's token comes with
                  its last response
    conv          a pixel a cycle and pass, at least n: the time in which the next weights come; with windows
                  an input word a cycle; a tile waits for the accumulator bank of the tile before the last
    pool          a tap a cycle
    post          a word a cycle; between two tiles its pipeline runs empty and it reads the next record
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

from compiler.network import Compiled
from models.blocks import load_size, window_bursts
from models.config import PARAM_WORDS, Config
from models.decode import decode
from models.isa import COMMAND_BYTES, Command, Compute, Conv, Load, Pool, PoolKind, Store, Window
from tb.chip.job import LATENCY

OUTSTANDING = 8
READ_QUEUE = 1  # cycles that a word is in npu_read_mux
START = 200  # cycles from the start of a program to its first read address, fetch included
# Cycles of rtl/post/npu_post.v: from a word of sums to the word in the output buffer, without and with an
# element operator; from there to the next descriptor; from the record's last word to the first sum.
PIPELINE, ELEMENT_PIPELINE = 7, 12
DONE, READY = 2, 2
FULL = 4  # from the read of a tile's last word to its bank's flag
FIRST = 4  # from a token to the first weight of an array that was idle
DIVIDE = 9  # of a result of average pooling

ENGINES = ("load", "compute", "store")


def predict(compiled: Compiled) -> list[int]:
    """Cycles of each layer of the first program: from the end of the layer before it to its own end."""
    base, length = compiled.programs[0]
    raw = compiled.dram[base : base + length * COMMAND_BYTES].tobytes()
    commands = [
        decode(raw[at : at + COMMAND_BYTES], compiled.config) for at in range(0, len(raw), COMMAND_BYTES)
    ]
    ends = _ends(commands[:-1], compiled.config)
    last = [max(ends[number] for number in layer.commands) for layer in compiled.layers]
    return [int(after - before) for before, after in pairwise([0, *last])]


def _ends(commands: list[Command], config: Config) -> list[float]:
    """Cycle at which each command is done."""
    free = dict.fromkeys(ENGINES, float(START))  # when an engine can take its next command
    tokens: dict[tuple[str, str], deque[float]] = {(a, b): deque() for a in ENGINES for b in ENGINES}
    # A LOAD may ask for its first word while the one before it is filled in, not earlier.
    loads = deque([float(START)] * 2, maxlen=2)
    ends, post = [], Post(config)
    for command in commands:
        own = "load" if isinstance(command, Load) else "store" if isinstance(command, Store) else "compute"
        came = {other: tokens[other, own].popleft() for other in ENGINES if getattr(command, f"wait_{other}")}
        signals = dict.fromkeys(ENGINES, 0.0)
        if isinstance(command, Window):
            start = max(came.values(), default=0.0)
            if isinstance(command, Load):
                start = max(start, loads[0]) + LATENCY + READ_QUEUE
            free[own] = max(free[own], start) + _bus(command, config)
            end = free[own]
            if isinstance(command, Load):
                loads.append(end)
            else:
                end += LATENCY
        else:
            assert isinstance(command, Compute)
            start = free[own]
            if came.get("load", 0.0) > start:
                start = came["load"] + FIRST + (config.n if isinstance(command, Conv) else 0)
            room = came.get("store", 0.0)
            if isinstance(command, Conv):
                free[own], end = _conv(command, start, room, post)
            else:
                assert isinstance(command, Pool)
                free[own], end = _pool(command, start, room, post)
            signals["load"] = free[own]
        for other in ENGINES:
            if getattr(command, f"signal_{other}"):
                tokens[own, other].append(signals[other] or end)
        ends.append(end)
    return ends


class Post:
    """What follows the array and the pool: when it can take a tile's first word, when it has the last."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.free = 0.0
        self.released: deque[float] = deque([0.0, 0.0], maxlen=2)  # when each accumulator bank was drained

    def ready(self, command: Compute, started: float) -> float:
        """For the first word of a tile whose first operand was read at `started`."""
        record = 0 if command.bypass else PARAM_WORDS
        record += self.config.elem_words if command.elem else 0
        return max(self.free, started) + record + READY

    def drain(self, command: Compute, last: float) -> float:
        """Take a tile, the last word of which comes at `last`; returns when it is in the output buffer."""
        end = last + PIPELINE + (ELEMENT_PIPELINE if command.elem else 0)
        self.free = end + DONE
        return end


def _conv(command: Conv, start: float, store: float, post: Post) -> tuple[float, float]:
    """Cycles at which the array has read a CONV's last word, and post has written its last.

    store: when the output buffer has room.
    """
    whole, rest = divmod(command.pixels, command.tile)
    end = start
    for pixels in ([command.tile] * whole + ([rest] if rest else [])) * command.groups:
        if command.drain:
            start = max(start, post.released[0])
        began, start = start, start + _reads(command, pixels, post.config)
        if command.drain:
            last = max(start + FULL, post.ready(command, began), store) + pixels
            post.released.append(last)
            end = post.drain(command, last)
    return start, end if command.drain else start


def _reads(command: Conv, pixels: int, config: Config) -> float:
    """Cycles in which the array reads what a tile of so many pixels is made of."""
    if command.window:
        return max(command.words_read * pixels / command.pixels, config.n)
    return command.kw * command.kh * command.cb * max(pixels, config.n)


def _pool(command: Pool, start: float, store: float, post: Post) -> tuple[float, float]:
    """The same for a POOL, which hands post a tile per channel block."""
    taps = command.kw * command.kh
    pace = max(taps, DIVIDE if command.kind == PoolKind.AVERAGE else 1)
    end = start
    for _ in range(command.cb):
        first = max(start + taps, post.ready(command, start), store)
        start = first + (command.pixels - 1) * pace
        end = post.drain(command, start + 1)
    return start, end


def _bus(command: Window, config: Config) -> float:
    """Cycles of a LOAD or STORE on its port, or in the buffer that it fills."""
    _, beats = window_bursts(command, config)
    cycles = float(np.maximum(beats, (LATENCY + beats) / OUTSTANDING).sum())
    return max(cycles, load_size(command)) if isinstance(command, Load) else cycles
