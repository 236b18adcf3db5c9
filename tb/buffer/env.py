"""The bench of a buffer: both ports in every cycle, against an array."""

from __future__ import annotations

from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.env import BlockEnv
from tb.agents.pins import to_int
from tb.agents.scoreboard import Scoreboard
from tb.bench import params
from tb.buffer.coverage import COVERAGE
from tb.buffer.stimulus import Cycle, Cycles
from tb.common.changes import Changes
from tb.common.collector import Collector


class Ports(uvm_component):
    """Drives a Cycle per clock cycle, then publishes it, and rd_data one cycle later."""

    def __init__(self, name: str, parent: BufferEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut, self.queue = parent, dut, list[Cycle]()
        self.pins = Changes(dut)

    async def run_phase(self) -> None:
        edge, known, before = RisingEdge(self.dut.clk), False, False
        while True:
            cycle = self.queue.pop(0) if self.queue else None
            self.pins.drive((cycle or self.env.random.idle())._asdict())
            await edge
            # rd_data at this edge is what the cycles before have left.
            if before:
                self.env.scoreboard.observe(to_int(self.dut.rd_data))
            known = known or bool(cycle and cycle.rd_en)
            before = known and cycle is not None
            if cycle:
                left = self.env.model(cycle)
                self.env.outcomes.sample(cycle)
                if known:
                    self.env.scoreboard.expect(left)


class Outcomes:
    """Samples each cycle, and each read with what was written before it and after it."""

    def __init__(self, env: BufferEnv) -> None:
        self.env = env
        self.cover = Collector("cover", env, COVERAGE).hits
        self.written: int | None = None  # in the cycle before
        self.read: int | None = None  # last
        self.held, self.meanwhile = 0, "nothing"

    def sample(self, cycle: Cycle) -> None:
        """The next cycle; at its end the word read before was still as expected."""
        ports = ("none", "write", "read", "both")[cycle.wr_en + 2 * cycle.rd_en]
        self.cover.sample(ports=ports, meet=int(cycle.rd_addr == cycle.wr_addr))
        if cycle.rd_en:
            self.new_read(cycle.rd_addr)
        elif self.read is not None:
            self.held += 1
            if cycle.wr_en and self.meanwhile != "write_to_it":
                self.meanwhile = self.where(cycle.wr_addr, self.read)
        self.written = cycle.wr_addr if cycle.wr_en else None

    def where(self, written: int | None, word: int) -> str:
        """A write, if any, as a read of `word` sees it."""
        return "nothing" if written is None else "write_to_it" if written == word else "write_elsewhere"

    def new_read(self, word: int) -> None:
        """The read before has been held up to here."""
        if self.read is not None:
            self.cover.sample(held=self.held, meanwhile=self.meanwhile)
        corner = {0: "first", self.env.depth - 1: "last"}.get(word, "inside")
        self.cover.sample(word=corner, before=self.where(self.written, word))
        self.read, self.held, self.meanwhile = word, 1, "nothing"


class BufferEnv(BlockEnv):
    """One memory in Python beside the one in Verilog; rd_data is compared in every cycle after a read."""

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.width, self.depth = params()["W"], 1 << params()["LOG_D"]
        self.random = Cycles(self.rng, self.depth, self.width)
        self.words: dict[int, int] = {}
        self.read: int | None = None
        self.scoreboard = Scoreboard("scoreboard", self)
        self.outcomes = Outcomes(self)
        self.ports = Ports("ports", self, dut)

    def model(self, cycle: Cycle) -> int | None:
        """rd_data after this cycle: a read returns the word from before the cycle's write."""
        if cycle.rd_en:
            self.read = self.words[cycle.rd_addr]
        if cycle.wr_en:
            self.words[cycle.wr_addr] = cycle.wr_data
        return self.read

    async def play(self, cycles: list[Cycle]) -> None:
        """Fill every word, then these cycles."""
        fill = [self.random.write(wr_addr=address) for address in range(self.depth)]
        self.ports.queue += self.rng.sample(fill, len(fill)) + cycles
        await self.cycles(self.depth + len(cycles) + 3)
