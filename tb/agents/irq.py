"""Level interrupt: monitor and waiter."""

from __future__ import annotations

from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component, uvm_monitor

from tb.agents import transactions
from tb.agents.pins import to_int
from tb.agents.rules import Report, Violation, fail


class IrqMonitor(uvm_monitor):
    """Publishes True and False on `port` as the interrupt rises and falls; X is a Violation."""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, pin: str = "irq", report: Report = fail
    ) -> None:
        super().__init__(name, parent)
        self.pin = getattr(dut, pin)
        self.rst_n = dut.rst_n
        self.edge = RisingEdge(dut.clk)
        self.port = transactions.port("port", self)
        self.report = report
        self.cycle = 0
        self.level = False
        self.rises = 0

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        while True:
            await self.edge
            self.cycle += 1
            value = to_int(self.pin)
            if value is None and to_int(self.rst_n) == 1:
                self.report(Violation("INTERRUPT_X", self.get_full_name(), self.cycle, "the pin is X"))
            # Registers hold anything until the first edge in reset: what rises there is no interrupt.
            level = value == 1 and (self.level or to_int(self.rst_n) == 1)
            if level != self.level:
                self.level = level
                self.rises += level
                self.port.write(level)

    async def wait(self, cycles: int, level: bool = True) -> int:
        """Wait until the interrupt has `level`; returns the cycles waited.

        Raises TimeoutError after `cycles` rising edges.
        """
        for waited in range(cycles):
            if (to_int(self.pin) == 1) == level:
                return waited
            await self.edge
        raise TimeoutError(f"{self.get_full_name()}: interrupt not {int(level)} within {cycles} cycles")
