"""Clock and reset of a block bench."""

from __future__ import annotations

from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


class ClockReset:
    """Drives `clk` and the active-low `rst_n`.

    The clock is cocotb's C++ one: with it, a coroutine woken by the rising edge reads what the flip-flops
    read, on Verilator and on Icarus. A clock made in Verilog does not give that on Verilator.
    """

    def __init__(self, dut: Any, period_ns: int = 10) -> None:
        self.clk = dut.clk
        self.rst_n = dut.rst_n
        self._clock = Clock(dut.clk, period_ns, "ns", impl="gpi")

    def start(self) -> None:
        """Start the clock, in reset."""
        self.rst_n.value = 0
        self._clock.start(start_high=False)

    async def cycles(self, count: int) -> None:
        """Wait for `count` rising edges."""
        edge = RisingEdge(self.clk)
        for _ in range(count):
            await edge

    async def assert_reset(self, cycles: int = 3) -> None:
        """Hold reset for `cycles` rising edges (at least 1); it may be called at any time."""
        self.rst_n.value = 0
        await self.cycles(cycles)

    def release_reset(self) -> None:
        """End reset: the next rising edge is the first that works."""
        self.rst_n.value = 1
