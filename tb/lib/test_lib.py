"""lib: the queue, the token counter, the burst walk and the read multiplexer, in one bench."""

from __future__ import annotations

from typing import Any

import cocotb

from models.isa import PAGE, TOKEN_MAX
from tb.agents.burst import Burst
from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Mismatch, Missing
from tb.bench import Bench, lighter, some
from tb.common.commands import SPACE
from tb.common.watch import EngineError, Gate
from tb.lib.env import LibEnv

BENCH = Bench(
    toplevel="lib_bench",
    params=[{"N": 4, "MAX_BURST": 256, "LOG_D": 1}, {"N": 32, "MAX_BURST": 8, "LOG_D": 3}],
    sources=["tb/hdl/lib_bench.v"],
    timeout=120,
)


@cocotb.test()
@cocotb.parametrize(profile=some(range(4)))
async def lib_delivers_under_random_pace(dut: Any, profile: int) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(100)
        assert all(scoreboard.compared > 10 for scoreboard in env.scoreboards)


@cocotb.test()
async def fifo_and_tokens_fill_to_their_limit_and_empty(dut: Any) -> None:
    """Nothing leaves until both are full; all leaves; twice, with the pointers elsewhere."""
    async with start(LibEnv, dut, stalls=False) as env:
        gate = Gate()
        for name in ("fifo_out", "tokens_out"):
            env.agents[name].sink.stalls = gate
        for extra in (3, 0):
            gate.closed = True
            await env.cycles(2)
            sending = cocotb.start_soon(env.send("fifo_in", env.watch.limit["fifo"] + extra))
            await env.send("tokens_in", TOKEN_MAX)
            tokens = cocotb.start_soon(env.send("tokens_in", extra))
            await env.cycles(20)
            assert env.watch.count == env.watch.limit
            gate.closed = False
            await sending
            await tokens
            for scoreboard in (env.fifo, env.tokens):
                await scoreboard.drained(dut.clk)
            await env.cycles(3)
            assert not any(env.watch.count.values())


@cocotb.test()
async def fifo_walk_and_tokens_move_an_item_a_cycle(dut: Any) -> None:
    async with start(LibEnv, dut, stalls=False) as env:
        for name, scoreboard in (("fifo_in", env.fifo), ("tokens_in", env.tokens)):
            cocotb.start_soon(env.send(name, 400))
            await env.cycles(104)
            assert scoreboard.compared >= 98
        await env.agents["walk_cmd"].send([(0, 0, 0, 100, 1, 7)])
        before = env.walk.compared
        await env.cycles(7 * (-(-100 // env.config.max_burst)) + 2)
        assert env.walk.pending == 0 and env.walk.compared > before
        await env.fifo.drained(dut.clk)
        await env.tokens.drained(dut.clk)


@cocotb.test()
async def mux_prefers_fetch_and_keeps_an_address_shown(dut: Any) -> None:
    """A slow memory and both managers always asking: Watch sees every choice, and load is never forgotten."""
    async with start(LibEnv, dut) as env:
        env.memory.driver.timing.stalls = {"ar": Stalls(env.rng, 0.8)}
        tasks = [cocotb.start_soon(env.send(f"s{i}_ar", 80)) for i in (0, 1)]
        for task in tasks:
            await task
        for scoreboard in env.reads:
            await scoreboard.drained(dut.clk)
            assert scoreboard.compared >= 13


@cocotb.test()
async def walk_cuts_runs_wherever_they_end(dut: Any) -> None:
    """Runs around MAX_BURST, from addresses that far before a page, alone and in rows, with any stride."""
    async with start(LibEnv, dut) as env:
        n, longest = env.config.n, env.config.max_burst
        lengths = (1, longest - 1, longest, longest + 1, 2 * longest)
        commands = []
        for run in lengths:
            for before in lengths:
                for count_x, count_y in ((1, 1), (1, 2), (2, 1), (3, 2)):
                    near = (0, run * n, run * count_x * n, SPACE - n, PAGE)
                    strides = env.rng.choice(near), env.rng.choice(near)
                    commands.append((2 * PAGE - before * n, *strides, run, count_x, count_y))
        await env.agents["walk_cmd"].send(env.rng.sample(commands, len(commands)))
        await env.walk.drained(dut.clk)


@cocotb.test()
async def lib_works_after_reset_of_what_is_full(dut: Any) -> None:
    """Also of what is empty, or almost full; a burst nobody takes, either manager's address that waits."""
    async with start(LibEnv, dut, stalls=False) as env:
        await env.reset()
        gate = Gate()
        for name in ("fifo_out", "tokens_out", "walk_burst"):
            env.agents[name].sink.stalls = gate
        env.memory.driver.timing.stalls = {"ar": gate}
        for room, manager in enumerate(("s0_ar", "s1_ar")):
            gate.closed = True
            await env.cycles(2)
            waiting = [cocotb.start_soon(env.send(name, 4)) for name in (manager, "walk_cmd")]
            await env.send("fifo_in", env.watch.limit["fifo"] - room)
            await env.send("tokens_in", TOKEN_MAX - room)
            await env.cycles(3)
            await env.reset()
            gate.closed = False
            for task in waiting:
                await task
            await env.all_at_once(20)


@cocotb.test()
async def lib_works_after_reset_in_flight(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        sending = cocotb.start_soon(env.all_at_once(lighter(200, 1, 2)))
        for _ in range(5):
            await env.cycles(env.rng.randint(1, 80))
            await env.reset(env.rng.randint(1, 3))
        await sending
        await env.all_at_once(20)


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(victim=["fifo", "walk", "reads0", "reads1"])
async def scoreboard_catches_a_wrong_item(dut: Any, victim: str) -> None:
    async with start(LibEnv, dut) as env:
        scoreboard = env.get_child(victim)
        model = scoreboard.model
        broken = {"fifo": lambda x: x ^ 1, "walk": lambda x: x._replace(last=1 - x.last)}
        wrong = broken.get(victim, lambda burst: Burst(False, 9, burst.addr, burst.beats, burst.data))
        scoreboard.model = lambda item: [wrong(expected) for expected in model(item)]
        await env.all_at_once(40)


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_lost_token(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(20)
        env.tokens.expect(())


@cocotb.test(expect_error=EngineError)
@cocotb.parametrize(name=["fifo", "tokens"])
async def bench_catches_a_wrong_level(dut: Any, name: str) -> None:
    async with start(LibEnv, dut) as env:
        env.watch.limit[name] -= 1
        env.agents[f"{name}_out"].sink.stalls = gate = Gate()
        gate.closed = True
        await env.send(f"{name}_in", 63)


@cocotb.test(expect_error=AssertionError)
async def lib_bench_without_traffic_fails(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(0)
        assert all(scoreboard.compared > 10 for scoreboard in env.scoreboards)
