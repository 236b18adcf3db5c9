"""fetch: the program comes in bursts, is checked, and its commands go out in order until END or an error."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import cocotb

from models.config import Config
from models.decode import cause_of
from models.isa import COMMAND_BYTES, PAGE, Cause, Command, Conv, End, Load, Opcode, Store
from tb.agents.axi4 import Fault
from tb.agents.burst import DECERR, SLVERR
from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, fewer, lighter, some
from tb.common.commands import random_command, random_compute, random_window
from tb.common.watch import EngineError, Gate
from tb.fetch.env import FetchEnv, Handed
from tb.fetch.outcomes import AHEAD
from tb.fetch.scenarios import FAST, commands, quiet, stop_everywhere
from tb.fetch.stimulus import BAD, CALM, anywhere, bounds

BENCH = Bench(
    toplevel="npu_fetch",
    params=[
        {"N": 4, "ACC_DEPTH": 16, "LINE_WORDS": 64},
        {"N": 8, "ACC_DEPTH": 32, "LINE_WORDS": 8},
        {"N": 16, "ACC_DEPTH": 256, "LINE_WORDS": 256},
        {"N": 32, "ACC_DEPTH": 64, "LINE_WORDS": 512},
    ],
    timeout=120,
)


@cocotb.test()
@cocotb.parametrize(profile=some(range(3)))
async def fetch_hands_out_programs_in_order(dut: Any, profile: int) -> None:
    """Any length; with END, without (overrun), or with commands behind END, which must not appear."""
    async with start(FetchEnv, dut) as env:
        for _ in range(lighter(6, 1, 3)):
            program = commands(env, env.rng.choice((0, 1, 3, 4, 5, env.rng.randint(6, 25))))
            if env.rng.random() < 0.7:
                program += [End(stamp=True)]
                program += commands(env, env.rng.choice((0, 0, 1, 3, 12)))
            await env.execute(anywhere(env.rng), program)


@cocotb.test()
async def fetch_of_an_empty_program_is_an_overrun(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        await env.execute(anywhere(env.rng), [End()], 0)
        await env.execute(anywhere(env.rng), [End()])


@cocotb.test()
async def fetch_counts_beyond_a_byte(dut: Any) -> None:
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        program = [random_window(Load, env.rng, env.config)] * 300
        await env.execute(anywhere(env.rng), program)


@cocotb.test()
async def fetch_starts_no_burst_after_end(dut: Any) -> None:
    """END as first, second... command of a burst, and PROG_LEN says that there is much more."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        for before in range(lighter(12, 1, 3)):
            program = [*commands(env, before), End(), *commands(env, 30)]
            await env.execute(0x10000, program, env.rng.randint(len(program), 65535))
            # No more than the rest of END's own burst.
            await env.execute(0x10000, program, before // 4 * 4 + 4)


@cocotb.test()
async def fetch_cuts_its_bursts_at_pages(dut: Any) -> None:
    """Bursts of each size that end a page, a program, or both."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        for before, count in itertools.product(range(5), range(1, 5)):
            base = (env.rng.randrange(1, 1 << 20)) * PAGE - COMMAND_BYTES * (before or count)
            await env.execute(base, [*commands(env, before + count - 1), End()])
        await env.execute(anywhere(env.rng) // PAGE * PAGE, [*commands(env, 9), End()])


@cocotb.test()
async def fetch_reads_nothing_outside_its_window(dut: Any) -> None:
    """Programs that cross a page's end and windows that end there, or begin behind it, or hold nothing. What
    only would have been read ahead of END is no error."""
    async with start(FetchEnv, dut) as env:
        page = env.rng.randrange(1, 1 << 19) * PAGE
        for before in (1, 3, 4, 9):
            base = page + PAGE - 64 * before
            for length in (before - 1, before, before + 1, before + 12):
                env.set_window(page, page)
                await env.execute(base, [*commands(env, length), End(), *commands(env, 14)])
        for first, last in ((page + PAGE, page + PAGE), (0, page - PAGE), (page, page - PAGE)):
            env.set_window(first, last)
            await env.execute(page, [*commands(env, 2), End()])
        assert env.bursts.compared


@cocotb.test()
async def fetch_reads_eight_commands_ahead(dut: Any) -> None:
    """Engines that take nothing: exactly AHEAD commands are asked for, and all come out in the end."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        gate = Gate()
        for agent in env.engines.values():
            agent.sink.stalls = gate
        gate.closed = True
        await env.cycles(2)
        await env.start(0x4000, env.load_program(0x4000, [*commands(env, 30), End()]))
        await env.cycles(400)
        assert sum(burst.beats for burst in env.memory.bursts) * env.config.n == 64 * AHEAD
        gate.closed = False
        await env.finished()


@cocotb.test()
async def fetch_refuses_each_bad_field(dut: Any) -> None:
    """One rule at a time on a command that is otherwise good; what is just good passes."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        bad_here, good_here = bounds(env.config)
        for kind, fields in fewer(env.rng, [*BAD, *bad_here], 4):
            calm = CALM if kind is Conv else {}
            if kind is End:
                bad: Command = End(**fields)
            else:
                make = random_window if kind in (Load, Store) else random_compute
                bad = replace(make(kind, env.rng, env.config, **calm), **fields)
            assert cause_of(bad.encode(), env.config) == Cause.BAD_FIELD
            before = env.stops.compared
            await env.execute(
                anywhere(env.rng), [*commands(env, env.rng.choice((0, 1, 2, 2, 11))), bad, *commands(env, 3)]
            )
            assert env.stops.compared == before + 1
        good = [random_compute(Conv, env.rng, env.config, **CALM | fields) for fields in good_here]
        assert all(cause_of(command.encode(), env.config) is None for command in good)
        await env.execute(anywhere(env.rng), [*good, End()])


@cocotb.test()
async def fetch_agrees_with_isa_on_random_fields(dut: Any) -> None:
    """Good commands with a field or some bits changed: good or bad as models/isa.py says."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        rng = env.rng
        for _ in range(lighter(75, 1, 5)):
            raw = bytearray(random_command(rng, env.config).encode())
            for _ in range(rng.choice((1, 1, 3))):
                bit = rng.choice((rng.randrange(32), rng.randrange(512)))
                raw[bit // 8] ^= 1 << bit % 8
            if rng.random() < 0.3:
                word = rng.randrange(1, 10) * 4
                raw[word : word + 2] = bytes(rng.choice(((0, 0), (1, 0), (255, 255))))
            await env.execute(anywhere(rng), [bytes(raw), End()])


@cocotb.test()
async def fetch_refuses_unknown_opcodes(dut: Any) -> None:
    """Every opcode one bit away from a known one, and some others."""
    async with start(FetchEnv, dut, timing=FAST, stalls=False) as env:
        near = {int(op) ^ 1 << bit for op in Opcode for bit in range(8)} | {0, 5, 14, 16, 255}
        for opcode in fewer(env.rng, sorted(near - {int(op) for op in Opcode}), 4):
            bad = bytes([opcode]) + random_window(Load, env.rng, env.config).encode()[1:]
            await env.execute(
                anywhere(env.rng), [*commands(env, env.rng.choice((0, 1, 2, 2, 11))), bad, End()]
            )


@cocotb.test()
@cocotb.parametrize(resp=some([SLVERR, DECERR]))
async def fetch_reports_read_errors(dut: Any, resp: int) -> None:
    """Any beat of any burst; no command with a failed beat, or behind one, is handed out."""
    async with start(FetchEnv, dut) as env:
        beats = 4 * COMMAND_BYTES // env.config.n
        which = [None, 0, beats - 1, *(env.rng.randrange(1, beats - 1) for _ in range(3))]
        begin = env.rng.randrange(4)
        for turn, beat in enumerate(fewer(env.rng, which, 2)):
            first = len(env.memory.bursts)
            env.memory.faults[:] = [Fault(False, resp, first + (begin + turn) % 4, beat=beat)]
            env.memory.faults.append(Fault(False, SLVERR + DECERR - resp, first + 4))
            base = env.rng.randrange(1 << 18) * PAGE
            await env.execute(base, [*commands(env, 20), End()])


@cocotb.test()
async def fetch_works_after_reset_in_every_state(dut: Any) -> None:
    await stop_everywhere(dut, "reset_x_bus", lambda env: env.reset(env.rng.randint(1, 3)))


@cocotb.test()
async def fetch_halts_in_every_state(dut: Any) -> None:
    async def stop(env: FetchEnv) -> None:
        env.watch.halt()
        await env.cycles(2)
        env.memory.driver.timing = FAST
        await quiet(env)
        await env.cycles(5)
        await env.reset()

    await stop_everywhere(dut, "halt_x_bus", stop)


@cocotb.test()
async def fetch_stops_at_halt(dut: Any) -> None:
    """Halt at any cycle: no new burst, no command, and quiet comes; then a program runs as ever."""
    async with start(FetchEnv, dut) as env:
        for _ in range(lighter(7, 1, 3)):
            base = anywhere(env.rng)
            await env.start(base, env.load_program(base, [*commands(env, 30), End()]))
            await env.cycles(env.rng.randint(0, 120))
            env.watch.halt()
            await env.cycles(2)
            await quiet(env)
            await env.cycles(60)
            await env.reset()
            await env.execute(anywhere(env.rng), [*commands(env, 2), End()])


@cocotb.test()
async def fetch_works_after_reset_in_flight(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        for _ in range(lighter(7, 1, 3)):
            base = anywhere(env.rng)
            await env.start(base, env.load_program(base, [*commands(env, 20), End()]))
            await env.cycles(env.rng.randint(1, 150))
            await env.reset(env.rng.randint(1, 3))
            await env.cycles(env.rng.randint(0, 30))
            await env.execute(anywhere(env.rng), [*commands(env, 5), End()])


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_number(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        env.order.expect(Handed("load", 0, 0))
        await env.execute(0, [*commands(env, 3), End()])


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_changed_program(dut: Any) -> None:
    """A bit of the program in DRAM is not what the model was told."""
    async with start(FetchEnv, dut) as env:
        length = env.load_program(0, [*commands(env, 3), End()])
        env.noise.write(70, bytes([env.noise[slice(70, 71)][0] ^ 1]))
        await env.start(0, length)
        await env.finished()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_cause(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        env.noise.write(0, b"\0" * 128)
        env.config = Config(env.config.n)
        length = env.load_program(0, [End()])
        env.noise.write(0, b"\0")
        env.bursts.stop()
        env.bursts.actual.write = lambda burst: None
        await env.start(0, length)
        await env.finished()


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_an_error_that_is_not_reported(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        await env.execute(0, [*commands(env, 3), End()])
        env.stops.expect(Handed("load", 0, 0))


@cocotb.test(expect_error=EngineError)
async def bench_catches_a_burst_beyond_the_program(dut: Any) -> None:
    async with start(FetchEnv, dut) as env:
        length = env.load_program(0, [*commands(env, 8), End()])
        env.watch.allowed -= 1
        await env.start(0, length)
        await env.finished()


@cocotb.test(expect_error=Idle)
async def fetch_bench_without_a_program_fails(dut: Any) -> None:
    async with start(FetchEnv, dut):
        pass
