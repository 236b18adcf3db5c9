"""What any program may do, sensible or not: its bursts, and how it may end. No data, no time.

The reference machine (models/machine.py) runs programs that mean something. A hostile one may race, wait
for tokens that never come, or be longer than anyone waits; its bursts are still those of its commands, in the
order of each engine. How far an engine gets may depend on time (how many commands the stages of a pipeline
hold), so there are two bounds: `strict` engines hold one command and need every token of it, also room for
those they give; `loose` ones hold any number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from models import blocks
from models.config import Config
from models.decode import decode
from models.isa import (
    ADDRESS_SPACE,
    COMMAND_BYTES,
    ID_FETCH,
    ID_LOAD,
    ID_STORE,
    PAGE,
    TOKEN_MAX,
    BadCommand,
    Cause,
    Command,
    Compute,
    Conv,
    End,
    Load,
    Pool,
    Window,
    Windows,
)
from models.machine import ENGINES, engine_of
from models.trace import Stop

QUEUE = 8  # commands of each engine's queue
_IDS = {"load": ID_LOAD, "store": ID_STORE}


@dataclass
class Stream:
    """Bursts of one AXI ID in order: byte addresses, beats, command numbers."""

    addresses: list[NDArray[np.int64]] = field(default_factory=list)
    beats: list[NDArray[np.int64]] = field(default_factory=list)
    commands: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, addresses: NDArray[np.int64], beats: NDArray[np.int64], command: int) -> None:
        self.addresses.append(addresses)
        self.beats.append(beats)
        self.commands.append(np.full(len(beats), command, np.int64))

    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Addresses, beats, command numbers: int64 [bursts]."""
        none = [np.zeros(0, np.int64)]
        first, second, third = (
            np.concatenate(parts or none) for parts in (self.addresses, self.beats, self.commands)
        )
        return first, second, third


@dataclass
class Forecast:
    """One bound. streams: by AXI ID. stops: errors that the core may report; which comes first is a matter of
    time. finished: END was reached and nothing is left to do. long: a command takes longer than the limit.
    waits: the bits of the watchdog's record for the tokens that commands wait for, if nothing can happen.
    executed: commands that began."""

    streams: tuple[Stream, Stream, Stream] = field(default_factory=lambda: (Stream(), Stream(), Stream()))
    stops: list[Stop] = field(default_factory=list)
    finished: bool = False
    long: bool = False
    waits: int = 0
    executed: list[Command] = field(default_factory=list)


def words_moved(command: Command) -> int:
    """Cycles that a command keeps its engine busy, at least."""
    if isinstance(command, Load):
        return blocks.load_size(command)
    if isinstance(command, Window):
        return command.run * command.count_x * command.count_y
    if isinstance(command, Conv):
        return command.groups * command.words_read
    if isinstance(command, Pool):
        return command.pixels * command.kh * command.kw * command.cb
    return 0


class _Run:
    def __init__(
        self,
        read: Callable[[int], bytes | None],
        base: int,
        length: int,
        config: Config,
        windows: Windows,
        limit: int,
        strict: bool,
    ) -> None:
        self.read, self.base, self.length = read, base, length
        self.config, self.windows, self.limit, self.strict = config, windows, limit, strict
        self.found = Forecast()
        self.queues: dict[str, deque[tuple[int, Command]]] = {engine: deque() for engine in ENGINES}
        self.tokens = dict.fromkeys(((a, b) for a in ENGINES for b in ENGINES), 0)
        self.closed: set[str] = set()
        self.next = 0
        self.ended = self.cut = False
        # Loose: commands that compute has read for and not written the results of.
        self.written: deque[tuple[int, Command]] = deque()

    def run(self) -> Forecast:
        while self._fetch() or any([self._engine(engine) for engine in ENGINES]) or self._post():
            pass
        found, idle = self.found, not any(self.queues.values()) and not self.written
        found.finished = self.ended and idle and not self.closed
        found.waits = self._waits()
        return found

    # --- fetch ----------------------------------------------------------------------------------------

    def _fetch(self) -> bool:
        """Hand out the next command. False if there is none or no room for it."""
        if self.ended or self.cut:
            return False
        number, address = self.next, (self.base + self.next * COMMAND_BYTES) % ADDRESS_SPACE
        if number == self.length:
            return self._cut(Stop(Cause.OVERRUN, address, ID_FETCH, number))
        if not self.windows.permits("read", address):
            return self._cut(Stop(Cause.READ_WINDOW, address, ID_FETCH, number))
        raw = self.read(address)
        if raw is None:  # the bus answers with an error, which is not a forecast's business
            return self._cut(None)
        try:
            command = decode(raw, self.config)
        except BadCommand as bad:
            return self._cut(Stop(bad.cause, address, ID_FETCH, number))
        if isinstance(command, End):
            self.ended = True
            return True
        queue = self.queues[engine_of(command)]
        if len(queue) == QUEUE:
            return False
        queue.append((number, command))
        self.next += 1
        return True

    def _cut(self, stop: Stop | None) -> bool:
        self.cut = True
        if stop:
            self.found.stops.append(stop)
        return False

    # --- engines --------------------------------------------------------------------------------------

    def _lacks(self, command: Command, others: tuple[str, ...] = ENGINES) -> bool:
        engine = engine_of(command)
        for other in others:
            if getattr(command, f"wait_{other}") and not self.tokens[other, engine]:
                return True
            full = self.strict and self.tokens[engine, other] >= TOKEN_MAX
            if getattr(command, f"signal_{other}") and full:
                return True
        return False

    def _move(self, command: Command, others: tuple[str, ...] = ENGINES) -> None:
        engine = engine_of(command)
        for other in others:
            self.tokens[other, engine] -= bool(getattr(command, f"wait_{other}"))
            self.tokens[engine, other] += bool(getattr(command, f"signal_{other}"))

    def _engine(self, engine: str) -> bool:
        queue = self.queues[engine]
        if not queue or engine in self.closed:
            return False
        number, command = queue[0]
        early = ("load",) if engine == "compute" and not self.strict else ENGINES
        if self._lacks(command, early):
            return False
        queue.popleft()
        self.found.executed.append(command)
        refused = isinstance(command, Window) and self._bursts(engine, number, command)
        if words_moved(command) > self.limit:
            self.found.long = True
            if self.strict:
                self.closed.add(engine)
        if refused:
            self.closed.add(engine)
        if engine in self.closed:
            return True
        self._move(command, early)
        if early != ENGINES:
            self.written.append((number, command))
        return True

    def _post(self) -> bool:
        """The results of compute's oldest command go to the output buffer."""
        if not self.written or self._lacks(self.written[0][1], ("store",)):
            return False
        self._move(self.written.popleft()[1], ("store",))
        return True

    def _bursts(self, engine: str, number: int, command: Window) -> bool:
        """Add a command's bursts, as far as anyone can see them. True if one lies outside its window."""
        row = command.run * command.count_x
        if row > self.limit:
            command = replace(command, count_x=-(-self.limit // command.run), count_y=1)
        elif row * command.count_y > self.limit:
            command = replace(command, count_y=-(-self.limit // row))
        addresses, beats = blocks.window_bursts(command, self.config)
        addresses = addresses % ADDRESS_SPACE
        direction = "read" if engine == "load" else "write"
        first, last = self.windows.read if engine == "load" else self.windows.write
        outside = np.flatnonzero((addresses < first) | (addresses >= last + PAGE))
        if len(outside):
            at = int(outside[0])
            cause = Cause.READ_WINDOW if direction == "read" else Cause.WRITE_WINDOW
            self.found.stops.append(Stop(cause, int(addresses[at]), _IDS[engine], number))
            addresses, beats = addresses[:at], beats[:at]
        self.found.streams[_IDS[engine]].add(addresses, beats, number)
        return bool(len(outside))

    def _waits(self) -> int:
        bits = 0
        for engine, other, bit in (
            ("load", "compute", 8),
            ("load", "store", 9),
            ("compute", "load", 10),
            ("compute", "store", 11),
            ("store", "compute", 12),
        ):
            heads = [command for _, command in list(self.queues[engine])[: engine not in self.closed]]
            if bit == 11:  # what it waits for once the words are read
                heads = [c for c in heads if self.strict and not self._lacks(c, ("load",))]
                heads += [command for _, command in list(self.written)[:1]]
            for head in heads:
                if getattr(head, f"wait_{other}") and not self.tokens[other, engine]:
                    bits |= 1 << bit
        return bits


def forecast(
    read: Callable[[int], bytes | None],
    base: int,
    length: int,
    config: Config,
    windows: Windows,
    limit: int,
    asked: int,
) -> tuple[Forecast, Forecast]:
    """The strict and the loose bound of a program.

    read: the 64 bytes at an address, or None where the bus has none. base: bytes; length: PROG_LEN, may be 0.
    limit: words after which nobody looks at a command any more. asked: fetch bursts that are of interest.
    """
    bounds = [_Run(read, base, length, config, windows, limit, strict).run() for strict in (True, False)]
    shown = min(length, (asked + 1) * 4)
    if shown:
        addresses, beats = blocks.fetch_bursts(base, shown, config)
        for address, count in zip((addresses % ADDRESS_SPACE).tolist(), beats.tolist(), strict=True):
            if not windows.permits("read", address):
                break
            number = (address - base) % ADDRESS_SPACE // COMMAND_BYTES
            for bound in bounds:
                bound.streams[ID_FETCH].add(np.array([address]), np.array([count]), number)
    return bounds[0], bounds[1]


def cycles_at_most(commands: list[Command], config: Config, latency: int, fetches: int = 0) -> int:
    """More cycles than these commands may take one after the other. latency: of a burst, with everything that
    the memory does to it. fetches: bursts of commands, also of those that never begin."""
    n, total = config.n, (4 + fetches) * latency
    for command in commands:
        total += latency + 4 * words_moved(command)
        if isinstance(command, Window):
            total += latency * command.count_x * command.count_y * (1 + command.run * n // PAGE)
            total += latency * (words_moved(command) // config.max_burst)
        elif isinstance(command, Compute):
            groups = blocks.groups_of(command)
            total += 64 * n * groups * command.pixels
            if isinstance(command, Conv):
                tiles = -(-command.pixels // command.tile)
                total += 4 * n * groups * tiles * command.weight_blocks
    return total
