"""The bench of rtl/lib: a source and a sink for every block, a memory behind the read arbiter."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, with_timeout
from pyuvm import uvm_component

from models.isa import TOKEN_MAX, Load
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, MemoryTiming
from tb.agents.burst import Burst
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls, to_int
from tb.agents.scoreboard import AnalysisSink, Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import params, seed
from tb.common.collector import Collector
from tb.common.commands import Noise, random_windows, wide_config
from tb.common.cover import Hits
from tb.common.watch import EngineError, value_of
from tb.lib.coverage import COVERAGE, MOVES
from tb.lib.outcomes import ReadOrder, Step, WalkOutcomes, level_name
from tb.lib.stimulus import Reads

FIELDS = ("address", "stride_y", "stride_x", "run", "count_x", "count_y")
DATA = ("data", "resp", "last")
BEATS = 2  # that the mux holds


class Watch(uvm_component):
    """Every rising edge: the queues' flags follow their levels, the mux routes and prefers as it says."""

    def __init__(self, name: str, parent: LibEnv, dut: Any, cover: Hits) -> None:
        super().__init__(name, parent)
        self.dut = dut
        self.cover = cover
        self.order = ReadOrder(cover)
        self.limit = {"fifo": 1 << params()["LOG_D"], "tokens": TOKEN_MAX}
        self.ran = False
        self.count: dict[str, int] = {}
        self.waiting, self.chosen, self.walking = False, 0, 0
        self.beats: deque[tuple[int, ...]] = deque()
        self.flush()

    def flush(self) -> None:
        """Reset: all empty."""
        if self.ran:
            levels = {f"reset_{name}": level_name(self.count[name], self.limit[name]) for name in self.limit}
            waits = ("fetch_waits", "load_waits")[self.chosen] if self.waiting else "free"
            self.cover.sample(**levels, reset_walk=self.walking, reset_mux=waits)
            self.cover.sample(reset_beats=level_name(len(self.beats), BEATS))
        self.count = dict.fromkeys(self.limit, 0)
        self.waiting, self.chosen, self.walking = False, 0, 0
        self.beats.clear()
        self.order.flush()

    async def run_phase(self) -> None:
        await at_every(RisingEdge(self.dut.clk), self.turn)

    def turn(self) -> None:
        if to_int(self.dut.rst_n) == 1:
            self.ran = True
            for name in self.limit:
                self.queue(name)
            self.walk()
            self.mux()

    def rule(self, name: str, found: Any, expected: Any) -> None:
        """Raise EngineError unless they agree."""
        if found != expected:
            raise EngineError(f"{name} is {found}, expected {expected}")

    def pin(self, name: str) -> int:
        return value_of(getattr(self.dut, name))

    def queue(self, name: str) -> None:
        count = self.count[name]
        in_ready, out_valid = self.pin(f"{name}_in_ready"), self.pin(f"{name}_out_valid")
        self.rule(f"{name}_in_ready", in_ready, int(count < self.limit[name]))
        self.rule(f"{name}_out_valid", out_valid, int(count > 0))
        if name == "fifo":
            self.rule("fifo_level", self.pin("fifo_level"), count)
        offered, wanted = self.pin(f"{name}_in_valid"), self.pin(f"{name}_out_ready")
        push, pop = in_ready & offered, out_valid & wanted
        self.count[name] = count + push - pop
        level = level_name(count, self.limit[name])
        self.cover.sample(**{f"{name}_level": level, f"{name}_move": MOVES[push + 2 * pop]})
        self.cover.sample(offered - push, stall=f"{name}_full")
        self.cover.sample(wanted - pop, stall=f"{name}_empty")

    def walk(self) -> None:
        given, ready = self.pin("walk_cmd_valid"), self.pin("walk_cmd_ready")
        shown, taken = self.pin("walk_burst_valid"), self.pin("walk_burst_ready")
        self.rule("walk_burst_valid", shown, 1 - ready)
        self.cover.sample(given & ~ready & 1, stall="walk_busy")
        self.cover.sample(ready & ~given & 1, stall="walk_idle")
        self.cover.sample(shown & ~taken & 1, stall="burst_not_taken")
        self.walking = given if ready else int(not (taken and self.pin("walk_burst_last")))

    def mux(self) -> None:
        valid, asked = self.pin("m_axi_arvalid"), [self.pin(f"s{i}_ar_valid") for i in (0, 1)]
        self.rule("m_axi_arvalid", valid, int(any(asked)))
        if valid:
            chosen = self.pin("m_axi_arid")
            if not self.waiting:
                self.rule("m_axi_arid", chosen, 0 if asked[0] else 1)
            taken = [self.pin(f"s{i}_ar_ready") & asked[i] for i in (0, 1)]
            self.rule("readies of the other manager", taken[1 - chosen], 0)
            ready = self.pin("m_axi_arready")
            self.rule("ready of the chosen manager", taken[chosen], ready)
            asks = "both" if all(asked) else "fetch" if asked[0] else "load"
            shown = "again" if self.waiting else "first"
            self.cover.sample(asks=asks, shown=shown, chosen=chosen, taken=ready)
            self.chosen = chosen
            if ready:
                self.order.ask(chosen)
        self.waiting = bool(valid and not self.pin("m_axi_arready"))
        self.beat()

    def beat(self) -> None:
        """A queue of two between the memory's data and the managers."""
        waiting, ready = len(self.beats), self.pin("m_axi_rready")
        self.rule("m_axi_rready", ready, int(waiting < BEATS))
        self.cover.sample(beats_held=level_name(waiting, BEATS))
        offered = [self.pin("s0_r_valid"), self.pin("s1_r_valid")]
        self.rule("managers with data", sum(offered), int(waiting > 0))
        if waiting:
            manager = offered.index(1)
            beat = (manager, *(self.pin(f"r_{name}") for name in DATA))
            self.rule("a beat (manager, data, resp, last)", beat, self.beats[0])
            accepted = self.pin(f"s{manager}_r_ready")
            self.cover.sample(data_for=manager, accepted=accepted)
            if accepted:
                self.beats.popleft()
        if self.pin("m_axi_rvalid") and ready:
            self.beats.append((self.pin("m_axi_rid"), *(self.pin(f"m_axi_r{name}") for name in DATA)))
            if self.pin("m_axi_rlast"):
                self.order.ended(self.pin("m_axi_rid"))


class LibEnv(BlockEnv):
    """fifo in --> out, tokens in --> out, walk cmd --> bursts, two managers --> mux --> memory."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, stalls: bool = True) -> None:
        super().__init__(name, parent, dut)
        self.config = wide_config(params()["N"], params()["MAX_BURST"])
        self.noise = Noise(seed())
        self.random = Reads(self.rng, self.config.n)
        self.agents: dict[str, StreamAgent] = {}
        for prefix, role, payload in (
            ("fifo_in", "source", ("data",)),
            ("fifo_out", "sink", ("data",)),
            ("tokens_in", "source", ()),
            ("tokens_out", "sink", ()),
            ("walk_cmd", "source", FIELDS),
            ("walk_burst", "sink", ("addr", "beats", "last")),
            ("s0_ar", "source", ("addr", "len")),
            ("s1_ar", "source", ("addr", "len")),
            ("s0_r", "sink", ()),
            ("s1_r", "sink", ()),
        ):
            pace = Stalls.pick(self.rng) if stalls else Stalls(self.rng)
            self.agents[prefix] = StreamAgent(prefix, self, StreamPins(dut, prefix, payload), role, pace)
        timing = MemoryTiming.pick(self.rng) if stalls else MemoryTiming()
        timing.reorder = True
        memory = cast(np.ndarray, self.noise)
        self.memory = AxiMemoryAgent("memory", self, Axi4Pins(dut, "m_axi", "r"), memory, self.rng, timing)
        self.fifo = Scoreboard("fifo", self, lambda item: [item], minimum=0)
        self.tokens = Scoreboard("tokens", self, lambda item: [item], minimum=0)
        self.cover = Collector("cover", self, COVERAGE).hits
        self.walks = WalkOutcomes(self.cover, self.config)
        self.walk = Scoreboard("walk", self, self.steps, minimum=0)
        self.reads = [Scoreboard(f"reads{i}", self, self.read_of(i), minimum=0) for i in (0, 1)]
        self.watch = Watch("watch", self, dut, self.cover)

    def connect_phase(self) -> None:
        for scoreboard, stimulus, actual in (
            (self.fifo, "fifo_in", "fifo_out"),
            (self.tokens, "tokens_in", "tokens_out"),
            (self.walk, "walk_cmd", "walk_burst"),
        ):
            self.agents[stimulus].port.connect(scoreboard.stimulus)
            self.agents[actual].port.connect(scoreboard.actual)
        # Behind the scoreboard, which has raised if the burst is wrong.
        self.agents["walk_burst"].port.connect(AnalysisSink("walked", self, self.walks.seen))
        for i in (0, 1):
            self.agents[f"s{i}_ar"].port.connect(self.reads[i].stimulus)
        self.memory.port.connect(AnalysisSink("route", self, lambda b: self.reads[b.id & 1].observe(b)))

    def steps(self, item: Any) -> list[Step]:
        """The bursts of a command."""
        return self.walks.steps(Load(**dict(zip(FIELDS, item, strict=True))))

    def flush(self) -> None:
        """Reset."""
        self.walks.flush()

    def read_of(self, manager: int) -> Any:
        """A manager's burst as it must appear at the memory, with its data."""

        def model(item: Any) -> list[Burst]:
            addr, beats = item.addr, item.len + 1
            data = self.noise[slice(addr, addr + beats * self.config.n)].tobytes()
            return [Burst(False, manager, addr, beats, data)]

        return model

    async def send(self, name: str, count: int) -> None:
        """Random items for one source. Raises SimTimeoutError if they are not taken."""
        await with_timeout(self._send(name, count), 600, "us")

    async def _send(self, name: str, count: int) -> None:
        rng = self.rng
        if name == "fifo_in":
            await self.agents[name].send(rng.getrandbits(16) for _ in range(count))
        elif name == "tokens_in":
            await self.agents[name].send(() for _ in range(count))
        elif name == "walk_cmd":
            windows = random_windows(Load, rng, self.config, count // 4 + 1)
            await self.agents[name].send([[getattr(w, field) for field in FIELDS] for w in windows])
        else:
            await self.agents[name].send([self.random.draw() for _ in range(count // 4)])

    @property
    def scoreboards(self) -> list[Scoreboard]:
        return [self.fifo, self.tokens, self.walk, *self.reads]

    async def all_at_once(self, count: int) -> None:
        """Every source sends; wait for all that follows."""
        sources = ("fifo_in", "tokens_in", "walk_cmd", "s0_ar", "s1_ar")
        for task in [cocotb.start_soon(self.send(name, count)) for name in sources]:
            await task
        for scoreboard in self.scoreboards:
            await scoreboard.drained(self.dut.clk)
