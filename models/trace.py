"""What a run of the reference machine predicts: bursts, order of commands, counters, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.isa import Cause, Command, Conv, Pool


@dataclass(frozen=True)
class Burst:
    """One AXI burst. direction: "read" or "write"; address: bytes; command: number in the program."""

    direction: str
    id: int
    address: int
    beats: int
    data: bytes
    command: int
    layer: int


@dataclass(frozen=True)
class CommandBursts:
    """All bursts of one command (for fetch: one burst), kept as arrays because there are many.

    addresses, beats: int64 [k]. data: uint8 [sum of beats, n], the beats of all bursts in order.
    """

    direction: str
    id: int
    command: int
    layer: int
    addresses: NDArray[np.int64]
    beats: NDArray[np.int64]
    data: NDArray[np.uint8]

    def __iter__(self) -> Iterator[Burst]:
        first = 0
        for address, beats in zip(self.addresses.tolist(), self.beats.tolist(), strict=True):
            data = self.data[first : first + beats].tobytes()
            yield Burst(self.direction, self.id, address, beats, data, self.command, self.layer)
            first += beats


@dataclass(frozen=True)
class Stop:
    """The error record: cause, address (bytes), AXI id, command number."""

    cause: Cause
    address: int
    id: int
    command: int


@dataclass
class Trace:
    """The result of Machine.run.

    commands: all commands up to END or to the first that is refused. fetch, load, store: bursts in the order
    of their AXI ID. stop: the error record, None when the program ended with END. With a stop the real core
    gets less far: then its bursts are, per ID, a prefix of these (fetch: plus the one that failed).
    executed: command numbers in the order in which the machine executed them. in_program_order: no command
    had to wait for a token of a later one, so that the program runs with command queues of any depth.
    """

    commands: list[Command] = field(default_factory=list)
    fetch: list[CommandBursts] = field(default_factory=list)
    load: list[CommandBursts] = field(default_factory=list)
    store: list[CommandBursts] = field(default_factory=list)
    executed: list[int] = field(default_factory=list)
    stop: Stop | None = None

    @property
    def in_program_order(self) -> bool:
        return self.executed == sorted(self.executed)

    def bursts(self, axi_id: int) -> Iterator[Burst]:
        """Bursts of one AXI ID (0 fetch, 1 load, 2 store), in order."""
        for command in (self.fetch, self.load, self.store)[axi_id]:
            yield from command

    def counters(self) -> dict[str, int]:
        """CSR counters that do not depend on timing: busy, pool, {read,write}_{bytes,bursts}."""
        reads = self.fetch + self.load
        executed = [self.commands[number] for number in self.executed]
        return {
            "busy": sum(c.groups * c.pixels * c.kh * c.kw * c.cb for c in executed if isinstance(c, Conv)),
            "pool": sum(c.pixels * c.kh * c.kw * c.cb for c in executed if isinstance(c, Pool)),
            "read_bytes": sum(c.data.size for c in reads),
            "write_bytes": sum(c.data.size for c in self.store),
            "read_bursts": sum(len(c.beats) for c in reads),
            "write_bursts": sum(len(c.beats) for c in self.store),
        }
