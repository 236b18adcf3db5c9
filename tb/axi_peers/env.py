"""Environments: one of our agents and one of cocotbext-axi on the same wires."""

from __future__ import annotations

import logging
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteRam, AxiMaster, AxiRam
from pyuvm import uvm_component

from tb.agents.axi4 import (
    Axi4ManagerAgent,
    Axi4Monitor,
    Axi4Pins,
    AxiMemoryAgent,
    Fault,
    ManagerTiming,
    MemoryTiming,
)
from tb.agents.axi_lite import AxiLiteAgent, AxiLitePins
from tb.agents.burst import DECERR, OKAY
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.rules import HDL_RULES, Violation
from tb.agents.scoreboard import Scoreboard
from tb.axi_peers.coverage import COVERAGE, RESPONSES
from tb.axi_peers.traffic import BAD_PAGES, PAGE, PAGES, Answer, Model, Shape, lanes_of
from tb.common.collector import Collector

CHANNELS = ("ar", "r", "aw", "w", "b")


def quiet(component: Any) -> Any:
    """A cocotbext-axi component that does not log each beat."""
    for part in (component, *vars(component).values()):
        log = getattr(part, "log", None)
        if isinstance(log, logging.Logger):
            log.setLevel(logging.WARNING)
    return component


def pauses(stalls: Stalls) -> Iterator[bool]:
    """A stall profile as cocotbext-axi takes it."""
    while True:
        yield stalls()


def fork(rng: random.Random) -> random.Random:
    """A source of its own for each part, so that nothing hangs on who is first within a cycle."""
    return random.Random(rng.getrandbits(64))


def stall(rng: random.Random, interface: Any, channels: Sequence[str]) -> None:
    """Each of these channels of theirs pauses by a profile of its own."""
    for name in channels:
        channel = getattr(interface, f"{name}_channel")
        quiet(channel).set_pause_generator(pauses(Stalls.pick(fork(rng))))


def give_codes(channel: Any, change: Callable[[Any], None]) -> None:
    """Let `change` see each response that their memory sends."""
    send = channel.send

    async def answer(response: Any) -> None:
        change(response)
        await send(response)

    channel.send = answer


def deal(rng: random.Random, codes: Callable[[], Sequence[int]]) -> Iterator[int]:
    """Answers at random, but all of `codes` before one of them comes again."""
    while True:
        yield from rng.sample(codes(), len(codes()))


def silence(dut: Any) -> None:
    """No channel says anything until its agents drive it."""
    for channel in CHANNELS:
        for side in ("axi", "lite"):
            for pin in ("valid", "ready"):
                getattr(dut, f"{side}_{channel}{pin}").value = 0


class PeerEnv(BlockEnv):
    """manager <--> subordinate; a passive monitor and axi_rules.v on the wires, a byte array for the memory.

    manager, memory: "ours" or "theirs".
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any, manager: str, memory: str) -> None:
        super().__init__(name, parent, dut)
        self.violations: list[Violation] = []
        self.peers = f"{manager}_{memory}"
        self.cover = Collector("cover", self, COVERAGE).hits
        self.pins = Axi4Pins(dut, "axi")
        self.data_bytes = self.pins.data_bytes
        self.monitor = Axi4Monitor(
            "monitor", self, self.pins, full_width=False, report=self.violations.append
        )
        self.scoreboard = Scoreboard("scoreboard", self)
        image = np.frombuffer(self.rng.randbytes(PAGES * PAGE), np.uint8)
        self.model = Model(image.copy())
        self.tasks: list[Any] = []  # one per burst
        # Of their memory, by channel and ID (its data stay right): the worst answer that each burst to come
        # is to get, and what was answered.
        self.planned: defaultdict[tuple[str, int], deque[int]] = defaultdict(deque)
        self.given: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        self._codes = fork(self.rng)
        bus = AxiBus.from_prefix(dut, "axi")
        silence(dut)
        if manager == "ours":
            rng = fork(self.rng)
            timing = ManagerTiming.pick(rng)
            timing.outstanding = max(4, timing.outstanding)  # so that answers can overtake
            self.manager = Axi4ManagerAgent("manager", self, self.pins, rng, timing, self.violations.append)
        else:
            self.master = quiet(AxiMaster(bus, dut.clk, dut.rst_n, reset_active_level=False))
            stall(self.rng, self.master.write_if, ("aw", "w", "b"))
            stall(self.rng, self.master.read_if, ("ar", "r"))
        self.memory = image.copy()
        if memory == "ours":
            rng = fork(self.rng)
            reply = MemoryTiming.pick(rng)
            reply.reorder, reply.outstanding, reply.read_latency = True, 16, (1, 60)
            self.subordinate = AxiMemoryAgent(
                "memory",
                self,
                self.pins,
                self.memory,
                rng,
                reply,
                report=self.violations.append,
                full_width=False,
            )
            for page, code in BAD_PAGES.items():
                pages = range(page * PAGE, (page + 1) * PAGE)
                self.subordinate.faults += [
                    Fault(True, code, addr=pages),
                    Fault(False, code, addr=pages, beat=0 if code == DECERR else None),
                ]
        else:
            self.ram = quiet(AxiRam(bus, dut.clk, dut.rst_n, reset_active_level=False, size=PAGES * PAGE))
            self.ram.write(0, image.tobytes())
            stall(self.rng, self.ram.write_if, ("aw", "w", "b"))
            stall(self.rng, self.ram.read_if, ("ar", "r"))
            give_codes(self.ram.write_if.b_channel, self.write_code)
            give_codes(self.ram.read_if.r_channel, self.read_code)

    def write_code(self, response: Any) -> None:
        response.bresp = self.code("b", int(response.bid), True)

    def read_code(self, response: Any) -> None:
        response.rresp = self.code("r", int(response.rid), bool(response.rlast))

    def code(self, channel: str, ident: int, last: bool) -> int:
        """The next answer of their memory, remembered: on the last beat what was planned, before it that or
        OKAY."""
        planned, given = self.planned[channel, ident], self.given[channel, ident]
        code = planned.popleft() if last else self._codes.choice((OKAY, planned[0]))
        given.append(code)
        return code

    def start_of_simulation_phase(self) -> None:
        self.dut.u_rules.rule.value = 0

    def compare(self, shape: Shape, resps: Any, data: bytes, expected: Any, expected_data: bytes) -> None:
        self.scoreboard.expect(Answer(shape, tuple(expected), expected_data))
        self.scoreboard.observe(Answer(shape, tuple(resps), data))

    def check_memory(self) -> None:
        """What the memory holds in the end."""
        held = self.ram.read(0, PAGES * PAGE) if hasattr(self, "ram") else self.memory.tobytes()
        self.scoreboard.expect(self.model.held.tobytes())
        self.scoreboard.observe(bytes(held))

    def count(self) -> None:
        """Functional coverage of what the passive monitor saw."""
        for burst in self.monitor.bursts:
            size = self.data_bytes.bit_length() - 1 if burst.size is None else burst.size
            self.cover.sample(
                width=self.data_bytes,
                peers=self.peers,
                way=burst.write,
                kind=burst.kind,
                lanes=lanes_of(burst.addr, size, self.data_bytes),
                beats=burst.beats,
                response=burst.resp,
                id=burst.id,
            )
        for way in (False, True):
            last = -1
            for burst in (burst for burst in self.monitor.bursts if burst.write == way):
                self.cover.sample(peers=self.peers, order="overtaken" if burst.start < last else "in_order")
                last = max(last, burst.start)

    def no_violation(self) -> None:
        """Neither checker has anything to say."""
        assert not self.violations, self.violations[0]
        assert HDL_RULES[int(self.dut.rule.value)] == ""
        assert self.dut.busy.value == 0


class LitePeerEnv(BlockEnv):
    """Our AXI4-Lite manager <--> their AxiLiteRam."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, codes: tuple[int, ...]) -> None:
        super().__init__(name, parent, dut)
        self.violations: list[Violation] = []
        self.codes = codes
        self.cover = Collector("cover", self, COVERAGE).hits
        self.seed = self.rng.getrandbits(64)
        self.given: dict[str, list[int]] = {"b": [], "r": []}
        self._answers = {channel: deal(fork(self.rng), lambda: self.codes) for channel in ("b", "r")}
        silence(dut)
        self.bus = AxiLiteAgent(
            "bus", self, AxiLitePins(dut, "lite"), True, Stalls.pick(self.rng), self.violations.append
        )
        lite = AxiLiteBus.from_prefix(dut, "lite")
        self.ram = quiet(AxiLiteRam(lite, dut.clk, dut.rst_n, reset_active_level=False, size=256))
        self.scoreboard = Scoreboard("scoreboard", self)
        image = np.frombuffer(self.rng.randbytes(256), np.uint8)
        self.model = Model(image.copy())
        self.ram.write(0, image.tobytes())
        stall(self.rng, self.ram.write_if, ("aw", "w", "b"))
        stall(self.rng, self.ram.read_if, ("ar", "r"))
        give_codes(self.ram.write_if.b_channel, self.write_code)
        give_codes(self.ram.read_if.r_channel, self.read_code)

    def write_code(self, response: Any) -> None:
        response.bresp = next(self._answers["b"])
        self.given["b"].append(response.bresp)

    def read_code(self, response: Any) -> None:
        response.rresp = next(self._answers["r"])
        self.given["r"].append(response.rresp)

    async def accesses(self, write: bool, count: int) -> None:
        """One direction; the other runs beside it."""
        width, rng = len(self.dut.lite_wstrb), random.Random(f"{self.seed} {write}")
        for _ in range(count):
            addr = rng.randrange(256 // width) * width
            addresses = list(range(addr, addr + width))
            claim = await self.model.claim(write, addresses)
            data, strobe = rng.randbytes(width), rng.choice((0, (1 << width) - 1, rng.getrandbits(width)))
            if write:
                resp = await self.bus.write(addr, int.from_bytes(data, "little"), strobe)
                self.model.store(addresses, data, [strobe >> lane & 1 for lane in range(width)])
                got, expected = (resp, 0), (self.given["b"].pop(0), 0)
            else:
                value = int.from_bytes(self.model.load(addresses), "little")
                read, resp = await self.bus.read(addr)
                got, expected = (resp, read), (self.given["r"].pop(0), value)
            self.scoreboard.expect((write, addr, *expected))
            self.scoreboard.observe((write, addr, *got))
            if got[0] in RESPONSES.values():
                self.cover.sample(lite_way=write, lite_answer=got[0])
            if write:
                every = (1 << width) - 1
                self.cover.sample(lite_strobe={0: "none", every: "all"}.get(strobe, "some"))
            self.model.release(claim)


class WireEnv(BlockEnv):
    """The wires, a monitor on them, and nobody who drives."""

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.violations: list[Violation] = []
        self.pins = Axi4Pins(dut, "axi")
        self.monitor = Axi4Monitor(
            "monitor", self, self.pins, full_width=False, report=self.violations.append
        )
        silence(dut)
        for channel in CHANNELS:
            getattr(dut, f"axi_{channel}ready").value = 1

    def start_of_simulation_phase(self) -> None:
        self.dut.u_rules.rule.value = 0
