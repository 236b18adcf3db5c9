"""What a checker in Verilog found, for the monitor of the same pins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cocotb.triggers import ValueChange

from tb.agents.pins import to_int


class Checker:
    """A channel_rules or burst_rules on the pins `<stem>*` of `dut`: rules_<stem>broken, rules_<stem>alarm.

    names: the rule of each bit. tb/bind.py puts checkers on every stream of a bench; nothing wakes Python
    until a rule is broken. Raises AttributeError if these pins have no checker.
    """

    def __init__(self, dut: Any, stem: str, names: Sequence[str]) -> None:
        try:
            self.broken, self.alarm = getattr(dut, f"rules_{stem}broken"), getattr(dut, f"rules_{stem}alarm")
        except AttributeError:
            raise AttributeError(f"no checker rules_{stem}* on the pins {stem}*, see tb/bind.py") from None
        self.stem = stem
        self.names = names

    async def watch(self, violate: Callable[[str, str], None]) -> None:
        """Call violate(rule, detail) for every rule in every cycle that breaks it."""
        while True:
            await ValueChange(self.alarm)
            bits = to_int(self.broken) or 0
            for i, name in enumerate(self.names):
                if bits >> i & 1:
                    violate(name, f"on the pins {self.stem}*")
