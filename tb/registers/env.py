"""The bench of the registers: the whole core on its bus, its registers inside, and the register model."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from cocotb.triggers import FallingEdge
from pyuvm import uvm_component, uvm_status_e

from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.burst import OKAY, SLVERR
from tb.agents.env import BlockEnv
from tb.agents.irq import IrqMonitor
from tb.bench import params
from tb.common.collector import Collector
from tb.common.cover import Hits
from tb.registers.coverage import COVERAGE, KINDS
from tb.registers.model import AxiLiteAdapter, Inside, by_name, uvm_block
from tb.registers.rdl import SOURCE, Field, Register, compile_rdl, logs_of, registers

PROGRAM = 0x400  # where programs lie


class RegisterError(AssertionError):
    """The core and the RDL do not agree."""


class RegistersEnv(BlockEnv):
    """AXI4-Lite host -> core -> memory; the register model's accesses go through the host's sequencer.

    spoil: (text of the RDL, what stands there instead), for the twins.
    """

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, spoil: tuple[str, str] | None = None
    ) -> None:
        super().__init__(name, parent, dut)
        text = SOURCE.read_text()
        if spoil:
            assert spoil[0] in text, f"{SOURCE.name} has no {spoil[0]!r}"
            text = text.replace(*spoil)
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, SOURCE.name)
            source.write_text(text)
            top = compile_rdl(logs_of(params()), source)
        self.registers = registers(top)
        self.named = [register for register in self.registers if not register.index]
        self.block = uvm_block(top)
        self.inside = Inside(dut)
        # What is walked with a wrong RDL covers nothing.
        self.cover = Hits(COVERAGE) if spoil else Collector("cover", self, COVERAGE).hits
        self.checked = 0

    def build_phase(self) -> None:
        """Agents, in the order of the data."""
        self.host = AxiLiteAgent("host", self, AxiLitePins(self.dut))
        memory = np.zeros(1 << 16, np.uint8)
        self.memory = AxiMemoryAgent("memory", self, Axi4Pins(self.dut), memory, self.rng)
        self.irq = IrqMonitor("irq", self, self.dut)

    def connect_phase(self) -> None:
        self.block.get_default_map().set_sequencer(self.host.sequencer, AxiLiteAdapter())

    def check_phase(self) -> None:
        """A bench that compared nothing has shown nothing."""
        if not self.checked:
            raise RegisterError("no register was compared")

    def __getitem__(self, name: str) -> Register:
        return next(register for register in self.registers if register.name == name)

    def field(self, name: str) -> tuple[Register, Field]:
        """A field by "REGISTER.FIELD"."""
        register, _, field = name.rpartition(".")
        return self[register], next(f for f in self[register].fields if f.name == field)

    def same(self, what: str, seen: int | None, expected: int) -> None:
        """Raises RegisterError unless they are equal."""
        self.checked += 1
        if seen != expected:
            raise RegisterError(f"{what} is {'X' if seen is None else hex(seen)}, expected {expected:#x}")

    async def read(self, register: Register) -> int:
        """By the register model, through the bus."""
        status, value = await by_name(self.block, register.name).read()
        if status != uvm_status_e.UVM_IS_OK:
            raise RegisterError(f"{register.name} answers a read with an error")
        return value

    async def write(self, register: Register, data: int, strobe: int = 0xF) -> None:
        """By the bus; the answer must be that of a register which can, or cannot, be written."""
        self.same(
            f"the answer to a write of {register.name}",
            await self.host.write(register.offset, data, strobe),
            OKAY if register.writable else SLVERR,
        )
        answer = "okay" if register.writable else "error"
        self.cover.sample(written=KINDS[register.name], answer=answer, strobe=strobe)

    async def check(self, register: Register, expected: int) -> None:
        """Compare a register's fields by the bus and from inside."""
        self.same(f"{register.name} by the bus", await self.read(register), expected & register.mask)
        for field in register.fields:
            if field.rtl:
                name = f"{register.name}.{field.name} inside, {field.rtl},"
                value = (expected & field.mask) >> field.lsb
                self.same(name, self.inside.peek(field, register.index), value)

    def snapshot(self) -> dict[str, int | None]:
        """Every named field, from inside."""
        return {
            f"{register.name}.{field.name}": self.inside.peek(field)
            for register in self.named
            for field in register.fields
            if field.rtl
        }

    async def poke(self, register: Register, value: int) -> int:
        """Put a value into a register from inside; returns what can be read of it then."""
        await FallingEdge(self.dut.clk)
        shown = register.reset or 0
        for field in register.fields:
            if field.rtl and not field.rtl.endswith(".busy"):  # a wire: it cannot be set
                self.inside.poke(field, (value & field.mask) >> field.lsb, register.index)
                kept = (self.inside.peek(field, register.index) or 0) << field.lsb
                shown = shown & ~field.mask | kept
        return shown

    async def program(self, *opcodes: int) -> None:
        """Put a program of these commands into the memory."""
        self.memory.memory[:] = 0
        for i, opcode in enumerate(opcodes):
            self.memory.memory[PROGRAM + 64 * i] = opcode
        await self.write(self["PROG_BASE"], PROGRAM)
        await self.write(self["PROG_LEN"], len(opcodes))

    async def bits(self, name: str) -> int:
        """A field by the bus; it must be the same inside."""
        register, field = self.field(name)
        value = await self.read(register)
        await self.check(register, value)
        return (value & field.mask) >> field.lsb
