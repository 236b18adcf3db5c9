"""One AXI memory, two back ends: Python and Verilog log the same bursts for the same traffic."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ValueChange
from pyuvm import uvm_component

from tb.agents.axi4 import Axi4Monitor, Axi4Pins, AxiMemoryAgent, Fault, MemoryTiming
from tb.agents.burst import DECERR, SLVERR, Burst
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv, start
from tb.agents.memory_log import MEMORY_HDL, MemoryLog
from tb.agents.pins import Stalls, to_int
from tb.agents.rules import HDL_RULES, Violation
from tb.agents.scoreboard import Idle, Mismatch, Scoreboard
from tb.axi_memory.coverage import CHANNELS, COVERAGE, place
from tb.axi_memory.traffic import ALL_BEATS, PAGE, failing_reads, program_seed
from tb.bench import Bench, lighter, quick, some
from tb.common.collector import Collector
from tb.common.pace import Pace

BENCH = Bench(
    toplevel="axi_memory_bench",
    params=[{"DATA_W": 128}, {"DATA_W": 32}, {"DATA_W": 256}],
    sources=[
        "tb/hdl/axi_memory_bench.v",
        *MEMORY_HDL,
        "tb/hdl/axi_traffic.v",
        "tb/hdl/axi_rules.v",
    ],
    public=[
        ("axi_memory_bench", "*"),
        *(("axi_memory", name) for name in ("latency", "jitter", "stall*", "err_*", "*_count", "random")),
        ("axi_rules", "rule"),
    ],
)


class Answers(uvm_component):
    """The responses of every read beat on a port: per ID, in order, a tuple a burst."""

    def __init__(self, name: str, parent: uvm_component, pins: Axi4Pins) -> None:
        super().__init__(name, parent)
        self.pins = pins.channels["r"]
        self.bursts: dict[int, list[tuple[int, ...]]] = {}
        self.interleaved = False
        self._open: dict[int, list[int]] = {}

    async def run_phase(self) -> None:
        await at_every(self.pins.edge, self._sample)

    def _sample(self) -> None:
        valid, ready, values = self.pins.sample()
        if not (valid and ready):
            return
        beat = dict(zip(self.pins.payload, values, strict=True))
        axi_id, resp = int(beat["id"] or 0), int(beat["resp"] or 0)
        self._open.setdefault(axi_id, []).append(resp)
        self.interleaved |= len(self._open) > 1
        if beat["last"]:
            self.bursts.setdefault(axi_id, []).append(tuple(self._open.pop(axi_id)))

    def flush(self) -> None:
        """Forget what a reset cuts off, and what was before."""
        self._open.clear()
        self.bursts.clear()


class AxiMemoryEnv(BlockEnv):
    """traffic --> memory in Verilog --> log --+--> scoreboard, in order per direction and ID
    traffic --> memory in Python --> bursts --+    (and a passive monitor on the pins of the first)"""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, timing: MemoryTiming | None = None, bug: int = 0
    ) -> None:
        super().__init__(name, parent, dut)
        self.bug = bug
        self.count = lighter(40, 1, 4)  # bursts of each kind
        self.violations: list[Violation] = []
        pins, passive = Axi4Pins(dut, "m_axi"), Axi4Pins(dut, "v_axi")
        words = 1 << int(dut.LOG_WORDS.value)
        self.memory = np.zeros(words * pins.data_bytes, np.uint8)
        self.timing = timing or MemoryTiming.pick(self.rng)
        self.python = AxiMemoryAgent("python", self, pins, self.memory, self.rng, self.timing)
        self.verilog = Axi4Monitor("verilog", self, passive, report=self.violations.append)
        self.scoreboard = Scoreboard("scoreboard", self)
        self.log: MemoryLog
        self.cover = Collector("cover", self, COVERAGE).hits
        ports = {"python": pins, "verilog": passive}
        self.answers = {end: Answers(f"answers_{end}", self, port) for end, port in ports.items()}
        self.paces = [
            Pace(f"pace_{end}", self, port.channels, self._run(end), self._cut) for end, port in ports.items()
        ]

    def _run(self, end: str) -> Callable[[str, str, int], None]:
        def run(channel: str, stall: str, cycles: int) -> None:
            if stall != "moves":
                self.cover.sample(back_end=end, channel=channel, stall=stall, run=cycles)

        return run

    def _cut(self, channel: str, cut: str) -> None:
        self.cover.sample(cut_channel=channel, cut=cut)

    def start_of_simulation_phase(self) -> None:
        dut = self.dut
        for pin in (dut.go, dut.deaf, dut.flush, dut.load_req, dut.dump_req, dut.load_word):
            pin.value = 0
        dut.program_seed.value = program_seed(self.rng, self.count, len(dut.m_axi_wstrb), pages=not quick())
        dut.v_bug.value = self.bug
        dut.count.value = self.count
        dut.eager.value = self.rng.getrandbits(1)
        memory = dut.u_memory
        memory.latency.value = self.timing.read_latency[0] + 1
        memory.jitter.value = self.timing.read_latency[1] - self.timing.read_latency[0]
        memory.stall.value = self.rng.choice((0, 20, 128, 230))
        memory.stall_on.value = 0x1F
        memory.random.value = self.rng.getrandbits(64) | 1
        memory.err_beat.value = ALL_BEATS
        memory.err_read.value = memory.err_write.value = 0xFFFF_FFFF

    async def toggle(self, request: Any, answer: Any) -> None:
        """Ask the Verilog memory for something and wait until it is done."""
        request.value = not int(request.value)
        await ValueChange(answer)

    async def reads_logged(self, count: int) -> None:
        """Wait until the memory in Verilog has answered so many reads."""
        await self.until(lambda: sum(not burst.write for burst in self.verilog.bursts) >= count)

    async def prepare(self) -> None:
        """Both memories get the same random image; the log is opened behind what earlier tests wrote."""
        self.memory[:] = np.frombuffer(self.rng.randbytes(len(self.memory)), np.uint8)
        Path("load.bin").write_bytes(self.memory.tobytes())
        await self.toggle(self.dut.load_req, self.dut.load_done)
        await self.toggle(self.dut.flush, self.dut.flushed)
        self.log = MemoryLog("axi", len(self.dut.m_axi_wstrb))
        self.log.read()
        await self.cycles(10)  # a long gap on every channel

    async def run(self) -> list[Burst]:
        """Both programs to their end; returns the bursts of the log."""
        self.dut.go.value = 1
        for _ in range(6_000):
            await self.cycles(10)
            if to_int(self.dut.v_done) and to_int(self.dut.p_done):
                break
        else:
            raise TimeoutError("traffic did not finish")
        assert not self.violations and self.dut.rule.value == 0 and self.dut.busy.value == 0
        await self.toggle(self.dut.flush, self.dut.flushed)
        logged = self.log.read().bursts()
        self._count("python", self.python.bursts)
        self._count("verilog", logged)
        return logged

    def _count(self, end: str, bursts: Sequence[Burst]) -> None:
        """Functional coverage of a program."""
        width, cover = len(self.dut.m_axi_wstrb), self.cover
        for burst in bursts:
            first, last = burst.addr, burst.addr + burst.beats * width
            page = "inside" if first % PAGE and last % PAGE else "ends" if first % PAGE else "begins"
            wait = burst.end - burst.start - burst.beats
            cover.sample(
                back_end=end, access=burst.write, width=width, beats=burst.beats, page=page, wait=max(0, wait)
            )
            if burst.write:
                cover.sample(back_end=end, strobes=burst.full)
                cover.sample(back_end=end, written=burst.resp)
        for resps in (resps for found in self.answers[end].bursts.values() for resps in found):
            if any(resps):
                cover.sample(back_end=end, error=max(resps), failing=place(resps))
        starts = [burst.start for burst in bursts if not burst.write]
        cover.sample(back_end=end, order="in_order" if starts == sorted(starts) else "overtaking")
        if self.answers[end].interleaved:
            cover.sample(back_end=end, order="interleaved")

    def compare(self, expected: list[Burst], actual: list[Burst]) -> None:
        """Order between IDs is not defined: sort by stream, keep the order in each."""
        for bursts, add in ((expected, self.scoreboard.expect), (actual, self.scoreboard.observe)):
            for burst in sorted(bursts, key=lambda burst: (burst.write, burst.id)):
                add(burst)


def timing_of(rng: random.Random, stalled: str) -> MemoryTiming:
    """Of the memory in Python: one channel holds back, or any of them; reads may overtake."""
    timing = MemoryTiming.pick(rng)
    if stalled in CHANNELS:
        timing.stalls = {stalled: Stalls(rng, 0.7, 6)}
    timing.outstanding, timing.reorder = 16, stalled != "r"
    return timing


@cocotb.test()
@cocotb.parametrize(stalled=some([*CHANNELS, "any", "some", "more"]))
async def both_back_ends_log_the_same_bursts(dut: Any, stalled: str) -> None:
    """Under any pace, and with one channel alone on which both memories hold back."""
    timing = timing_of(random.Random(cocotb.RANDOM_SEED), stalled)
    async with start(AxiMemoryEnv, dut, timing=timing) as env:
        if stalled in CHANNELS:
            dut.eager.value = 1
            dut.u_memory.stall.value = 200
            dut.u_memory.stall_on.value = 1 << CHANNELS.index(stalled)
        await env.prepare()
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        assert env.scoreboard.compared == 3 * env.count
        assert any(not burst.full for burst in logged), "no partial strobe in the traffic"
        # The passive monitor saw on the pins what the log says, in the same order and in the same cycles.
        for write in (False, True):
            seen = [burst for burst in env.verilog.bursts if burst.write == write]
            wrote = [burst for burst in logged if burst.write == write]
            assert seen == wrote
            assert len({a.start - b.start for a, b in zip(seen, wrote, strict=True)}) == 1
            assert len({a.end - b.end for a, b in zip(seen, wrote, strict=True)}) == 1
        await env.toggle(dut.dump_req, dut.dump_done)
        assert np.array_equal(np.fromfile("dump.bin", np.uint8), env.memory)
        if stalled in CHANNELS:
            env.cover.sample(alone=stalled)


@cocotb.test()
@cocotb.parametrize(resp=[SLVERR, DECERR], places=[("only", "first", "last"), ("middle", "all", "only")])
async def both_back_ends_give_the_same_errors(dut: Any, resp: int, places: tuple[str, ...]) -> None:
    """On a beat of some reads, on all beats of others, and on a write."""
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        # Each address is read twice.
        reads = failing_reads(env.rng, int(dut.program_seed.value), 2 * env.count, places)
        write, memory = env.rng.randrange(env.count), dut.u_memory
        env.python.faults.append(Fault(True, resp, write))
        env.python.faults += [
            Fault(False, resp, read, beat=None if beat == ALL_BEATS else beat) for read, beat in reads
        ]
        memory.err_resp.value = resp
        memory.err_write.value = memory.write_count.value.to_unsigned() + write
        first = memory.read_count.value.to_unsigned()

        async def fail_reads() -> None:
            for read, beat in reads:
                memory.err_read.value, memory.err_beat.value = first + read, beat
                await env.reads_logged(read + 1)

        cocotb.start_soon(fail_reads())
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        for way, count in ((False, len(reads)), (True, 1)):
            assert sum(burst.resp == resp for burst in logged if burst.write == way) == count
        assert env.answers["python"].bursts == env.answers["verilog"].bursts
        # A write that gets an error changes nothing.
        await env.toggle(dut.dump_req, dut.dump_done)
        assert np.array_equal(np.fromfile("dump.bin", np.uint8), env.memory)


@cocotb.test()
@cocotb.parametrize(run=some(range(3)))
async def bursts_cut_off_by_reset_leave_nothing_behind(dut: Any, run: int) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        met = env.cover.bins["reset"]
        for turn in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if turn >= 12 and not unmet:
                break
            dut.eager.value = turn % 2
            dut.go.value = 1
            await env.cycles(env.rng.randint(2, 120))
            channel, cut = env.rng.choice(unmet or [*met]).split("_x_")
            for _ in range(400):  # until one port does that, if it comes to it
                if any(pace.doing(channel) == cut for pace in env.paces):
                    break
                await env.cycles(1)
            dut.go.value = 0
            await env.reset()
        assert not unmet, unmet
        await env.prepare()
        env.python.bursts.clear()
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        assert env.scoreboard.compared == 3 * env.count


@cocotb.test()
async def answers_that_nobody_takes_wait(dut: Any) -> None:
    """A manager that takes no read data and no response for long, then all of them."""
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        dut.deaf.value = dut.go.value = 1
        await env.until(lambda: all(pace.doing(name) == "held" for pace in env.paces for name in ("r", "b")))
        await env.cycles(20)
        dut.deaf.value = 0
        env.compare(env.python.bursts, await env.run())
        assert env.scoreboard.compared == 3 * env.count


@cocotb.test()
async def python_memory_faults_one_beat_of_a_range(dut: Any) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        env.python.faults.append(Fault(False, SLVERR, addr=range(0, len(env.memory) // 4), beat=0))
        await env.run()
        for burst in env.python.bursts:
            hit = not burst.write and burst.addr < len(env.memory) // 4
            assert burst.resp == (SLVERR if hit else 0)
            env.scoreboard.expect(burst.addr)
            env.scoreboard.observe(burst.addr)


@cocotb.test()
async def read_latency_is_as_asked(dut: Any) -> None:
    async with start(AxiMemoryEnv, dut, timing=MemoryTiming((30, 30), (40, 40))) as env:
        await env.prepare()
        dut.eager.value = 1
        dut.u_memory.stall.value = 0
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        for bursts, least in ((env.python.bursts, 30), (logged, 31)):
            waits = [burst.end - burst.start - (burst.beats - 1) for burst in bursts if not burst.write]
            assert min(waits) == least, f"{min(waits)} cycles, asked for {least}"


@cocotb.test()
async def late_data_are_waited_for(dut: Any) -> None:
    """Every answer after more than a thousand cycles."""
    timing = MemoryTiming((1200, 1500), (1200, 1500), outstanding=16)
    async with start(AxiMemoryEnv, dut, timing=timing) as env:
        await env.prepare()
        env.compare(env.python.bursts, await env.run())
        assert env.scoreboard.compared == 3 * env.count


@cocotb.test(expect_error=Mismatch)
async def a_flipped_bit_is_caught(dut: Any) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        env.memory[env.rng.randrange(len(env.memory) // 2)] ^= 1
        env.memory[: len(env.memory) // 2 : 16] ^= 4
        env.compare(env.python.bursts, await env.run())


@cocotb.test(expect_error=Idle)
async def a_silent_bus_is_caught(dut: Any) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        await env.run()
        env.compare([], [])


@cocotb.test()
@cocotb.parametrize(
    bug_rule=[
        (1, "VALID_STABLE"),
        (2, "PAYLOAD_STABLE"),
        (3, "PAYLOAD_STABLE"),
        (4, "WLAST"),
        (5, "BOUNDARY_4K"),
        (6, "FULL_WIDTH_INCR"),
        (7, "VALID_IN_RESET"),
    ]
)
async def both_checkers_name_the_rule(dut: Any, bug_rule: tuple[int, str]) -> None:
    """What is first on the pins is what the monitor and axi_rules.v say first."""
    bug, rule = bug_rule
    async with start(AxiMemoryEnv, dut, bug=bug) as env:
        env.scoreboard.minimum = 0
        dut.u_rules.rule.value = 0
        dut.u_memory.stall.value = 128
        dut.go.value = 1
        await env.cycles(400)
        await env.reset()
        assert env.violations[0].rule == rule
        assert HDL_RULES[int(dut.rule.value)] == rule
        env.cover.sample(rule=rule)
        dut.go.value = 0
        dut.v_bug.value = 0
        await env.reset()
        dut.u_rules.rule.value = 0
