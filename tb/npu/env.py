"""The core between a host on AXI4-Lite and a memory in Python; what its bus and engines did, counted."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from models.config import Config
from models.isa import ID_FETCH, ID_LOAD, PAGE, Conv, Dest, End, Load, Pool, Store, Windows
from models.machine import Machine
from models.trace import Trace
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, MemoryTiming
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv
from tb.agents.irq import IrqMonitor
from tb.agents.pins import Stalls, to_int
from tb.bench import params, quick, seed
from tb.chip import host
from tb.chip.programs import Image, random_image
from tb.chip.score import ProgramScore, table_of
from tb.common.collector import Collector
from tb.common.cover import Hits
from tb.common.watch import value_of
from tb.lib.outcomes import ReadOrder
from tb.npu.coverage import COVERAGE

DRAM = 1 << 20  # bytes
SHORT = 40  # commands of a program in a quick run
LIMIT = 400_000  # cycles; the longest of these programs takes a fifth of it
# Cycles without progress after which the core's watchdog ends a program, and without a transfer on the bus
# after which the core hangs. No program here computes, and no memory waits, for as many as 2,000.
WATCHDOG, STILL = 5_000, 10_000
HOLDS = ("neither", "valid_waits", "ready_waits", "moves")
READERS = {
    frozenset(): "none",
    frozenset({ID_FETCH}): "fetch",
    frozenset({ID_LOAD}): "load",
    frozenset({ID_FETCH, ID_LOAD}): "both",
}


class Watch(uvm_component):
    """Samples the bus and the engines in every cycle, and what a halt or a reset finds."""

    def __init__(self, name: str, parent: NpuEnv, cover: Hits) -> None:
        super().__init__(name, parent)
        self.cover = cover
        self.dut = dut = parent.dut
        self.channels = {
            name: (getattr(dut, f"m_axi_{name}valid"), getattr(dut, f"m_axi_{name}ready"))
            for name in ("ar", "r", "aw", "w", "b")
        }
        engines = dut.u_engines
        self.idle = {"load": engines.l_idle, "compute": engines.d_idle, "store": engines.s_idle}
        self.order = ReadOrder(cover)
        self.works: dict[str, int] = {}
        self.flush()

    def flush(self) -> None:
        """Reset."""
        if self.works:
            self.cover.sample(**{f"reset_{name}": value for name, value in self.works.items()})
            self.under_way("reset")
        self.works.clear()
        self.halted = self.writes = self.still = 0
        self.order.flush()

    def under_way(self, when: str) -> None:
        reads, writes = ("some" if count else "none" for count in (len(self.order.asked), self.writes))
        self.cover.sample(**{f"{when}_reads": reads})
        self.cover.sample(**{f"{when}_writes": writes})

    async def run_phase(self) -> None:
        await at_every(RisingEdge(self.dut.clk), self.turn)

    def turn(self) -> None:
        dut = self.dut
        if to_int(dut.rst_n) != 1:
            return
        moves = {}
        for name, (valid, ready) in self.channels.items():
            hold = value_of(valid) + 2 * value_of(ready)
            moves[name] = hold == 3
            self.cover.sample(channel=name, hold=HOLDS[hold])
        self.still = 0 if any(moves.values()) else self.still + 1
        if moves["ar"]:
            self.order.ask(value_of(dut.m_axi_arid))
        halted = value_of(dut.halt)
        if halted and not self.halted:
            self.under_way("halt")
        self.halted = halted
        if moves["r"] and value_of(dut.m_axi_rlast):
            self.order.ended(value_of(dut.m_axi_rid))
        self.writes += moves["aw"] - moves["b"]
        self.cover.sample(reads=READERS[frozenset(self.order.asked)])
        self.cover.sample(writes=self.writes)
        self.works.update({name: 1 - value_of(wire) for name, wire in self.idle.items()})
        self.cover.sample(**{f"runs_{name}": value for name, value in self.works.items()})


class Program(NamedTuple):
    """Where a program is. base: bytes; length: commands."""

    base: int
    length: int


class NpuEnv(BlockEnv):
    """AXI4-Lite host -> core -> AXI4 memory, and the interrupt."""

    def build_phase(self) -> None:
        """Agents, in the order of the data."""
        given = {name.lower(): value for name, value in params().items() if name != "OUTSTANDING"}
        self.config = Config(**given)
        self.numbers = np.random.default_rng([seed(), self.config.n])
        self.host = AxiLiteAgent("host", self, AxiLitePins(self.dut), stalls=Stalls(self.rng, 0.3))
        memory = np.zeros(DRAM, np.uint8)
        pins = Axi4Pins(self.dut)
        self.memory = AxiMemoryAgent(
            "memory", self, pins, memory, self.rng, outstanding=params()["OUTSTANDING"]
        )
        self.irq = IrqMonitor("irq", self, self.dut)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.watch = Watch("watch", self, self.cover)
        self.compared = 0

    def prepare(self) -> Image:
        """A new random network in the memory, and a memory of another temper."""
        while True:
            image = random_image(self.numbers, self.config, 1 if quick() else 2, dense=False, most=5)
            if image.dram.size <= DRAM and (image.length <= SHORT or not quick()):
                break
        self.memory.memory[: image.dram.size] = image.dram
        self.memory.driver.timing = MemoryTiming.pick(self.rng)
        self.memory.bursts.clear()
        self.memory.faults.clear()
        return image

    def predict(self, image: Image) -> Trace:
        """What the machine makes of it, on a copy of the memory."""
        self.expected = self.memory.memory.copy()
        return Machine(self.config).run(self.expected, image.base, image.length)

    async def allow(self, windows: Windows) -> None:
        """Let programs touch these pages only."""
        pages = (*windows.read, *windows.write)
        registers = (host.READ_BASE, host.READ_LIMIT, host.WRITE_BASE, host.WRITE_LIMIT)
        for register, page in zip(registers, pages, strict=True):
            assert await self.host.write(register, page) == 0

    async def start(self, image: Image | Program, watchdog: int = WATCHDOG) -> None:
        for register, value in (
            (host.IRQ_ENABLE, host.DONE | host.ERROR),
            (host.WATCHDOG, watchdog),
            (host.PROG_BASE, image.base),
            (host.PROG_LEN, image.length),
            (host.CTRL, host.START),
        ):
            assert await self.host.write(register, value) == 0
        self.watch.still = 0

    async def fill(self, watchdog: int = WATCHDOG) -> None:
        """Write every word of every buffer, store the output's. Noise may store what no command has written,
        which on Icarus is X. Conv's pass takes 32 times as many cycles as a bank has words."""
        config = self.config
        sizes = {
            Dest.ACT: config.act_words,
            Dest.WGT: config.wgt_words,
            Dest.PAR: config.par_words,
            Dest.TABLE: 512 // config.n,
            Dest.RES: config.res_words,
        }
        loads = [Load(dest=dest, address=PAGE, run=words) for dest, words in sizes.items()]
        depth, words = config.acc_depth, config.out_words
        conv = Conv(out_w=2 * depth, tile=depth, cb=16, clear=True, drain=True, wait_load=True)
        pool = Pool(bypass=True, out_w=words, x_step=1, x_stride=1, x_hi=words, y_hi=1, signal_store=True)
        store = Store(address=2 * PAGE, run=words, wait_compute=True)
        commands = [*loads[:-1], replace(loads[-1], signal_compute=True), conv, pool, store, End()]
        raw = b"".join(command.encode() for command in commands)
        self.memory.memory[:] = 0
        self.memory.memory[: len(raw)] = np.frombuffer(raw, np.uint8)
        await self.start(Program(0, len(commands)), watchdog)
        assert await self.finish() == host.DONE, f"{await self.record()}"

    async def finish(self, limit: int = LIMIT) -> int:
        """Wait for the interrupt, clear it, return IRQ_STATUS as it was."""
        cycles = await self.until(lambda: self.irq.level or self.watch.still > STILL, limit)
        assert self.irq.level, f"hangs: {cycles} cycles, nothing moves on the bus"
        pending, _ = await self.host.read(host.IRQ_STATUS)
        assert await self.host.write(host.IRQ_STATUS, pending) == 0
        await self.irq.wait(4, level=False)
        return pending

    async def record(self) -> list[int]:
        """The error record: cause, address, ID, command."""
        return [(await self.host.read(host.ERR_CAUSE + 4 * i))[0] for i in range(4)]

    def score(self, trace: Trace, prefix: bool = False) -> None:
        """Compare all bursts since prepare()."""
        score = ProgramScore()
        score.compare(trace, table_of(self.memory.bursts, self.config.n), prefix=prefix)
        assert not score.mismatches, f"{len(score.mismatches)} mismatches, first:\n{score.mismatches[0]}"
        self.compared += score.bursts

    async def good_program(self) -> None:
        """Run one network, compare bursts and the whole memory."""
        image = self.prepare()
        trace = self.predict(image)
        await self.start(image)
        assert await self.finish() == host.DONE, f"{await self.record()}"
        self.score(trace)
        assert np.array_equal(self.memory.memory, self.expected), "memory differs from the machine's"

    def check_phase(self) -> None:
        """A bench that compared nothing has shown nothing."""
        assert self.compared, "no burst was compared"
