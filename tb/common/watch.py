"""Rules that hold in every cycle of an engine's life, and the token queues beside it."""

from __future__ import annotations

import random
from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.pins import Handles, Stalls, to_int
from tb.agents.rules import Violation, fail
from tb.agents.stream import StreamMonitor, StreamPins


class EngineError(AssertionError):
    """An engine broke a rule that holds in every cycle."""


def value_of(handle: Any) -> int:
    """Unsigned value of a pin. Raises EngineError for X."""
    try:
        return int(handle._handle.get_signal_val_binstr(), 2)
    except ValueError:
        raise EngineError(f"{handle._path} is X") from None


class Gate(Stalls):
    """Holds back while `closed`, as a test says."""

    def __init__(self) -> None:
        super().__init__(random.Random(0))
        self.closed = False

    def __call__(self) -> bool:
        return self.closed


class TokenQueue(uvm_component):
    """An npu_tokens at an engine's pins: valid (source) or ready (sink), once high, stays until a transfer.

    credits: tokens, or places, that are left; None: no limit.
    """

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, prefix: str, source: bool, stalls: Stalls
    ) -> None:
        super().__init__(name, parent)
        self.pins = StreamPins(dut, prefix, ())
        self.mine, self.other = self.pins.valid, self.pins.ready
        if not source:
            self.mine, self.other = self.other, self.mine
        self.stalls = stalls
        self.credits: int | None = None
        # A halted engine takes its token back; nobody counts tokens then.
        self.halted = False
        self.monitor = StreamMonitor("monitor", self, self.pins, self._report)

    def _report(self, violation: Violation) -> None:
        if not (self.halted and violation.rule == "VALID_STABLE"):
            fail(violation)

    def flush(self) -> None:
        """Reset."""
        self.halted = False

    async def run_phase(self) -> None:
        """Offer, hold, and count transfers."""
        offered = False
        while True:
            in_reset = to_int(self.pins.rst_n) != 1
            offered = not in_reset and (offered or (self.credits != 0 and not self.stalls()))
            self.mine.value = offered
            await self.pins.edge
            if offered and to_int(self.other) == 1 and to_int(self.pins.rst_n) == 1:
                offered = False
                if self.credits is not None:
                    self.credits -= 1


class BusWatch(uvm_component):
    """Every rising edge: quiet is exact, an address belongs to a command, none is new after halt.

    channel: ar or aw. The environment says when a burst ends (burst_ends).
    """

    def __init__(self, name: str, parent: Any, channel: str) -> None:
        super().__init__(name, parent)
        self.env = parent
        self.dut = dut = Handles(parent.dut)
        self.valid, self.ready = getattr(dut, f"{channel}_valid"), getattr(dut, f"{channel}_ready")
        self.address = getattr(dut, f"{channel}_addr")
        self.flush()

    def flush(self) -> None:
        """Reset: nothing is under way, halt is low."""
        self.allowed = 0  # bursts of the commands started so far that were not shown yet
        self.under_way = 0
        self.most = 0  # under way at once, at any time
        self.waiting = False
        self.was_halted = False
        self.dut.halt.value = 0

    def halt(self) -> None:
        """High from here on, until reset."""
        self.dut.halt.value = 1

    def rule(self, holds: object, text: str) -> None:
        """Raise EngineError unless the rule holds."""
        if not holds:
            raise EngineError(text)

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            if to_int(self.dut.rst_n) == 1:
                self.sample()

    def sample(self) -> None:
        """One edge outside reset."""
        raise NotImplementedError

    def sample_bus(self, halted: int) -> None:
        """quiet is exact, and an address is shown only for a started command and not after halt."""
        valid = value_of(self.valid)
        if valid and not self.waiting:
            self.rule(self.allowed > 0, f"address 0x{value_of(self.address):x} belongs to no command")
            self.rule(not self.was_halted, f"a new burst, address 0x{value_of(self.address):x}, after halt")
            self.allowed -= 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.waiting = bool(valid and not value_of(self.ready))
        quiet = value_of(self.dut.quiet)
        if quiet != (self.under_way == 0):
            raise EngineError(f"quiet is {quiet} with {self.under_way} bursts under way")
        self.under_way -= self.env.burst_ends()
        self.was_halted = bool(halted)
