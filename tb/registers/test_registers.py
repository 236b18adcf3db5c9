"""Every field of rtl/csr/npu.rdl in the whole core: by the bus, through the pyuvm register model that PeakRDL
makes of it, and from inside, where the RTL keeps it."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb

from models.isa import Cause, Opcode
from tb.agents.axi4 import MemoryTiming
from tb.agents.burst import SLVERR
from tb.agents.env import start
from tb.bench import Bench, some
from tb.common.cores import SMALL_BUFFERS
from tb.registers.env import PROGRAM, RegisterError, RegistersEnv
from tb.registers.walks import walk_access, walk_holes, walk_resets

BENCH = Bench(
    "npu",
    [{"N": 4, **SMALL_BUFFERS, "LINE_WORDS": 32, "MAX_BURST": 8, "OUTSTANDING": 2}],
    public=[(module, "*") for module in ("npu", "npu_host", "npu_csr", "npu_control", "npu_counters")],
)


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
            await env.until(lambda: not env.inside.peek(env.field("STATUS.BUSY")[1]))
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
@cocotb.parametrize(what=some([*WRONG]))
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
