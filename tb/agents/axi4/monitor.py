"""AXI4, passive: what completes on the bus, and the protocol rules."""

from __future__ import annotations

import cocotb
from pyuvm import uvm_component, uvm_monitor

from tb.agents import transactions
from tb.agents.axi4.pins import Axi4Pins, sample_channels
from tb.agents.axi_checks import Axi4Rules
from tb.agents.burst import Burst
from tb.agents.edges import at_every
from tb.agents.pins import to_int
from tb.agents.rules import Report, fail


class Axi4Monitor(uvm_monitor):
    """Passive: publishes every completed Burst on `port`, keeps them in `bursts`, checks the protocol.

    outstanding: see Axi4Rules. full_width: INCR bursts of full-width aligned beats only (FULL_WIDTH_INCR).
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: Axi4Pins,
        outstanding: int | None = None,
        full_width: bool = True,
        report: Report = fail,
    ) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.port = transactions.port("port", self)
        self.bursts: list[Burst] = []
        self.rules = Axi4Rules(
            self.get_full_name(), pins.data_bytes, tuple(pins.channels), outstanding, report
        )
        self.full_width = full_width
        self.checkers = pins.checkers()

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        for checker in self.checkers:
            cocotb.start_soon(checker.watch(self._violate))
        await at_every(self.pins.edge, self._sample)

    def _violate(self, rule: str, detail: str) -> None:
        if self.full_width or rule != "FULL_WIDTH_INCR":
            self.rules.violate(rule, detail)

    def _sample(self) -> None:
        samples = sample_channels(self.pins.channels)
        for burst in self.rules.edge(to_int(self.pins.rst_n) != 1, samples):
            self.bursts.append(burst)
            self.port.write(burst)

    def check_phase(self) -> None:
        """Nothing under way at the end."""
        self.rules.end()
