"""lib: the queue, the token counter, the burst walk and the read multiplexer, in one bench."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import cocotb
import numpy as np
from cocotb.triggers import RisingEdge, with_timeout
from pyuvm import uvm_component

from models.blocks import window_bursts
from models.isa import TOKEN_MAX, Load
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, MemoryTiming
from tb.agents.burst import Burst
from tb.agents.edges import at_every
from tb.agents.env import BlockEnv, start
from tb.agents.pins import Stalls, to_int
from tb.agents.scoreboard import AnalysisSink, Mismatch, Missing, Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import Bench, params, seed
from tb.common.commands import SPACE, Noise, random_windows, wide_config
from tb.common.watch import EngineError, Gate, value_of

BENCH = Bench(
    toplevel="lib_bench",
    params=[{"N": 4, "MAX_BURST": 8, "LOG_D": 1}, {"N": 16, "MAX_BURST": 256, "LOG_D": 3}],
    sources=["tb/hdl/lib_bench.v"],
    timeout=120,
)
FIELDS = ("address", "stride_y", "stride_x", "run", "count_x", "count_y")


class Step(NamedTuple):
    """A burst of the walk."""

    addr: int
    beats: int
    last: int


class Watch(uvm_component):
    """Every rising edge: the queues' flags follow their levels, the mux routes and prefers as it says."""

    def __init__(self, name: str, parent: LibEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.dut = dut
        self.limit = {"fifo": 1 << params()["LOG_D"], "tokens": TOKEN_MAX}
        self.most = dict.fromkeys(self.limit, 0)
        self.flush()

    def flush(self) -> None:
        """Reset: all empty."""
        self.count = dict.fromkeys(self.limit, 0)
        self.waiting = False

    async def run_phase(self) -> None:
        await at_every(RisingEdge(self.dut.clk), self.turn)

    def turn(self) -> None:
        if to_int(self.dut.rst_n) == 1:
            for name in self.limit:
                self.queue(name)
            self.mux()

    def rule(self, name: str, found: int, expected: int) -> None:
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
        count += in_ready & self.pin(f"{name}_in_valid")
        self.count[name] = count - (out_valid & self.pin(f"{name}_out_ready"))
        self.most[name] = max(self.most[name], self.count[name])

    def mux(self) -> None:
        valid, asked = self.pin("m_axi_arvalid"), [self.pin(f"s{i}_ar_valid") for i in (0, 1)]
        self.rule("m_axi_arvalid", valid, int(any(asked)))
        if valid:
            chosen = self.pin("m_axi_arid")
            if not self.waiting:
                self.rule("m_axi_arid", chosen, 0 if asked[0] else 1)
            taken = [self.pin(f"s{i}_ar_ready") & asked[i] for i in (0, 1)]
            self.rule("readies of the other manager", taken[1 - chosen], 0)
            self.rule("ready of the chosen manager", taken[chosen], self.pin("m_axi_arready"))
        self.waiting = bool(valid and not self.pin("m_axi_arready"))
        data = [self.pin("s0_r_valid"), self.pin("s1_r_valid")]
        self.rule("data on offer", sum(data), self.pin("m_axi_rvalid"))
        if any(data):
            self.rule("m_axi_rid", self.pin("m_axi_rid"), data.index(1))
            self.rule("m_axi_rready", self.pin("m_axi_rready"), self.pin(f"s{data.index(1)}_r_ready"))


class LibEnv(BlockEnv):
    """fifo in --> out, tokens in --> out, walk cmd --> bursts, two managers --> mux --> memory."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, stalls: bool = True) -> None:
        super().__init__(name, parent, dut)
        self.config = wide_config(params()["N"], params()["MAX_BURST"])
        self.noise = Noise(seed())
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
        self.walk = Scoreboard("walk", self, self.steps, minimum=0)
        self.reads = [Scoreboard(f"reads{i}", self, self.read_of(i), minimum=0) for i in (0, 1)]
        self.watch = Watch("watch", self, dut)

    def connect_phase(self) -> None:
        for scoreboard, stimulus, actual in (
            (self.fifo, "fifo_in", "fifo_out"),
            (self.tokens, "tokens_in", "tokens_out"),
            (self.walk, "walk_cmd", "walk_burst"),
        ):
            self.agents[stimulus].port.connect(scoreboard.stimulus)
            self.agents[actual].port.connect(scoreboard.actual)
        for i in (0, 1):
            self.agents[f"s{i}_ar"].port.connect(self.reads[i].stimulus)
        self.memory.port.connect(AnalysisSink("route", self, lambda b: self.reads[b.id & 1].observe(b)))

    def steps(self, item: Any) -> list[Step]:
        """The walk's model: models/blocks.py."""
        command = Load(**dict(zip(FIELDS, item, strict=True)))
        addresses, beats = (column.tolist() for column in window_bursts(command, self.config))
        last = len(beats) - 1
        return [Step(a % SPACE, b, i == last) for i, (a, b) in enumerate(zip(addresses, beats, strict=True))]

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
        rng, n = self.rng, self.config.n
        if name == "fifo_in":
            await self.agents[name].send(rng.getrandbits(16) for _ in range(count))
        elif name == "tokens_in":
            await self.agents[name].send(() for _ in range(count))
        elif name == "walk_cmd":
            windows = random_windows(Load, rng, self.config, count // 4 + 1)
            await self.agents[name].send([[getattr(w, field) for field in FIELDS] for w in windows])
        else:
            bursts = [
                (rng.randrange(1 << 20) * 4096, rng.randrange(min(16, 4096 // n))) for _ in range(count // 4)
            ]
            await self.agents[name].send(bursts)

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


@cocotb.test()
@cocotb.parametrize(profile=range(4))
async def lib_delivers_under_random_pace(dut: Any, profile: int) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(100)
        assert all(scoreboard.compared > 10 for scoreboard in env.scoreboards)


@cocotb.test()
async def fifo_and_tokens_fill_to_their_limit_and_empty(dut: Any) -> None:
    """Nothing leaves until both are full; all leaves; twice, with the pointers elsewhere."""
    async with start(LibEnv, dut, stalls=False) as env:
        gate = Gate()
        for name in ("fifo_out", "tokens_out"):
            env.agents[name].sink.stalls = gate
        for extra in (3, 0):
            gate.closed = True
            await env.cycles(2)
            sending = cocotb.start_soon(env.send("fifo_in", env.watch.limit["fifo"] + extra))
            await env.send("tokens_in", TOKEN_MAX)
            tokens = cocotb.start_soon(env.send("tokens_in", extra))
            await env.cycles(20)
            assert env.watch.count == env.watch.limit
            gate.closed = False
            await sending
            await tokens
            for scoreboard in (env.fifo, env.tokens):
                await scoreboard.drained(dut.clk)
            await env.cycles(3)
            assert not any(env.watch.count.values())


@cocotb.test()
async def fifo_walk_and_tokens_move_an_item_a_cycle(dut: Any) -> None:
    async with start(LibEnv, dut, stalls=False) as env:
        for name, scoreboard in (("fifo_in", env.fifo), ("tokens_in", env.tokens)):
            cocotb.start_soon(env.send(name, 400))
            await env.cycles(104)
            assert scoreboard.compared >= 98
        await env.agents["walk_cmd"].send([(0, 0, 0, 100, 1, 7)])
        before = env.walk.compared
        await env.cycles(7 * (-(-100 // env.config.max_burst)) + 2)
        assert env.walk.pending == 0 and env.walk.compared > before
        await env.fifo.drained(dut.clk)
        await env.tokens.drained(dut.clk)


@cocotb.test()
async def mux_prefers_fetch_and_keeps_an_address_shown(dut: Any) -> None:
    """A slow memory and both managers always asking: Watch sees every choice, and load is never forgotten."""
    async with start(LibEnv, dut) as env:
        env.memory.driver.timing.stalls = {"ar": Stalls(env.rng, 0.8)}
        tasks = [cocotb.start_soon(env.send(f"s{i}_ar", 80)) for i in (0, 1)]
        for task in tasks:
            await task
        for scoreboard in env.reads:
            await scoreboard.drained(dut.clk)
            assert scoreboard.compared >= 13


@cocotb.test()
async def lib_works_after_reset_in_flight(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        sending = cocotb.start_soon(env.all_at_once(200))
        for _ in range(5):
            await env.cycles(env.rng.randint(1, 80))
            await env.reset(env.rng.randint(1, 3))
        await sending
        await env.all_at_once(20)


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(victim=["fifo", "walk", "reads0", "reads1"])
async def scoreboard_catches_a_wrong_item(dut: Any, victim: str) -> None:
    async with start(LibEnv, dut) as env:
        scoreboard = env.get_child(victim)
        model = scoreboard.model
        broken = {"fifo": lambda x: x ^ 1, "walk": lambda x: x._replace(last=1 - x.last)}
        wrong = broken.get(victim, lambda burst: Burst(False, 9, burst.addr, burst.beats, burst.data))
        scoreboard.model = lambda item: [wrong(expected) for expected in model(item)]
        await env.all_at_once(40)


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_lost_token(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(20)
        env.tokens.expect(())


@cocotb.test(expect_error=EngineError)
@cocotb.parametrize(name=["fifo", "tokens"])
async def bench_catches_a_wrong_level(dut: Any, name: str) -> None:
    async with start(LibEnv, dut) as env:
        env.watch.limit[name] -= 1
        env.agents[f"{name}_out"].sink.stalls = gate = Gate()
        gate.closed = True
        await env.send(f"{name}_in", 63)


@cocotb.test(expect_error=AssertionError)
async def lib_bench_without_traffic_fails(dut: Any) -> None:
    async with start(LibEnv, dut) as env:
        await env.all_at_once(0)
        assert all(scoreboard.compared > 10 for scoreboard in env.scoreboards)
