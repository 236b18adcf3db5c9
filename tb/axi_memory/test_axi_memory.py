"""One AXI memory, two back ends: Python and Verilog log the same bursts for the same traffic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ValueChange
from pyuvm import uvm_component

from tb.agents.axi4 import Axi4Monitor, Axi4Pins, AxiMemoryAgent, Fault, MemoryTiming
from tb.agents.burst import DECERR, SLVERR, Burst
from tb.agents.env import BlockEnv, start
from tb.agents.memory_log import MEMORY_HDL, MemoryLog
from tb.agents.pins import to_int
from tb.agents.rules import HDL_RULES, Violation
from tb.agents.scoreboard import Idle, Mismatch, Scoreboard
from tb.bench import Bench

BENCH = Bench(
    toplevel="axi_memory_bench",
    params=[{"DATA_W": 128}, {"DATA_W": 32}, {"DATA_W": 256}],
    sources=[
        "tb/hdl/axi_memory_bench.v",
        *MEMORY_HDL,
        "tb/hdl/axi_traffic.v",
        "tb/hdl/axi_rules.v",
        "tb/hdl/channel_rules.v",
    ],
    public=[
        ("axi_memory_bench", "*"),
        *(("axi_memory", name) for name in ("latency", "jitter", "stall", "err_*", "*_count", "random")),
        ("axi_rules", "rule"),
    ],
)


class AxiMemoryEnv(BlockEnv):
    """traffic --> memory in Verilog --> log --+--> scoreboard, in order per direction and ID
    traffic --> memory in Python --> bursts --+    (and a passive monitor on the pins of the first)"""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, timing: MemoryTiming | None = None, bug: int = 0
    ) -> None:
        super().__init__(name, parent, dut)
        self.bug = bug
        self.violations: list[Violation] = []
        pins, passive = Axi4Pins(dut, "m_axi"), Axi4Pins(dut, "v_axi")
        words = 1 << int(dut.LOG_WORDS.value)
        self.memory = np.zeros(words * pins.data_bytes, np.uint8)
        self.timing = timing or MemoryTiming.pick(self.rng)
        self.python = AxiMemoryAgent("python", self, pins, self.memory, self.rng, self.timing)
        self.verilog = Axi4Monitor("verilog", self, passive, report=self.violations.append)
        self.scoreboard = Scoreboard("scoreboard", self)
        self.log: MemoryLog

    def start_of_simulation_phase(self) -> None:
        dut = self.dut
        for pin in (dut.go, dut.flush, dut.load_req, dut.dump_req, dut.load_word):
            pin.value = 0
        dut.program_seed.value = self.rng.getrandbits(32)
        dut.v_bug.value = self.bug
        dut.eager.value = self.rng.getrandbits(1)
        memory = dut.u_memory
        memory.latency.value = self.timing.read_latency[0] + 1
        memory.jitter.value = self.timing.read_latency[1] - self.timing.read_latency[0]
        memory.stall.value = self.rng.choice((0, 20, 128, 230))
        memory.random.value = self.rng.getrandbits(64) | 1
        memory.err_read.value = memory.err_write.value = 0xFFFF_FFFF

    async def toggle(self, request: Any, answer: Any) -> None:
        """Ask the Verilog memory for something and wait until it is done."""
        request.value = not int(request.value)
        await ValueChange(answer)

    async def prepare(self) -> None:
        """Both memories get the same random image; the log is opened behind what earlier tests wrote."""
        self.memory[:] = np.frombuffer(self.rng.randbytes(len(self.memory)), np.uint8)
        Path("load.bin").write_bytes(self.memory.tobytes())
        await self.toggle(self.dut.load_req, self.dut.load_done)
        await self.toggle(self.dut.flush, self.dut.flushed)
        self.log = MemoryLog("axi", len(self.dut.m_axi_wstrb))
        self.log.read()

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
        return self.log.read().bursts()

    def compare(self, expected: list[Burst], actual: list[Burst]) -> None:
        """Order between IDs is not defined: sort by stream, keep the order in each."""
        for bursts, add in ((expected, self.scoreboard.expect), (actual, self.scoreboard.observe)):
            for burst in sorted(bursts, key=lambda burst: (burst.write, burst.id)):
                add(burst)


@cocotb.test()
@cocotb.parametrize(run=range(6))
async def both_back_ends_log_the_same_bursts(dut: Any, run: int) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        assert env.scoreboard.compared == 120
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


@cocotb.test()
async def both_back_ends_give_the_same_errors(dut: Any) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        await env.prepare()
        read, write = env.rng.randrange(40), env.rng.randrange(40)
        env.python.faults += [Fault(False, DECERR, read), Fault(True, DECERR, write)]
        memory = dut.u_memory
        memory.err_resp.value = DECERR
        memory.err_read.value = memory.read_count.value.to_unsigned() + read
        memory.err_write.value = memory.write_count.value.to_unsigned() + write
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        assert [sum(burst.resp == DECERR for burst in logged if burst.write == way) for way in (0, 1)] == [
            1,
            1,
        ]
        # A write that gets an error changes nothing.
        await env.toggle(dut.dump_req, dut.dump_done)
        assert np.array_equal(np.fromfile("dump.bin", np.uint8), env.memory)


@cocotb.test()
@cocotb.parametrize(run=range(3))
async def bursts_cut_off_by_reset_leave_nothing_behind(dut: Any, run: int) -> None:
    async with start(AxiMemoryEnv, dut) as env:
        dut.go.value = 1
        await env.cycles(env.rng.randint(20, 200))
        dut.go.value = 0
        await env.reset()
        await env.prepare()
        env.python.bursts.clear()
        logged = await env.run()
        env.compare(env.python.bursts, logged)
        assert env.scoreboard.compared == 120


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
    """What is first on the pins is what the Python monitor and axi_rules.v say first."""
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
        dut.go.value = 0
        dut.v_bug.value = 0
        await env.reset()
        dut.u_rules.rule.value = 0
