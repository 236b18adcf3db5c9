"""The post bench: descriptors in; sums, parameters and tokens beside; all it writes is scored.

Sums of a tile are made when its descriptor is taken, so that a reset in flight leaves nothing behind.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_port, uvm_component

from models.config import PARAM_WORDS
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
    Feed,
    Worthless,
    peek,
    pins_of,
    progress,
    rows,
    wide_config,
)
from tb.common.cover import Hits
from tb.post import outcomes
from tb.post.coverage import COVERAGE, STATES
from tb.post.stimulus import Descriptors, Parameters, Sums, expected, random_sums

IDLE_AFTER = 4  # cycles from the last effect of a tile to idle, at most

PINS = """rst_n desc_valid desc_ready desc_data bank_full drain_en drain_bank drain_pixel drain_data
    drain_release pool_valid pool_ready par_en par_addr res_en res_addr wait_store_valid
    wait_store_ready sig_store_valid sig_store_ready stamp_valid stamp_ready stamp_layer out_en out_addr
    out_data idle stat_wait state"""
STATE_NAMES = {code: name for name, code in STATES.items()}


class Event(NamedTuple):
    """Something that post does. kind: par, wait, drain, release, pool; res; out, signal, stamp."""

    kind: str
    where: int = 0
    data: int | bytes = 0


class Banks(uvm_component):
    """The accumulators as post sees them: a bank becomes full some cycles after it was wanted and free."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, rng: random.Random, delay: int) -> None:
        super().__init__(name, parent)
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.rng = rng
        self.delay = delay
        self.tiles: tuple[deque[list[int]], deque[list[int]]] = (deque(), deque())
        self.wait = [0, 0]
        self.full = 0

    def flush(self) -> None:
        """Reset: both banks are empty."""
        for tiles in self.tiles:
            tiles.clear()
        self.full = 0

    async def run_phase(self) -> None:
        """Answer reads in the next cycle; fill."""
        dut, edge, worthless = self.dut, self.edge, Worthless(self.dut.drain_data)
        served, shown = True, 1
        while True:
            await edge
            if peek(dut.rst_n) == 1 and peek(dut.drain_en):
                bank = peek(dut.drain_bank) or 0
                pixel = peek(dut.drain_pixel) or 0
                if not self.full >> bank & 1:
                    raise ContractError(f"post drains bank {bank}, which is not full")
                dut.drain_data.value = self.tiles[bank][0][pixel % len(self.tiles[bank][0])]
                served = True
                if peek(dut.drain_release):
                    self.tiles[bank].popleft()
                    self.full &= ~(1 << bank)
                    self.wait[bank] = self.rng.randint(0, self.delay)
            elif served:
                dut.drain_data.value = worthless()
                served = False
            for bank in (0, 1):
                if self.tiles[bank] and not self.full >> bank & 1:
                    if self.wait[bank]:
                        self.wait[bank] -= 1
                    else:
                        self.full |= 1 << bank
            if shown != self.full:
                dut.bank_full.value = shown = self.full


class PostWatch(uvm_component):
    """Samples the pins once a cycle: what post takes on `inputs`, what it makes on `outputs`."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, n: int, cover: Hits) -> None:
        super().__init__(name, parent)
        self.cover = cover
        self.dut = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.n = n
        self.inputs = uvm_analysis_port("inputs", self)
        self.outputs = uvm_analysis_port("outputs", self)
        self.partners = uvm_analysis_port("partners", self)
        self.accepted: Any = None
        self.pending: Any = None  # results still to come
        self.cycle = 0
        self.drain_cycles: list[int] = []
        self.flush()

    def flush(self) -> None:
        """Reset."""
        self.quiet = 0
        self.in_reset = False

    def check(self, good: bool, what: str) -> None:
        if not good:
            raise ContractError(f"{self.get_full_name()}: cycle {self.cycle}: {what}")

    async def run_phase(self) -> None:
        """One turn a cycle."""
        dut, edge = self.dut, self.edge
        while True:
            await edge
            self.cycle += 1
            if peek(dut.rst_n) != 1:
                if self.in_reset:
                    pins = (dut.out_en, dut.drain_en, dut.par_en, dut.res_en, dut.stamp_valid)
                    active = [peek(pin) for pin in pins]
                    self.check(active == [0] * 5 and peek(dut.idle) == 1, f"not quiet in reset: {active}")
                elif self.cycle > 1:
                    # The register still holds what reset finds.
                    self.cover.sample(reset=self.state())
                self.in_reset = True
                continue
            self.in_reset = False
            self._idle()
            self._taken()
            self._made()
            self._stalled()
            if peek(dut.desc_valid) and peek(dut.desc_ready):
                self.accepted(Desc.unpack(peek(dut.desc_data)))

    def _idle(self) -> None:
        idle, pending = peek(self.dut.idle), self.pending()
        self.quiet = 0 if pending else self.quiet + 1
        self.check(idle is not None and not (idle and pending), f"idle is {idle}, {pending} results to come")
        self.check(
            idle == 1 or self.quiet <= IDLE_AFTER, f"not idle {self.quiet} cycles after the last effect"
        )

    def _taken(self) -> None:
        dut = self.dut
        if peek(dut.par_en):
            self.inputs.write(Event("par", peek(dut.par_addr)))
        if peek(dut.res_en):
            self.partners.write(Event("res", peek(dut.res_addr)))
        ready, valid = peek(dut.wait_store_ready), peek(dut.wait_store_valid)
        self.check(peek(dut.stat_wait) == (ready and not valid), "stat_wait is not: waits for the token")
        if ready and valid:
            self.inputs.write(Event("wait"))
        if peek(dut.drain_en):
            self.drain_cycles.append(self.cycle)
            kind = "release" if peek(dut.drain_release) else "drain"
            self.inputs.write(Event(kind, peek(dut.drain_bank), peek(dut.drain_pixel)))
        else:
            self.check(peek(dut.drain_release) == 0, "drain_release without drain_en")
        if peek(dut.pool_valid) and peek(dut.pool_ready):
            self.inputs.write(Event("pool"))

    def state(self) -> str:
        """Of the tile under way, as coverage.py names it."""
        return "empty" if peek(self.dut.idle) else STATE_NAMES[peek(self.dut.state)]

    def _stalled(self) -> None:
        dut, cover = self.dut, self.cover
        state = self.state()
        if state == "empty":
            cover.sample(stall="no_descriptor")
        elif state == "drain" and peek(dut.pool_ready):
            cover.sample(1 - peek(dut.pool_valid), stall="no_pool_word")
        elif state == "drain":
            cover.sample(1 - peek(dut.drain_en), stall="bank_not_full")
        elif peek(dut.stat_wait):
            cover.sample(stall="no_store_token")
        elif peek(dut.sig_store_valid) and not peek(dut.sig_store_ready):
            cover.sample(stall="no_room_for_token")
        elif peek(dut.stamp_valid) and not peek(dut.stamp_ready):
            cover.sample(stall="stamp_not_taken")
        if peek(dut.desc_valid) and not peek(dut.desc_ready):
            cover.sample(stall="queue_full")

    def _made(self) -> None:
        dut = self.dut
        # First the token: in the cycle of the last word it would come too early.
        if peek(dut.sig_store_valid) and peek(dut.sig_store_ready):
            self.outputs.write(Event("signal"))
        if peek(dut.stamp_valid) and peek(dut.stamp_ready):
            self.outputs.write(Event("stamp", peek(dut.stamp_layer)))
        en = peek(dut.out_en)
        self.check(en is not None, "out_en is X")
        if en:
            data = peek(dut.out_data)
            self.check(data is not None, "X in out_data")
            self.outputs.write(Event("out", peek(dut.out_addr), data.to_bytes(self.n, "little")))


class PostEnv(BlockEnv):
    """stalled: random pauses and back-pressure everywhere; else everything is there at once."""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, stalled: bool = True, salt: int = 0
    ) -> None:
        super().__init__(name, parent, dut)
        self.rng.seed(f"{cocotb.RANDOM_SEED} {salt}")
        rng = self.rng
        self.config = wide_config(params()["N"], params()["LOG_DEPTH"])
        n = self.config.n
        self.params = Parameters(rng, n)
        self.descs = Descriptors(rng, self.params)
        self.table = np.zeros((2 * self.config.table_words, n), dtype=np.uint8)
        self.residual = np.frombuffer(rng.randbytes(BUFFER_WORDS * n), np.uint8).reshape(-1, n)
        self.next_addr = 0
        self.next_res = 0
        self.sums_of: Any = self.random_sums

        def stalls() -> Stalls:
            return Stalls.pick(rng) if stalled else Stalls(rng)

        self.desc = StreamAgent("desc", self, StreamPins(dut, "desc"), "source", stalls())
        self.par = BufferPort("par", self, dut, self.params.words)
        self.res = BufferPort("res", self, dut, self.residual)
        self.banks = Banks("banks", self, dut, rng, rng.choice((0, 40)) if stalled else 0)
        self.pool = Feed("pool", self, StreamPins(dut, "pool"), stalls())
        self.wait = Feed("wait", self, StreamPins(dut, "wait_store", ()), stalls(), filler=())
        self.signal = StreamAgent("signal", self, StreamPins(dut, "sig_store", ()), "sink", stalls())
        self.stamp = StreamAgent("stamp", self, StreamPins(dut, "stamp", ("layer",)), "sink", stalls())
        self.cover = Collector("cover", self, COVERAGE).hits
        # Results to come of each tile, and what to sample with the last.
        self.under_way: deque[tuple[int, Desc, Sums, int]] = deque()
        self.watch = PostWatch("watch", self, dut, n, self.cover)
        self.seen = AnalysisSink("seen", self, self.result_seen)
        self.inputs = Scoreboard("inputs", self)
        self.outputs = Scoreboard("outputs", self)
        self.partners = Scoreboard("partners", self, minimum=0)

    def connect_phase(self) -> None:
        self.watch.accepted = self.predict
        self.watch.pending = lambda: self.outputs.pending
        self.watch.inputs.connect(self.inputs.actual)
        self.watch.outputs.connect(self.outputs.actual)
        self.watch.partners.connect(self.partners.actual)
        # Behind the scoreboard, which has raised if the result is wrong.
        self.watch.outputs.connect(self.seen)

    def start_of_simulation_phase(self) -> None:
        self.dut.tab_wr_en.value = 0
        self.dut.bank_full.value = 0

    def random_sums(self, desc: Desc) -> Sums:
        """Sums of a tile, chosen for its parameters."""
        return random_sums(self.rng, desc, self.config, self.params.words)

    def flush(self) -> None:
        """Reset: tiles under way are lost."""
        self.under_way.clear()

    def result_seen(self, _: Event) -> None:
        """A result that was expected: with its last one, a tile has been what it was meant to be."""
        left, desc, sums, first = self.under_way.popleft()
        if left > 1:
            self.under_way.appendleft((left - 1, desc, sums, first))
        else:
            outcomes.sample(self.cover, desc, self.config, sums, self.params.words, first)

    def predict(self, desc: Desc) -> None:
        """An accepted descriptor: provide its sums, expect all that it must cause."""
        sums = self.sums_of(desc)
        # A tile that goes on where the last one ended meets the next words of the residual buffer, too.
        start = desc.res_addr if desc.restart else self.next_res
        self.next_res = (start + desc.pixels * desc.res_pitch) % BUFFER_WORDS if desc.elem else start
        placed = desc._replace(res_addr=start)
        words = expected(placed, self.config, sums, self.params.words, self.table, self.residual)
        values = [int.from_bytes(row, "little") for row in rows(sums)]
        if not desc.bypass:
            for k in range(PARAM_WORDS):
                self.inputs.expect(Event("par", (desc.par_addr + k) % BUFFER_WORDS))
        if desc.elem:
            for k in range(self.params.elem_words):
                self.inputs.expect(Event("par", (desc.elem_addr + k) % BUFFER_WORDS))
            for k in range(desc.pixels):
                self.partners.expect(Event("res", (start + k * desc.res_pitch) % BUFFER_WORDS))
        if desc.wait:
            self.inputs.expect(Event("wait"))
        if desc.from_pool:
            self.pool.items.extend(values)
        else:
            self.banks.tiles[desc.bank].append(values)
        if desc.restart:
            self.next_addr = desc.out_addr
        self.under_way.append((desc.pixels + desc.signal + desc.stamp, desc, sums, self.next_addr))
        for pixel, data in enumerate(rows(words)):
            kind = "release" if pixel == desc.pixels - 1 else "drain"
            self.inputs.expect(Event("pool") if desc.from_pool else Event(kind, desc.bank, pixel))
            self.outputs.expect(Event("out", self.next_addr, data))
            self.next_addr = (self.next_addr + desc.out_pitch) % BUFFER_WORDS
        if desc.signal:
            self.outputs.expect(Event("signal"))
        if desc.stamp:
            self.outputs.expect(Event("stamp", desc.layer))

    async def write_table(self, select: int, stalls: Stalls) -> None:
        """Fill one table with random bytes; no tile under way may use it."""
        dut, words, n = self.dut, self.config.table_words, self.config.n
        for word in range(select * words, (select + 1) * words):
            while stalls():
                await self.cycles(1)
            data = self.rng.randbytes(n)
            self.table[word] = np.frombuffer(data, dtype=np.uint8)
            dut.tab_wr_en.value = 1
            dut.tab_wr_addr.value = word + 2 * words * self.rng.randrange(BUFFER_WORDS // (2 * words))
            dut.tab_wr_data.value = int.from_bytes(data, "little")
            await self.cycles(1)
            dut.tab_wr_en.value = 0
            dut.tab_wr_data.value = self.rng.getrandbits(8 * n)
            dut.tab_wr_addr.value = self.rng.getrandbits(16)

    async def run(self, descs: Iterable[Desc], patience: int = 3000) -> None:
        """Send descriptors and wait for all they cause."""
        await self.send(descs, patience)
        await self.outputs.drained(self.dut.clk, patience)

    async def send(self, descs: Iterable[Desc], patience: int = 3000) -> None:
        """Send descriptors; returns when the last is taken."""
        sending = self.desc.send(desc.pack() for desc in descs)
        await progress(sending, self.dut.clk, [self.inputs, self.outputs], patience)
