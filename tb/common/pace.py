"""The pace of valid/ready channels: how long nothing is there, something waits, or every cycle takes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyuvm import uvm_component

from tb.agents.edges import at_every
from tb.agents.pins import to_int
from tb.agents.stream import StreamPins
from tb.common.cover import Accepts

# What a channel does in a cycle: VALID is low; it is high and READY low; both are high.
CYCLES = ("gap", "held", "moves")
# Like cycles in a row.
RUN: dict[str, Accepts] = {"one": 1, "few": range(2, 8), "long": range(8, 1 << 24)}


def nothing(*_: Any) -> None:
    """For what a bench does not ask."""


class Pace(uvm_component):
    """Watches channels, name -> pins, and says of each

    run(name, what, cycles): when it does something else than in the `cycles` before, outside reset;
    cut(name, what): what it did in the cycle that a reset followed.
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        channels: Mapping[str, StreamPins],
        run: Callable[[str, str, int], None] = nothing,
        cut: Callable[[str, str], None] = nothing,
    ) -> None:
        super().__init__(name, parent)
        self.channels = dict(channels)
        self.run, self.cut = run, cut
        self.edge = next(iter(channels.values())).edge
        self.rst_n = next(iter(channels.values())).rst_n
        self.cycle = 0
        self._now: dict[str, tuple[str, int]] = {}  # what it does, and since when

    def doing(self, name: str) -> str:
        """What a channel did in the last cycle, as CYCLES; "" in reset."""
        return self._now.get(name, ("", 0))[0]

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        await at_every(self.edge, self._sample)

    def _sample(self) -> None:
        self.cycle += 1
        if to_int(self.rst_n) != 1:
            for name, (what, _) in self._now.items():
                self.cut(name, what)
            self._now.clear()
            return
        for name, pins in self.channels.items():
            what = CYCLES[(1 + pins.is_ready()) if to_int(pins.valid) == 1 else 0]
            before, since = self._now.get(name, ("", self.cycle))
            if what != before:
                if before:
                    self.run(name, before, self.cycle - since)
                self._now[name] = (what, self.cycle)
