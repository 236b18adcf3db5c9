"""Inputs of a block driven in every cycle, written only where they change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tb.agents.pins import Handles


class Changes:
    """Drives pins of one DUT that nobody else drives. A write in cocotb costs many times a comparison."""

    def __init__(self, dut: Any) -> None:
        self._pins = Handles(dut)
        self._driven: dict[str, int] = {}

    def drive(self, values: Mapping[str, int]) -> None:
        """Pin -> value; a pin that is not named keeps its own."""
        for name, value in values.items():
            if self._driven.get(name) != value:
                getattr(self._pins, name).value = self._driven[name] = value
