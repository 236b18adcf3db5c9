"""Every field of rtl/csr/npu.rdl in the whole core: by the bus, through the pyuvm register model that PeakRDL
makes of it, and from inside, where the RTL keeps it."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from pyuvm import uvm_component, uvm_status_e

from models.isa import Cause, Opcode
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, MemoryTiming
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.burst import OKAY, SLVERR
from tb.agents.env import BlockEnv, start
from tb.agents.irq import IrqMonitor
from tb.bench import Bench, params
from tb.common.collector import Collector
from tb.common.cores import SMALL_BUFFERS
from tb.common.cover import Hits
from tb.registers.coverage import COVERAGE, KEPT, KINDS, bin_of
from tb.registers.model import AxiLiteAdapter, Inside, by_name, uvm_block
from tb.registers.rdl import SOURCE, SPACE, Field, Register, compile_rdl, logs_of, registers

BENCH = Bench(
    "npu",
    [{"N": 4, **SMALL_BUFFERS, "MAX_BURST": 8, "OUTSTANDING": 2}],
    public=[(module, "*") for module in ("npu", "npu_host", "npu_csr", "npu_control", "npu_counters")],
)
PROGRAM = 0x400  # where programs lie
ROUNDS = 6  # writes of every register


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


def after_write(field: Field, old: int, data: int, mask: int) -> int:
    """A register's bits of one field after a write of the bits of `mask`."""
    if field.access == "RW":
        return (old & ~mask | data & mask) & field.mask
    if field.access == "W1C":
        return old & ~(data & mask) & field.mask
    return old & field.mask


async def walk_resets(env: RegistersEnv) -> None:
    """After a reset in the middle every field has its reset value; what has none keeps what it had."""
    kept = {}
    for register in env.registers:
        if register.reset is None:
            kept[register.name] = await env.poke(register, env.rng.getrandbits(32))
    await dirty_named(env)
    await env.reset()
    env.block.reset()
    for register in env.registers:
        expected = kept.get(register.name, register.reset)
        assert expected is not None
        if register.reset is not None:
            env.same(f"{register.name} in the model", by_name(env.block, register.name).get(), expected)
        await env.check(register, expected)
        env.cover.sample(register=KINDS[register.name], moment="reset")


async def dirty_named(env: RegistersEnv) -> None:
    """Every register with a reset value holds something else."""
    for register in env.named:
        if register.writable and register.mask:
            await env.write(register, env.rng.getrandbits(32) | 0x8101_0101)
        await env.poke(register, 0xFFFF_FFFF)


async def walk_access(env: RegistersEnv) -> None:
    """Writes of any data with any strobes to every register: what changes, what not, what is answered."""
    samples = [register for register in env.registers if register.index]
    kept = [register for register in env.named if register.name in {name.split(".")[0] for name in KEPT}]
    changes = env.cover.bins["field_x_change"]
    for turn in range(5 * ROUNDS):
        words = [*env.named, *env.rng.sample(samples, 8)]
        if turn >= ROUNDS:  # what is left to be seen of fields of a bit or two
            words = kept
            if all(changes.values()):
                break
        env.rng.shuffle(words)
        for register in words:
            data = env.rng.choice((0, 0xFFFF_FFFF, env.rng.getrandbits(32), env.rng.getrandbits(32)))
            strobe = env.rng.choice((0xF, 0xF, env.rng.randrange(16)))
            value = env.rng.getrandbits(32)
            if turn == 0:  # every bit changes
                value, data, strobe = ~data & 0xFFFF_FFFF, data, 0xF
            value = await env.poke(register, value)
            before = env.snapshot()
            if register.name == "CTRL":
                data &= ~1  # what a start does is another test's
            await env.write(register, data, strobe)
            mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
            expected = sum(after_write(field, value, data, mask) for field in register.fields)
            await env.check(register, expected)
            env.cover.sample(register=KINDS[register.name], moment="write")
            for field in register.fields:
                if (name := f"{register.name}.{field.name}") in KEPT:
                    old, new = value & field.mask, expected & field.mask
                    spared = old == new or (old ^ data) & field.mask & ~mask
                    for change, seen in (("set", new & ~old), ("cleared", old & ~new), ("kept", spared)):
                        env.cover.sample(bool(seen), field=bin_of(name), change=change)
            for name, inside in env.snapshot().items():
                if not name.startswith(f"{register.name}."):
                    env.same(f"{name} after a write of {register.name}", inside, before[name] or 0)


async def walk_holes(env: RegistersEnv) -> None:
    """Every word that is no register answers reads and writes with an error, reads 0 and changes nothing."""
    before = env.snapshot()
    taken = {register.offset for register in env.registers}
    for offset in sorted(set(range(0, SPACE, 4)) - taken):
        data, resp = await env.host.read(offset)
        env.same(f"hole {offset:#x}", data, 0)
        env.same(f"the answer to a read of hole {offset:#x}", resp, SLVERR)
        env.cover.sample(hole="read")
        resp = await env.host.write(offset, 0xFFFF_FFFF)
        env.same(f"the answer to a write of hole {offset:#x}", resp, SLVERR)
        env.cover.sample(hole="write")
    for name, inside in env.snapshot().items():
        env.same(f"{name} after writes to holes", inside, before[name] or 0)


@cocotb.test()
async def registers_reset_to_the_values_of_the_rdl(dut: Any) -> None:
    """All of them, by the bus and inside; the stamps and accounts keep what they had."""
    async with start(RegistersEnv, dut) as env:
        await walk_resets(env)


@cocotb.test()
async def registers_obey_their_access(dut: Any) -> None:
    async with start(RegistersEnv, dut) as env:
        await walk_access(env)


@cocotb.test()
async def registers_holes_answer_an_error(dut: Any) -> None:
    async with start(RegistersEnv, dut) as env:
        await walk_holes(env)


@cocotb.test()
async def registers_start_clears_what_it_says(dut: Any) -> None:
    """Start: done, error, the error record and the counters; the end: frozen counters, status, interrupt."""
    async with start(RegistersEnv, dut) as env:
        counters = [register for register in env.named if register.counts]
        assert len(counters) == 15
        endings = [*itertools.product([(15,), (0,)], range(4)), ((15, 15), 1), ((0, 15), 2)]
        env.rng.shuffle(endings)
        for opcodes, enabled in endings:
            good = opcodes[0] == Opcode.END
            await env.program(*opcodes)
            await env.write(env["IRQ_ENABLE"], enabled)
            await env.write(env["IRQ_STATUS"], 3)
            for register in counters:
                await env.poke(register, 0xFFFF_0000)
            for name in ("STATUS", "ERR_CAUSE", "ERR_ADDR", "ERR_ID", "ERR_CMD"):
                await env.poke(env[name], 0xFFFF_FFFF)
            env.memory.driver.timing = MemoryTiming((200, 200))
            await env.write(env["CTRL"], 1)
            assert await env.bits("STATUS.BUSY") == 1
            for name in ("STATUS.DONE", "STATUS.ERROR", "ERR_CAUSE.CAUSE", "ERR_ADDR.ADDRESS", "ERR_ID.ID"):
                env.same(f"{name} after start", env.inside.peek(env.field(name)[1]), 0)
            for register in counters:
                assert (env.inside.peek(register.fields[0]) or 0) < 0x1000, f"{register.name} not cleared"
                env.cover.sample(cleared=register.name)
            env.same("the answer to a start while busy", await env.host.write(0x10, 1), SLVERR)
            env.cover.sample(refused="start")
            while env.inside.peek(env.field("STATUS.BUSY")[1]):
                await env.cycles(1)
            await env.cycles(2)
            assert await env.bits("STATUS.DONE") == good
            assert await env.bits("STATUS.ERROR") == (not good)
            assert await env.bits("IRQ_STATUS.DONE") == good
            assert await env.bits("IRQ_STATUS.ERROR") == (not good)
            assert int(dut.irq.value) == bool(enabled & (1 if good else 2))
            assert await env.bits("ERR_CAUSE.CAUSE") == (0 if good else Cause.BAD_OPCODE)
            assert await env.bits("ERR_ADDR.ADDRESS") == (0 if good else PROGRAM)
            first = [await env.read(register) for register in counters]
            assert first[0] > 200 and sum(first[1:9]) == first[0], f"the account of {first}"
            assert [await env.read(register) for register in counters] == first, "not frozen"
            env.cover.sample(end="done" if good else "error", enabled=enabled)


@cocotb.test()
async def registers_stop_ends_a_program(dut: Any) -> None:
    async with start(RegistersEnv, dut) as env:
        await env.program(15)
        env.memory.driver.timing = MemoryTiming((100, 100))
        await env.write(env["CTRL"], 2)  # idle: nothing happens
        assert await env.bits("STATUS.BUSY") == 0 and await env.bits("IRQ_STATUS.ERROR") == 0
        for enabled in range(4):
            await env.write(env["IRQ_ENABLE"], enabled)
            await env.write(env["CTRL"], 1)
            await env.write(env["CTRL"], 2)
            await env.cycles(150)
            assert await env.bits("ERR_CAUSE.CAUSE") == Cause.STOPPED
            assert await env.bits("IRQ_STATUS.ERROR") == 1
            assert int(dut.irq.value) == enabled >> 1
            await env.write(env["IRQ_STATUS"], 2)
            assert await env.bits("IRQ_STATUS.ERROR") == 0 and int(dut.irq.value) == 0
            env.cover.sample(end="stopped", enabled=enabled)


# What is wrong in the RDL: its text, the wrong text, the walk that meets it and what it must say.
WRONG = {
    "reset": ("32'h00100000", "32'h00100001", walk_resets, "WATCHDOG by the bus"),
    "constant": ("32'h41534159", "32'h41534158", walk_resets, "ID by the bus"),
    "read_only": (
        'rtl = "u_host.u_csr.prog_len"; }',
        'rtl = "u_host.u_csr.prog_len"; sw = r; }',
        walk_access,
        "a write of PROG_LEN",
    ),
    "writable": (
        'rtl = "u_host.u_control.err_id"; }',
        'rtl = "u_host.u_control.err_id"; sw = rw; }',
        walk_access,
        "a write of ERR_ID",
    ),
    "width": ("LENGTH[15:0]", "LENGTH[14:0]", walk_access, "PROG_LEN by the bus"),
    "clear": ("    default onwrite = woclr;\n", "", walk_access, "IRQ_STATUS by the bus"),
    "place": (
        "u_host.u_csr.irq_enable[0]",
        "u_host.u_csr.irq_status[0]",
        walk_access,
        "IRQ_ENABLE.DONE inside",
    ),
    "missing": (
        "  counter_r POOL @ 0x048;",
        "  counter_r POOL @ 0x07C;",
        walk_resets,
        "POOL answers a read with an error",
    ),
    "hole": ("STAMP[256]", "STAMP[255]", walk_holes, "hole 0x7fc"),
}


@cocotb.test()
@cocotb.parametrize(what=list(WRONG))
async def walks_catch_a_wrong_rdl(dut: Any, what: str) -> None:
    """The twin of the three walks."""
    right, wrong, walk, words = WRONG[what]
    async with start(RegistersEnv, dut, spoil=(right, wrong)) as env:
        try:
            await walk(env)
        except RegisterError as error:
            assert words in str(error), f"caught something else: {error}"
        else:
            raise AssertionError(f"{wrong!r} was not caught")


@cocotb.test(expect_error=RegisterError)
async def registers_bench_without_comparisons_fails(dut: Any) -> None:
    async with start(RegistersEnv, dut):
        pass
