"""load: LOAD commands become bursts in order, and the buffer gets their data and padding in order."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import cocotb

from models.isa import Dest, Load
from tb.agents.axi4 import Fault, MemoryTiming
from tb.agents.burst import DECERR, SLVERR
from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, fewer, lighter, quick, some
from tb.common import scenarios
from tb.common.commands import Windows, random_window, random_windows
from tb.common.watch import EngineError, Gate
from tb.load.coverage import STATES
from tb.load.env import LoadEnv

BENCH = Bench(
    toplevel="npu_load",
    params=[
        {"N": 4, "MAX_BURST": 4, "LOG_OUTSTANDING": 1},
        {"N": 16, "MAX_BURST": 64, "LOG_OUTSTANDING": 3},
        {"N": 4, "MAX_BURST": 256, "LOG_OUTSTANDING": 2},
    ],
    public=[("npu_load", "*"), ("npu_load_fill", "state")],
)


@cocotb.test()
@cocotb.parametrize(profile=some(range(3)))
async def load_matches_model_under_random_pace(dut: Any, profile: int) -> None:
    async with start(LoadEnv, dut) as env:
        commands = Windows(Load, env.rng, env.config)
        await env.run(commands.draw() for _ in range(lighter(15, 1, 4)))
        await env.drained()


@cocotb.test()
async def load_pads_into_every_buffer(dut: Any) -> None:
    async with start(LoadEnv, dut) as env:
        commands = Windows(Load, env.rng, env.config, words=12)
        for dest, rows, columns in itertools.product(Dest, (0, 1), (0, 1)):
            pads = {"pad_top": rows, "pad_bottom": rows, "pad_left": columns, "pad_right": columns}
            await env.run([commands.draw(dest=int(dest), **pads)])
        await env.drained()


@cocotb.test()
async def load_fills_padding_with_pad_value(dut: Any) -> None:
    sides = ("pad_top", "pad_bottom", "pad_left", "pad_right")
    async with start(LoadEnv, dut) as env:
        for mask in range(16):
            pads = {side: env.rng.choice((1, 2, 5)) if mask >> i & 1 else 0 for i, side in enumerate(sides)}
            shape = {"run": env.rng.choice((1, 3)), "count_x": env.rng.choice((1, 2))}
            await env.run(
                [random_window(Load, env.rng, env.config, count_y=env.rng.choice((1, 2)), **shape, **pads)]
            )
        await env.drained()


@cocotb.test()
async def load_honours_wide_counts(dut: Any) -> None:
    """Each count alone is larger than a byte, and so are runs and rows beside a few of the other."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        one = {
            "run": 1,
            "count_x": 1,
            "count_y": 1,
            "pad_top": 0,
            "pad_bottom": 0,
            "pad_left": 0,
            "pad_right": 0,
        }
        wide: list[dict[str, int]] = [{name: 259} for name in one]
        wide += [{"count_x": 259, "count_y": 2}, {"count_x": 2, "count_y": 259}]
        for counts in fewer(env.rng, wide, 3):
            await env.run([random_window(Load, env.rng, env.config, **one | counts)])
        await env.drained()


@cocotb.test()
async def load_survives_reset_in_its_widest_commands(dut: Any) -> None:
    """Runs and padding as large as their fields, cut off by a reset; what follows is right."""
    async with start(LoadEnv, dut) as env:
        for name in fewer(env.rng, ("run", "pad_top", "pad_left"), 3):
            widest = random_window(
                Load, env.rng, env.config, **{"run": 1, "count_x": 1, "count_y": 1, name: 65535}
            )
            running = cocotb.start_soon(env.run([widest]))
            await env.cycles(80)
            await env.reset()
            await running
            await env.run(random_windows(Load, env.rng, env.config, 2, words=12))
            await env.drained()


@cocotb.test()
async def load_moves_a_word_a_cycle(dut: Any) -> None:
    await scenarios.a_word_a_cycle(LoadEnv, dut, "r")


@cocotb.test()
async def load_keeps_outstanding_bursts_in_flight(dut: Any) -> None:
    await scenarios.fills_the_outstanding_limit(LoadEnv, dut)


@cocotb.test()
async def load_sends_next_addresses_while_data_arrive(dut: Any) -> None:
    """Two commands of one burst each on a slow memory: both addresses are out before any data come."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming((200, 200))) as env:
        await env.run(random_windows(Load, env.rng, env.config, 2, run=1, count_x=1, count_y=1))
        await env.cycles(20)
        assert env.watch.under_way == 2
        await env.drained()


@cocotb.test()
async def load_waits_for_its_tokens(dut: Any) -> None:
    await scenarios.waits_for_tokens(LoadEnv, dut)


@cocotb.test()
async def load_keeps_its_token_until_there_is_room(dut: Any) -> None:
    await scenarios.full_token_queue_holds(LoadEnv, dut)


@cocotb.test()
async def load_reads_nothing_outside_its_window(dut: Any) -> None:
    await scenarios.nothing_outside_its_window(LoadEnv, dut)


@cocotb.test()
async def load_works_after_reset_in_flight(dut: Any) -> None:
    await scenarios.reset_in_flight(LoadEnv, dut)


async def stop_everywhere(dut: Any, cross: str, stop: Callable[[LoadEnv], Awaitable[None]]) -> None:
    """Stop the engine in every state of its buffer side, with and without bursts on the bus."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming((5, 30))) as env:
        met, room = env.cover.bins[cross], Gate()
        env.stamp_sink.stalls = room
        commands = Windows(Load, env.rng, env.config, words=12)
        for _ in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if not unmet:
                break
            state, bus = env.rng.choice(unmet).split("_x_")
            # The two states that wait for others are held; a stop comes a cycle late for those that pass.
            env.signals["sig_compute"].credits = 0 if state == "done" else None
            room.closed = state == "stamp"
            await env.reset(1)
            ends = {"signal_compute": state == "done", "stamp": state == "stamp"}
            pads = {"pad_top": 2, "pad_bottom": 2} if (state, bus) == ("fill", "quiet") else {}
            drawn = [commands.draw(**ends, **pads) for _ in range(2 if bus == "in_flight" else 1)]
            sending = cocotb.start_soon(env.run(drawn))
            seen = state if state != "idle" else env.rng.choice(list(STATES))
            for _ in range(300):
                await env.cycles(1)
                if (env.state_name(), env.bus) == (seen, bus):
                    break
            await stop(env)
            if not sending.done():
                sending.cancel()
        assert all(met.values()), met
        env.signals["sig_compute"].credits, room.closed = None, False
        await env.reset(1)
        await env.run([commands.draw()])
        await env.drained()


@cocotb.test()
async def load_works_after_reset_in_every_state(dut: Any) -> None:
    await stop_everywhere(dut, "reset_x_bus", lambda env: env.reset(env.rng.randint(1, 2)))


@cocotb.test()
async def load_halts_in_every_state(dut: Any) -> None:
    async def stop(env: LoadEnv) -> None:
        env.watch.halt()
        await env.halted()

    await stop_everywhere(dut, "halt_x_bus", stop)


@cocotb.test()
async def load_starts_nothing_after_halt(dut: Any) -> None:
    await scenarios.halt_in_flight(LoadEnv, dut)


@cocotb.test()
async def load_takes_no_command_while_halted(dut: Any) -> None:
    await scenarios.halt_while_waiting(LoadEnv, dut)


@cocotb.test()
async def load_ends_its_bursts_when_halted_behind_a_full_token_queue(dut: Any) -> None:
    await scenarios.halt_with_full_token_queue(LoadEnv, dut)


@cocotb.test()
async def load_reports_first_error(dut: Any) -> None:
    await scenarios.first_error_is_reported(LoadEnv, dut)


@cocotb.test()
async def load_reports_an_error_on_any_beat(dut: Any) -> None:
    """The only, the first, one in the middle or the last beat of a burst, SLVERR or DECERR."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming((1, 10))) as env:
        longest = env.config.max_burst
        cases = [*itertools.product((SLVERR, DECERR), ("only", "first", "middle", "last"))]
        for resp, beat in fewer(env.rng, cases, 3):
            run = 1 if beat == "only" else longest
            at = {"only": 0, "first": 0, "middle": env.rng.randrange(1, longest - 1), "last": longest - 1}[
                beat
            ]
            index = env.predicted + env.rng.randint(0, 2)
            env.memory.faults.append(Fault(False, resp, index, beat=at))
            commands = Windows(Load, env.rng, env.config, words=3 * longest)
            where = {"address": 1 << 20, "stride_x": 0, "stride_y": 0}
            sending = cocotb.start_soon(env.run([commands.draw(run=run, count_x=3, count_y=1, **where)]))
            await env.halted()
            await sending
            env.memory.faults.clear()
            await env.reset()
        assert quick() or all(env.cover.bins["error"].values())


async def failed_beat_behind_padding(env: LoadEnv) -> None:
    """A beat with an error, and the row of padding that is written before it lets it wait."""
    env.memory.faults.append(Fault(False, SLVERR, env.predicted, beat=0))
    rows = {"pad_top": 1, "pad_left": 60, "run": 1, "count_x": 1}
    await env.run([random_window(Load, env.rng, env.config, **rows)])
    await env.halted()
    env.memory.faults.clear()
    await env.reset()
    await env.run([random_window(Load, env.rng, env.config, 20)])
    await env.drained()


@cocotb.test()
async def load_reports_an_error_when_its_beat_is_taken(dut: Any) -> None:
    """Not while it waits for the padding before it: env.watch."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        waits = env.cover.bins["stall"]["data_waits_for_padding"]
        await failed_beat_behind_padding(env)
        assert env.cover.bins["stall"]["data_waits_for_padding"] > waits and env.errors.compared == 1


@cocotb.test(expect_error=EngineError)
async def watch_catches_an_error_without_a_failed_beat(dut: Any) -> None:
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        env.watch.answer[2] = dut.ar_valid  # in place of the response
        await failed_beat_behind_padding(env)


@cocotb.test()
@cocotb.parametrize(resp=some([SLVERR, DECERR]))
async def load_gives_no_token_after_error_in_last_beat(dut: Any, resp: int) -> None:
    await scenarios.error_of_last_burst(LoadEnv, dut, resp)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_burst_length(dut: Any) -> None:
    await scenarios.corrupt_expectation(LoadEnv, dut, "bursts", lambda b: replace(b, beats=b.beats + 1))


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_word(dut: Any) -> None:
    def flip(event: tuple) -> tuple:
        return (*event[:-1], event[-1] ^ 1) if event[0] == "write" else event

    await scenarios.corrupt_expectation(LoadEnv, dut, "events", flip)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_stamp(dut: Any) -> None:
    def flip(event: tuple) -> tuple:
        return ("stamp", event[1] ^ 128) if event[0] == "stamp" else event

    await scenarios.corrupt_expectation(LoadEnv, dut, "events", flip)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_token_not_taken(dut: Any) -> None:
    await scenarios.corrupt_expectation(
        LoadEnv, dut, "starts", lambda s: s._replace(tokens=(1 - s.tokens[0], s.tokens[1]))
    )


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_burst_that_never_comes(dut: Any) -> None:
    async with start(LoadEnv, dut) as env:
        await env.run([random_window(Load, env.rng, env.config, 10)])
        await env.drained()
        env.expect_burst(0, 1, b"", 0)


@cocotb.test(expect_error=Idle)
async def load_bench_without_commands_fails(dut: Any) -> None:
    async with start(LoadEnv, dut):
        pass
