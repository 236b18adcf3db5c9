"""Inside the simulator: hostile programs on one chip, each judged (tb/chip/hostile.py)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import SimTimeoutError, Timer

from models.forecast import Forecast, cycles_at_most, forecast
from models.isa import ID_FETCH, ID_LOAD, ID_STORE, PAGE, Cause
from models.trace import Stop, Trace
from tb.agents.memory_log import BurstTable
from tb.bench import params, seed
from tb.chip import host
from tb.chip.campaign import LOG, jobs, log
from tb.chip.host import PERIOD_NS, ErrorRecord
from tb.chip.mutate import BASES, Faults, Hostile, base_image, fill, hostile
from tb.chip.programs import Image
from tb.chip.score import ProgramScore
from tb.chip.session import Session

LIMIT = 8000  # cycles after which the host stops a program
LATE = 8 * 5000  # more, when the memory is late
WATCHDOG = 2000
DRAINED = 200_000  # cycles within which a program must have ended that was told to stop
NEVER = 2**32 - 1
CALM = Faults()
NAMES = {ID_FETCH: "fetch", ID_LOAD: "load", ID_STORE: "store"}
TOKEN_BITS = 0x1F00


class Wrong(AssertionError):
    """A hostile program got the better of the core, or of the forecast."""


@dataclass
class Result:
    """One program. cause: 0 for done, -1 after a reset."""

    index: int
    what: str
    cause: int
    commands: int
    bursts: int
    good: bool = False  # a known good program ran after it
    failure: str = ""


class Arena:
    """A chip for hostile programs."""

    def __init__(self, session: Session, first_seed: int) -> None:
        self.session, self.seed = session, first_seed
        self.host, self.memory = session.host, session.host.dut.u_system.u_memory
        self.size = params()["MEM_WORDS"] * session.config.n
        self.bases: dict[int, Image] = {}
        self.good: dict[int, Trace] = {}

    @classmethod
    async def open(cls, session: Session, first_seed: int) -> Arena:
        """With every word of the core's memories written."""
        arena, commands = cls(session, first_seed), fill(session.config)
        memory = np.zeros(arena.size, np.uint8)
        raw = b"".join(command.encode() for command in commands)
        memory[: len(raw)] = np.frombuffer(raw, np.uint8)
        await session.load(memory)
        arena.behave(CALM)
        record = await session.host.run(0, len(commands), 100_000)
        assert record is None, f"the program that fills the buffers: {record}"
        await session.traffic()
        return arena

    def base(self, index: int) -> Image:
        """A good program."""
        slot = index % BASES
        if slot not in self.bases:
            self.bases[slot] = base_image(self.seed, slot, self.session.config, self.size)
        return self.bases[slot]

    async def one(self, index: int) -> Result:
        """Run and judge hostile program `index`; a good one after it if it ended badly, else now and then."""
        rng = np.random.default_rng([self.seed, 1000 + index])
        program = hostile(rng, self.base(index), self.session.config, self.size)
        result = Result(index, program.what, -1, program.commands, 0)
        try:
            await self.fight(program, result)
            if result.cause or index % 4 == 0:
                await self.good_program(index)
                result.good = True
        except Wrong as wrong:
            result.failure = str(wrong)
        return result

    # --- the hostile one ------------------------------------------------------------------------------

    async def fight(self, program: Hostile, result: Result) -> None:
        """Run one program and judge it: raises Wrong."""
        session, core = self.session, self.host
        await session.load(program.memory)
        await core.allow(program.windows)
        late = program.faults.latency > WATCHDOG // 4
        self.behave(program.faults)
        watchdog = 4 * program.faults.latency if late else WATCHDOG
        await core.write(host.WATCHDOG, watchdog)
        await core.start(program.base, program.length)
        if program.reset_at is not None:
            await Timer(program.reset_at * PERIOD_NS, "ns")
            await core.reset()
            table = await self._traffic()
            _inside(table, program)
            return
        limit = LIMIT + LATE if late else LIMIT
        record, stopped = await self._finish(program.stop_at or limit)
        table = await self._traffic()
        result.bursts = len(table)
        result.cause = int(record.cause) if record else 0
        _inside(table, program)
        self._judge(program, record, stopped and program.stop_at is None, table, limit, watchdog)

    def behave(self, faults: Faults) -> None:
        """What the memory does from now on."""
        memory = self.memory
        memory.latency.value, memory.jitter.value = faults.latency, faults.jitter
        memory.stall.value, memory.stall_on.value = faults.stall, faults.stall_on
        memory.err_read.value = memory.err_write.value = NEVER
        memory.err_beat.value = 0x1FF
        if faults.fault:
            kind, nth, beat, resp = faults.fault
            before = int(getattr(memory, f"{kind}_count").value)
            getattr(memory, f"err_{kind}").value = before + nth
            memory.err_resp.value = resp
            memory.err_beat.value = 0x1FF if beat is None or kind == "write" else beat

    async def _finish(self, limit: int) -> tuple[ErrorRecord | None, bool]:
        """The end of the program, and whether the host had to stop it."""
        try:
            return await self.host.finish(limit), False
        except SimTimeoutError:
            await self.host.write(host.CTRL, host.STOP)
        try:
            return await self.host.finish(DRAINED), True
        except SimTimeoutError as error:
            raise Wrong("hangs: no end after the host's stop") from error

    async def _traffic(self) -> BurstTable:
        try:
            return await self.session.traffic()
        except host.HostError as error:
            raise Wrong(str(error)) from error

    def _judge(
        self,
        program: Hostile,
        record: ErrorRecord | None,
        stopped: bool,
        table: BurstTable,
        limit: int,
        watchdog: int,
    ) -> None:
        """stopped: by the host after `limit` cycles, not when the program says. watchdog: its cycles."""
        first, last = program.windows.write
        end = program.base + 64 * program.length
        if first < end and last + PAGE > program.base and np.any(table.write):
            return  # it may have written into itself: nobody knows what it was
        asked = int(np.count_nonzero(table.id == ID_FETCH))
        strict, loose = forecast(
            program.read, program.base, program.length, self.session.config, program.windows, limit, asked
        )
        failed = _compare(loose, table)
        _check_end(record, stopped, strict, loose, failed)
        if record is None or record.cause != Cause.STOPPED or not stopped or strict.long:
            return
        faults = program.faults
        one = 300 + 2 * (faults.latency + faults.jitter)
        most = cycles_at_most(loose.executed, self.session.config, one * (8 if faults.stall else 1), asked)
        if not strict.finished:
            most += watchdog  # it may have waited for good, and not yet for long enough
        if most < limit:
            raise Wrong(f"not done after {limit} cycles; it should take {most} at most")

    # --- the good one ---------------------------------------------------------------------------------

    async def good_program(self, index: int, faults: Faults = CALM) -> None:
        """A known program, burst for burst."""
        session, image = self.session, self.base(index + 1)
        await session.load(image.dram)
        self.behave(faults)
        await self.host.write(host.WATCHDOG, 0x100000)
        slot = (index + 1) % BASES
        if slot not in self.good:
            memory = image.dram.copy()
            self.good[slot] = session.machine.run(memory, image.base, image.length, windows=session.windows)
        try:
            error = await self.host.run(image.base, image.length, 1_000_000)
        except SimTimeoutError as late:
            raise Wrong("the good program behind it hangs") from late
        table = await self._traffic()
        score = ProgramScore()
        score.compare(self.good[slot], table)
        if error or score.mismatches or not score.bursts:
            found = error or (score.mismatches[0] if score.mismatches else "nothing to compare")
            raise Wrong(f"the good program behind it: {found}")


def _inside(table: BurstTable, program: Hostile) -> None:
    """No access outside the windows, by the log of the bus alone."""
    n = table.reads.shape[1]
    for write, (first, last) in ((False, program.windows.read), (True, program.windows.write)):
        rows = table.write == write
        start = table.addr[rows].astype(np.int64)
        end = start + table.beats[rows] * n
        bad = np.flatnonzero((start < first) | (end > last + PAGE))
        if len(bad):
            raise Wrong(f"access to {int(start[bad[0]]):#x} outside {first:#x} to {last:#x}")


def _compare(loose: Forecast, table: BurstTable) -> list[Stop]:
    """Every burst is one that the program may send, in the order of its ID. Returns the errors on the bus as
    the core should report them."""
    failed = []
    for axi_id, stream in enumerate(loose.streams):
        rows = np.flatnonzero(table.id == axi_id)
        addresses, beats, commands = stream.columns()
        count = len(rows)
        same = count <= len(beats) and np.array_equal(table.addr[rows], addresses[:count])
        if not same or not np.array_equal(table.beats[rows], beats[:count]):
            shown = [(hex(int(table.addr[r])), int(table.beats[r])) for r in rows]
            want = [(hex(int(a)), int(b)) for a, b in zip(addresses[:count], beats[:count], strict=True)]
            at = next((i for i in range(min(len(want), count)) if want[i] != shown[i]), len(want))
            raise Wrong(f"{NAMES[axi_id]} burst {at}: {shown[at : at + 1]}, not {want[at : at + 1]}")
        if np.any(table.write[rows] != (axi_id == ID_STORE)) or not np.all(
            table.full[rows] | ~table.write[rows]
        ):
            raise Wrong(f"{NAMES[axi_id]}: a burst of the wrong kind, or with holes")
        for at in np.flatnonzero(table.resp[rows]).tolist():
            first = Cause.WRITE_SLVERR if axi_id == ID_STORE else Cause.READ_SLVERR
            cause = Cause(first + int(table.resp[rows[at]]) - 2)
            failed.append(Stop(cause, int(addresses[at]), axi_id, int(commands[at])))
    if np.any(table.id > ID_STORE):
        raise Wrong("a burst with an unknown ID")
    return failed


def _check_end(
    record: ErrorRecord | None, stopped: bool, strict: Forecast, loose: Forecast, failed: list[Stop]
) -> None:
    """Whether the program could end like that."""
    may = f"may stop with {loose.stops + failed}, finished {strict.finished} to {loose.finished}"
    if record is None:
        if not loose.finished or strict.stops or failed:
            raise Wrong(f"done, but {may}")
        return
    cause = record.cause
    if cause == Cause.STOPPED:
        if (record.address, record.id, record.command) != (0, 0, 0):
            raise Wrong(f"{record}")
    elif cause == Cause.WATCHDOG:
        if strict.finished or strict.stops or failed or strict.long:
            raise Wrong(f"{record}, but {may}, long {strict.long}")
        if strict.waits == loose.waits and record.address & TOKEN_BITS != strict.waits:
            raise Wrong(f"{record}: waits {record.address:#x}, expected {strict.waits:#x}")
    else:
        stop = Stop(cause, record.address, record.id, record.command)
        if stop not in loose.stops and stop not in failed:
            raise Wrong(f"{record}, but {may}")
        if cause in (Cause.READ_WINDOW, Cause.WRITE_WINDOW) and any(f.id == record.id for f in failed):
            raise Wrong(f"{record}, but a burst before it had failed: {failed}")


async def fight(session: Session, first_seed: int, first: int, count: int, path: Path) -> list[Result]:
    """Programs [first, first + count) of a seed, each in the log, up to a failure."""
    results = []
    arena = await Arena.open(session, first_seed)
    for index in range(first, first + count):
        result = await arena.one(index)
        results.append(result)
        log(vars(result), path)
        if result.failure:
            break
    return results


def summary(results: list[Result]) -> Counter[str]:
    """How often programs ended how."""
    names = {-1: "reset", 0: "done"}
    return Counter(names.get(r.cause) or Cause(r.cause).name for r in results)


@cocotb.test()
async def hostile_programs(dut: Any) -> None:
    """Failures are in the log; the runner reports them."""
    session = await Session.open(dut)
    programs = jobs()
    await fight(session, seed(), programs.start, len(programs), LOG)
