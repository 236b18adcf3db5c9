"""The bench of compute: commands and tokens in, stand-ins for conv and pool behind, every cycle watched."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_port, uvm_component

from models.isa import Opcode
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Scoreboard
from tb.agents.stream import StreamAgent, StreamPins
from tb.common.collector import Collector
from tb.common.compute import ContractError, Feed, peek, pins_of, progress
from tb.common.cover import Hits
from tb.compute.coverage import COVERAGE
from tb.compute.stimulus import WAIT_LOAD, Commands, surroundings

PINS = """rst_n cmd_valid cmd_ready cmd_data wait_load_valid wait_load_ready
    conv_valid conv_ready conv_data conv_idle pool_valid pool_ready pool_data pool_idle stat_wait"""
UNITS = ("conv", "pool")


def units_of(command: int) -> tuple[str, str]:
    """The unit that a command is for, and the other one."""
    return ("conv", "pool") if command & 0xFF == Opcode.CONV else ("pool", "conv")


class Dispatch(NamedTuple):
    """A command as a unit got it, and the tokens taken in the same cycle."""

    unit: str
    token: int
    data: int


class Unit(uvm_component):
    """Stands in for conv or pool: takes a command now and then, works some cycles on each, then is idle."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, depth: int, rng: random.Random, busy: int):
        super().__init__(name, parent)
        self.pins: Any = StreamPins(dut, name)
        self.idle = getattr(dut, f"{name}_idle")
        self.depth = depth
        self.rng = rng
        self.busy = busy  # cycles on a command, at most
        self.left: list[int] = []

    def flush(self) -> None:
        """Reset: nothing to do any more."""
        self.left.clear()

    async def run_phase(self) -> None:
        """ready and idle anew in every cycle."""
        pins = self.pins
        pins.ready.value, self.idle.value = 0, 1
        while True:
            await pins.edge
            if self.left:
                self.left[0] -= 1
                if not self.left[0]:
                    self.left.pop(0)
            if peek(pins.rst_n) == 1 and peek(pins.valid) and peek(pins.ready):
                self.left.append(self.rng.randint(1, self.busy))
            self.idle.value = not self.left
            pins.ready.value = len(self.left) < self.depth and (not self.busy or self.rng.random() < 0.7)


class ComputeWatch(uvm_component):
    """Samples the pins once a cycle; a command must go exactly when nothing holds it back."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, cover: Hits) -> None:
        super().__init__(name, parent)
        self.cover = cover
        self.pins = pins_of(dut, PINS)
        self.edge = RisingEdge(dut.clk)
        self.sent = uvm_analysis_port("sent", self)
        self.got = uvm_analysis_port("got", self)
        self.causes: Counter[str] = Counter()
        self.cycle = 0
        self.before, self.did = "none", "no_command"

    def flush(self) -> None:
        """Reset."""
        if self.cycle:
            self.cover.sample(reset=self.did)
        self.before, self.did = "none", "no_command"

    async def run_phase(self) -> None:
        """One turn a cycle."""
        pin = self.pins
        while True:
            await self.edge
            if peek(pin.rst_n) != 1:
                continue
            self.cycle += 1
            command = peek(pin.cmd_data) if peek(pin.cmd_valid) else None
            causes = self.held_by(command) if command is not None else {"nothing to do"}
            self.causes.update(causes)
            token = int(bool(peek(pin.wait_load_valid) and peek(pin.wait_load_ready)))
            expect = {"cmd_ready": not causes, "stat_wait": "token" in causes}
            seen = {
                "cmd_ready": bool(command is not None and peek(pin.cmd_ready)),
                "stat_wait": peek(pin.stat_wait),
            }
            if seen != expect or (token and causes):
                raise ContractError(
                    f"{self.get_full_name()}: {seen}, token {token}; held back by {causes or 'nothing'}"
                )
            for unit in UNITS:
                if peek(getattr(pin, f"{unit}_valid")) and peek(getattr(pin, f"{unit}_ready")):
                    self.got.write(Dispatch(unit, token, peek(getattr(pin, f"{unit}_data"))))
            if command is None:
                waits = peek(pin.wait_load_valid)
                self.cover.sample(wait="token_waits" if waits else "no_command")
                self.did = "no_command"
            elif causes:
                self._held(command, causes)
            else:
                self.sent.write(command)
                self._went(command)

    def _held(self, command: int, causes: set[str]) -> None:
        unit, _ = units_of(command)
        names = {"token": "token", f"{unit} not ready": "not_ready"}
        cause = names.get(next(iter(causes)), "other_busy") if len(causes) == 1 else "several"
        self.cover.sample(unit=unit, held=cause)
        self.did = "held"

    def _went(self, command: int) -> None:
        """A command that the scoreboard has seen to be right."""
        unit, _ = units_of(command)
        work = "idle" if peek(getattr(self.pins, f"{unit}_idle")) else "busy"
        self.cover.sample(before=self.before, unit=unit, work=work)
        left = "left" if peek(self.pins.wait_load_valid) else "none"
        self.cover.sample(unit=unit, token="taken" if command & WAIT_LOAD else left)
        self.before, self.did = unit, "went"

    def held_by(self, command: int) -> set[str]:
        """What holds the command back in this cycle."""
        pin = self.pins
        unit, other = units_of(command)
        causes = set()
        if command & WAIT_LOAD and not peek(pin.wait_load_valid):
            causes.add("token")
        if not peek(getattr(pin, f"{other}_idle")):
            causes.add(f"{other} busy")
        if not peek(getattr(pin, f"{unit}_ready")):
            causes.add(f"{unit} not ready")
        return causes


class ComputeEnv(BlockEnv):
    """cmd, tokens --> DUT --> two units."""

    def __init__(self, name: str, parent: uvm_component, dut: Any, salt: int = 0) -> None:
        super().__init__(name, parent, dut)
        self.rng.seed(f"{cocotb.RANDOM_SEED} {salt}")
        rng = self.rng
        self.cmd = StreamAgent("cmd", self, StreamPins(dut, "cmd"), "source", Stalls.pick(rng))
        world = surroundings(rng)
        tokens = Stalls(rng, world["token_gap"])
        self.tokens = Feed("tokens", self, StreamPins(dut, "wait_load", ()), tokens, filler=())
        self.conv = Unit("conv", self, dut, 2, rng, world["conv_busy"])
        self.pool = Unit("pool", self, dut, world["pool_depth"], rng, world["pool_busy"])
        self.random = Commands(rng)
        self.streams = [StreamAgent(f"{unit}_in", self, StreamPins(dut, unit)) for unit in UNITS]
        self.cover = Collector("cover", self, COVERAGE).hits
        self.watch = ComputeWatch("watch", self, dut, self.cover)
        self.scoreboard = Scoreboard("scoreboard", self, model=self.predict)

    def connect_phase(self) -> None:
        self.watch.sent.connect(self.scoreboard.stimulus)
        self.watch.got.connect(self.scoreboard.actual)

    def predict(self, command: int) -> list[Dispatch]:
        """Where a command goes."""
        unit, _ = units_of(command)
        return [Dispatch(unit, int(bool(command & WAIT_LOAD)), command & ((1 << 512) - 1))]

    def commands(self, count: int) -> list[int]:
        """Random ones."""
        return [self.random.draw() for _ in range(count)]

    async def run(self, commands: list[int]) -> None:
        """Send commands and wait until the units have them."""
        await self.send(commands)
        await self.scoreboard.drained(self.dut.clk)

    async def send(self, commands: list[int]) -> None:
        """Send commands; returns when the last is taken."""
        await progress(self.cmd.send(commands), self.dut.clk, [self.scoreboard], 2000)
