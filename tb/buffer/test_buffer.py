"""buffer: a memory with a write and a read port; what a read returns, and when it changes."""

from __future__ import annotations

from itertools import product
from typing import Any

import cocotb

from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench
from tb.buffer.env import BufferEnv

BENCH = Bench(
    toplevel="buffer_bench",
    params=[{"W": 32, "LOG_D": 4}, {"W": 128, "LOG_D": 6}],
    sources=["tb/hdl/buffer_bench.v"],
    timeout=120,
)


@cocotb.test()
async def buffer_returns_what_was_written(dut: Any) -> None:
    async with start(BufferEnv, dut) as env:
        reads = [env.random.read(rd_addr=address) for address in range(env.depth)]
        await env.play(env.rng.sample(reads, len(reads)))
        assert env.scoreboard.compared == env.depth


@cocotb.test()
async def buffer_reads_old_word_when_both_ports_meet(dut: Any) -> None:
    """And in the next cycle the new one, on every word."""
    async with start(BufferEnv, dut) as env:
        cycles = []
        for address in range(env.depth):
            cycles.append(env.random.draw(wr_en=1, rd_en=1, wr_addr=address, near=True))
            cycles.append(env.random.read(rd_addr=address))
        await env.play(cycles)


@cocotb.test()
async def buffer_holds_its_output_between_reads(dut: Any) -> None:
    """For one cycle or for long, also when the word that was read, or another, is written."""
    async with start(BufferEnv, dut) as env:
        cases = [*product((None, 0, 1), (0, 1, 3, 6))] * (env.depth // 4)
        cycles = []
        for number, (written, rest) in enumerate(env.rng.sample(cases, len(cases))):
            address = number % env.depth
            cycles.append(env.random.read(rd_addr=address))
            if written is not None:
                cycles.append(env.random.write(wr_addr=(address + written) % env.depth, rd_addr=address))
            cycles += [env.random.idle() for _ in range(rest)]
        await env.play(cycles)


@cocotb.test()
async def buffer_matches_model_on_random_cycles(dut: Any) -> None:
    async with start(BufferEnv, dut) as env:
        await env.play([env.random.draw() for _ in range(1500)])


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_word(dut: Any) -> None:
    async with start(BufferEnv, dut) as env:
        model = env.model
        env.model = lambda cycle: (model(cycle) or 0) ^ 1  # type: ignore[method-assign]
        await env.play([env.random.read()])


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_read_that_never_comes(dut: Any) -> None:
    async with start(BufferEnv, dut) as env:
        await env.play([env.random.read()])
        env.scoreboard.expect(0)


@cocotb.test(expect_error=Idle)
async def buffer_bench_without_reads_fails(dut: Any) -> None:
    async with start(BufferEnv, dut):
        pass
