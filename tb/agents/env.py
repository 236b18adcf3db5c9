"""The frame of a block bench: clock, reset, seeded randomness, and one statement that runs it."""

from __future__ import annotations

import gc
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import cocotb
from cocotb.triggers import Event, Timer
from pyuvm import uvm_component, uvm_env, uvm_root, uvm_test

from tb.agents import transactions
from tb.agents.clock_reset import ClockReset
from tb.agents.pins import PATIENCE

EnvT = TypeVar("EnvT", bound="BlockEnv")

# A bench makes millions of objects and hardly a cycle among them; looking for those cost it 8 % of its time.
gc.set_threshold(100_000, 20, 20)


class BlockEnv(uvm_env):
    """Base of every block's environment: `dut`, `rng` (seeded per test), `clock`.

    A subclass builds its agents in build_phase and joins them in connect_phase.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent)
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.clock = ClockReset(dut)

    async def cycles(self, count: int) -> None:
        """Wait for `count` rising edges."""
        await self.clock.cycles(count)

    async def until(self, there: Callable[[], Any], limit: int = PATIENCE) -> int:
        """Wait until `there()`, asked now and after each rising edge; returns the edges waited.

        Raises TimeoutError after `limit` edges: what hangs has failed, and says so at once.
        """
        for waited in range(limit):
            if there():
                return waited
            await self.clock.cycles(1)
        raise TimeoutError(f"{self.get_full_name()}: not there after {limit} cycles")

    async def reset(self, cycles: int = 3) -> None:
        """Reset the DUT, at any time, and make every scoreboard forget what was pending.

        Returns after the first rising edge that works again.
        """
        await self.clock.assert_reset(1)
        # Monitors have published what the edge before reset transferred: now it can be forgotten.
        for component in self.hierarchy:
            if hasattr(component, "flush"):
                component.flush()
        await self.clock.assert_reset(cycles)
        self.clock.release_reset()
        await self.clock.cycles(1)


@asynccontextmanager
async def start(env_class: type[EnvT], dut: Any, *, settle: int = 20, **options: Any) -> AsyncIterator[EnvT]:
    """Build `env_class(name, parent, dut, **options)`, start clock and agents, reset, run the body, check.

        async with start(FifoEnv, dut) as env:
            await env.source.send(range(100))
            await env.scoreboard.drained(dut.clk)

    After the body the clock runs `settle` cycles more, so that traffic nobody expected is seen; then the
    check phase runs. Errors of monitors, checkers and scoreboards fail the test.
    """
    transactions.begin()
    # On Verilator rst_n begins at random: no agent may find the DUT out of reset before it was in.
    dut.rst_n.value = 0
    await Timer(1, "step")
    running, finished = Event(), Event()
    envs: list[EnvT] = []

    class StartedTest(uvm_test):
        def build_phase(self) -> None:
            envs.append(env_class("env", self, dut, **options))

        def start_of_simulation_phase(self) -> None:
            envs[0].clock.start()

        async def run_phase(self) -> None:
            self.raise_objection()
            running.set()
            await finished.wait()
            self.drop_objection()

    uvm_test_run = cocotb.start_soon(uvm_root().run_test(StartedTest))
    await running.wait()
    await envs[0].reset()
    yield envs[0]
    await envs[0].cycles(settle)
    finished.set()
    await uvm_test_run
