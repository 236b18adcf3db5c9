"""A few tiles of a program as a program of their own: what their STOREs depend on, and nothing else.

What a STORE writes comes through the buffers from LOADs, CONVs and POOLs before it. They are found by walking
back from it: a command belongs to the slice if it was the last to write a buffer word that the slice reads.
DRAM ends the walk: each LOAD finds what it read in the whole run. Addresses are moved by multiples of a page,
so that every burst is cut as before; the tokens are made anew.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.memory import align
from compiler.program import AREA, Program
from models import footprint
from models.blocks import window_words
from models.config import Config
from models.isa import COMMAND_BYTES, PAGE, Command, Compute, Conv, Load, Store, Window
from models.trace import Trace

_ENGINES = ("load", "compute", "store")
_NO_TOKENS = {f"{verb}_{engine}": False for verb in ("wait", "signal") for engine in _ENGINES}


@dataclass(frozen=True)
class Slice:
    """dram: uint8, the image. base, length: of its program, in bytes and commands. numbers: of its commands
    without END in the program that it was cut from."""

    dram: NDArray[np.uint8]
    base: int
    length: int
    numbers: list[int]


def stores_of_layer(commands: Sequence[Command], layer: int) -> list[int]:
    """Numbers of a layer's STOREs: its tiles."""
    return [number for number, c in enumerate(commands) if isinstance(c, Store) and c.layer == layer]


def store_that_needs(commands: Sequence[Command], number: int, config: Config) -> int | None:
    """The first STORE whose slice contains a command; if none does, the next one; None at the end."""
    later = [at for at in range(number, len(commands)) if isinstance(commands[at], Store)]
    for store in later:
        if number in needed_by(commands, [store], config):
            return store
    return later[0] if later else None


def needed_by(commands: Sequence[Command], stores: Collection[int], config: Config) -> list[int]:
    """Numbers of these STOREs and of the commands that they depend on, in the program's order."""
    needed = {name: np.zeros(words, bool) for name, words in footprint.sizes(config).items()}
    bank = False  # sums of the CONV before are needed
    kept = []
    for number in range(max(stores), -1, -1):
        command = commands[number]
        if number < min(stores) and not bank and not any(words.any() for words in needed.values()):
            break
        wrote = list(footprint.writes(command, config))
        take = number in stores or any(needed[name][words].any() for name, words in wrote)
        if isinstance(command, Compute):
            take, bank = take or bank, False
        if not take:
            continue
        kept.append(number)
        for name, words in wrote:
            needed[name][words] = False
        for name, words in footprint.reads(command, config):
            needed[name][words] = True
        if isinstance(command, Conv):
            bank = not command.clear
    return kept[::-1]


def cut(trace: Trace, stores: Collection[int], config: Config) -> Slice:
    """The slice of these STOREs (numbers) of a program that the machine has run."""
    numbers = needed_by(trace.commands, stores, config)
    chosen = [trace.commands[number] for number in numbers]
    sources = _Moved([c for c in chosen if isinstance(c, Load)], config, 0)
    targets = _Moved([c for c in chosen if isinstance(c, Store)], config, AREA)
    program = Program(config, targets.size // config.n)
    for command in chosen:
        program.layer = command.layer
        if isinstance(command, Window):
            moved = sources if isinstance(command, Load) else targets
            command = replace(command, address=moved.address(command))
        program.add(replace(command, **_NO_TOKENS))
    binary = program.finish()
    base = align(sources.size, COMMAND_BYTES)
    area = align(base + len(program) * COMMAND_BYTES, PAGE)
    raw = binary.at(area)
    dram = np.zeros(area + targets.size, np.uint8)
    words = dram.reshape(-1, config.n)
    read = {part.command: part.data for part in trace.load}
    for number, command in zip(numbers, chosen, strict=True):
        if isinstance(command, Load):
            there = replace(command, address=sources.address(command))
            words[window_words(there, config)] = read[number]
    dram[base : base + len(raw)] = np.frombuffer(raw, np.uint8)
    return Slice(dram, base, len(program), numbers)


class _Moved:
    """New places, from `start` on, for the DRAM that some commands touch. size: bytes, whole pages."""

    def __init__(self, commands: Sequence[Window], config: Config, start: int) -> None:
        self.ranges: list[tuple[int, int, int]] = []  # first byte, byte after the last, its new place
        self.config = config
        self.size = 0
        spans = sorted(self._span(command) for command in commands)
        merged: list[list[int]] = []
        for first, end in spans:
            if merged and first <= align(merged[-1][1], PAGE):
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([first, end])
        for first, end in merged:
            place = self.size + first % PAGE
            self.ranges.append((first, end, start + place))
            self.size = align(place + end - first, PAGE)

    def _span(self, command: Window) -> tuple[int, int]:
        words = window_words(command, self.config)
        return int(words.min()) * self.config.n, (int(words.max()) + 1) * self.config.n

    def address(self, command: Window) -> int:
        """Where the command's window starts now."""
        first, _ = self._span(command)
        for start, end, place in self.ranges:
            if start <= first < end:
                return place + command.address - start
        raise AssertionError("a command of the slice has no place")
