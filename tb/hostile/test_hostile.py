"""Hostile programs on the chip: it ends them, says why, stays inside its windows, and runs the next one."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from models.isa import (
    ID_FETCH,
    ID_LOAD,
    ID_STORE,
    PAGE,
    TOKEN_MAX,
    Cause,
    Command,
    Conv,
    End,
    Load,
    Pool,
    Store,
    Windows,
)
from models.trace import Stop
from tb.bench import light, params, seed
from tb.chip import host, hostile_sim
from tb.chip.host import PERIOD_NS
from tb.chip.hostile import PUBLIC
from tb.chip.hostile_sim import CALM, LIMIT, Arena, Result, Wrong, fight, summary
from tb.chip.mutate import Faults, Hostile
from tb.chip.session import Session, bench
from tb.common.cores import HOSTILE
from tb.common.cover import Hits, counted
from tb.hostile.coverage import CHANNELS, COVERAGE
from tb.hostile.fields import FIELDS, variant

BENCH = bench([*HOSTILE.values()], public=PUBLIC, timeout=600)
SIZE = HOSTILE["n4"]["MEM_WORDS"] * 4  # DRAM, bytes; all cores have as much
LOG = Path("hostile.jsonl")
NAMES = ("AR", "R", "AW", "W", "B")


@cocotb.test()
async def hostile_programs_end_and_the_next_one_is_right(dut: Any) -> None:
    """Mutated and random programs, faults, late memory, stops and resets, each judged by the forecast."""
    session = await Session.open(dut)
    results: list[Result] = []
    count, least = (10, 3) if light() else (150, 6)
    for first in range(0, 20 * count, count):  # few programs may all end alike
        results += await fight(session, seed(), first, count, LOG)
        last, ends = results[-1], summary(results)
        if last.failure or len(ends) >= least:
            break
    assert not last.failure, f"program {last.index} ({last.what}): {last.failure}\n  repeat: {again(last)}"
    with counted(COVERAGE) as hits:
        for result in results:
            hits.sample(end=result.cause)
            hits.sample(result.good, recovered=result.cause)
            for name in result.what.split("+"):
                hits.sample(mutation=name)
    assert len(ends) >= least, f"programs ended in too few ways: {ends}"
    dut._log.info(f"{sum(r.commands for r in results)} commands: {dict(ends)}")


def again(result: Result) -> str:
    """The command that repeats one program."""
    core = next(name for name, parameters in HOSTILE.items() if parameters["N"] == params()["N"])
    options = f"--count 1 --first {result.index} --seed {seed()} --core {core}"
    return f".venv/bin/python -m tb.chip.hostile {options}"


@cocotb.test()
async def hostile_memory_is_waited_for(dut: Any) -> None:
    """Good programs with data later by thousands of cycles, and with a stall on one channel only."""
    arena = await Arena.open(await Session.open(dut), seed())
    faults = [Faults(stall=230, stall_on=1 << channel) for channel in range(5)]
    faults += [] if light() else [Faults(latency=3000, jitter=2000)]
    for index, fault in enumerate(faults):
        await arena.good_program(index, fault)
    with counted(COVERAGE) as hits:
        for channel in CHANNELS:
            hits.sample(stalled=channel)


# ---------------------------------------------------------------- every field, every window, every error


def program_of(commands: Sequence[Command], windows: Windows | None = None, faults: Faults = CALM) -> Hostile:
    """A program on page 0, which it may read but not write."""
    windows = windows or Windows((0, SIZE - PAGE), (PAGE, SIZE - PAGE))
    length = len(commands) + 1
    return Hostile("directed", memory_of(commands), 0, length, length, windows, faults)


async def fought(arena: Arena, program: Hostile, hits: Hits) -> Result:
    """Run and judge one program, and a good one behind it."""
    result = Result(0, program.what, -1, program.commands, 0)
    await arena.fight(program, result)
    await arena.good_program(0)
    hits.sample(end=result.cause, recovered=result.cause)
    return result


@cocotb.test()
async def hostile_fields_are_refused_or_carried_out(dut: Any) -> None:
    """Each field of each command out of its range, which must be refused, and elsewhere in it."""
    arena = await Arena.open(await Session.open(dut), seed())
    rng = random.Random(seed())
    fields = rng.sample(FIELDS, 12) if light() else FIELDS
    with counted(COVERAGE) as hits:
        for (op, name), good in product(fields, (False, True)):
            command = variant(op, name, good, arena.session.config, rng)
            if command is None:
                continue
            result = Result(0, f"{op}.{name}", -1, 2, 0)
            await arena.fight(program_of([command]), result)
            assert (result.cause == Cause.BAD_FIELD) != good, f"{command}: {Cause(result.cause)!r}"
            hits.sample(field=f"{op}.{name}", range="in" if good else "out")
        await arena.good_program(0)


@cocotb.test()
async def hostile_errors_are_named_one_by_one(dut: Any) -> None:
    """Each response on the bus and each side of each window, for each engine that can meet it."""
    arena = await Arena.open(await Session.open(dut), seed())
    last = SIZE - PAGE
    load, store = Load(address=2 * PAGE, run=4), Store(address=2 * PAGE, run=4)
    everything = (0, last)
    with counted(COVERAGE) as hits:
        for engine, side, command, read, write in (
            (ID_FETCH, "below", load, (PAGE, last), everything),
            (ID_LOAD, "above", load, (0, PAGE), everything),
            (ID_LOAD, "below", replace(load, address=0), (0, last), everything),
            (ID_STORE, "above", store, everything, (PAGE, PAGE)),
            (ID_STORE, "below", store, everything, (3 * PAGE, last)),
        ):
            cause = Cause.WRITE_WINDOW if engine == ID_STORE else Cause.READ_WINDOW
            program = program_of([command], Windows(read, write))
            if (engine, side) == (ID_LOAD, "below"):  # the program itself lies above
                program = moved(program, 4 * PAGE, Windows((2 * PAGE, last), (PAGE, 2 * PAGE)))
            result = await fought(arena, program, hits)
            assert result.cause == cause, f"{engine} {side}: {Cause(result.cause)!r}"
            hits.sample(engine=engine, side=side)
        high = moved(program_of([load]), 4 * PAGE, Windows((0, 3 * PAGE), everything))
        assert (await fought(arena, high, hits)).cause == Cause.READ_WINDOW
        hits.sample(engine=ID_FETCH, side="above")
        for resp, (way, nth) in product((2, 3), (("read", 0), ("read", 1), ("write", 0))):
            faults = Faults(fault=(way, nth, None, resp))
            result = await fought(arena, program_of([load, store], faults=faults), hits)
            first = Cause.WRITE_SLVERR if way == "write" else Cause.READ_SLVERR
            assert result.cause == first + resp - 2, f"{way} {nth}: {Cause(result.cause)!r}"
        for end, program in (
            (Cause.OVERRUN, replace(program_of([load]), length=1)),
            (Cause.STOPPED, replace(program_of([CONV] * 20), stop_at=40)),
            (Cause.WATCHDOG, program_of([Load(wait_store=True)])),
            (Cause.BAD_OPCODE, without_opcode(program_of([load]))),
            (Cause.BAD_FIELD, program_of([replace(load, run=0)])),
            (-1, replace(program_of([CONV] * 20), reset_at=40)),
            (0, program_of([load])),
        ):
            result = await fought(arena, program, hits)
            assert result.cause == end, f"{result.cause}, not {end!r}"


def moved(program: Hostile, base: int, windows: Windows) -> Hostile:
    """The same program at another address, within other windows."""
    memory = np.roll(program.memory, base)
    return replace(program, memory=memory, base=base, windows=windows)


def without_opcode(program: Hostile) -> Hostile:
    memory = program.memory.copy()
    memory[0] = 0
    return replace(program, memory=memory)


# ---------------------------------------------------------------- what the watchdog says

POOL = Pool(bypass=True, x_hi=1, y_hi=1)
CONV = Conv(out_w=4, clear=True, drain=True)
WAITS: tuple[tuple[Sequence[Command], int, int], ...] = (
    # Commands, the bits of ERR_ADDR, ERR_CMD.
    ([POOL, Load(wait_compute=True)], 1 << 8, 1),
    ([Load(wait_store=True)], 1 << 9, 0),
    ([Load(wait_compute=True, wait_store=True)], 1 << 8 | 1 << 9, 0),
    ([POOL, POOL, replace(POOL, wait_load=True)], 1 << 10, 2),
    ([replace(POOL, wait_store=True)], 1 << 11, 0),
    ([replace(CONV, wait_store=True)], 1 << 11, 0),
    ([Load(), Store(wait_compute=True)], 1 << 12, 1),
    ([Load(wait_compute=True), Store(wait_compute=True)], 1 << 8 | 1 << 12, 0),
    ([Store(wait_compute=True), replace(POOL, wait_load=True)], 1 << 10 | 1 << 12, 1),
    ([Load(signal_compute=True)] * (TOKEN_MAX + 1), 1 << 16, 0),
    ([replace(POOL, signal_load=True)] * (TOKEN_MAX + 1), 1 << 17, 0),
    ([replace(POOL, signal_store=True)] * (TOKEN_MAX + 1), 1 << 17, 0),
    ([replace(CONV, out_w=1, signal_load=True)] * (TOKEN_MAX + 1), 1 << 17, 0),
    ([Store(address=0x4000, signal_load=True)] * (TOKEN_MAX + 1), 1 << 5 | 1 << 18, TOKEN_MAX),
    ([Store(address=0x4000, signal_compute=True)] * (TOKEN_MAX + 1), 1 << 5 | 1 << 18, TOKEN_MAX),
)


def saw(waits: int, channel: str = "") -> None:
    """Count what the watchdog named, and the channel that never answered."""
    with counted(COVERAGE) as hits:
        for bit in range(32):
            if waits >> bit & 1:
                hits.sample(wait=bit)
        if channel:
            hits.sample(never=channel)


def memory_of(commands: Sequence[Command]) -> np.ndarray:
    """DRAM with a program at 0."""
    memory = np.zeros(SIZE, np.uint8)
    raw = b"".join(command.encode() for command in (*commands, End()))
    memory[: len(raw)] = np.frombuffer(raw, np.uint8)
    return memory


@cocotb.test()
async def hostile_waits_for_a_token_are_named(dut: Any) -> None:
    """A token that never comes, for each wait and each channel; a 64th token that nobody takes."""
    session = await Session.open(dut)
    await Arena.open(session, seed())
    for commands, waits, number in WAITS:
        await session.load(memory_of(commands))
        await session.host.write(host.WATCHDOG, 500)
        record = await session.host.run(0, len(commands) + 1, 50_000)
        want = Stop(Cause.WATCHDOG, waits, 0, number)
        assert record is not None and vars(record) == vars(want), f"{commands[-1]}: {record}, not {want}"
        await session.traffic()
        saw(waits)


@cocotb.test()
async def hostile_memory_that_never_answers_is_named(dut: Any) -> None:
    """One channel stands still for good. The record is there while the core waits for its bursts to end, and
    the program ends as soon as they do."""
    arena = await Arena.open(await Session.open(dut), seed())
    core, memory = arena.host, arena.memory
    load = Load(address=0x2000, run=4)
    stores = [Store(address=0x4000, run=16), Store(address=0x5000)]
    for commands, channel, late, waits, number in (
        ([load], "AR", False, 1 << 0 | 1 << 1, 0),
        ([load], "R", False, 1 << 1, 0),
        ([POOL, POOL, load], "R", True, 1 << 2, 2),
        ([load, *stores], "AW", False, 1 << 3 | 1 << 4 | 1 << 5, 1),
        ([load, *stores], "W", False, 1 << 4 | 1 << 5, 1),
        ([load, *stores], "B", False, 1 << 5, 1),
    ):
        await arena.session.load(memory_of(commands))
        arena.behave(Faults(stall=0 if late else 256, stall_on=1 << NAMES.index(channel)))
        await core.write(host.WATCHDOG, 400)
        memory.latency.value = 60
        await core.start(0, len(commands) + 1)
        if late:
            # The program is one burst: its answer has ended, the load's has not begun.
            await Timer((86 + 256 // arena.session.config.n) * PERIOD_NS, "ns")
            memory.stall.value = 256
        await Timer(1500 * PERIOD_NS, "ns")
        assert await core.read(host.STATUS) == 1, f"{channel}: not busy although a burst is under way"
        found = await core.read(host.ERR_CAUSE), await core.read(host.ERR_ADDR), await core.read(host.ERR_CMD)
        want = (Cause.WATCHDOG, waits, number)
        assert found == want, f"{channel}: {found[0]}, {found[1]:#x}, {found[2]}, not {want}"
        arena.behave(Faults())
        record = await core.finish(10_000)
        assert record is not None and record.cause == Cause.WATCHDOG
        saw(waits, channel.lower())
        await arena.session.traffic()
        await arena.good_program(0)


# ---------------------------------------------------------------- twins


async def fails(session: Session, text: str) -> None:
    """Some program of a few must be found to have won, in these words."""
    results = await fight(session, seed(), 0, 300, LOG)
    assert text in results[-1].failure, f"{len(results)} programs, last {results[-1].failure!r}, not {text!r}"


@cocotb.test()
async def hostile_bench_catches_a_wrong_cause(dut: Any) -> None:
    """The record says another cause than the core's."""
    session = await Session.open(dut)
    finish = session.host.finish

    async def wrong(limit: int = 0) -> Any:
        record = await finish(limit)
        other = {Cause.BAD_FIELD: Cause.BAD_OPCODE, Cause.READ_WINDOW: Cause.WRITE_WINDOW}
        other |= {Cause.OVERRUN: Cause.READ_WINDOW, Cause.WRITE_WINDOW: Cause.READ_WINDOW}
        return record and replace(record, cause=other.get(record.cause, record.cause))

    session.host.finish = wrong  # type: ignore[method-assign]
    await fails(session, "but may stop with")


@cocotb.test()
async def hostile_bench_catches_an_access_outside_the_windows(dut: Any) -> None:
    """A core that checks nothing: its windows are wide open."""
    session = await Session.open(dut)
    allow = session.host.allow

    async def everything(windows: Windows) -> None:
        await allow(Windows())

    session.host.allow = everything  # type: ignore[method-assign]
    await fails(session, "outside")


@cocotb.test()
async def hostile_bench_catches_a_hang(dut: Any) -> None:
    """No watchdog, and a core that does not hear the host's stop."""
    session = await Session.open(dut)
    write, drained = session.host.write, hostile_sim.DRAINED

    async def deaf(addr: int, data: int) -> None:
        if addr == host.CTRL and data == host.STOP:
            return
        await write(addr, 0 if addr == host.WATCHDOG else data)

    session.host.write = deaf  # type: ignore[method-assign]
    hostile_sim.DRAINED = 1000
    try:
        await fails(session, "hangs")
    finally:
        hostile_sim.DRAINED = drained


@cocotb.test()
async def hostile_bench_catches_a_slow_core(dut: Any) -> None:
    """The host's patience ends long before a program of one load can."""
    arena = await Arena.open(await Session.open(dut), seed())
    finish = arena.host.finish

    async def early(limit: int = 0) -> Any:
        return await finish(10 if limit == LIMIT else limit)

    arena.host.finish = early  # type: ignore[method-assign]
    result = Result(0, "one load", -1, 2, 0)
    try:
        await arena.fight(program_of([Load(address=2 * PAGE, run=4)]), result)
    except Wrong as wrong:
        assert f"not done after {LIMIT} cycles" in str(wrong)
    else:
        raise AssertionError(f"ended with {result.cause}, and nothing was found")


@cocotb.test()
async def hostile_bench_catches_a_burst_of_no_command(dut: Any) -> None:
    """A forecast without the last burst of any load."""
    session = await Session.open(dut)
    forecast = hostile_sim.forecast

    def short(*given: Any) -> Any:
        bounds = forecast(*given)
        for bound in bounds:
            stream = bound.streams[1]
            stream.addresses = [part[:-1] for part in stream.addresses]
            stream.beats = [part[:-1] for part in stream.beats]
        return bounds

    hostile_sim.forecast = short  # type: ignore[assignment]
    try:
        await fails(session, "load burst")
    finally:
        hostile_sim.forecast = forecast


@cocotb.test()
async def hostile_bench_catches_a_core_that_is_not_ready(dut: Any) -> None:
    """A bit of the good program's data is wrong: what comes of it must not pass as ready."""
    session = await Session.open(dut)
    load = session.load

    async def spoilt(image: np.ndarray) -> None:
        image = image.copy()
        image[: image.size // 2] ^= 1
        await load(image)

    async def skip(program: Hostile, result: Result) -> None:
        result.cause = 1

    arena = await Arena.open(session, seed())
    session.load = spoilt  # type: ignore[method-assign]
    arena.fight = skip  # type: ignore[method-assign]
    result = await arena.one(0)
    assert "the good program behind it" in result.failure, result.failure
