"""The registers of rtl/csr/npu.rdl with their contents: what every access answers and changes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from tb.agents.burst import OKAY, SLVERR
from tb.registers.rdl import Register, compile_rdl, registers


@functools.cache
def words(parameters: tuple[tuple[str, int], ...] = ()) -> list[Register]:
    """All of them in a core with these parameters of npu_csr."""
    return registers(compile_rdl(dict(parameters)))


def _array(name: str) -> range:
    """The offsets of an array's words."""
    offsets = [word.offset for word in words() if word.name.startswith(f"{name}[")]
    return range(offsets[0], offsets[-1] + 4, 4)


NAMED = {word.offset: word for word in words() if not word.index}
STAMPS, ACCOUNTS = _array("STAMP"), _array("ACCOUNT")
COUNTERS = min(offset for offset, word in NAMED.items() if word.counts)
# Bits that a write sets and clears.
WRITABLE = {
    word.name: mask
    for word in NAMED.values()
    if (mask := sum(field.mask for field in word.fields if field.access == "RW"))
}


class Model:
    """The registers with their contents.

    parameters: of npu_csr. inputs: STATUS.busy and the error record as driven. counter: (what, index) ->
    value at the counters' port, what: counter, stamp or account.
    """

    def __init__(self, parameters: Mapping[str, int], counter: Callable[[str, int], int]) -> None:
        found = words(tuple(parameters.items()))
        self.registers = {word.offset: word for word in found if not word.index}
        self.value = {word.name: word.reset or 0 for word in self.registers.values()}
        self.counter = counter
        self.busy = 0
        self.pulses: list[str] = []  # start and stop, as they must come

    def reset(self) -> None:
        """Contents after reset. The error record is another block's: it stays."""
        for word in self.registers.values():
            if word.writable or word.name == "STATUS":
                self.value[word.name] = word.reset or 0
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
        word = self.registers.get(addr)
        if word is None:
            return 0, SLVERR
        if word.counts:
            return self.counter("counter", (addr - COUNTERS) // 4), OKAY
        busy = self.busy if word.name == "STATUS" else 0
        return (self.value[word.name] | busy) & word.mask, OKAY

    def write(self, addr: int, data: int, strobe: int) -> int:
        """The response."""
        mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
        word = self.registers.get(addr & ~3)
        if word is None or not word.writable:
            return SLVERR
        data &= mask
        if word.name == "CTRL":
            return self._control(data)
        for field in word.fields:
            if field.access == "W1C":
                self.value[word.name] &= ~(data & field.mask)
            else:
                bits = mask & field.mask
                self.value[word.name] = self.value[word.name] & ~bits | data & bits
        return OKAY

    def _control(self, data: int) -> int:
        if data & 1 and self.busy:
            return SLVERR
        if data & 1:
            self.value["STATUS"] = 0
        self.pulses += [name for bit, name in enumerate(("start", "stop")) if data >> bit & 1]
        return OKAY
