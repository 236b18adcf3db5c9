"""The agents prove themselves, streams and scoreboards: what is right passes, what is broken is caught by its
name."""

from __future__ import annotations

import cocotb
import pytest
from cocotb.triggers import Timer
from pyuvm import uvm_component

from tb.agents import stream
from tb.agents.coverage import COVERAGE
from tb.agents.env import BlockEnv, start
from tb.agents.pins import Stalls
from tb.agents.profiles import NEVER, PROFILES, if_x
from tb.agents.rules import Violation
from tb.agents.scoreboard import Idle, Mismatch, Missing, Scoreboard, Unexpected
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import Bench
from tb.common.collector import Collector
from tb.common.pace import Pace

BENCH = Bench(
    toplevel="agents_probe",
    sources=["tb/hdl/agents_probe.v", "tb/hdl/stream_probe.v", "tb/hdl/axi_lite_probe.v"],
)


class StreamProbeEnv(BlockEnv):
    """in --> probe --> out; the scoreboard expects what went in. profile: None for a random one."""

    def __init__(
        self, name: str, parent: uvm_component, dut, bug: int = 0, profile=None, judged: bool = True
    ) -> None:
        super().__init__(name, parent, dut)
        dut.bug.value = bug
        dut.pause.value = 0
        self.judged = judged
        self.violations: list[Violation] = []
        payload = ("data", "last")
        stalls = [Stalls(self.rng, *p) for p in profile] if profile else [Stalls.pick(self.rng) for _ in "io"]
        if bug:
            stalls[1] = Stalls(self.rng, 0.5)
        self.source = StreamAgent("source", self, StreamPins(dut, "in", payload), "source", stalls[0])
        self.sink = StreamAgent(
            "sink", self, StreamPins(dut, "out", payload), "sink", stalls[1], self.violations.append
        )
        self.scoreboard = Scoreboard("scoreboard", self, model=lambda item: [item])
        self.cover = Collector("cover", self, COVERAGE).hits
        sides = {"in": self.source.monitor.pins, "out": self.sink.monitor.pins}
        Pace("pace", self, sides, self._run, lambda side, cut: self.cover.sample(cut_side=side, cut=cut))

    def _run(self, side: str, cycle: str, run: int) -> None:
        self.cover.sample(side=side, cycle=cycle, run=run)

    def connect_phase(self) -> None:
        if self.judged:
            self.source.port.connect(self.scoreboard.stimulus)
            self.sink.port.connect(self.scoreboard.actual)
        else:
            self.scoreboard.minimum = 0

    def items(self, count: int):
        return [(self.rng.getrandbits(16), self.rng.getrandbits(1)) for _ in range(count)]


@cocotb.test()
@cocotb.parametrize(profile=range(len(PROFILES)))
async def stream_delivers_in_order_under_stalls(dut, profile):
    async with start(StreamProbeEnv, dut, profile=PROFILES[profile]) as env:
        await env.source.send(env.items(300))
        await env.scoreboard.drained(dut.clk)
    assert env.scoreboard.compared == 300
    assert not env.violations


@cocotb.test()
async def stream_runs_at_full_rate_without_stalls(dut):
    async with start(StreamProbeEnv, dut, profile=(NEVER, NEVER)) as env:
        before = cocotb.utils.get_sim_time("ns")
        await env.source.send(env.items(200))
        assert cocotb.utils.get_sim_time("ns") - before <= 10 * 202


@cocotb.test()
@cocotb.parametrize(profile=range(len(PROFILES)))
async def stream_survives_reset_in_flight(dut, profile):
    async with start(StreamProbeEnv, dut, profile=PROFILES[profile]) as env:
        sending = cocotb.start_soon(env.source.send(env.items(200)))
        for _ in range(12):
            await env.cycles(env.rng.randint(1, 25))
            await Timer(env.rng.randint(1, 9), "ns")
            await env.reset(env.rng.randint(1, 3))
        await sending
        await env.scoreboard.drained(dut.clk)
    assert not env.violations


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(bug=[1, 5])
async def scoreboard_catches_lost_and_repeated_items(dut, bug):
    async with start(StreamProbeEnv, dut, bug=bug) as env:
        await env.source.send(env.items(50))


@cocotb.test(expect_error=Missing)
async def scoreboard_catches_what_never_comes(dut):
    async with start(StreamProbeEnv, dut) as env:
        await env.source.send(env.items(5))
        env.scoreboard.expect((1, 1))
        await env.scoreboard.drained(dut.clk, patience=50)


@cocotb.test(expect_error=Unexpected)
async def scoreboard_catches_what_nobody_expects(dut):
    async with start(StreamProbeEnv, dut) as env:
        await env.source.send(env.items(5))
        await env.scoreboard.drained(dut.clk)
        env.scoreboard.observe((1, 1))


@cocotb.test(expect_error=Idle)
async def idle_scoreboard_fails(dut):
    async with start(StreamProbeEnv, dut):
        pass


@cocotb.test()
@cocotb.parametrize(
    bug_rule=[(2, "VALID_STABLE"), (3, "PAYLOAD_STABLE"), (4, "VALID_IN_RESET"), *if_x(6, "PAYLOAD_X")]
)
async def stream_checker_names_the_rule(dut, bug_rule):
    bug, rule = bug_rule
    async with start(StreamProbeEnv, dut, bug=bug, judged=False) as env:
        await env.source.send(env.items(50))
        await env.cycles(20)
        await env.reset()
        assert {violation.rule for violation in env.violations} == {rule}
        env.cover.sample(rule=rule)


class Blocked(BlockEnv):
    """A source in front of a probe that takes nothing, as nobody takes anything from it."""

    def __init__(self, name: str, parent: uvm_component, dut) -> None:
        super().__init__(name, parent, dut)
        dut.bug.value = dut.pause.value = dut.out_ready.value = 0
        self.source = StreamAgent("source", self, StreamPins(dut, "in", ("data", "last")), "source")


@cocotb.test(expect_error=TimeoutError)
async def an_item_that_is_never_taken_fails(dut):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "PATIENCE", 50)
        async with start(Blocked, dut) as env:
            await env.source.send([(1, 0)] * 50)
