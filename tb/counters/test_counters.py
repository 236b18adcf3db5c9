"""counters: every busy cycle in one category, the rest by its condition, and stamps that keep the account."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import cocotb
from cocotb.handle import Immediate
from cocotb.triggers import FallingEdge

from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, fewer, lighter, some
from tb.common.watch import EngineError
from tb.counters.env import CountersEnv
from tb.counters.model import CONDITIONS, COUNTERS, OTHERS, RULES
from tb.counters.stimulus import PROFILES, SOURCES

BENCH = Bench(toplevel="npu_counters", params=[{"N": 4}, {"N": 32}], timeout=120)


@cocotb.test()
@cocotb.parametrize(profile=some([*PROFILES]))
async def counters_count_only_while_busy(dut: Any, profile: str) -> None:
    async with start(CountersEnv, dut) as env:
        env.profile = profile
        for _ in range(3):
            for env.busy in (1, 0, 1):
                await env.cycles(env.rng.randint(1, 120))
            await env.read_all()
        assert env.model.count[0] > 0


@cocotb.test()
async def counters_count_to_32_bits(dut: Any) -> None:
    """From any value, also across the end, where a counter starts again at 0."""
    async with start(CountersEnv, dut) as env:
        env.profile = "busy"
        for turn in range(lighter(8, 1, 4)):
            await env.rest()
            await FallingEdge(dut.clk)
            for k in range(COUNTERS):
                value = env.rng.getrandbits(32) if turn % 2 else (1 << 32) - env.rng.randint(1, 40)
                dut.count[k].set(Immediate(value))
                env.model.count[k] = value
            env.stamping, env.busy = 0.3, 1
            await env.cycles(20)
            await env.read_all()


@cocotb.test()
async def counters_give_each_cycle_to_the_first_cause(dut: Any) -> None:
    """All 512 combinations of the conditions, each for the cycles that it takes to read every counter."""
    async with start(CountersEnv, dut) as env:
        alone = {0, *(1 << k for k in range(len(CONDITIONS)))}  # for each there is a first cause
        combinations = sorted(alone | {*fewer(env.rng, range(1 << len(CONDITIONS)), 4)})
        env.rng.shuffle(combinations)
        env.busy = 1
        for bits in combinations:
            env.fixed = {name: bits >> k & 1 for k, name in enumerate(CONDITIONS)}
            await env.read([("counter", index) for index in range(1 + len(RULES))])
        cycles, *account = env.model.count[: 1 + len(RULES)]
        assert all(account) and sum(account) == cycles


@cocotb.test()
async def counters_count_each_condition_alone(dut: Any) -> None:
    """One condition at a time: its counter moves, the others do not."""
    async with start(CountersEnv, dut) as env:
        for condition in (*CONDITIONS, *OTHERS):
            env.fixed = dict.fromkeys((*CONDITIONS, *OTHERS), 0) | {condition: 1}
            env.busy = 1
            await env.cycles(env.rng.randint(2, 9))
            await env.read_all()


@cocotb.test()
async def counters_clear_at_start_and_stamps_do_not(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(2):
            env.stamping, env.busy = 0.1, 1
            await env.cycles(80)
            await env.rest()
            env.stamping = 0.2
            env.clear = 1
            await env.cycles(80)
            await env.rest()
            env.clear = 0
            await env.cycles(1)
            await env.read_all()
            assert not any(env.model.count) and env.model.stamps


@cocotb.test()
@cocotb.parametrize(stamping=some([0.1, 0.6, 1.0]), together=[False, True])
async def counters_lose_no_stamp(dut: Any, stamping: float, together: bool) -> None:
    """Three sources at random, in the same cycle, or all of them in every cycle, store back to back."""
    async with start(CountersEnv, dut) as env:
        env.together = together
        env.sets = [SOURCES]  # two of them have to wait
        for _ in range(3):
            for env.busy in (1, 0):
                env.stamping = stamping
                await env.cycles(30)
            await env.read_all()
        assert len(env.model.stamps) > 5 and env.driver.waits > 0


@cocotb.test()
async def counters_take_every_set_of_stamps_at_any_time(dut: Any) -> None:
    """One, two or three at once, while they count, while they do not, and while they are cleared."""
    async with start(CountersEnv, dut) as env:
        every = [chosen for size in (1, 2, 3) for chosen in combinations(SOURCES, size)]
        for env.busy, env.clear in ((1, 0), (0, 0), (1, 1)):
            env.sets = env.rng.sample(every, len(every))
            await env.until(lambda: not env.sets and not env.driver.offered)
        env.clear = 0
        await env.read_all()


@cocotb.test()
async def counters_answer_while_they_count(dut: Any) -> None:
    """Reads of everything, also in the cycle in which a stamp is written."""
    async with start(CountersEnv, dut) as env:
        env.busy, env.stamping = 1, 0.3
        await env.cycles(30)
        for _ in range(3):
            await env.read(env.everything())


@cocotb.test()
async def counters_work_after_reset_in_flight(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(lighter(5, 1, 2)):
            env.stamping, env.busy = 0.3, 1
            await env.cycles(env.rng.randint(1, 30))
            await env.rest()
            await env.reset()
            env.busy = 1
            await env.cycles(env.rng.randint(1, 30))
            await env.reset(1)
            env.stamping = 1.0
            await env.cycles(2)
            await env.reset(1)
            await env.cycles(env.rng.randint(1, 30))
            await env.read_all()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_count(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.model.steps[2] += 1
        env.busy = 1
        await env.cycles(50)
        await env.read_all()


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(higher=range(7))
async def scoreboard_catches_a_wrong_priority(dut: Any, higher: int) -> None:
    """The model asks two neighbours in the wrong order and gives each the other's cycles only then.

    The last, fill, is always true: nothing is left for drain.
    """
    async with start(CountersEnv, dut) as env:
        above, below = env.model.rules[higher : higher + 2]
        lost = 0

        def wrong(pins: Any) -> bool:
            nonlocal lost
            lost += above(pins) and below(pins)
            return above(pins) and not below(pins)

        env.model.rules[higher] = wrong
        env.busy = 1
        await env.until(lambda: lost)
        await env.read_all()


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(wrong=range(9))
async def scoreboard_catches_a_wrong_stamp(dut: Any, wrong: int) -> None:
    """One cycle more in CYCLES, or in a category, of every stamp."""
    async with start(CountersEnv, dut) as env:
        env.stamping, env.busy = 0.3, 1
        await env.cycles(50)
        await env.rest()
        for stamp in env.model.stamps.values():
            stamp[wrong] += 1
        await env.read_all()


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_an_answer(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        await env.read_all()
        env.scoreboard.expect(0)


@cocotb.test(expect_error=EngineError)
async def bench_catches_a_stamp_that_is_never_taken(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.driver.taken = lambda: []  # type: ignore[method-assign]
        env.stamping = 1.0
        await env.cycles(3)
        await env.rest()


@cocotb.test(expect_error=Idle)
async def counters_bench_without_reads_fails(dut: Any) -> None:
    async with start(CountersEnv, dut):
        pass
