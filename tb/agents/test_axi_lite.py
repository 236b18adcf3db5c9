"""The AXI4-Lite agent and the interrupt's monitor prove themselves, also against cocotbext-axi's manager."""

from __future__ import annotations

from itertools import product

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotb.types import Logic
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from pyuvm import uvm_component

from tb.agents import axi_lite
from tb.agents.axi_checks import Access
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.coverage import COVERAGE
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv, start
from tb.agents.irq import IrqMonitor
from tb.agents.pins import Stalls
from tb.agents.profiles import NEVER, OFTEN, if_x
from tb.agents.rules import Violation
from tb.agents.scoreboard import AnalysisSink, Mismatch, Scoreboard
from tb.common.collector import Collector
from tb.common.cover import counted
from tb.common.pace import Pace
from tb.common.watch import Gate


class LiteProbeEnv(BlockEnv):
    """manager --> registers; the scoreboard expects what a register file in Python answers, if `judged`."""

    def __init__(
        self, name: str, parent: uvm_component, dut, bug: int = 0, drives: bool = True, judged: bool = True
    ) -> None:
        super().__init__(name, parent, dut)
        dut.bug.value = bug
        dut.pause.value = 0
        self.judged = judged
        self.pauses = [] if bug else [Stalls.pick(self.rng) for _ in range(3)]
        self.violations: list[Violation] = []
        pins = AxiLitePins(dut, "s_axi")
        self.bus = AxiLiteAgent(
            "bus", self, pins, drives, Stalls.pick(self.rng), report=self.violations.append
        )
        self.irq = IrqMonitor("irq", self, dut, report=self.violations.append)
        self.scoreboard = Scoreboard("scoreboard", self)
        self.regs = [0] * 4
        self.cover = Collector("cover", self, COVERAGE).hits
        self.pace = Pace("pace", self, pins.channels, self._run, self._cut)
        self.manager = "ours" if drives else "theirs"
        self._halves: dict[str, int] = {}  # of a write: when each was taken

    def connect_phase(self) -> None:
        self.bus.port.connect(AnalysisSink("accesses", self, self._access))
        self.irq.port.connect(AnalysisSink("levels", self, self._level))
        if self.judged:
            self.bus.port.connect(self.scoreboard.actual)
        else:
            self.scoreboard.minimum = 0

    async def run_phase(self) -> None:
        """The registers hold back."""
        await at_every(self.bus.monitor.pins.edge, self._pause)

    def _pause(self) -> None:
        self.dut.pause.value = sum(stalls() << i for i, stalls in enumerate(self.pauses))

    def _access(self, access: Access) -> None:
        if access.resp in (0, 2):
            self.cover.sample(manager=self.manager, access=access.write, answer=access.resp)
        if access.write:
            self.cover.sample(strobe=access.strobe)

    def _level(self, level: bool) -> None:
        if level:
            self.cover.sample(irq="rises")
        else:
            self.cover.sample(irq="falls" if self.dut.rst_n.value == 1 else "cleared_by_reset")

    def _run(self, channel: str, cycle: str, run: int) -> None:
        if cycle == "held":
            self.cover.sample(channel=channel, hold=run)
        if cycle == "moves" and channel in ("aw", "w"):
            self._halves[channel] = self.pace.cycle
            if len(self._halves) == 2:
                lead = self._halves["w"] - self._halves["aw"]
                self.cover.sample(order="address_first" if lead > 0 else "data_first" if lead else "together")
                self._halves.clear()

    def _cut(self, channel: str, cut: str) -> None:
        self._halves.clear()
        if cut != "moves":
            self.cover.sample(cut_channel=channel, pending=cut)

    async def access(self) -> None:
        """One random access: manager and monitor must get the answer that a register file in Python gives."""
        write, addr = self.rng.getrandbits(1) == 1, self.rng.randrange(5) * 4
        data, strobe = self.rng.getrandbits(32), self.rng.getrandbits(4)
        resp = 0 if addr < 16 else 2
        if write:
            self.scoreboard.expect(Access(True, addr, data, strobe, resp))
            if not resp:
                keep = sum(0xFF << 8 * lane for lane in range(4) if not strobe >> lane & 1)
                self.regs[addr // 4] = (self.regs[addr // 4] & keep) | (data & ~keep & 0xFFFF_FFFF)
            assert await self.bus.write(addr, data, strobe) == resp
        else:
            value = self.regs[addr // 4] if addr < 16 else 0
            self.scoreboard.expect(Access(False, addr, value, 0, resp))
            assert await self.bus.read(addr) == (value, resp)

    async def works(self) -> None:
        """Without pauses a register holds what is written to it."""
        self.pauses = []
        await self.bus.write(4, 7)
        assert await self.bus.read(4) == (7, 0)


@cocotb.test()
@cocotb.parametrize(profile=range(4))
async def axi_lite_reads_what_was_written(dut, profile):
    async with start(LiteProbeEnv, dut) as env:
        for _ in range(150):
            await env.access()
    assert env.scoreboard.compared == 150
    assert not env.violations


@cocotb.test()
@cocotb.parametrize(profile=range(3))
async def their_axi_lite_master_reads_what_it_wrote(dut, profile):
    """AxiLiteMaster of cocotbext-axi, reads beside writes, with our monitor on the pins."""
    async with start(LiteProbeEnv, dut, drives=False, judged=False) as env:
        env.scoreboard.minimum = 1
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        master = AxiLiteMaster(bus, dut.clk, dut.rst_n, reset_active_level=False)
        stalls = Stalls.pick(env.rng)
        for interface, channels in ((master.write_if, ("aw", "w", "b")), (master.read_if, ("ar", "r"))):
            for channel in channels:
                pauses = iter(stalls, None)
                getattr(interface, f"{channel}_channel").set_pause_generator(pauses)
        held = bytearray(16)
        for _ in range(60):
            # A read and a write at a time, of different words; beyond the registers: SLVERR.
            written, read = env.rng.sample(range(5), 2)
            first, count = env.rng.randrange(4), env.rng.randint(1, 4)
            data = env.rng.randbytes(min(count, 4 - first))
            writing = cocotb.start_soon(master.write(written * 4 + first, data))
            answer = await master.read(read * 4, 4)
            env.scoreboard.expect((2, bytes(4)) if read == 4 else (0, bytes(held[read * 4 : read * 4 + 4])))
            env.scoreboard.observe((int(answer.resp), bytes(answer.data)))
            env.scoreboard.expect(2 if written == 4 else 0)
            env.scoreboard.observe(int((await writing).resp))
            if written < 4:
                held[written * 4 + first : written * 4 + first + len(data)] = data
    assert not env.violations


@cocotb.test()
async def axi_lite_loses_what_reset_cuts_off(dut):
    async with start(LiteProbeEnv, dut, judged=False) as env:
        for i in range(240):
            env.pauses = [Stalls(env.rng, *(OFTEN if i % 3 == 0 else NEVER)) for _ in range(3)]
            env.bus.driver.stalls = Stalls(env.rng, *(OFTEN if i % 3 == 1 else NEVER))
            writing, reading = cocotb.start_soon(env.bus.write(4, 7)), cocotb.start_soon(env.bus.read(4))
            await env.cycles(env.rng.randint(1, 8 if i % 3 else 3))
            await env.reset()
            assert await writing in (None, 0)
            assert (await reading)[1] in (None, 0)
        await env.works()
    assert not env.violations


@cocotb.test()
async def axi_lite_forgets_what_waits_at_reset(dut):
    """One channel after the other stands still, with something on it: that goes on after long, or is lost."""
    async with start(LiteProbeEnv, dut, judged=False) as env:
        env.bus.driver.stalls = taken = Gate()
        gates = [Gate() for _ in range(3)]
        env.pauses = [*gates]
        channels = env.bus.driver.pins.channels
        for waits, ends in product(channels, ("moves", "lost")):
            taken.closed = waits in ("b", "r")
            for name, gate in zip(("aw", "w", "ar"), gates, strict=True):
                gate.closed = name == waits
            await env.cycles(2)
            requests = {"aw": 4, "w": (7, 0xF), "ar": 4}
            sending = [cocotb.start_soon(channels[name].send(item)) for name, item in requests.items()]
            await env.until(lambda: env.pace.doing(waits) == "held")  # noqa: B023
            if ends == "moves":
                await env.cycles(10)
                taken.closed = False
                for gate in gates:
                    gate.closed = False
                await env.cycles(10)
            await env.reset()
            for task in sending:
                await task
        taken.closed = False
        await env.works()
    assert not env.violations


@cocotb.test()
async def interrupt_is_seen(dut):
    async with start(LiteProbeEnv, dut, judged=False) as env:
        seen: list[bool] = []
        env.irq.port.connect(AnalysisSink("seen", env, seen.append))
        await env.bus.write(12, 1)
        await env.irq.wait(10)
        env.cover.sample(irq_wait=await env.irq.wait(10))
        writing = cocotb.start_soon(env.bus.write(12, 0))
        env.cover.sample(irq_wait=await env.irq.wait(200, level=False))
        await writing
        await env.cycles(2)
        assert seen == [True, False]
        with pytest.raises(TimeoutError):
            await env.irq.wait(50)
        env.cover.sample(irq_wait=-1)
        await env.bus.write(12, 1)
        await env.irq.wait(10)
        await env.reset()
        assert seen == [True, False, True, False]


class EarlyIrqEnv(BlockEnv):
    """An interrupt's register, a pin that the test drives: it holds `value` until the first edge in reset."""

    def __init__(self, name: str, parent: uvm_component, dut, value: Logic) -> None:
        super().__init__(name, parent, dut)
        self.pin = dut.in_last
        self.pin.value = value
        self.violations: list[Violation] = []
        self.seen: list[bool] = []
        self.irq = IrqMonitor("irq", self, dut, pin="in_last", report=self.violations.append)
        self.cover = Collector("cover", self, COVERAGE).hits

    def connect_phase(self) -> None:
        self.irq.port.connect(AnalysisSink("seen", self, self.seen.append))

    async def run_phase(self) -> None:
        await RisingEdge(self.dut.clk)
        self.pin.value = 0


@cocotb.test()
@cocotb.parametrize(value=["0", "1", *(["X"] if if_x(0, "") else [])])
async def what_a_register_holds_before_reset_is_no_interrupt(dut, value):
    """Nor is X there a fault; behind reset both are what they are."""
    async with start(EarlyIrqEnv, dut, value=Logic(value)) as env:
        assert (env.seen, env.violations) == ([], [])
        env.pin.value = 1
        await env.irq.wait(3)
        await env.cycles(2)
        env.clock.rst_n.value = 0
        await env.cycles(2)
        env.pin.value = 0
        await env.cycles(2)
        assert (env.seen, env.violations) == ([True, False], [])
        if if_x(0, ""):
            env.pin.value = Logic("X")
            await env.cycles(2)
            assert (env.seen, env.violations) == ([True, False], [])
            env.clock.release_reset()
            await env.cycles(2)
            assert {violation.rule for violation in env.violations} == {"INTERRUPT_X"}
        if value != "X":
            env.cover.sample(irq_at_start=value)


@cocotb.test()
@cocotb.parametrize(
    bug_rule=[
        (1, "B_BEFORE_DATA"),
        (2, "PAYLOAD_STABLE"),
        (3, "R_UNREQUESTED"),
        (4, "RESP_EXOKAY"),
        *if_x(7, "INTERRUPT_X"),
    ]
)
async def axi_lite_checker_names_the_rule(dut, bug_rule):
    bug, rule = bug_rule
    async with start(LiteProbeEnv, dut, bug=bug, judged=False) as env:
        env.bus.driver.stalls = Stalls(env.rng, 0.5, 6)
        for i in range(100):
            await env.bus.write(0, i + 1)
            await env.bus.read(0)
        await env.cycles(100)
        if bug == 7:
            await env.bus.write(0, 0)
        assert {violation.rule for violation in env.violations} - {"UNFINISHED"} == {rule}
        env.cover.sample(rule=rule)


@cocotb.test()
async def axi_lite_checker_names_a_request_without_answer(dut):
    async with start(LiteProbeEnv, dut, bug=6, judged=False) as env:
        cocotb.start_soon(env.bus.read(0))
        await env.cycles(50)
    assert [violation.rule for violation in env.violations] == ["UNFINISHED"]
    with counted(COVERAGE) as hits:
        hits.sample(rule="UNFINISHED")


@cocotb.test(expect_error=TimeoutError)
async def an_access_that_is_never_answered_fails(dut):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(axi_lite, "PATIENCE", 50)
        async with start(LiteProbeEnv, dut, bug=6, judged=False) as env:
            await env.bus.read(0)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_ignored_strobes(dut):
    async with start(LiteProbeEnv, dut, bug=5) as env:
        env.scoreboard.expect(Access(True, 0, 0x0101_0101, 1, 0))
        env.scoreboard.expect(Access(False, 0, 1, 0, 0))
        await env.bus.write(0, 0x0101_0101, 1)
        await env.bus.read(0)
