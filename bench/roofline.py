"""How many cycles each layer should take: the three engines of the core as roofs, joined by the tokens.

Each command occupies its engine for as long as its port or the array needs for it, and starts when the engine
is free and its tokens have come. Nothing else of the RTL is in here, so what is measured beyond this is lost
in the core.

    load, store   a beat a cycle; a burst at least LATENCY / OUTSTANDING cycles; a store's token comes with
                  its last response
    conv          a pixel a cycle and pass, at least n: the time in which the next weights come; with windows
                  an input word a cycle
    pool          a tap a cycle
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

import numpy as np

from compiler.network import Compiled
from models.blocks import load_size, window_bursts
from models.isa import COMMAND_BYTES, Command, Compute, Config, Conv, Load, Store, Window, decode
from tb.chip.job import LATENCY

OUTSTANDING = 8
START = 200  # cycles from the start of a program to its first read address, fetch included
# From the array's last pixel to post's first word.
PIPELINE = 30

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
    ends, post = [], 0.0
    for command in commands:
        own = "load" if isinstance(command, Load) else "store" if isinstance(command, Store) else "compute"
        came = {other: tokens[other, own].popleft() for other in ENGINES if getattr(command, f"wait_{other}")}
        signals = dict.fromkeys(ENGINES, 0.0)
        if isinstance(command, Window):
            start = max(free[own], *came.values(), 0.0)
            begun = start + LATENCY if isinstance(command, Load) and start > free[own] else start
            free[own] = begun + _bus(command, config)
            end = free[own] + (LATENCY if isinstance(command, Store) else 0)
        else:
            assert isinstance(command, Compute)
            start = max(free[own], came.get("load", 0.0))
            free[own] = start + _array(command, config)
            post = max(free[own], post, came.get("store", 0.0)) + PIPELINE + _drained(command)
            end = post
            signals["load"] = free[own]
        for other in ENGINES:
            if getattr(command, f"signal_{other}"):
                tokens[own, other].append(signals[other] or end)
        ends.append(end)
    return ends


def _bus(command: Window, config: Config) -> float:
    """Cycles of a LOAD or STORE on its port, or in the buffer that it fills."""
    _, beats = window_bursts(command, config)
    cycles = float(np.maximum(beats, LATENCY / OUTSTANDING).sum())
    return max(cycles, load_size(command)) if isinstance(command, Load) else cycles


def _array(command: Compute, config: Config) -> float:
    """Cycles in which a CONV or POOL reads its buffers."""
    taps = command.kw * command.kh * command.cb
    if not isinstance(command, Conv):
        return command.pixels * taps
    if command.window:
        return command.groups * max(command.words_read, config.n)
    whole, rest = divmod(command.pixels, command.tile)
    tiles = whole * max(command.tile, config.n) + (max(rest, config.n) if rest else 0)
    return command.groups * taps * tiles


def _drained(command: Compute) -> float:
    """Words that post still has to write when the last has been read."""
    if not isinstance(command, Conv):
        return 1
    return (command.pixels - 1) % command.tile + 1 if command.drain else 0
