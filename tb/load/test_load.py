"""load: LOAD commands become bursts in order, and the buffer gets their data and padding in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cocotb
import numpy as np

from models.blocks import dest_words, load_writes
from models.isa import Load, Window
from tb.agents.axi4 import MemoryTiming
from tb.agents.burst import DECERR, SLVERR
from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench
from tb.common import scenarios
from tb.common.commands import random_window, random_windows
from tb.common.dma import DmaEnv
from tb.common.watch import value_of

BENCH = Bench(
    toplevel="npu_load",
    params=[
        {"N": 4, "MAX_BURST": 4, "LOG_OUTSTANDING": 1},
        {"N": 16, "MAX_BURST": 64, "LOG_OUTSTANDING": 3},
        {"N": 4, "MAX_BURST": 256, "LOG_OUTSTANDING": 2},
    ],
    timeout=120,
)


class LoadEnv(DmaEnv):
    """Events: ("write", dest, address, data), ("token", "sig_compute"), ("stamp", layer)."""

    kind = Load
    wait_pins = ("wait_compute", "wait_store")
    signal_pins = ("sig_compute",)
    stamp_may_wait = True
    directions = "r"

    def predict(self, command: Window, number: int, where: list[tuple[int, int]]) -> None:
        assert isinstance(command, Load)
        n, whole = self.config.n, not self.failed
        parts = []
        for address, beats in where:
            data = self.noise[slice(address, address + beats * n)]
            self.expect_burst(address, beats, data.tobytes(), number)
            parts.append(data.reshape(-1, n))
        targets, words = load_writes(command, self.config, np.concatenate(parts))
        for target, word in zip(targets.tolist(), words, strict=True):
            self.events.expect(("write", int(command.dest), target, int.from_bytes(word.tobytes(), "little")))
        if whole and not self.failed:
            self.expect_end(command)

    def expect_end(self, command: Load) -> None:
        """What tells others that the command is done."""
        if command.signal_compute:
            self.events.expect(("token", "sig_compute"))
        if command.stamp:
            self.events.expect(("stamp", command.layer % 256))

    def sample_events(self) -> None:
        dut = self.dut
        if value_of(dut.wr_en):
            dest, address = value_of(dut.wr_dest), value_of(dut.wr_addr)
            size = dest_words(Load(dest=dest), self.config)
            self.events.observe(("write", dest, address % size, value_of(dut.wr_data)))

    def burst_ends(self) -> int:
        dut = self.dut
        return value_of(dut.r_valid) and value_of(dut.r_ready) and value_of(dut.r_last)


@cocotb.test()
@cocotb.parametrize(profile=range(3))
async def load_matches_model_under_random_pace(dut: Any, profile: int) -> None:
    await scenarios.random_commands(LoadEnv, dut, 15)


@cocotb.test()
async def load_fills_padding_with_pad_value(dut: Any) -> None:
    sides = ("pad_top", "pad_bottom", "pad_left", "pad_right")
    async with start(LoadEnv, dut) as env:
        for mask in range(16):
            pads = {side: env.rng.choice((1, 2, 5)) if mask >> i & 1 else 0 for i, side in enumerate(sides)}
            shape = {"run": env.rng.choice((1, 3)), "count_x": env.rng.choice((1, 2))}
            await env.run(
                [random_window(Load, env.rng, env.config, count_y=env.rng.choice((1, 2)), **shape, **pads)]
            )
        await env.drained()


@cocotb.test()
async def load_honours_wide_counts(dut: Any) -> None:
    """Each count alone is larger than a byte."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming()) as env:
        one = {
            "run": 1,
            "count_x": 1,
            "count_y": 1,
            "pad_top": 0,
            "pad_bottom": 0,
            "pad_left": 0,
            "pad_right": 0,
        }
        for name in one:
            await env.run([random_window(Load, env.rng, env.config, **one | {name: 259})])
        await env.drained()


@cocotb.test()
async def load_moves_a_word_a_cycle(dut: Any) -> None:
    await scenarios.a_word_a_cycle(LoadEnv, dut, "r")


@cocotb.test()
async def load_keeps_outstanding_bursts_in_flight(dut: Any) -> None:
    await scenarios.fills_the_outstanding_limit(LoadEnv, dut)


@cocotb.test()
async def load_sends_next_addresses_while_data_arrive(dut: Any) -> None:
    """Two commands of one burst each on a slow memory: both addresses are out before any data come."""
    async with start(LoadEnv, dut, stalls=False, timing=MemoryTiming((200, 200))) as env:
        await env.run(random_windows(Load, env.rng, env.config, 2, run=1, count_x=1, count_y=1))
        await env.cycles(20)
        assert env.watch.under_way == 2
        await env.drained()


@cocotb.test()
async def load_waits_for_its_tokens(dut: Any) -> None:
    await scenarios.waits_for_tokens(LoadEnv, dut)


@cocotb.test()
async def load_keeps_its_token_until_there_is_room(dut: Any) -> None:
    await scenarios.full_token_queue_holds(LoadEnv, dut)


@cocotb.test()
async def load_works_after_reset_in_flight(dut: Any) -> None:
    await scenarios.reset_in_flight(LoadEnv, dut)


@cocotb.test()
async def load_starts_nothing_after_halt(dut: Any) -> None:
    await scenarios.halt_in_flight(LoadEnv, dut)


@cocotb.test()
async def load_takes_no_command_while_halted(dut: Any) -> None:
    await scenarios.halt_while_waiting(LoadEnv, dut)


@cocotb.test()
async def load_ends_its_bursts_when_halted_behind_a_full_token_queue(dut: Any) -> None:
    await scenarios.halt_with_full_token_queue(LoadEnv, dut)


@cocotb.test()
async def load_reports_first_error(dut: Any) -> None:
    await scenarios.first_error_is_reported(LoadEnv, dut)


@cocotb.test()
@cocotb.parametrize(resp=[SLVERR, DECERR])
async def load_gives_no_token_after_error_in_last_beat(dut: Any, resp: int) -> None:
    await scenarios.error_of_last_burst(LoadEnv, dut, resp)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_burst_length(dut: Any) -> None:
    await scenarios.corrupt_expectation(LoadEnv, dut, "bursts", lambda b: replace(b, beats=b.beats + 1))


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_word(dut: Any) -> None:
    def flip(event: tuple) -> tuple:
        return (*event[:-1], event[-1] ^ 1) if event[0] == "write" else event

    await scenarios.corrupt_expectation(LoadEnv, dut, "events", flip)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_stamp(dut: Any) -> None:
    def flip(event: tuple) -> tuple:
        return ("stamp", event[1] ^ 128) if event[0] == "stamp" else event

    await scenarios.corrupt_expectation(LoadEnv, dut, "events", flip)


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_token_not_taken(dut: Any) -> None:
    await scenarios.corrupt_expectation(
        LoadEnv, dut, "starts", lambda s: s._replace(tokens=(1 - s.tokens[0], s.tokens[1]))
    )


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_burst_that_never_comes(dut: Any) -> None:
    async with start(LoadEnv, dut) as env:
        await env.run([random_window(Load, env.rng, env.config, 10)])
        await env.drained()
        env.expect_burst(0, 1, b"", 0)


@cocotb.test(expect_error=Idle)
async def load_bench_without_commands_fails(dut: Any) -> None:
    async with start(LoadEnv, dut):
        pass
