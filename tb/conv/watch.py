"""Every cycle of conv accounted for: what must be read when, and what may hold it back."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_port, uvm_component

from models.config import Config
from models.decode import parse
from models.isa import Conv
from tb.agents.edges import at_every
from tb.common.compute import (
    ContractError,
    peek,
    pins_of,
)
from tb.common.cover import Hits
from tb.conv.steps import Step

# Cycles from the read of a tile's last word to its bank_full (npu_conv.v: "Time of a word", and the flag).
FULL_AFTER = 4
# Cycles from a command's acceptance to the first word it may read.
START_AFTER = 2
# Cycles from the last word of a command to the first of one of the other kind (npu_conv_banks.v).
TURN_AFTER = 2
PINS = """rst_n cmd_valid cmd_ready cmd_data act_en act_addr wgt_en desc_valid desc_ready sig_load_valid
    sig_load_ready bank_full drain_en drain_bank drain_pixel drain_data drain_release idle
    stat_weights"""


class Read(NamedTuple):
    """An activation word, and the transfers that must fall into the same cycle."""

    addr: int
    desc: int
    token: int


class Sum(NamedTuple):
    """One pixel as drained: n int32 accumulators as bytes."""

    bank: int
    pixel: int
    data: bytes


class Word(NamedTuple):
    """An activation word that is due."""

    step: Step
    window: bool
    drains: bool
    bank: int
    token: bool
    earliest: int


class ConvWatch(uvm_component):
    """Samples every pin once a cycle; knows from the accepted commands what must happen, and when.

    A word must be read exactly in the cycles in which nothing holds it back: weights of its pass not there,
    accumulator bank in use, descriptor not taken, token not taken. Publishes Read on `reads`, Sum on `sums`;
    calls `accepted(command)` for a command.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any, config: Config, cover: Hits) -> None:
        super().__init__(name, parent)
        self.cover = cover
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.n = config.n
        self.config = config
        self.reads = uvm_analysis_port("reads", self)
        self.sums = uvm_analysis_port("sums", self)
        self.accepted: Any = None
        self.cycle = 0
        self.words: deque[Word] = deque()
        self.causes: Counter[str] = Counter()  # cycles lost, by cause
        self.fed = 0  # words read
        # For the coverage model, handed in at the end: kind, causes -> cycles; waits; full banks.
        self.held: Counter[tuple[bool, frozenset[str]]] = Counter()
        self.waits: Counter[str] = Counter()
        self.fulls: Counter[int] = Counter()
        self.doing = "idle"
        self.full = 0
        self.flush()

    def flush(self) -> None:
        """Reset: as at the start."""
        if self.cycle > 1:
            banks = "full" if self.full else "filling" if self.filling else "empty"
            doing = "starting" if self.words and self.doing == "idle" else self.doing
            self.cover.sample(reset=doing, reset_banks=banks)
        self.doing = "idle"
        self.words.clear()
        self.bank = 0
        self.used = [False, False]
        self.passes = 0  # started
        self.weights = 0  # words read for them
        self.full = 0
        self.filling: deque[tuple[int, int]] = deque()
        self.drained: tuple[int, int] | None = None
        self.turned = 0  # cycle before which no command of the other kind reads
        self.reset_edges = 0

    def check(self, good: bool, what: str) -> None:
        if not good:
            raise ContractError(f"{self.get_full_name()}: cycle {self.cycle}: {what}")

    def add(self, command: Conv, reads: list[Step]) -> None:
        """The words of an accepted command are due."""
        earliest = self.cycle + START_AFTER
        for step in reads:
            token = step.ends and command.signal_load
            self.words.append(Word(step, command.window, command.drain, self.bank, token, earliest))
            self.bank ^= step.tile_ends and command.drain

    def held_by(self, word: Word) -> set[str]:
        """What holds this word back in this cycle."""
        dut, step, causes = self.dut, word.step, set()
        if step.pass_starts and self.weights < self.n * (self.passes + 1):
            causes.add("weights")
        if step.tile_starts and self.used[word.bank]:
            causes.add("bank")
        if step.tile_starts and word.drains and not peek(dut.desc_ready):
            causes.add("desc")
        if word.token and not peek(dut.sig_load_ready):
            causes.add("token")
        return causes

    async def run_phase(self) -> None:
        """One turn a cycle."""
        await at_every(self.edge, self._turn)

    def _turn(self) -> None:
        dut = self.dut
        self.cycle += 1
        if peek(dut.rst_n) != 1:
            if self.reset_edges:
                quiet = [peek(pin) for pin in (dut.act_en, dut.wgt_en, dut.bank_full)]
                self.check(quiet == [0, 0, 0] and peek(dut.idle) == 1, f"not quiet in reset: {quiet}")
            self.reset_edges += 1
            return
        self.reset_edges = 0
        self._activation()
        self._weights()
        self._banks()
        if not peek(dut.cmd_valid):
            self.waits["no_command"] += self.doing == "idle"
        elif not peek(dut.cmd_ready):
            self.waits["commands_full"] += 1
        else:
            self.accepted(parse(peek(dut.cmd_data).to_bytes(64, "little")))

    def _activation(self) -> None:
        dut = self.dut
        en, idle = peek(dut.act_en), peek(dut.idle)
        self.check(idle == (not self.words), f"idle is {idle} with {len(self.words)} words due")
        due = bool(self.words) and self.cycle >= max(self.words[0].earliest, self.turned)
        causes = self.held_by(self.words[0]) if due else set()
        self.check(
            en == (due and not causes), f"act_en is {en}, due {due}, held back by {causes or 'nothing'}"
        )
        starved = "weights" in causes and not causes & {"bank", "desc"}
        self.check(peek(dut.stat_weights) == starved, f"stat_weights is not {starved} for {causes}")
        if not en:
            self._held(due, causes)
            return
        self.doing = "reading"
        word = self.words.popleft()
        desc = int(bool(peek(dut.desc_valid) and peek(dut.desc_ready)))
        token = int(bool(peek(dut.sig_load_valid) and peek(dut.sig_load_ready)))
        self.fed += 1
        self.passes += word.step.pass_starts
        if word.step.tile_starts and word.drains:
            self.used[word.bank] = True
        if self.words and self.words[0].window != word.window:
            self.turned = self.cycle + TURN_AFTER
        if word.step.tile_ends and word.drains:
            self.filling.append((self.cycle + FULL_AFTER, word.bank))
        self.reads.write(Read(peek(dut.act_addr), desc, token))

    def _held(self, due: bool, causes: set[str]) -> None:
        """No word is read in this cycle."""
        self.doing = "held" if due else "starting" if self.words else "idle"
        if due:
            self.causes.update(causes)
            self.held[self.words[0].window, frozenset(causes)] += 1
        elif self.words:
            self.waits["turn"] += self.words[0].earliest <= self.cycle

    def check_phase(self) -> None:
        """Hand in the samples that were counted a cycle at a time."""
        names = {"desc": "descriptor"}
        for (kind, causes), times in self.held.items():
            cause = next(iter(causes)) if len(causes) == 1 else "several"
            self.cover.sample(times, kind=kind, held=names.get(cause, cause))
        for wait, times in self.waits.items():
            self.cover.sample(times, wait=wait)
        for full, times in self.fulls.items():
            self.cover.sample(times, full=full)

    def _weights(self) -> None:
        if peek(self.dut.wgt_en):
            self.weights += 1
            self.check(
                self.weights <= self.n * (self.passes + 1),
                "weights overwrite a block that waits for its pass",
            )

    def _banks(self) -> None:
        dut = self.dut
        while self.filling and self.filling[0][0] == self.cycle:
            self.full |= 1 << self.filling.popleft()[1]
        full = peek(dut.bank_full)
        self.check(full == self.full, f"bank_full is {full}, expected {self.full}")
        self.fulls[self.full] += 1
        if self.drained is not None:
            data = peek(dut.drain_data)
            self.check(data is not None, f"X in the sums of bank and pixel {self.drained}")
            self.sums.write(Sum(*self.drained, data.to_bytes(4 * self.n, "little")))
        self.drained = None
        if peek(dut.drain_en):
            bank = peek(dut.drain_bank)
            self.drained = (bank, peek(dut.drain_pixel))
            if peek(dut.drain_release):
                self.used[bank] = False
                self.full &= ~(1 << bank)
