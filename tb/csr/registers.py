"""docs/registers.md as a model: what every access answers and changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tb.agents.burst import OKAY, SLVERR

PAGE = Path(__file__).resolve().parents[2] / "docs" / "registers.md"
SPACE = 0x4000
STAMPS = range(0x400, 0x800, 4)
ACCOUNTS = range(0x2000, 0x4000, 4)
# Bits that a write changes; the page says so in words.
WRITABLE = {"IRQ_ENABLE": 0x3, "PROG_BASE": 0xFFFF_FFC0, "PROG_LEN": 0xFFFF, "WATCHDOG": 0xFFFF_FFFF}


@dataclass(frozen=True)
class Register:
    """A row of the page. reset: None where it says `parameters` or, for a counter, nothing."""

    offset: int
    name: str
    access: str
    reset: int | None


def page() -> dict[int, Register]:
    """The registers by offset; a counter's access is COUNT."""
    found = {}
    for line in PAGE.read_text().splitlines():
        offset, name, *columns = [cell.strip() for cell in line.strip("|").split("|")] + ["", ""]
        if not re.fullmatch(r"0x[0-9A-F]{3}", offset):
            continue
        access = columns[0].split()[0]
        if access not in ("RO", "WO", "RW", "RW1C"):
            found[int(offset, 16)] = Register(int(offset, 16), name, "COUNT", None)
        else:
            reset = None if columns[1] == "parameters" else int(columns[1], 0)
            found[int(offset, 16)] = Register(int(offset, 16), name, access, reset)
    return found


class Model:
    """The registers with their contents.

    config, buffers: of this build. inputs: STATUS.busy and the error record as driven. counter: (what,
    index) -> value at the counters' port, what: counter, stamp or account.
    """

    def __init__(self, config: int, buffers: int, counter: Callable[[str, int], int]) -> None:
        self.registers = page()
        self.value = {r.name: r.reset or 0 for r in self.registers.values()} | {
            "CONFIG": config,
            "BUFFERS": buffers,
        }
        self.counter = counter
        self.busy = 0
        self.pulses: list[str] = []  # start and stop, as they must come

    def reset(self) -> None:
        """Contents after reset."""
        for register in self.registers.values():
            if register.access in ("RW", "RW1C"):
                self.value[register.name] = register.reset or 0
        self.value["STATUS"] = 0
        self.pulses.clear()

    def event(self, done: int, error: int) -> None:
        """done_event, error_event in a cycle without a write."""
        self.value["STATUS"] |= done << 1 | error << 2
        self.value["IRQ_STATUS"] |= done | error << 1

    @property
    def irq(self) -> bool:
        return bool(self.value["IRQ_STATUS"] & self.value["IRQ_ENABLE"])

    def read(self, addr: int) -> tuple[int, int]:
        """(data, response)."""
        addr &= ~3
        if addr in STAMPS:
            return self.counter("stamp", 8 * ((addr - STAMPS.start) // 4)), OKAY
        if addr in ACCOUNTS:
            return self.counter("account", (addr - ACCOUNTS.start) // 4), OKAY
        register = self.registers.get(addr)
        if register is None:
            return 0, SLVERR
        if register.access == "COUNT":
            return self.counter("counter", (addr - 0x40) // 4), OKAY
        if register.name == "STATUS":
            return self.value["STATUS"] | self.busy, OKAY
        return (0 if register.access == "WO" else self.value[register.name]), OKAY

    def write(self, addr: int, data: int, strobe: int) -> int:
        """The response."""
        mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
        register = self.registers.get(addr & ~3)
        if register is None or register.access not in ("RW", "RW1C", "WO"):
            return SLVERR
        name, data = register.name, data & mask
        if register.access == "RW1C":
            self.value[name] &= ~data
        elif register.access == "RW":
            mask &= WRITABLE[name]
            self.value[name] = self.value[name] & ~mask | data & mask
        elif data & 1 and self.busy:
            return SLVERR
        else:
            if data & 1:
                self.value["STATUS"] = 0
            self.pulses += [name for bit, name in enumerate(("start", "stop")) if data >> bit & 1]
        return OKAY
