"""store: STORE commands become bursts with the output buffer's words; tokens come when all is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import cocotb

from models.isa import Store
from tb.agents.axi4 import Fault, MemoryTiming
from tb.agents.burst import DECERR, SLVERR
from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, fewer, lighter, some
from tb.common import scenarios
from tb.common.commands import random_window
from tb.common.dma import EngineMonitor
from tb.common.watch import EngineError, Gate
from tb.store.env import StoreEnv

BENCH = Bench(
    toplevel="npu_store",
    params=[
        {"N": 4, "MAX_BURST": 4, "LOG_OUTSTANDING": 1},
        {"N": 16, "MAX_BURST": 64, "LOG_OUTSTANDING": 3},
        {"N": 4, "MAX_BURST": 256, "LOG_OUTSTANDING": 2},
    ],
    public=[("npu_store", "*"), ("npu_store_data", "held"), ("npu_store_data", "pending")],
    timeout=120,
)


def sample_as_if_halted(watch: EngineMonitor, halted: int) -> None:
    EngineMonitor.sample_bus(watch, 1)


@cocotb.test()
@cocotb.parametrize(profile=some(range(3)))
async def store_matches_model_under_random_pace(dut: Any, profile: int) -> None:
    await scenarios.random_commands(StoreEnv, dut, lighter(15, 1, 4))


@cocotb.test()
async def store_honours_wide_counts(dut: Any) -> None:
    """Each count alone is larger than a byte, and so are runs and rows beside a few of the other."""
    async with start(StoreEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        one = {"run": 1, "count_x": 1, "count_y": 1}
        wide: list[dict[str, int]] = [{name: 259} for name in one]
        wide += [{"count_x": 259, "count_y": 2}, {"count_x": 2, "count_y": 259}]
        for counts in fewer(env.rng, wide, 3):
            await env.run([random_window(Store, env.rng, env.config, **one | counts)])
        await env.drained()


@cocotb.test()
async def store_moves_a_word_a_cycle(dut: Any) -> None:
    await scenarios.a_word_a_cycle(StoreEnv, dut, "w")


@cocotb.test()
async def store_keeps_outstanding_bursts_in_flight(dut: Any) -> None:
    await scenarios.fills_the_outstanding_limit(StoreEnv, dut)


@cocotb.test()
async def store_writes_nothing_outside_its_window(dut: Any) -> None:
    await scenarios.nothing_outside_its_window(StoreEnv, dut)


@cocotb.test()
async def store_waits_for_its_token(dut: Any) -> None:
    await scenarios.waits_for_tokens(StoreEnv, dut)


@cocotb.test()
async def store_keeps_its_tokens_until_there_is_room(dut: Any) -> None:
    await scenarios.full_token_queue_holds(StoreEnv, dut)


@cocotb.test()
@cocotb.parametrize(late=["sig_compute", "sig_load"])
async def store_gives_both_tokens_or_none(dut: Any, late: str) -> None:
    """Room for one of two tokens: the other waits with it and is not given twice."""
    async with start(StoreEnv, dut, credits=0) as env:
        for name in env.signals.keys() - {late}:
            env.signals[name].credits = 5
        env.waits["wait_compute"].credits = None
        both = {"signal_compute": True, "signal_load": True}
        await env.run([random_window(Store, env.rng, env.config, run=1, count_x=1, count_y=1, **both)])
        await env.cycles(300)
        assert env.events.compared == 0
        env.signals[late].credits = 5
        await env.drained()
        assert [queue.credits for queue in env.signals.values()] == [4, 4]


@cocotb.test()
async def store_signals_only_after_last_response(dut: Any) -> None:
    """Data long gone, responses late: no token before the last one."""
    async with start(StoreEnv, dut, stalls=False, timing=MemoryTiming(write_latency=(300, 300))) as env:
        both = {"signal_compute": True, "signal_load": True, "stamp": True}
        await env.run([random_window(Store, env.rng, env.config, run=1, count_x=2, count_y=1, **both)])
        await env.cycles(280)
        assert env.events.compared == 0 and env.watch.under_way == 2
        await env.drained()
        assert env.events.compared == 5


def gates(channel: str | None) -> dict[str, Gate]:
    """Stalls of a memory that never takes (aw, w) or gives (b) anything on one channel."""
    gate = Gate()
    gate.closed = True
    return {channel: gate} if channel else {}


# What keeps the bus in a state: the channel that stands still.
HELD = {"address": "aw", "data": "w", "response": "b"}


async def stop_everywhere(dut: Any, cross: str, stop: Callable[[StoreEnv], Awaitable[None]]) -> None:
    """Stop the engine with commands that have bursts to send or not, whatever the bus waits for."""
    async with start(StoreEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        assert env.outcomes
        met, driver = env.cover.bins[cross], env.memory.driver
        for _ in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if not unmet:
                break
            phase, bus = env.rng.choice(unmet).split("_x_")
            for queue in env.signals.values():
                queue.credits = 0 if bus == "token" else None
            await env.reset(1)
            driver.timing = MemoryTiming(stalls=gates(HELD.get(bus)))
            both = {"signal_compute": True, "signal_load": True}
            rows = 1 if phase == "tail" else 20
            last = random_window(Store, env.rng, env.config, run=1, count_x=1, count_y=rows)
            # The token of a short command ahead keeps a long one from its end.
            short = random_window(Store, env.rng, env.config, run=1, count_x=1, count_y=1, **both)
            sending = cocotb.start_soon(env.run([short, last] if bus == "token" else [last]))
            blind = (phase, bus) == ("walk", "quiet")  # which lasts one cycle
            for _ in range(env.rng.randrange(8) if blind else 60 if phase != "idle" else 0):
                await env.cycles(1)
                if env.outcomes.state() == (phase, bus):
                    break
            await stop(env)
            if not sending.done():
                sending.cancel()
        assert not unmet, unmet
        driver.timing = MemoryTiming()
        for queue in env.signals.values():
            queue.credits = None
        await env.reset(1)
        await env.run([random_window(Store, env.rng, env.config, 20)])
        await env.drained()


@cocotb.test()
async def store_works_after_reset_in_every_state(dut: Any) -> None:
    await stop_everywhere(dut, "reset_x_bus", lambda env: env.reset(env.rng.randint(1, 2)))


@cocotb.test()
async def store_halts_in_every_state(dut: Any) -> None:
    async def stop(env: StoreEnv) -> None:
        env.watch.halt()
        await env.cycles(2)
        env.memory.driver.timing = MemoryTiming()
        await env.halted()

    await stop_everywhere(dut, "halt_x_bus", stop)


@cocotb.test()
async def store_works_after_reset_in_flight(dut: Any) -> None:
    await scenarios.reset_in_flight(StoreEnv, dut)


@cocotb.test()
async def store_starts_nothing_after_halt(dut: Any) -> None:
    await scenarios.halt_in_flight(StoreEnv, dut)


@cocotb.test()
async def store_takes_no_command_while_halted(dut: Any) -> None:
    await scenarios.halt_while_waiting(StoreEnv, dut)


@cocotb.test()
async def store_ends_its_bursts_when_halted_behind_a_full_token_queue(dut: Any) -> None:
    await scenarios.halt_with_full_token_queue(StoreEnv, dut)


@cocotb.test()
async def store_reports_first_error(dut: Any) -> None:
    await scenarios.first_error_is_reported(StoreEnv, dut)


@cocotb.test()
@cocotb.parametrize(resp=some([SLVERR, DECERR]))
async def store_reports_an_error_of_any_burst(dut: Any, resp: int) -> None:
    """Of a command with one burst, and of the first, second or third of three."""
    async with start(StoreEnv, dut) as env:
        for bursts, failing in ((1, 0), (3, 0), (3, 1), (3, 2)):
            env.memory.faults[:] = [Fault(True, resp, env.predicted + failing)]
            await env.run([random_window(Store, env.rng, env.config, run=1, count_x=bursts, count_y=1)])
            await env.halted()
            await env.reset()


@cocotb.test()
@cocotb.parametrize(resp=some([SLVERR, DECERR]))
async def store_gives_no_token_after_error_in_last_burst(dut: Any, resp: int) -> None:
    await scenarios.error_of_last_burst(StoreEnv, dut, resp)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_address(dut: Any) -> None:
    await scenarios.corrupt_expectation(StoreEnv, dut, "bursts", lambda b: replace(b, addr=b.addr ^ 1 << 31))


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_byte(dut: Any) -> None:
    def flip(burst: Any) -> Any:
        return replace(burst, data=bytes([burst.data[0] ^ 1]) + burst.data[1:])

    await scenarios.corrupt_expectation(StoreEnv, dut, "bursts", flip)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_read(dut: Any) -> None:
    await scenarios.corrupt_expectation(StoreEnv, dut, "reads", lambda word: word ^ 1)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_token_before_the_last_response(dut: Any) -> None:
    def late(event: tuple) -> tuple:
        return ("response",) if event[0] == "token" else event

    await scenarios.corrupt_expectation(StoreEnv, dut, "events", late)


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_an_error_that_is_not_reported(dut: Any) -> None:
    async with start(StoreEnv, dut) as env:
        await env.run([random_window(Store, env.rng, env.config, 10)])
        await env.drained()
        env.errors.expect((0, 0, 0))


@cocotb.test(expect_error=EngineError)
async def bench_catches_a_burst_of_no_command(dut: Any) -> None:
    async with start(StoreEnv, dut) as env:
        env.watch.allowed = -1  # as if the model knew of one burst less
        await env.run([random_window(Store, env.rng, env.config, 10)])
        await env.drained()


@cocotb.test(expect_error=EngineError)
async def bench_catches_a_burst_after_halt(dut: Any) -> None:
    """The engine's halt is held low behind the monitor's back."""
    async with start(StoreEnv, dut) as env:
        env.watch.sample_bus = partial(sample_as_if_halted, env.watch)  # type: ignore[method-assign]
        await env.run([random_window(Store, env.rng, env.config, 10)])
        await env.drained()


@cocotb.test(expect_error=Idle)
async def store_bench_without_commands_fails(dut: Any) -> None:
    async with start(StoreEnv, dut):
        pass
