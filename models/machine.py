"""The reference machine: executes a program from a DRAM image and predicts everything that can be compared.

Same commands, same bytes, same results as the core, but no time: commands run one after the other, in program
order as far as the tokens allow. That is the core's result exactly when no two accesses race; models/races.py
checks it. The arithmetic is in models/blocks.py.

    trace = Machine(config).run(dram, prog_base, prog_len)      # dram is updated in place
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models import blocks, footprint
from models.config import Config
from models.decode import decode
from models.isa import (
    ADDRESS_SPACE,
    COMMAND_BYTES,
    ID_FETCH,
    ID_LOAD,
    ID_STORE,
    TOKEN_MAX,
    BadCommand,
    Cause,
    Command,
    Compute,
    Conv,
    Dest,
    End,
    Load,
    Pool,
    Store,
    Window,
    Windows,
)
from models.order import LOADED, READ, STORED, WRITTEN, Clock, Order
from models.races import RaceCheck, RaceError, UndefinedError
from models.trace import CommandBursts, Stop, Trace

ENGINES = ("load", "compute", "store")
# Kind of event (models/order.py) after which an engine signals another.
_SIGNAL_KIND = {
    ("load", "compute"): LOADED,
    ("compute", "load"): READ,
    ("compute", "store"): WRITTEN,
    ("store", "load"): STORED,
    ("store", "compute"): STORED,
}
_OUTSIDE = {"read": Cause.READ_WINDOW, "write": Cause.WRITE_WINDOW}
_DECERR = {"read": Cause.READ_DECERR, "write": Cause.WRITE_DECERR}


class DeadlockError(Exception):
    """Every engine waits for a token that nobody will send; the core would end with its watchdog."""


def engine_of(command: Command) -> str:
    """The engine that executes a command: load, compute or store."""
    if isinstance(command, Load):
        return "load"
    return "store" if isinstance(command, Store) else "compute"


@dataclass
class _State:
    """One program run: buffers, tokens under way, clocks."""

    dram: NDArray[np.uint8]  # [words, n]
    program: tuple[int, int]  # DRAM words [first, last)
    buffers: dict[int, NDArray[np.uint8]]
    out: NDArray[np.uint8]
    faults: Mapping[tuple[str, int], Cause]
    windows: Windows
    closed: set[str] = field(default_factory=set)  # engines that met a burst outside their window
    trace: Trace = field(default_factory=Trace)
    order: Order = field(default_factory=Order)
    races: RaceCheck | None = None
    bank: NDArray[np.int32] | None = None  # sums of a CONV without drain
    tokens: dict[tuple[str, str], deque[Clock]] = field(
        default_factory=lambda: {pair: deque() for pair in _SIGNAL_KIND}
    )


class Machine:
    """The core at the level of commands.

    check_races: refuse programs whose result depends on timing (RaceError) and reads of buffer words that the
    program has not written (UndefinedError).
    """

    def __init__(self, config: Config, *, check_races: bool = True) -> None:
        self.config = config
        self.check_races = check_races

    def run(
        self,
        dram: NDArray[np.uint8],
        prog_base: int,
        prog_len: int,
        faults: Mapping[tuple[str, int], Cause] | None = None,
        windows: Windows | None = None,
    ) -> Trace:
        """Execute one program; `dram` (uint8, one dimension, a multiple of n bytes) is updated in place.

        prog_base: bytes, multiple of 64; prog_len: commands. faults: AXI errors by (direction, burst
        address); a burst beyond the end of dram is a DECERR by itself. windows: what the program may touch,
        everything unless given; an engine does nothing more from its first burst outside on.
        Raises DeadlockError, RaceError, UndefinedError; errors that the core reports are in Trace.stop. Of
        several, the first in the program is kept: which comes first in time is not defined. Nor is how far
        the engines get until they stop, so the machine goes on and predicts all that may be seen.
        """
        state = self._state(dram, prog_base, prog_len, faults or {}, windows or Windows())
        self._fetch(state, prog_base, prog_len)
        self._execute(state)
        return state.trace

    def _state(
        self,
        dram: NDArray[np.uint8],
        base: int,
        length: int,
        faults: Mapping[tuple[str, int], Cause],
        windows: Windows,
    ) -> _State:
        config = self.config
        if dram.dtype != np.uint8 or dram.ndim != 1 or dram.size % config.n:
            raise ValueError(f"dram must be uint8 of one dimension and a multiple of {config.n} bytes")
        if base % COMMAND_BYTES or length < 1:
            raise ValueError(f"a program starts at a multiple of 64 and has a command: {base:#x}, {length}")
        tables = 2 * config.table_words
        sizes = (config.act_words, config.wgt_words, config.par_words, tables, config.res_words)
        state = _State(
            dram=dram.reshape(-1, config.n),
            program=(base // config.n, (base + length * COMMAND_BYTES) // config.n),
            buffers={dest: np.zeros((size, config.n), dtype=np.uint8) for dest, size in enumerate(sizes)},
            out=np.zeros((config.out_words, config.n), dtype=np.uint8),
            faults=faults,
            windows=windows,
        )
        if self.check_races:
            races = RaceCheck()
            buffers = footprint.sizes(config)
            for dest in Dest:
                reader = READ if dest in (Dest.ACT, Dest.WGT) else WRITTEN
                races.add(footprint.NAMES[dest], buffers[footprint.NAMES[dest]], LOADED, reader)
            races.add(footprint.OUTPUT, config.out_words, WRITTEN, STORED)
            races.add("DRAM", len(state.dram), STORED, LOADED, must_be_written=False)
            state.races = races
        return state

    # --- fetch ----------------------------------------------------------------------------------------

    def _fetch(self, state: _State, base: int, length: int) -> None:
        """Read and check commands up to END or to what stops the program."""
        trace, number = state.trace, 0
        addresses, counts = blocks.fetch_bursts(base, length, self.config)
        for address, beats in zip(addresses.tolist(), counts.tolist(), strict=True):
            cause = self._response(state, "read", address, beats)
            if cause is not None:
                trace.stop = Stop(cause, address, ID_FETCH, number)
                return
            first = address // self.config.n
            data = state.dram[first : first + beats].copy()
            where = (np.array([address]), np.array([beats]))
            trace.fetch.append(CommandBursts("read", ID_FETCH, number, 0, *where, data))
            raw = data.tobytes()
            for at in range(0, len(raw), COMMAND_BYTES):
                try:
                    command = decode(raw[at : at + COMMAND_BYTES], self.config)
                except BadCommand as bad:
                    trace.stop = Stop(bad.cause, address + at, ID_FETCH, number)
                    return
                trace.commands.append(command)
                if isinstance(command, End):
                    return
                number += 1
        trace.stop = Stop(Cause.OVERRUN, base + length * COMMAND_BYTES, ID_FETCH, length)

    def _response(self, state: _State, direction: str, address: int, beats: int) -> Cause | None:
        if not state.windows.permits(direction, address):
            return _OUTSIDE[direction]
        if (address // self.config.n) + beats > len(state.dram):
            return _DECERR[direction]
        return state.faults.get((direction, address))

    # --- order ----------------------------------------------------------------------------------------

    def _execute(self, state: _State) -> None:
        ended = state.trace.stop is None
        queues: dict[str, deque[int]] = {engine: deque() for engine in ENGINES}
        for number, command in enumerate(state.trace.commands):
            if not isinstance(command, End):
                queues[engine_of(command)].append(number)
        while True:
            heads = [queue[0] for queue in queues.values() if queue]
            ready = [number for number in heads if not self._blocked(state, number)]
            if not ready:
                break
            number = min(ready)
            queues[engine_of(state.trace.commands[number])].popleft()
            self._run_command(state, number)
            state.trace.executed.append(number)
            for engine in state.closed:
                queues[engine].clear()
        if heads and ended and not state.closed:
            reasons = [f"command {n} {self._blocked(state, n)}" for n in sorted(heads)]
            raise DeadlockError("; ".join(reasons))

    def _blocked(self, state: _State, number: int) -> str:
        """Why a command cannot run now, or an empty string."""
        command = state.trace.commands[number]
        engine, name = engine_of(command), command.opcode.name
        for other in ENGINES:
            if getattr(command, f"wait_{other}") and not state.tokens[other, engine]:
                return f"({name}, {engine}) waits for a token from {other}"
            if getattr(command, f"signal_{other}") and len(state.tokens[engine, other]) == TOKEN_MAX:
                return f"({name}, {engine}) has no room for its token to {other}: {TOKEN_MAX} are not taken"
        return ""

    def _take(self, state: _State, command: Command, other: str) -> list[Clock]:
        if not getattr(command, f"wait_{other}"):
            return []
        return [state.tokens[other, engine_of(command)].popleft()]

    def _run_command(self, state: _State, number: int) -> None:
        command = state.trace.commands[number]
        engine = engine_of(command)
        numbers = state.races.numbers if state.races else ([], [], [], [])
        if isinstance(command, Load):
            tokens = self._take(state, command, "compute") + self._take(state, command, "store")
            numbers[LOADED].append(number)
            self._load(state, number, command, state.order.load(tokens))
        elif isinstance(command, Store):
            numbers[STORED].append(number)
            self._store(state, number, command, state.order.store(self._take(state, command, "compute")))
        elif isinstance(command, Compute):
            numbers[READ].append(number)
            numbers[WRITTEN].append(number)
            clocks = state.order.compute(
                self._take(state, command, "load"), self._take(state, command, "store")
            )
            self._compute(state, number, command, *clocks)
        for other in ENGINES:
            if getattr(command, f"signal_{other}") and engine not in state.closed:
                end = state.order.last(_SIGNAL_KIND[engine, other])
                state.tokens[engine, other].append(end)

    # --- engines --------------------------------------------------------------------------------------

    def _bursts(
        self, state: _State, number: int, command: Window, direction: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        config = self.config
        addresses, beats = blocks.window_bursts(command, config)
        windowed = state.windows != Windows()
        if windowed or state.faults or np.any(addresses + beats * config.n > state.dram.size):
            for at, (address, count) in enumerate(zip(addresses.tolist(), beats.tolist(), strict=True)):
                cause = self._response(state, direction, address, count)
                stop = state.trace.stop
                if cause is not None and (stop is None or number < stop.command):
                    axi_id = ID_LOAD if direction == "read" else ID_STORE
                    state.trace.stop = Stop(cause, address % ADDRESS_SPACE, axi_id, number)
                if cause == _OUTSIDE[direction]:
                    state.closed.add(engine_of(command))
                    return addresses[:at], beats[:at]
        return addresses, beats

    def _load(self, state: _State, number: int, command: Load, start: Clock) -> None:
        where = self._bursts(state, number, command, "read")
        words = blocks.window_words(command, self.config)
        inside = words < len(state.dram)
        data = state.dram[np.where(inside, words, 0)]
        data[~inside] = 0
        if "load" in state.closed:
            sent = data[: int(where[1].sum())]
            state.trace.load.append(CommandBursts("read", ID_LOAD, number, command.layer, *where, sent))
            return
        targets, values = blocks.load_writes(command, self.config, data)
        if state.races:
            index = len(state.order.ends[LOADED]) - 1
            state.races.reads(number, "DRAM", words[inside], start, index)
            state.races.writes(number, footprint.NAMES[Dest(command.dest)], targets, start, index)
        state.buffers[command.dest][targets] = values
        state.trace.load.append(CommandBursts("read", ID_LOAD, number, command.layer, *where, data))

    def _store(self, state: _State, number: int, command: Store, start: Clock) -> None:
        where = self._bursts(state, number, command, "write")
        sent = int(where[1].sum())
        words = blocks.window_words(command, self.config)[:sent]
        inside = words < len(state.dram)
        sources = blocks.store_reads(command, self.config)[:sent]
        if state.races:
            index = len(state.order.ends[STORED]) - 1
            first, last = state.program
            if np.any((words >= first) & (words < last)):
                raise RaceError(number, "writes into the program while fetch may read it")
            state.races.reads(number, footprint.OUTPUT, sources, start, index)
            state.races.writes(number, "DRAM", words[inside], start, index)
        data = state.out[sources]
        state.dram[words[inside]] = data[inside]
        state.trace.store.append(CommandBursts("write", ID_STORE, number, command.layer, *where, data))

    def _compute(self, state: _State, number: int, command: Compute, reads: Clock, writes: Clock) -> None:
        config, act = self.config, state.buffers[Dest.ACT]
        if state.races:
            self._check_compute(state, state.races, number, command, reads, writes)
        if isinstance(command, Conv):
            values = blocks.conv_sums(command, config, act, state.buffers[Dest.WGT])
            if not command.clear:
                if state.bank is None or state.bank.shape != values.shape:
                    raise UndefinedError(number, "adds to sums that no CONV of the same size has left behind")
                values = (values.astype(np.int64) + state.bank).astype(np.int32)
            elif state.bank is not None:
                raise UndefinedError(number, "drops the sums that the CONV before it has left behind")
            state.bank = None if command.drain else values
            if not command.drain:
                return
        else:
            assert isinstance(command, Pool)
            if state.bank is not None:
                raise UndefinedError(number, "drops the sums that the CONV before it has left behind")
            values = blocks.pool_results(command, config, act)
        try:
            out = blocks.post_words(
                command,
                config,
                values,
                state.buffers[Dest.PAR],
                state.buffers[Dest.TABLE],
                state.buffers[Dest.RES],
            )
        except ValueError as error:
            raise UndefinedError(number, str(error)) from error
        state.out[blocks.out_addresses(command, config)] = out.view(np.uint8)

    def _check_compute(
        self, state: _State, races: RaceCheck, number: int, command: Compute, reads: Clock, writes: Clock
    ) -> None:
        index = len(state.order.ends[READ]) - 1
        for name, words in footprint.reads(command, self.config):
            races.reads(number, name, words, reads, index)
        for name, words in footprint.writes(command, self.config):
            races.writes(number, name, words, writes, index)
