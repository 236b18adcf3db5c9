"""The load bench: commands in; tokens and a memory beside; bursts and buffer words are scored and sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from pyuvm import uvm_component

from models.blocks import dest_words, load_writes
from models.isa import PAGE, Load, Window
from tb.common.collector import Collector
from tb.common.compute import peek, pins_of
from tb.common.dma import DmaEnv, planned_answers
from tb.common.outcomes import Awaited, which
from tb.common.watch import value_of
from tb.load.coverage import COVERAGE, STATES

PINS = """halt r_valid r_ready ar_valid ar_ready sig_compute_valid sig_compute_ready stamp_valid stamp_ready
    cmd_valid cmd_ready cmd_data stat_wait wait_compute_valid wait_store_valid"""
STATE_NAMES = {code: name for name, code in STATES.items()}
SPACE = 1 << 32


class LoadEnv(DmaEnv):
    """Events: ("write", dest, address, data), ("token", "sig_compute"), ("stamp", layer)."""

    kind = Load
    wait_pins = ("wait_compute", "wait_store")
    signal_pins = ("sig_compute",)
    stamp_may_wait = True
    directions = "r"

    def __init__(self, name: str, parent: uvm_component, dut: Any, **options: Any) -> None:
        self.ran = False  # since the last reset
        self.bus = "quiet"
        self.awaited: tuple[Awaited, ...] = ()
        super().__init__(name, parent, dut, **options)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.commands_done = Awaited(self.events, self.cover.sample)
        self.bursts_done = Awaited(self.bursts, self.cover.sample)
        self.errors_done = Awaited(self.errors, self.cover.sample)
        self.awaited = (self.commands_done, self.bursts_done, self.errors_done)
        self.state = dut.u_fill.state
        self.pins = pins_of(dut, PINS)

    def flush(self) -> None:
        """Reset."""
        super().flush()
        if self.ran:
            # The register still holds what reset finds.
            self.cover.sample(reset=self.state_name(), bus=self.bus)
        self.ran, self.was_halted = False, 0
        for samples in self.awaited:
            samples.waiting.clear()

    def predict(self, command: Window, number: int, where: list[tuple[int, int]]) -> None:
        assert isinstance(command, Load)
        n, whole = self.config.n, not self.failed
        parts, left = [], command.run
        for address, beats in where:
            data = self.noise[slice(address, address + beats * n)]
            self.expect_burst(address, beats, data.tobytes(), number)
            parts.append(data.reshape(-1, n))
            self.sample_burst(address, beats, left)
            left = left - beats or command.run
        targets, words = load_writes(command, self.config, np.concatenate(parts))
        for target, word in zip(targets.tolist(), words, strict=True):
            self.events.expect(("write", int(command.dest), target, int.from_bytes(word.tobytes(), "little")))
        if whole and not self.failed:
            self.expect_end(command)
            self.sample_command(command, len(targets))

    def expect_burst(self, address: int, beats: int, data: bytes, number: int) -> None:
        """Also what its error, the first one, is worth."""
        index, failed = self.predicted, self.failed
        super().expect_burst(address, beats, data, number)
        if self.failed and not failed and not self.refused:
            answers = planned_answers(self.memory.faults, False, index, address, beats, self.config.n)
            beat = next(k for k, answer in enumerate(answers) if answer)
            place = "first" if beat == 0 else "last" if beat == beats - 1 else "middle"
            self.errors_done.add(response=answers[beat], beat="only" if beats == 1 else place)

    def expect_end(self, command: Load) -> None:
        """What tells others that the command is done."""
        if command.signal_compute:
            self.events.expect(("token", "sig_compute"))
        if command.stamp:
            self.events.expect(("stamp", command.layer % 256))

    def sample_burst(self, address: int, beats: int, left: int) -> None:
        """left: words of its run, with this burst's."""
        n, longest = self.config.n, beats == self.config.max_burst
        page = (address + beats * n) % PAGE == 0
        if beats == left:
            end = "run_at_page" if page else "run_at_max" if longest else "run"
        else:
            end = "max_at_page" if page and longest else "page" if page else "max"
        self.bursts_done.add(burst_end=end, beats="max" if longest else "one" if beats == 1 else "some")

    def sample_command(self, command: Load, words: int) -> None:
        """words: that it writes."""
        n, c = self.config.n, command
        rows = which(c.pad_top, c.pad_bottom, ("top", "bottom"))
        columns = which(c.pad_left, c.pad_right, ("left", "right"))
        strides = {0: "none", c.run * n: "next"}
        self.commands_done.add(
            dest=int(c.dest),
            padding=which(rows != "none", columns != "none", ("rows", "columns")),
            pad_rows=rows,
            pad_columns=columns,
            pad_value=c.pad_value,
            rows=c.count_y,
            runs=c.count_x,
            stride=strides.get(c.stride_x, "up" if c.stride_x < SPACE // 2 else "down"),
            buffer_wrap=int(c.buffer + words > dest_words(c, self.config)),
            wait=which(c.wait_compute, c.wait_store, ("compute", "store")),
            signal=int(c.signal_compute),
            stamp=int(c.stamp),
        )

    def sample_events(self) -> None:
        dut = self.dut
        if value_of(dut.wr_en):
            dest, address = value_of(dut.wr_dest), value_of(dut.wr_addr)
            size = dest_words(Load(dest=dest), self.config)
            self.events.observe(("write", dest, address % size, value_of(dut.wr_data)))
        for samples in self.awaited:
            samples.settle()
        self.sample_cycle()

    def state_name(self) -> str:
        """What the buffer side does now."""
        return STATE_NAMES[peek(self.state)]

    def sample_cycle(self) -> None:
        """Who waits for whom, and where a halt finds the engine."""
        dut, cover = self.pins, self.cover
        self.ran = True
        under_way = self.watch.under_way
        self.bus = "in_flight" if under_way else "quiet"
        cover.sample(in_flight="limit" if under_way == self.outstanding else "some" if under_way else "none")
        halted = peek(dut.halt)
        if halted:
            if not self.was_halted:
                cover.sample(halt=self.state_name(), bus=self.bus)
            self.was_halted = halted
            return
        data, ready = peek(dut.r_valid), peek(dut.r_ready)
        if peek(dut.ar_valid) and not peek(dut.ar_ready):
            cover.sample(stall="address_not_taken")
        if data and not ready:
            cover.sample(stall="data_waits_for_padding")
        elif ready and not data:
            cover.sample(stall="no_data")
        if peek(dut.sig_compute_valid) and not peek(dut.sig_compute_ready):
            cover.sample(stall="no_room_for_token")
        if peek(dut.stamp_valid) and not peek(dut.stamp_ready):
            cover.sample(stall="stamp_not_taken")
        if not peek(dut.cmd_valid):
            cover.sample(stall="no_command")
        elif peek(dut.stat_wait):
            for name in ("compute", "store"):
                needed = peek(dut.cmd_data) >> {"compute": 9, "store": 10}[name] & 1
                missing = needed and not peek(getattr(dut, f"wait_{name}_valid"))
                cover.sample(missing, stall=f"no_{name}_token")
        elif not peek(dut.cmd_ready):
            cover.sample(stall="busy")

    def burst_ends(self) -> int:
        dut = self.dut
        return value_of(dut.r_valid) and value_of(dut.r_ready) and value_of(dut.r_last)
