"""The pool bench: commands in, the activation buffer beside, results and descriptors out."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_port, uvm_component

from models.blocks import pool_reads, pool_results
from models.isa import Pool, PoolKind, parse
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.scoreboard import AnalysisSink, Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import params
from tb.common.compute import (
    BUFFER_WORDS,
    BufferPort,
    ContractError,
    Desc,
    HoldingSink,
    command_bits,
    descriptors,
    image,
    peek,
    pins_of,
    progress,
    rows,
    wide_config,
)

PINS = """rst_n cmd_valid cmd_ready cmd_data act_en act_addr desc_valid desc_ready sig_load_valid
    sig_load_ready out_valid out_ready idle"""
# Cycles of a division that hides behind a window of as many taps or more.
DIVISION = 8


class Tap(NamedTuple):
    """A read, and the transfers that must fall into the same cycle."""

    addr: int
    desc: int
    token: int


class PoolWatch(uvm_component):
    """Samples the pins once a cycle. Publishes Tap on `taps`; calls `accepted(command)`."""

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent)
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.taps = uvm_analysis_port("taps", self)
        self.accepted: Any = None
        self.pending: Any = None  # results still to come
        self.cycle = 0
        self.seen = 0  # taps
        self.lost: Counter[str] = Counter()  # cycles without a tap though one is due
        self.flush()

    def flush(self) -> None:
        """Reset."""
        self.due: deque[int] = deque()  # taps of each accepted command
        self.in_reset = False

    def check(self, good: bool, what: str) -> None:
        if not good:
            raise ContractError(f"{self.get_full_name()}: cycle {self.cycle}: {what}")

    async def run_phase(self) -> None:
        """One turn a cycle."""
        dut = self.dut
        while True:
            await self.edge
            self.cycle += 1
            if peek(dut.rst_n) != 1:
                if self.in_reset:
                    quiet = peek(dut.act_en) == 0 and peek(dut.out_valid) == 0 and peek(dut.idle) == 1
                    self.check(quiet, "not quiet in reset")
                self.in_reset = True
                continue
            self.in_reset = False
            en = peek(dut.act_en)
            self.check(en == 0 or bool(self.due), f"act_en is {en} with no tap due")
            self.check(not (self.due and peek(dut.idle) != 0), f"idle with taps due: {list(self.due)}")
            self.check(peek(dut.idle) == 1 or bool(self.pending()), "not idle after the last result")
            desc = int(bool(peek(dut.desc_valid) and peek(dut.desc_ready)))
            token = int(bool(peek(dut.sig_load_valid) and peek(dut.sig_load_ready)))
            if en:
                self.seen += 1
                self.taps.write(Tap(peek(dut.act_addr), desc, token))
                self.due[0] -= 1
                if not self.due[0]:
                    self.due.popleft()
            else:
                self.check(not (desc or token), "a descriptor or a token without its read")
                if self.due:
                    ready = {"out": dut.out_ready, "desc": dut.desc_ready, "token": dut.sig_load_ready}
                    self.lost.update([name for name, pin in ready.items() if not peek(pin)] or ["other"])
            if peek(dut.cmd_valid) and peek(dut.cmd_ready):
                command = parse(peek(dut.cmd_data).to_bytes(64, "little"))
                assert isinstance(command, Pool)
                self.due.append(command.pixels * command.kw * command.kh * command.cb)
                self.accepted(command)


class PoolEnv(BlockEnv):
    """pressure: "none", "random", or "heavy" (every stall is seen). salt: tells runs of one seed apart."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, pressure: str = "random", salt: int = 0):
        super().__init__(name, parent, dut)
        self.rng.seed(f"{cocotb.RANDOM_SEED} {salt}")
        rng = self.rng
        self.config = wide_config(params()["N"])
        self.words = image(rng, self.config.n)
        self.outcomes: Counter[str] = Counter()

        def stalls() -> Stalls:
            heavy = Stalls(rng, 0.8, 10)
            return {"none": Stalls(rng), "random": Stalls.pick(rng), "heavy": heavy}[pressure]

        self.cmd = StreamAgent("cmd", self, StreamPins(dut, "cmd"), "source", stalls())
        self.act = BufferPort("act", self, dut, self.words, idle=dut.idle)
        desc, sig = StreamPins(dut, "desc"), StreamPins(dut, "sig_load", ())
        self.desc, self.desc_sink = (
            StreamAgent("desc", self, desc),
            HoldingSink("desc_sink", self, desc, stalls()),
        )
        self.sig, self.sig_sink = StreamAgent("sig", self, sig), HoldingSink("sig_sink", self, sig, stalls())
        self.out = StreamAgent("out", self, StreamPins(dut, "out"), "sink", stalls())
        self.watch = PoolWatch("watch", self, dut)
        self.taps = Scoreboard("taps", self)
        self.descs = Scoreboard("descs", self)
        self.results = Scoreboard("results", self)

    def connect_phase(self) -> None:
        n = self.config.n
        self.watch.accepted = self.predict
        self.watch.pending = lambda: self.results.pending
        self.watch.taps.connect(self.taps.actual)
        self.desc.port.connect(
            AnalysisSink("desc_in", self, lambda bits: self.descs.observe(Desc.unpack(bits)))
        )
        self.out.port.connect(
            AnalysisSink("out_in", self, lambda word: self.results.observe(word.to_bytes(4 * n, "little")))
        )

    def predict(self, command: Pool) -> None:
        """Everything that an accepted command must cause."""
        addresses, inside = pool_reads(command, self.config)
        for block, flat in enumerate(addresses.reshape(command.cb, -1) % BUFFER_WORDS):
            last = len(flat) - 1
            for k, addr in enumerate(flat.tolist()):
                token = command.signal_load and block == command.cb - 1 and k == last
                self.taps.expect(Tap(addr, int(k == 0), int(token)))
        for desc in descriptors(command):
            self.descs.expect(desc)
        results = pool_results(command, self.config, self.words)
        for word in rows(results.reshape(-1, self.config.n)):
            self.results.expect(word)
        self._count(command, inside.sum(axis=1), addresses, inside)

    def _count(self, command: Pool, counts: Any, addresses: Any, inside: Any) -> None:
        """What the windows of this command meet."""
        kind = PoolKind(command.kind).name.lower()
        self.outcomes[f"{kind}_of_nothing"] += int(np.sum(counts == 0))
        self.outcomes[f"{kind}_of_a_part"] += int(np.sum((counts > 0) & (counts < inside.shape[1])))
        if command.kind == PoolKind.AVERAGE:
            x = self.words.view(np.int8)[addresses].astype(np.int64)
            total = np.where(inside[None, :, :, None], x, 0).sum(axis=2)
            taps = np.maximum(counts, 1)[None, :, None]
            tie = 2 * (np.abs(total) % taps) == taps
            self.outcomes["tie_up"] += int(np.sum(tie & (total > 0)))
            self.outcomes["tie_down"] += int(np.sum(tie & (total < 0)))
            self.outcomes["average_of_minimum"] += int(np.sum((total == -128 * taps) & (taps > 1)))

    async def run(self, commands: list[Pool], patience: int = 3000) -> None:
        """Send commands and wait for all they cause."""
        await self.send(commands, patience)
        await self.taps.drained(self.dut.clk, patience)
        await self.results.drained(self.dut.clk, patience)

    async def send(self, commands: list[Pool], patience: int = 3000) -> None:
        """Send commands; returns when the last is taken."""
        sending = self.cmd.send(map(command_bits, commands))
        await progress(sending, self.dut.clk, [self.taps, self.results], patience)
