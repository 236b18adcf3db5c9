"""The store bench: commands in; tokens, the output buffer and a memory beside; bursts are scored."""

from __future__ import annotations

from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from models.blocks import store_reads
from models.isa import Store, Window
from tb.agents.pins import to_int
from tb.bench import seed
from tb.common.collector import Collector
from tb.common.commands import Noise
from tb.common.dma import DmaEnv, Prefix
from tb.common.watch import value_of
from tb.store.coverage import COVERAGE
from tb.store.outcomes import Outcomes


class OutputBuffer(uvm_component):
    """The buffer's read port: the word one cycle after rd_en, noise in every other cycle. 65536 words."""

    def __init__(self, name: str, parent: StoreEnv, dut: Any, width: int) -> None:
        super().__init__(name, parent)
        self.dut, self.width, self.rng = dut, width, parent.rng
        self._noise = Noise(seed() ^ 0x5A5A)

    def word(self, address: int) -> bytes:
        """What the buffer holds at a word address."""
        return self._noise[slice(address * self.width, (address + 1) * self.width)].tobytes()

    async def run_phase(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            if to_int(dut.rst_n) == 1 and to_int(dut.rd_en) == 1:
                dut.rd_data.value = int.from_bytes(self.word(value_of(dut.rd_addr)), "little")
            else:
                dut.rd_data.value = self.rng.getrandbits(8 * self.width)


class StoreEnv(DmaEnv):
    """Events: ("response",) per burst, ("token", name), ("stamp", layer). reads: buffer words, in order."""

    kind = Store
    wait_pins = ("wait_compute",)
    signal_pins = ("sig_compute", "sig_load")
    stamp_may_wait = False
    directions = "w"

    def __init__(self, name: str, parent: uvm_component, dut: Any, **options: Any) -> None:
        self.outcomes: Outcomes | None = None
        super().__init__(name, parent, dut, **options)
        self.buffer = OutputBuffer("buffer", self, dut, self.config.n)
        self.reads = Prefix("reads", self)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.outcomes = Outcomes(self, self.cover)
        self.number = self.rng.randrange(65536)

    def flush(self) -> None:
        """Reset."""
        super().flush()
        if self.outcomes:
            self.outcomes.reset()

    def predict(self, command: Window, number: int, where: list[tuple[int, int]]) -> None:
        assert isinstance(command, Store) and self.outcomes
        reads = store_reads(command, self.config).tolist()
        done = 0
        first, whole = self.predicted, not self.failed
        for address, beats in where:
            words = reads[done : done + beats]
            done += beats
            known, counts = self.predicted, not self.failed
            self.expect_burst(address, beats, b"".join(map(self.buffer.word, words)), number)
            if self.predicted == known:  # not sent
                return
            for word in words:
                self.reads.expect(word)
            # After the first error nothing is said of what still ends.
            if counts:
                self.events.expect(("response",))
        if whole:
            self.outcomes.command_bursts(command, first, where)
        if self.failed:
            return
        if command.signal_compute:
            self.events.expect(("token", "sig_compute"))
        if command.signal_load:
            self.events.expect(("token", "sig_load"))
        if command.stamp:
            self.events.expect(("stamp", command.layer % 256))
        self.outcomes.command(command, len(reads))

    def sample_events(self) -> None:
        dut = self.dut
        if value_of(dut.rd_en):
            self.reads.observe(value_of(dut.rd_addr))
        if self.burst_ends() and not value_of(dut.halt):
            self.events.observe(("response",))
        if self.outcomes:
            self.outcomes.cycle()

    def burst_ends(self) -> int:
        return value_of(self.dut.b_valid) and value_of(self.dut.b_ready)

    async def halted(self) -> None:
        await super().halted()
        self.reads.stop()
