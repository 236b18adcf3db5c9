"""The csr bench: AXI4-Lite manager --> csr, the counters' port beside it, and a model of every register."""

from __future__ import annotations

import random
from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.axi_checks import Access
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.env import BlockEnv
from tb.agents.irq import IrqMonitor
from tb.agents.pins import Stalls, to_int
from tb.agents.scoreboard import Scoreboard
from tb.bench import fewer, params
from tb.common.collector import Collector
from tb.common.compute import pins_of
from tb.common.watch import value_of
from tb.csr.coverage import COVERAGE
from tb.csr.registers import ACCOUNTS, NAMED, STAMPS, WRITABLE, Model
from tb.registers.rdl import SPACE

OFFSETS = {word.name: offset for offset, word in NAMED.items()}
WINDOWS = ("READ_BASE", "READ_LIMIT", "WRITE_BASE", "WRITE_LIMIT")
ERRORS = {"ERR_CAUSE": 4, "ERR_ADDR": 32, "ERR_ID": 4, "ERR_CMD": 16}  # bits


def every_word(rng: random.Random) -> list[int]:
    """Every word of the map; in a quick run the registers and a few of the rest."""
    return sorted({*OFFSETS.values(), *fewer(rng, range(0, SPACE, 4), 16)})


def kind_of(addr: int) -> str:
    """The register at an address, as tb/csr/coverage.py names it."""
    addr &= ~3
    if addr in NAMED:
        return NAMED[addr].name
    return "STAMP" if addr in STAMPS else "ACCOUNT" if addr in ACCOUNTS else "hole"


class CounterPort(uvm_component):
    """npu_counters' read port: data one cycle after rd_en, held until the next. Watches start and stop."""

    def __init__(self, name: str, parent: CsrEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut = parent, dut

    @staticmethod
    def value(what: str, index: int) -> int:
        """A number that only this counter has."""
        space = ("counter", "stamp", "account").index(what)
        return (0x9E37_79B9 * (index + 1 + (space << 11))) & 0xFFFF_FFFF

    async def run_phase(self) -> None:
        dut, edge = self.dut, RisingEdge(self.dut.clk)
        while True:
            await edge
            if to_int(dut.rst_n) != 1:
                continue
            if value_of(dut.count_rd_en):
                stamp, account = value_of(dut.count_rd_stamp), value_of(dut.count_rd_account)
                what = {(0, 0): "counter", (1, 0): "stamp", (0, 1): "account"}[stamp, account]
                dut.count_rd_data.value = self.value(what, value_of(dut.count_rd_index))
            for name in ("start", "stop"):
                if value_of(getattr(dut, name)):
                    self.env.pulses.observe(name)


PINS = """aw_held w_held s_axi_awvalid s_axi_awready s_axi_wvalid s_axi_wready s_axi_bvalid s_axi_bready
    s_axi_arvalid s_axi_arready s_axi_rvalid s_axi_rready"""


class Pace(uvm_component):
    """Samples who waits for whom on the bus, in every cycle, and what a reset finds there."""

    def __init__(self, name: str, parent: CsrEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.dut, self.sample, self.ran = dut, parent.cover.sample, False
        self.pins = pins_of(dut, PINS)

    def state(self) -> tuple[str, str]:
        """What is under way of a write, and of a read."""
        pins = self.pins
        halves = ("none", "address", "data", "both")[value_of(pins.aw_held) + 2 * value_of(pins.w_held)]
        writing = "answer" if value_of(pins.s_axi_bvalid) else halves
        return writing, "answer" if value_of(pins.s_axi_rvalid) else "none"

    def flush(self) -> None:
        """Reset: the registers still hold what it finds."""
        if self.ran:
            writing, reading = self.state()
            self.sample(writing=writing, reading=reading)
        self.ran = False

    async def run_phase(self) -> None:
        pins, sample, edge = self.pins, self.sample, RisingEdge(self.dut.clk)
        while True:
            await edge
            if to_int(self.dut.rst_n) != 1:
                continue
            self.ran = True
            writing, _ = self.state()
            if writing in ("address", "data", "both"):
                sample(half=writing)
            for name in ("b", "r", "aw", "w", "ar"):
                waits = value_of(getattr(pins, f"s_axi_{name}valid")) and not value_of(
                    getattr(pins, f"s_axi_{name}ready")
                )
                sample(waits, stall=f"{name}_not_taken" if name in ("b", "r") else f"{name}_waits")
            held = value_of(pins.aw_held) and value_of(pins.w_held)
            sample(held and writing == "answer", stall="write_waits")
            read = value_of(pins.s_axi_arvalid) and value_of(pins.s_axi_arready)
            if read or writing == "both":
                done = "read_and_write" if read and writing == "both" else "read" if read else "write"
                sample(beside=done)


class CsrEnv(BlockEnv):
    """AXI4-Lite manager --> csr; the model predicts every access, the monitor brings what was."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, stalls: bool = True) -> None:
        super().__init__(name, parent, dut)
        self.model = Model(params(), CounterPort.value)
        pace = Stalls.pick(self.rng) if stalls else Stalls(self.rng)
        self.axi = AxiLiteAgent("axi", self, AxiLitePins(dut), stalls=pace)
        self.irq = IrqMonitor("irq", self, dut)
        self.port = CounterPort("port", self, dut)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.pace = Pace("pace", self, dut)
        self.accesses = Scoreboard("accesses", self)
        self.pulses = Scoreboard("pulses", self, minimum=0)
        for pin in ("busy", "done_event", "error_event", *map(str.lower, ERRORS)):
            getattr(dut, pin).value = 0

    def connect_phase(self) -> None:
        self.axi.port.connect(self.accesses.actual)

    def flush(self) -> None:
        """Reset."""
        self.model.reset()

    async def read(self, addr: int) -> int:
        """Read and compare with the model."""
        data, resp = self.model.read(addr)
        self.accesses.expect(Access(False, addr, data, 0, resp))
        seen = (await self.axi.read(addr))[0]
        self.cover.sample(register=kind_of(addr), access="read", response=resp)
        self.cover.sample(unaligned=addr % 4)
        return seen

    async def write(self, addr: int, data: int, strobe: int = 0xF) -> None:
        """Write, compare the response, pulses and outputs with the model."""
        resp = self.model.write(addr, data, strobe)
        self.accesses.expect(Access(True, addr, data, strobe, resp))
        while self.model.pulses:
            self.pulses.expect(self.model.pulses.pop(0))
        await self.axi.write(addr, data, strobe)
        self.check_outputs()
        kind = kind_of(addr)
        self.cover.sample(register=kind, access="write", response=resp)
        if kind in WRITABLE:
            self.cover.sample(kept=kind, strobe=strobe)
        elif kind == "CTRL":
            self.cover.sample(command=data & 3 if strobe & 1 else 0, busy=self.model.busy)

    def check_outputs(self) -> None:
        """The pins that show a register's contents."""
        dut, value = self.dut, self.model.value
        names = ("PROG_BASE", "PROG_LEN", *WINDOWS)
        shown = [value_of(getattr(dut, name.lower())) for name in names]
        shown += [value_of(pin) for pin in (dut.watchdog_limit, dut.irq)]
        expected = [*(value[name] for name in names), value["WATCHDOG"], int(self.model.irq)]
        assert shown == expected, f"outputs {shown}, expected {expected}"
        self.cover.sample(enable=value["IRQ_ENABLE"], status=value["IRQ_STATUS"])

    async def event(self, done: int = 0, error: int = 0) -> None:
        """One cycle of done_event, error_event."""
        self.dut.done_event.value, self.dut.error_event.value = done, error
        await self.cycles(1)
        self.dut.done_event.value = self.dut.error_event.value = 0
        self.model.event(done, error)
        await self.cycles(1)
        self.check_outputs()

    def set_busy(self, busy: int) -> None:
        self.dut.busy.value = self.model.busy = busy

    def set_errors(self) -> None:
        """A random error record."""
        for name, bits in ERRORS.items():
            self.model.value[name] = self.rng.getrandbits(bits)
            getattr(self.dut, name.lower()).value = self.model.value[name]

    async def walk(self) -> None:
        """Read every word of the map in random order."""
        words = every_word(self.rng)
        self.rng.shuffle(words)
        for addr in words:
            await self.read(addr)
