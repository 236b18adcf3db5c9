"""control: a program ends or fails once, keeps its first error, and the core is cleared on a quiet bus."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.handle import Immediate
from cocotb.triggers import FallingEdge

from models.isa import Cause
from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch
from tb.bench import Bench
from tb.common.watch import value_of
from tb.control.env import FLAGS, RECORD, ControlEnv
from tb.control.model import Seen
from tb.control.stimulus import SOURCES, Profiles

BENCH = Bench(toplevel="npu_control", params=[{"ADDR_W": 32}], timeout=120)


@cocotb.test()
@cocotb.parametrize(profile=range(4))
async def control_matches_model_on_random_cycles(dut: Any, profile: int) -> None:
    """Profiles from rare to frequent errors, until every error has come before every other."""
    wanted = {"done", Cause.STOPPED, Cause.READ_DECERR, Cause.WRITE_SLVERR}
    wanted |= {Cause.READ_WINDOW, Cause.WRITE_WINDOW}
    async with start(ControlEnv, dut) as env:
        profiles = Profiles(env.rng)
        for turn in range(1000):
            # Most seeds have met all after 50 turns.
            met = all(env.cover.bins["kept_x_beside"].values()) and wanted <= env.outcomes
            if turn >= 8 and met:
                break
            env.chance, env.limit = profiles.draw()
            await env.cycles(150)
        assert met, (env.outcomes, env.cover.bins["kept_x_beside"])


@cocotb.test()
async def control_ends_only_when_all_is_idle_and_quiet(dut: Any) -> None:
    """Each of the three conditions alone holds the end back."""
    async with start(ControlEnv, dut) as env:
        for missing in ("ended", "idle", "quiet"):
            env.chance = dict.fromkeys(env.chance, 0.0) | {
                "start": 1.0,
                "ended": 1.0,
                "idle": 1.0,
                "quiet": 1.0,
            }
            env.chance[missing] = 0.0
            await env.cycles(20)
            assert value_of(dut.busy)
            env.chance["start"], env.chance[missing] = 0.0, 1.0
            await env.cycles(5)
            assert not value_of(dut.busy)


@cocotb.test()
@cocotb.parametrize(limit=[1, 2, 7, 200])
async def control_watchdog_waits_exactly_its_limit(dut: Any, limit: int) -> None:
    """From the last progress to halt: limit cycles and the one that notices; any progress starts anew."""
    async with start(ControlEnv, dut) as env:
        env.chance = dict.fromkeys(env.chance, 0.0) | {"quiet": 1.0}
        env.limit = limit
        for _ in range(3):
            env.chance |= {"start": 1.0, "progress": 1.0}
            await env.cycles(env.rng.randint(3, 20))
            env.chance |= {"start": 0.0, "progress": 0.0}
            waited = await env.until(lambda: value_of(dut.halt), limit + 100)
            assert waited - limit in (1, 2, 3)  # when exactly: the model knows
            await env.cycles(5)
        assert env.outcomes == {Cause.WATCHDOG}


@cocotb.test()
async def control_watchdog_counts_to_any_limit(dut: Any) -> None:
    """Limits of every size; the counter is put some cycles before each, so that nobody waits for billions."""
    async with start(ControlEnv, dut) as env:
        for bits in range(8, 33):
            env.chance = dict.fromkeys(env.chance, 0.0) | {"start": 1.0, "progress": 1.0}
            env.limit = env.rng.randrange(1 << bits - 1, 1 << bits)
            await env.cycles(3)
            env.chance["start"] = env.chance["progress"] = 0.0
            await env.cycles(2)
            before = env.rng.randint(3, 9)
            await FallingEdge(dut.clk)
            dut.still.set(Immediate(env.limit - before))
            env.model.still = env.limit - before
            await env.cycles(before)
            assert not value_of(dut.halt)
            await env.cycles(3)
            assert value_of(dut.halt)
            env.chance["quiet"] = 1.0
            await env.cycles(3)
        assert env.outcomes == {Cause.WATCHDOG}


@cocotb.test()
async def control_watchdog_of_zero_never_stops(dut: Any) -> None:
    async with start(ControlEnv, dut) as env:
        env.chance = dict.fromkeys(env.chance, 0.0) | {"start": 1.0}
        await env.cycles(600)
        assert value_of(dut.busy) and not value_of(dut.halt)


@cocotb.test()
async def control_keeps_the_first_error(dut: Any) -> None:
    """All sources fail all the time while the bus is not quiet: the record stays as it was first."""
    async with start(ControlEnv, dut) as env:
        for first in SOURCES:
            env.chance = dict.fromkeys(env.chance, 0.0) | {"start": 1.0}
            await env.cycles(5)
            env.chance[f"{first}_err_valid"] = 1.0
            await env.cycles(3)
            record = [value_of(getattr(dut, name)) for name in RECORD]
            env.chance |= {"stop": 1.0, **{f"{source}_err_valid": 1.0 for source in SOURCES}}
            await env.cycles(20)
            assert [value_of(getattr(dut, name)) for name in RECORD] == record
            assert record[2] == SOURCES.index(first)
            env.chance |= {"start": 0.0, "quiet": 1.0}
            await env.cycles(5)


@cocotb.test()
async def control_works_after_reset_in_flight(dut: Any) -> None:
    async with start(ControlEnv, dut) as env:
        env.chance |= dict.fromkeys(FLAGS, 0.5) | {"stop": 0.0, "load_err_valid": 0.1, "quiet": 0.2}
        met = env.cover.bins["reset"]
        for turn in range(200):
            if turn >= 20 and all(met.values()):
                break
            await env.cycles(env.rng.randint(1, 15))
            await env.reset(env.rng.randint(1, 2))
        assert all(met.values()), met


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(name=["busy", "halt", "done_event", "record"])
async def scoreboard_catches_a_wrong_output(dut: Any, name: str) -> None:
    async with start(ControlEnv, dut) as env:
        outputs = env.model.outputs

        def wrong(start: int) -> Seen:
            seen = outputs(start)
            broken: Any = (9, 9, 9, 9) if name == "record" else 1 - getattr(seen, name)
            return seen._replace(**{name: broken})

        env.model.outputs = wrong  # type: ignore[method-assign]
        await env.cycles(3)


@cocotb.test(expect_error=Idle)
async def control_bench_that_compares_nothing_fails(dut: Any) -> None:
    async with start(ControlEnv, dut) as env:
        env.scoreboard.minimum = 10000
