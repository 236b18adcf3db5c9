"""compute: every command once, in order, to its unit, with its token, and only while the other is idle."""

from __future__ import annotations

import cocotb

from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, lighter
from tb.common.compute import ContractError, spoil
from tb.compute.env import ComputeEnv, Dispatch

BENCH = Bench(toplevel="compute_bench", sources=["tb/hdl/compute_bench.v"])


@cocotb.test()
@cocotb.parametrize(salt=range(4))
async def compute_dispatches_in_order_when_token_and_turn_allow(dut, salt):
    count = lighter(200, 3)
    async with start(ComputeEnv, dut, salt=salt) as env:
        await env.run(env.commands(count))
    assert env.scoreboard.compared == count


@cocotb.test()
async def compute_waits_for_every_cause(dut):
    async with start(ComputeEnv, dut) as env:
        env.conv.busy = env.pool.busy = 20
        env.pool.depth = 2
        env.tokens.stalls = Stalls(env.rng, 0.8)
        await env.run(env.commands(100))
    waits = {"token", "conv busy", "pool busy", "conv not ready", "pool not ready"}
    assert waits <= set(env.watch.causes), env.watch.causes


@cocotb.test()
async def compute_works_after_reset_in_flight(dut):
    async with start(ComputeEnv, dut) as env:
        met = env.cover.bins["reset"]
        for turn in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if turn >= 12 and not unmet:
                break
            did = env.rng.choice(unmet or [*met])
            sending = cocotb.start_soon(env.send(env.commands(10)))
            await env.cycles(env.rng.randint(5, 60))
            for _ in range(200):  # until it has just done that; commands may be too few for it
                if env.watch.did == did:
                    break
                await env.cycles(1)
            await env.reset(env.rng.choice((0, 1, 3)))
            await sending
        assert not unmet, unmet
        await env.run(env.commands(50))


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(
    change=[
        lambda item: item._replace(unit="pool" if item.unit == "conv" else "conv"),
        lambda item: item._replace(token=1 - item.token),
        lambda item: item._replace(data=item.data ^ 1 << 511),
    ]
)
async def scoreboard_catches_a_wrong_dispatch(dut, change):
    async with start(ComputeEnv, dut) as env:
        spoil(env.scoreboard, change)
        await env.run(env.commands(10))


@cocotb.test(expect_error=Missing)
async def scoreboard_catches_a_lost_command(dut):
    async with start(ComputeEnv, dut) as env:
        await env.run(env.commands(10))
        env.scoreboard.expect(Dispatch("conv", 0, 0))
        await env.scoreboard.drained(dut.clk, patience=50)


@cocotb.test(expect_error=ContractError)
@cocotb.parametrize(causes=[set(), {"token"}])
async def watch_catches_a_cycle_that_breaks_the_contract(dut, causes):
    async with start(ComputeEnv, dut) as env:
        env.watch.held_by = lambda command: causes  # type: ignore[method-assign]
        await env.run(env.commands(50))


@cocotb.test(expect_error=Idle)
async def idle_scoreboard_fails(dut):
    async with start(ComputeEnv, dut):
        pass
