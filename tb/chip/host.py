"""What the host of the chip does: registers, programs, the memory's log. Handles of tb/hdl/chip_bench.v."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cocotb.triggers import Timer, ValueChange, with_timeout

from models.isa import Cause, Windows
from tb.agents.rules import HDL_RULES

PERIOD_NS = 10

CTRL, STATUS, IRQ_ENABLE, IRQ_STATUS = 0x010, 0x014, 0x018, 0x01C
PROG_BASE, PROG_LEN, WATCHDOG = 0x020, 0x024, 0x028
ERR_CAUSE, ERR_ADDR, ERR_ID, ERR_CMD = 0x030, 0x034, 0x038, 0x03C
READ_BASE, READ_LIMIT, WRITE_BASE, WRITE_LIMIT = 0x080, 0x084, 0x088, 0x08C
COUNTERS = 0x040
STAMPS = 0x400
ACCOUNTS = 0x2000
LAYERS = 256  # that have a stamp of their own
START, STOP = 1, 2
DONE, ERROR = 1, 2

# The account of docs/registers.md: every cycle belongs to one of these. In the order of the registers.
ACCOUNT = ("busy", "pool", "load", "weights", "store", "token", "drain", "fill")
# In the order of the registers from COUNTERS on.
COUNTER_NAMES = (
    "cycles",
    *ACCOUNT,
    "load_wait",
    "store_wait",
    "read_bytes",
    "write_bytes",
    "read_bursts",
    "write_bursts",
)


@dataclass(frozen=True)
class ErrorRecord:
    """The core's error registers; the fields of models.trace.Stop."""

    cause: Cause
    address: int
    id: int
    command: int


class HostError(AssertionError):
    """The core did not do what a host may expect of it."""


def check_account(counts: Mapping[str, int], where: str) -> None:
    """Raise HostError unless the categories of an account add up to its cycles."""
    account = {name: counts[name] for name in ACCOUNT}
    if sum(account.values()) != counts["cycles"]:
        found = f"{sum(account.values())}, not to its {counts['cycles']} cycles: {account}"
        raise HostError(f"the account of {where} adds up to {found}")


class Host:
    """Accesses through tb/hdl/axi_lite_host.v: Python sleeps until each is over."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    async def reset(self, cycles: int = 4) -> None:
        """Hold reset for some cycles, at any time."""
        self.dut.rst_n.value = 0
        await Timer(cycles * PERIOD_NS, "ns")
        self.dut.rst_n.value = 1
        await Timer(PERIOD_NS, "ns")

    async def _access(self, write: bool, addr: int, data: int = 0) -> tuple[int, int]:
        return await with_timeout(self._answer(write, addr, data), 100 * PERIOD_NS, "ns")

    async def _answer(self, write: bool, addr: int, data: int = 0) -> tuple[int, int]:
        dut = self.dut
        dut.host_write.value = write
        dut.host_addr.value = addr
        dut.host_data.value = data
        dut.host_request.value = not int(dut.host_reply.value)
        await ValueChange(dut.host_reply)
        # The answer changes in the same time step as the reply, but perhaps after it.
        await Timer(1, "ns")
        return int(dut.host_reply_resp.value), int(dut.host_reply_data.value) if not write else 0

    async def write(self, addr: int, data: int) -> None:
        """Write a register. Raises HostError unless the answer is OKAY."""
        resp, _ = await self._access(True, addr, data)
        if resp:
            raise HostError(f"write of {data:#x} to register {addr:#05x}: response {resp}")

    async def read(self, addr: int) -> int:
        """Read a register. Raises HostError unless the answer is OKAY."""
        resp, data = await self._access(False, addr)
        if resp:
            raise HostError(f"read of register {addr:#05x}: response {resp}")
        return data

    async def read_all(self, addresses: Sequence[int]) -> list[int]:
        """Read registers one after the other, with one limit of time for all. Raises HostError as `read`."""

        async def work() -> list[int]:
            found = []
            for addr in addresses:
                resp, data = await self._answer(False, addr)
                if resp:
                    raise HostError(f"read of register {addr:#05x}: response {resp}")
                found.append(data)
            return found

        return await with_timeout(work(), 100 * PERIOD_NS * len(addresses), "ns")

    async def allow(self, windows: Windows) -> None:
        """Let programs touch these pages only."""
        for register, page in (
            (READ_BASE, windows.read[0]),
            (READ_LIMIT, windows.read[1]),
            (WRITE_BASE, windows.write[0]),
            (WRITE_LIMIT, windows.write[1]),
        ):
            await self.write(register, page)

    async def start(self, base: int, length: int) -> None:
        """Start a program. base: bytes; length: commands."""
        await self.write(IRQ_ENABLE, DONE | ERROR)
        await self.write(PROG_BASE, base)
        await self.write(PROG_LEN, length)
        await self.write(CTRL, START)

    async def finish(self, limit: int = 50_000_000) -> ErrorRecord | None:
        """Wait for the interrupt, at most `limit` cycles, and clear it. Returns the error record, if any."""
        if not int(self.dut.irq.value):
            await with_timeout(ValueChange(self.dut.irq), limit * PERIOD_NS, "ns")
        status, pending = await self.read(STATUS), await self.read(IRQ_STATUS)
        await self.write(IRQ_STATUS, pending)
        if int(self.dut.irq.value):
            raise HostError("the interrupt stays high after it was cleared")
        if status not in (2, 4) or pending != status >> 1:
            raise HostError(f"after the interrupt STATUS is {status:#x} and IRQ_STATUS {pending:#x}")
        if pending == DONE:
            return None
        return ErrorRecord(
            Cause(await self.read(ERR_CAUSE)),
            await self.read(ERR_ADDR),
            await self.read(ERR_ID),
            await self.read(ERR_CMD),
        )

    async def run(self, base: int, length: int, limit: int = 50_000_000) -> ErrorRecord | None:
        """start() and finish()."""
        await self.start(base, length)
        return await self.finish(limit)

    async def counters(self) -> dict[str, int]:
        """All counters of a program that has ended, by name.

        Raises HostError if the account does not add up.
        """
        values = await self.read_all([COUNTERS + 4 * i for i in range(len(COUNTER_NAMES))])
        counts = dict(zip(COUNTER_NAMES, values, strict=True))
        check_account(counts, "the program")
        return counts

    async def stamps(self, layers: int) -> list[dict[str, int]]:
        """`cycles` and account when each of the first `layers` layers was done.

        layers: at most LAYERS. Raises HostError if an account does not add up.
        """
        found = []
        for layer in range(layers):
            places = [STAMPS + 4 * layer, *(ACCOUNTS + 32 * layer + 4 * k for k in range(len(ACCOUNT)))]
            stamp = dict(zip(("cycles", *ACCOUNT), await self.read_all(places), strict=True))
            check_account(stamp, f"layer {layer}")
            found.append(stamp)
        return found

    async def flush_log(self) -> None:
        """After this the memory's log files hold every completed burst."""
        await self._toggle("flush", "flushed")

    async def load_memory(self) -> None:
        """Read the file of +load= into the memory, from address 0."""
        await self._toggle("load_req", "load_done")

    async def _toggle(self, request: str, done: str) -> None:
        answer = getattr(self.dut, done)
        getattr(self.dut, request).value = not int(answer.value)
        await with_timeout(ValueChange(answer), 100 * PERIOD_NS, "ns")

    def check_bus(self) -> None:
        """Raise HostError if the core has broken an AXI rule since the start, or left a burst unfinished."""
        if rule := int(self.dut.axi_rule.value):
            cycle = int(self.dut.axi_rule_cycle.value)
            raise HostError(f"the core broke the AXI rule {HDL_RULES[rule]} in cycle {cycle}")
        if int(self.dut.axi_busy.value):
            raise HostError("a burst is under way although the core is idle")
