"""The whole core against the memory in Python: answers in any order, an error on any beat, any stall.

The chip bench (tb/chip) runs the same kind of programs fast; here every channel can be made to misbehave.
Both compare with the same machine by the same score, so both memories see the same traffic.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np

from models.isa import Cause, Config
from models.machine import Machine
from models.trace import Trace
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, Fault, MemoryTiming
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.env import BlockEnv, start
from tb.agents.irq import IrqMonitor
from tb.agents.pins import Stalls
from tb.bench import Bench, light, params, seed
from tb.chip import host
from tb.chip.programs import Image, random_image
from tb.chip.score import ProgramScore, expected_columns, table_of
from tb.chip.session import fetched

SMALL = {
    "ACT_WORDS": 256,
    "WGT_WORDS": 128,
    "OUT_WORDS": 64,
    "PAR_WORDS": 32,
    "RES_WORDS": 64,
    "ACC_DEPTH": 16,
}
BENCH = Bench(
    "npu",
    [
        {"N": 4, **SMALL, "MAX_BURST": 8, "OUTSTANDING": 2},
        {"N": 8, **SMALL, "MAX_BURST": 16, "OUTSTANDING": 4},
    ],
    timeout=900,
)
DRAM = 1 << 20  # bytes
LIMIT = 400_000  # cycles


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
        self.compared = 0

    def prepare(self, operators: int = 2) -> Image:
        """A new random network in the memory, and a memory of another temper."""
        while True:
            image = random_image(self.numbers, self.config, operators, dense=False, most=5)
            if image.dram.size <= DRAM:
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

    async def start(self, image: Image) -> None:
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
        for write in [False, True] * repeats(2):
            image = env.prepare()
            trace = env.predict(image)
            count = trace.counters()["write_bursts" if write else "read_bursts"]
            index = env.rng.randrange(count)
            resp = env.rng.choice((2, 3))
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
            await env.good_program()


@cocotb.test()
async def npu_survives_reset_in_flight(dut: Any) -> None:
    """Reset at a random cycle; the next program is right."""
    async with start(NpuEnv, dut) as env:
        for _ in range(repeats(2)):
            await env.start(env.prepare())
            await env.cycles(env.rng.randrange(2000))
            await env.reset()
            await env.good_program()


@cocotb.test()
async def npu_score_catches_a_changed_byte(dut: Any) -> None:
    """The twin of the score: one input byte differs between the machine's memory and the core's."""
    async with start(NpuEnv, dut) as env:
        image = env.prepare()
        byte = image.compiled.address(0, image.compiled.inputs[0])
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
