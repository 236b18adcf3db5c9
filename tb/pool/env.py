"""The pool bench: commands in, the activation buffer beside, results and descriptors out."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_port, uvm_component

from models.blocks import pool_reads, pool_results
from models.decode import parse
from models.isa import Pool
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.scoreboard import AnalysisSink, Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import params
from tb.common.collector import Collector
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
from tb.common.cover import Hits
from tb.pool.coverage import COVERAGE
from tb.pool.outcomes import Outcomes

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

    def __init__(self, name: str, parent: uvm_component, dut: Any, cover: Hits) -> None:
        super().__init__(name, parent)
        self.cover = cover
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.taps = uvm_analysis_port("taps", self)
        self.accepted: Any = None
        self.pending: Any = None  # results still to come
        self.cycle = 0
        self.seen = 0  # taps
        self.causes: Counter[str] = (
            Counter()
        )  # cycles without a tap though one is due, or a command not taken
        self.doing = "idle"
        self.flush()

    def flush(self) -> None:
        """Reset."""
        if self.cycle > 1:
            self.cover.sample(reset=self.state())
        self.doing = "idle"
        self.due: deque[int] = deque()  # taps of each accepted command
        self.in_reset = False

    def state(self) -> str:
        """What a reset would end."""
        return "starting" if self.doing == "idle" and self.due else self.doing

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
                    self.causes[self._cause()] += 1
            self._doing(en)
            if not peek(dut.cmd_valid):
                self.causes["no_command"] += self.doing == "idle"
            elif not peek(dut.cmd_ready):
                self.causes["busy"] += 1
            else:
                command = parse(peek(dut.cmd_data).to_bytes(64, "little"))
                assert isinstance(command, Pool)
                self.due.append(command.pixels * command.kw * command.kh * command.cb)
                self.accepted(command)

    def _cause(self) -> str:
        """Why no tap is read though one is due. A valid waits for the other stream's ready, too."""
        dut = self.dut
        if peek(dut.out_valid) and not peek(dut.out_ready):
            return "result"
        for name, stream in {"descriptor": "desc", "token": "sig_load"}.items():
            if peek(getattr(dut, f"{stream}_valid")) and not peek(getattr(dut, f"{stream}_ready")):
                return name
        return "division" if peek(dut.desc_ready) and peek(dut.sig_load_ready) else "several"

    def _doing(self, en: int | None) -> None:
        if self.due or en:
            self.doing = "reading" if en else "held"
        elif peek(self.dut.out_valid):
            self.doing = "result"
        else:
            self.doing = "dividing" if self.pending() else "idle"

    def check_phase(self) -> None:
        """Hand in the samples that were counted a cycle at a time."""
        for stall, times in self.causes.items():
            self.cover.sample(times, stall=stall)


class PoolEnv(BlockEnv):
    """pressure: "none", "random", or "heavy" (every stall is seen). salt: tells runs of one seed apart."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, pressure: str = "random", salt: int = 0):
        super().__init__(name, parent, dut)
        self.rng.seed(f"{cocotb.RANDOM_SEED} {salt}")
        rng = self.rng
        self.config = wide_config(params()["N"])
        self.words = image(rng, self.config.n)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.outcomes = Outcomes(self.cover, self.config, self.words)

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
        self.watch = PoolWatch("watch", self, dut, self.cover)
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
        # Behind the scoreboard, which has raised if the result is wrong.
        self.out.port.connect(AnalysisSink("seen", self, self.outcomes.result_seen))

    def flush(self) -> None:
        """Reset: results under way are lost."""
        self.outcomes.flush()

    def predict(self, command: Pool) -> None:
        """Everything that an accepted command must cause."""
        addresses, _ = pool_reads(command, self.config)
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
        self.outcomes.accepted(command)

    async def run(self, commands: list[Pool], patience: int = 3000) -> None:
        """Send commands and wait for all they cause."""
        await self.send(commands, patience)
        await self.taps.drained(self.dut.clk, patience)
        await self.results.drained(self.dut.clk, patience)

    async def send(self, commands: list[Pool], patience: int = 3000) -> None:
        """Send commands; returns when the last is taken."""
        sending = self.cmd.send(map(command_bits, commands))
        await progress(sending, self.dut.clk, [self.taps, self.results], patience)
