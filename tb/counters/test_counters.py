"""counters: each counts its own condition while busy, and stamps keep the cycle of their layer."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.env import BlockEnv, start
from tb.agents.pins import to_int
from tb.agents.scoreboard import Idle, Mismatch, Missing, Scoreboard
from tb.bench import Bench, params
from tb.common.watch import value_of

BENCH = Bench(toplevel="npu_counters", params=[{"N": 4}, {"N": 32}], timeout=120)
SOURCES = ("load", "post", "store")
# In the order of the registers, after CYCLES and the eight events.
BUS = ("read_beat", "write_beat", "read_burst", "write_burst")
COUNTERS = 13
INPUTS = (
    "clear",
    "busy",
    "events",
    *BUS,
    *(f"{source}_stamp_{what}" for source in SOURCES for what in ("valid", "layer")),
)


class Model:
    """docs/registers.md: counters count while busy; a stamp is CYCLES when its command was done."""

    def __init__(self, n: int) -> None:
        self.step_of = [1] * 9 + [n, n, 1, 1]
        self.count = [0] * COUNTERS
        self.stamps: dict[int, int] = {}

    def step(self, pins: dict[str, int]) -> None:
        """The end of a cycle with these inputs."""
        for source in SOURCES:
            if pins[f"{source}_stamp_valid"]:
                self.stamps[pins[f"{source}_stamp_layer"]] = self.count[0]
        if pins["clear"]:
            self.count = [0] * COUNTERS
        elif pins["busy"]:
            holds = [1, *(pins["events"] >> bit & 1 for bit in range(8)), *(pins[name] for name in BUS)]
            self.count = [c + s * h for c, s, h in zip(self.count, self.step_of, holds, strict=True)]

    def read(self, stamp: int, index: int) -> int:
        """What the read port answers."""
        if stamp:
            return self.stamps[index]
        return self.count[index] if index < COUNTERS else 0


class Cycles(uvm_component):
    """Drives the inputs of every cycle, tells the model, and compares rd_data in every cycle after a read."""

    def __init__(self, name: str, parent: CountersEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut = parent, dut

    async def run_phase(self) -> None:
        env, dut, edge = self.env, self.dut, RisingEdge(self.dut.clk)
        shown: int | None = None
        while True:
            pins = env.inputs()
            for name in INPUTS:
                getattr(dut, name).value = pins[name]
            ask = env.asked.pop(0) if env.asked and env.rng.random() < 0.7 else None
            dut.rd_en.value = ask is not None
            dut.rd_stamp.value, dut.rd_index.value = ask or (env.rng.getrandbits(1), env.rng.getrandbits(8))
            await edge
            if to_int(dut.rst_n) != 1:
                shown = None
                env.model.count = [0] * COUNTERS
                continue
            if shown is not None:
                env.scoreboard.expect(shown)
                env.scoreboard.observe(value_of(dut.rd_data))
            if ask is not None:
                shown = env.model.read(*ask)
            env.model.step(pins)


class CountersEnv(BlockEnv):
    """Random conditions with a probability `chance` each; `busy` and `clear` as the test says."""

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.model = Model(params()["N"])
        self.chance = 0.5
        self.stamping = False
        self.together = False
        self.busy = self.clear = 0
        self.pause = dict.fromkeys(SOURCES, 0)
        self.scoreboard = Scoreboard("scoreboard", self)
        self.asked: list[tuple[int, int]] = []
        self.driver = Cycles("driver", self, dut)

    def inputs(self) -> dict[str, int]:
        """One cycle's inputs. Stamps of one cycle name different layers: else their order is not defined."""
        rng, pins = self.rng, {"clear": self.clear, "busy": self.busy}
        pins["events"] = sum(int(rng.random() < self.chance) << bit for bit in range(8))
        pins |= {name: int(rng.random() < self.chance) for name in BUS}
        layers = rng.sample(range(256), 3)
        common = rng.random() < 0.2
        for source, layer in zip(SOURCES, layers, strict=True):
            self.pause[source] = max(0, self.pause[source] - 1)
            wanted = common if self.together else rng.random() < 0.3
            valid = self.stamping and wanted and not self.pause[source]
            if valid:
                # The memory takes one of three a cycle.
                self.pause[source] = 4
            pins |= {f"{source}_stamp_valid": int(valid), f"{source}_stamp_layer": layer}
        return pins

    async def rest(self) -> None:
        """No stamps for long enough that all have been kept, nothing counts."""
        self.stamping, self.busy = False, 0
        await self.cycles(6)

    async def read_all(self) -> None:
        """Every counter, the hole behind them, every stamp that was given."""
        await self.rest()
        await self.read([(0, index) for index in range(16)] + [(1, layer) for layer in self.model.stamps])

    async def read(self, asked: list[tuple[int, int]]) -> None:
        """Read counters (0, index) and stamps (1, layer) in random order."""
        self.asked += self.rng.sample(asked, len(asked))
        while self.asked:
            await self.cycles(1)
        await self.cycles(self.rng.randint(2, 5))


@cocotb.test()
@cocotb.parametrize(chance=[0.02, 0.5, 0.98])
async def counters_count_only_while_busy(dut: Any, chance: float) -> None:
    async with start(CountersEnv, dut) as env:
        env.chance = chance
        for _ in range(3):
            for env.busy in (1, 0, 1):
                await env.cycles(env.rng.randint(1, 120))
            await env.read_all()
        assert env.model.count[0] > 0


@cocotb.test()
async def counters_count_each_condition_alone(dut: Any) -> None:
    """One condition at a time: its counter moves, the others do not."""
    async with start(CountersEnv, dut) as env:
        env.chance = 0.0
        inputs = env.inputs
        for condition in (*range(8), *BUS):

            def one(condition: Any = condition) -> dict[str, int]:
                pins = inputs()
                return pins | ({"events": 1 << condition} if isinstance(condition, int) else {condition: 1})

            env.inputs = one  # type: ignore[method-assign]
            env.busy = 1
            await env.cycles(env.rng.randint(2, 9))
            await env.read_all()


@cocotb.test()
async def counters_clear_at_start_and_stamps_do_not(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(2):
            env.stamping, env.busy = True, 1
            await env.cycles(80)
            await env.rest()
            env.clear = 1
            await env.cycles(1)
            env.clear = 0
            await env.cycles(1)
            await env.read_all()
            assert not any(env.model.count) and env.model.stamps


@cocotb.test()
@cocotb.parametrize(together=[False, True])
async def counters_keep_stamps_that_coincide(dut: Any, together: bool) -> None:
    """Three sources at random, or always in the same cycle; each stamp is the cycle in which it came."""
    async with start(CountersEnv, dut) as env:
        env.together = together
        for _ in range(2):
            env.stamping, env.busy = True, 1
            await env.cycles(150)
            await env.read_all()
        assert len(env.model.stamps) > 30


@cocotb.test()
async def counters_answer_while_they_count(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.busy = 1
        for _ in range(3):
            await env.read([(0, index) for index in range(16)])


@cocotb.test()
async def counters_work_after_reset_in_flight(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(5):
            env.stamping, env.busy = True, 1
            await env.cycles(env.rng.randint(1, 30))
            await env.rest()
            await env.reset()
            env.busy = 1
            await env.cycles(env.rng.randint(1, 30))
            await env.read_all()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_count(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.model.step_of[9] += 1
        env.busy = 1
        await env.cycles(50)
        await env.read_all()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_stamp(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.stamping, env.busy = True, 1
        await env.cycles(50)
        env.model.stamps = {layer: cycle + 1 for layer, cycle in env.model.stamps.items()}
        await env.read_all()


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_an_answer(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        await env.read_all()
        env.scoreboard.expect(0)


@cocotb.test(expect_error=Idle)
async def counters_bench_without_reads_fails(dut: Any) -> None:
    async with start(CountersEnv, dut):
        pass
