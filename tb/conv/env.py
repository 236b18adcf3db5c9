"""The conv bench: commands in, buffers beside, a stand-in for post behind, and a watch on every cycle.

cmd --> DUT --> desc, accumulators --> PostSide
         | act, wgt (BufferPort)
"""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from models.blocks import conv_sums, conv_tiles, weight_reads
from models.isa import Conv
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.scoreboard import AnalysisSink, Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import lighter, params
from tb.common.collector import Collector
from tb.common.compute import (
    BufferPort,
    Desc,
    HoldingSink,
    Image,
    command_bits,
    descriptors,
    image,
    peek,
    pins_of,
    progress,
    rows,
    wide_config,
)
from tb.conv.coverage import COVERAGE
from tb.conv.outcomes import Outcomes
from tb.conv.steps import steps
from tb.conv.watch import PINS, ConvWatch, Read, Sum


class PostSide(uvm_component):
    """Drains the banks in the order of the descriptors, one pixel a cycle at best, and releases them."""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, rng: random.Random, delay: int, stalls: Stalls
    ):
        super().__init__(name, parent)
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.rng = rng
        self.delay = delay
        self.stalls = stalls
        self.tiles: deque[Desc] = deque()

    def flush(self) -> None:
        """Reset: nothing is left to drain."""
        self.tiles.clear()

    async def run_phase(self) -> None:
        """Pins that mean nothing carry noise."""
        dut, edge = self.dut, self.edge
        pixel, wait = 0, self.rng.randint(0, self.delay)
        dut.drain_en.value = dut.drain_release.value = 0
        width = len(dut.drain_pixel)
        while True:
            await edge
            go = False
            if self.tiles and peek(dut.rst_n) == 1 and (peek(dut.bank_full) or 0) >> self.tiles[0].bank & 1:
                if wait:
                    wait -= 1
                else:
                    go = not self.stalls()
            if not self.tiles:
                pixel = 0
            last = go and pixel == self.tiles[0].pixels - 1
            dut.drain_en.value = go
            dut.drain_release.value = last
            dut.drain_bank.value = self.tiles[0].bank if go else self.rng.getrandbits(1)
            dut.drain_pixel.value = pixel if go else self.rng.getrandbits(width)
            pixel += go
            if last:
                self.tiles.popleft()
                pixel, wait = 0, self.rng.randint(0, self.delay)


class ConvEnv(BlockEnv):
    """pressure: "none" (everything is taken, post drains at once), "random" or "heavy" (every stall is seen).

    salt: tells runs of one seed apart.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any, pressure: str = "random", salt: int = 0):
        super().__init__(name, parent, dut)
        self.rng.seed(f"{cocotb.RANDOM_SEED} {salt}")
        self.config = wide_config(*(params()[name] for name in ("N", "LOG_DEPTH", "LOG_LINE")))
        n, rng = self.config.n, self.rng
        self.act_words: Image = image(rng, n)
        self.wgt_words: Image = image(rng, n)
        self.words = lighter(800, 3, 6)  # of one random command, about
        self.left: Any = None  # int32 sums of a CONV without drain

        def stalls() -> Stalls:
            heavy = Stalls(rng, 0.8, 10)
            return {"none": Stalls(rng), "random": Stalls.pick(rng), "heavy": heavy}[pressure]

        self.cmd = StreamAgent("cmd", self, StreamPins(dut, "cmd"), "source", stalls())
        self.act = BufferPort("act", self, dut, self.act_words)
        self.wgt = BufferPort("wgt", self, dut, self.wgt_words)
        desc, sig = StreamPins(dut, "desc"), StreamPins(dut, "sig_load", ())
        self.desc, self.desc_sink = (
            StreamAgent("desc", self, desc),
            HoldingSink("desc_sink", self, desc, stalls()),
        )
        self.sig, self.sig_sink = StreamAgent("sig", self, sig), HoldingSink("sig_sink", self, sig, stalls())
        delay = {"none": 0, "random": rng.choice((0, 30, 300)), "heavy": 100}[pressure]
        self.post = PostSide("post", self, dut, rng, delay, stalls())
        self.cover = Collector("cover", self, COVERAGE).hits
        self.outcomes = Outcomes(self.cover, self.config)
        self.watch = ConvWatch("watch", self, dut, self.config, self.cover)
        self.seen = AnalysisSink("seen", self, self.outcomes.sum_seen)
        self.reads = Scoreboard("reads", self)
        self.weights = Scoreboard("weights", self)
        self.descs = Scoreboard("descs", self)
        self.sums = Scoreboard("sums", self)

    def connect_phase(self) -> None:
        self.watch.accepted = self.predict
        self.watch.reads.connect(self.reads.actual)
        self.watch.sums.connect(self.sums.actual)
        # Behind the scoreboard, which has raised if the sum is wrong.
        self.watch.sums.connect(self.seen)
        self.wgt.port.connect(self.weights.actual)
        self.desc.port.connect(AnalysisSink("desc_in", self, self.described))

    def flush(self) -> None:
        """Reset: sums in the banks are lost."""
        self.left = None
        self.outcomes.flush()

    def described(self, bits: int) -> None:
        """A descriptor was taken: to its scoreboard and to the stand-in for post."""
        desc = Desc.unpack(bits)
        self.descs.observe(desc)
        self.post.tiles.append(desc)

    def predict(self, command: Conv) -> None:
        """Everything that an accepted command must cause."""
        config, watch, bank = self.config, self.watch, self.watch.bank
        reads = list(steps(command, config))
        watch.add(command, reads)
        for step in reads:
            tile, token = step.tile_starts and command.drain, step.ends and command.signal_load
            self.reads.expect(Read(step.addr, int(tile), int(token)))
        weights = weight_reads(command, config).reshape(command.groups, -1)
        found = descriptors(command, bank) if command.drain else []
        tiles = conv_tiles(command)
        # Windows need their block once, passes in each tile.
        for group in range(command.groups) if command.window else (group for group, _, _ in tiles):
            for addr in weights[group].tolist():
                self.weights.expect(addr)
        for desc in found:
            self.descs.expect(desc)
        sums = conv_sums(command, config, self.act_words, self.wgt_words)
        self.outcomes.accepted(command, sums)
        if not command.clear:
            assert self.left is not None, "the stimulus adds to sums that nothing has left"
            sums = (sums.astype(np.int64) + self.left).astype(np.int32)
        self.left = None if command.drain else sums
        if command.drain:
            for desc, (group, first, end) in zip(found, tiles, strict=True):
                for pixel, data in enumerate(rows(sums[group, first:end])):
                    self.sums.expect(Sum(desc.bank, pixel, data))

    async def run(self, commands: list[Conv], patience: int = 5000) -> None:
        """Send commands and wait for all they cause."""
        await self.send(commands, patience)
        for scoreboard in (self.reads, self.sums):
            await scoreboard.drained(self.dut.clk, patience)

    async def next_word(self) -> None:
        """Wait until one more word has come for the array."""
        before = self.watch.fed
        await self.until(lambda: self.watch.fed != before)

    async def send(self, commands: list[Conv], patience: int = 5000) -> None:
        """Send commands; returns when the last is taken."""
        sending = self.cmd.send(map(command_bits, commands))
        await progress(sending, self.dut.clk, [self.reads, self.weights, self.sums], patience)
