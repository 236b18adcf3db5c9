"""The whole core against the memory in Python: answers in any order, an error on any beat, any stall.

The chip bench (tb/chip) runs the same kind of programs fast; here every channel can be made to misbehave.
Both compare with the same machine by the same score, so both memories see the same traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from models.config import Config
from models.isa import ADDRESS_SPACE, COMMAND_BYTES, ID_FETCH, ID_LOAD, PAGE, Cause, Windows
from models.machine import Machine
from models.trace import Trace
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, Fault, MemoryTiming
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.burst import SLVERR
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv, start
from tb.agents.irq import IrqMonitor
from tb.agents.pins import Stalls, to_int
from tb.bench import Bench, fewer, light, params, quick, seed
from tb.chip import host
from tb.chip.mutate import MUTATIONS
from tb.chip.programs import Image, random_image
from tb.chip.score import ProgramScore, expected_columns, table_of
from tb.chip.session import fetched
from tb.common.collector import Collector
from tb.common.cores import SMALL_BUFFERS
from tb.common.cover import Hits
from tb.common.watch import value_of
from tb.lib.outcomes import ReadOrder
from tb.npu.coverage import COVERAGE

BENCH = Bench(
    "npu",
    [
        {"N": 4, **SMALL_BUFFERS, "MAX_BURST": 8, "OUTSTANDING": 2},
        {"N": 8, **SMALL_BUFFERS, "MAX_BURST": 16, "OUTSTANDING": 4},
    ],
    public=[("npu", "*"), *(("npu_engines", name) for name in ("l_idle", "d_idle", "s_idle"))],
    timeout=900,
)
DRAM = 1 << 20  # bytes
SHORT = 40  # commands of a program in a quick run
LIMIT = 400_000  # cycles
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
        self.halted = self.writes = 0
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

    def prepare(self, operators: int = 2) -> Image:
        """A new random network in the memory, and a memory of another temper."""
        while True:
            image = random_image(self.numbers, self.config, operators, dense=False, most=5)
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

    async def start(self, image: Image | Program) -> None:
        for register, value in (
            (host.IRQ_ENABLE, host.DONE | host.ERROR),
            (host.PROG_BASE, image.base),
            (host.PROG_LEN, image.length),
            (host.CTRL, host.START),
        ):
            assert await self.host.write(register, value) == 0

    async def finish(self) -> int:
        """Wait for the interrupt, clear it, return IRQ_STATUS as it was."""
        await self.irq.wait(LIMIT)
        pending, _ = await self.host.read(host.IRQ_STATUS)
        assert await self.host.write(host.IRQ_STATUS, pending) == 0
        await self.irq.wait(4, level=False)
        return pending

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
        assert await self.finish() == host.DONE
        self.score(trace)
        assert np.array_equal(self.memory.memory, self.expected), "memory differs from the machine's"

    def check_phase(self) -> None:
        """A bench that compared nothing has shown nothing."""
        assert self.compared, "no burst was compared"


def repeats(count: int) -> int:
    """`count`, or 1 in a light run."""
    return 1 if light() else count


@cocotb.test()
async def npu_runs_random_networks_with_any_memory(dut: Any) -> None:
    """Random latency, stalls on all five channels, answers out of order between IDs."""
    async with start(NpuEnv, dut) as env:
        for _ in range(repeats(4)):
            await env.good_program()


@cocotb.test()
async def npu_stops_on_an_error_on_any_beat(dut: Any) -> None:
    """One beat of one read, or one write response; recorded with address, ID and command."""
    async with start(NpuEnv, dut) as env:
        # The first read is of fetch, the last one of load.
        places = [(False, "first"), (False, "last"), (True, "any"), (False, "any")]
        for resp, (write, place) in fewer(env.rng, [*product((2, 3), places)], 4):
            image = env.prepare()
            trace = env.predict(image)
            count = trace.counters()["write_bursts" if write else "read_bursts"]
            index = {"first": 0, "last": count - 1}.get(place, env.rng.randrange(count))
            if write:  # others are on their way when the error comes
                env.memory.driver.timing = MemoryTiming(write_latency=(60, 80))
            env.memory.faults.append(
                Fault(write, resp, env.memory.driver._count["w" if write else "r"] + index)
            )
            await env.start(image)
            assert await env.finish() == host.ERROR
            env.memory.faults.clear()
            record = [(await env.host.read(host.ERR_CAUSE + 4 * i))[0] for i in range(4)]
            fetch = fetched(env.expected, image.base, image.length, env.config)
            env.score(replace(trace, fetch=fetch), prefix=True)
            (bad,) = [burst for burst in env.memory.bursts if burst.resp]
            same = [burst for burst in env.memory.bursts if burst.id == bad.id]
            parts = (fetch, trace.load, trace.store)[bad.id]
            command = int(expected_columns(parts, env.config.n).command[same.index(bad)])
            base = Cause.WRITE_SLVERR if write else Cause.READ_SLVERR
            assert record == [base + resp - 2, bad.addr, bad.id, command], f"{record} for {bad}"
            env.cover.sample(response=resp, engine=bad.id)
            if place == "any":
                await env.good_program()


@cocotb.test()
async def npu_survives_reset_in_flight(dut: Any) -> None:
    """Reset at a random cycle, and as soon as each engine works; the next program is right."""
    async with start(NpuEnv, dut) as env:
        watch = env.watch
        moments: list[Callable[[], Any]] = [lambda: True, lambda: watch.writes]
        moments += [partial(watch.works.get, engine) for engine in watch.idle]
        for there in fewer(env.rng, moments, 2):
            await env.start(env.prepare())
            await env.until(there)
            await env.reset()
        for _ in range(repeats(2)):
            await env.start(env.prepare())
            await env.cycles(env.rng.randrange(2000))
            await env.reset()
            await env.good_program()


@cocotb.test()
async def npu_survives_any_command(dut: Any) -> None:
    """Commands of noise from anywhere in the address space, within any windows: each program ends, or does
    so when it is told to; no burst lies outside the windows; a good program after them is right."""
    async with start(NpuEnv, dut) as env:
        rng, n = env.numbers, env.config.n
        for i in range(8 if light() else 160):
            env.memory.driver.timing = MemoryTiming()
            env.memory.bursts.clear()
            commands = [bytes(COMMAND_BYTES)]
            MUTATIONS["noise"][0](rng, commands, env.config)
            base = int(rng.integers(ADDRESS_SPACE if i % 4 == 0 else DRAM)) // COMMAND_BYTES * COMMAND_BYTES
            if base < DRAM:
                env.memory.memory[base : base + COMMAND_BYTES] = np.frombuffer(commands[0], np.uint8)
            pages = [int(page) * PAGE for page in rng.integers(ADDRESS_SPACE // PAGE, size=4)]
            if i % 8 == 7:
                windows = Windows((pages[0], pages[1]), (pages[2], pages[3]))
            elif i % 8 == 3:  # all but the highest, or the lowest, pages
                windows = Windows((0, pages[1] | 1 << 31), (pages[2] & ~(1 << 31), ADDRESS_SPACE - PAGE))
            else:
                windows = Windows()
            await env.allow(windows)
            await env.start(Program(base, int(rng.integers(1, 1 << 16))))
            try:
                await env.irq.wait(150)
            except TimeoutError:
                assert await env.host.write(host.CTRL, host.STOP) == 0
            assert await env.finish() in (host.DONE, host.ERROR)  # noise may be END
            for register in range(4):
                await env.host.read(host.ERR_CAUSE + 4 * register)
            for burst in env.memory.bursts:
                low, high = windows.write if burst.write else windows.read
                inside = low <= burst.addr and burst.addr + burst.beats * n <= high + PAGE
                assert inside, f"{burst} outside {low:#x} to {high:#x}"
        hole = 0xFFC
        assert (await env.host.write(hole, 0), (await env.host.read(hole))[1]) == (SLVERR, SLVERR)
        await env.allow(Windows())
        await env.good_program()


@cocotb.test()
async def npu_score_catches_a_changed_byte(dut: Any) -> None:
    """The twin of the score: one byte that load reads differs between the machine's memory and the core's.

    Of the input itself a network need not read every byte: a slice leaves some out.
    """
    async with start(NpuEnv, dut) as env:
        image = env.prepare()
        byte = int(env.predict(image).load[0].addresses[0])
        env.memory.memory[byte] ^= 1
        trace = env.predict(image)
        env.memory.memory[byte] ^= 1
        await env.start(image)
        await env.finish()
        try:
            env.score(trace)
        except AssertionError as caught:
            assert "load read" in str(caught), f"{caught}"
        else:
            raise AssertionError("the score let a changed byte pass")
        await env.good_program()
