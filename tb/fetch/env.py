"""The environment of fetch: a program in DRAM, three engines that take commands at their own pace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from models.blocks import fetch_bursts
from models.decode import cause_of, parse
from models.isa import COMMAND_BYTES, PAGE, Cause, Command, Conv, End, Load, Pool, Store
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, MemoryTiming
from tb.agents.burst import DECERR, Burst
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls, to_int
from tb.agents.rules import Violation, fail
from tb.agents.scoreboard import AnalysisSink
from tb.agents.stream import StreamAgent, StreamPins
from tb.bench import params, seed
from tb.common.collector import Collector
from tb.common.commands import SPACE, Noise, wide_config
from tb.common.dma import Prefix, planned_answers
from tb.common.watch import BusWatch, EngineError, value_of
from tb.fetch import outcomes
from tb.fetch.coverage import COVERAGE
from tb.fetch.outcomes import AHEAD

ENGINES = {Load: "load", Conv: "compute", Pool: "compute", Store: "store"}


class Handed(NamedTuple):
    """A command given to an engine."""

    engine: str
    number: int
    command: int


class Stop(NamedTuple):
    """Why fetch stopped; cause 0: END."""

    cause: int
    addr: int = 0
    command: int = 0


class EnginePins(StreamPins):
    """One of three streams that share cmd_data."""

    def __init__(self, dut: Any, prefix: str) -> None:
        super().__init__(dut, prefix, ())
        self.payload, self.fields = ("data",), [dut.cmd_data]


class FetchWatch(BusWatch):
    """Reads are never held up, nothing is asked for or handed out after END or halt, errors raise halt."""

    def flush(self) -> None:
        super().flush()
        self.ended = False

    async def run_phase(self) -> None:
        edge = RisingEdge(self.dut.clk)
        while True:
            await edge
            if to_int(self.dut.rst_n) == 1:
                self.sample()
                self.env.cycle.step()

    def sample(self) -> None:
        dut, env, halted = self.dut, self.env, value_of(self.dut.halt)
        shown = self.under_way
        self.sample_bus(halted)
        self.rule(not (self.ended and self.under_way > shown), "a new burst after END")
        self.rule(value_of(dut.r_ready) or not value_of(dut.r_valid), "asked for more than there is room for")
        valid = [value_of(getattr(dut, f"{engine}_valid")) for engine in ("load", "compute", "store")]
        self.rule(sum(valid) <= (not halted), f"commands on offer: {valid}, halt {halted}")
        ended = bool(value_of(dut.ended)) and not halted
        if ended and not self.ended:
            env.stops.observe(Stop(0))
        self.rule(ended or halted or not self.ended, "ended fell")
        self.ended = self.ended or ended
        if value_of(dut.err_valid):
            self.rule(not halted, "an error while halted")
            env.stops.observe(Stop(value_of(dut.err_cause), value_of(dut.err_addr), value_of(dut.err_cmd)))
            self.halt()


class FetchEnv(BlockEnv):
    """memory --> fetch --> load, compute, store; one scoreboard for all commands, bursts, and for the end."""

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        dut: Any,
        timing: MemoryTiming | None = None,
        stalls: bool = True,
    ) -> None:
        super().__init__(name, parent, dut)
        build = params()
        self.config = wide_config(build["N"], acc_depth=build["ACC_DEPTH"], line_words=build["LINE_WORDS"])
        self.noise = Noise(seed())
        self.memory = AxiMemoryAgent(
            "memory",
            self,
            Axi4Pins(dut, "", "r"),
            cast(np.ndarray, self.noise),
            self.rng,
            timing or MemoryTiming.pick(self.rng),
            1,
        )
        self.engines = {
            engine: StreamAgent(
                engine,
                self,
                EnginePins(dut, engine),
                "sink",
                Stalls.pick(self.rng) if stalls else Stalls(self.rng),
                self.report,
            )
            for engine in ("load", "compute", "store")
        }
        self.order = Prefix("order", self, minimum=0)
        self.bursts = Prefix("bursts", self)
        self.stops = Prefix("stops", self)
        self.watch = FetchWatch("watch", self, "ar")
        self.cover = Collector("cover", self, COVERAGE).hits
        self.cycle = outcomes.Cycles(dut, self.cover.sample)
        self.samples: list[dict[str, Any]] = []  # of the program under way; taken when it has stopped
        self.planned: list[dict[str, Any]] = []  # of its bursts
        self.handed: Command | None = None  # the last one handed out, as predicted
        self.first = 0  # its first burst
        self.read_error = False
        self.set_window()
        dut.start.value = 0

    def set_window(self, base: int = 0, limit: int = SPACE - PAGE) -> None:
        """The pages (first byte of the first, of the last) that may be read."""
        self.window = range(base, limit + PAGE)
        self.dut.read_base.value, self.dut.read_limit.value = base, limit

    def flush(self) -> None:
        """Reset: of a program that is cut short nothing is sampled."""
        self.cycle.reset()

    def connect_phase(self) -> None:
        self.memory.port.connect(self.bursts.actual)
        for name, agent in self.engines.items():
            agent.port.connect(AnalysisSink(f"{name}_sink", self, self._handed(name)))

    def _handed(self, engine: str) -> Any:
        def observe(data: int) -> None:
            bits = 8 * COMMAND_BYTES
            self.order.observe(Handed(engine, data >> bits, data & ((1 << bits) - 1)))

        return observe

    def report(self, violation: Violation) -> None:
        """A halted fetch takes back the command on offer."""
        if not (violation.rule == "VALID_STABLE" and value_of(self.dut.halt)):
            fail(violation)

    def burst_ends(self) -> int:
        dut = self.dut
        return value_of(dut.r_valid) and value_of(dut.r_ready) and value_of(dut.r_last)

    def load_program(self, base: int, commands: Sequence[Command | bytes], length: int | None = None) -> int:
        """Put a program into DRAM and predict what it brings. length: PROG_LEN. Returns the length."""
        length = len(commands) if length is None else length
        raw = b"".join(c if isinstance(c, bytes) else c.encode() for c in commands)
        self.noise.write(base, raw)
        self.first = len(self.memory.bursts)
        self.samples, self.planned, self.handed = [], [], None
        stop, at, number, ends = None, length, 0, []
        for index, (address, beats) in enumerate(zip(*fetch_bursts(base, length, self.config), strict=True)):
            # fetch asks for no more than AHEAD commands from the one at its exit on.
            if stop and number >= at + AHEAD:
                break
            address, beats = int(address) % SPACE, int(beats)
            if address not in self.window:
                if stop is None:
                    stop, at = Stop(Cause.READ_WINDOW, address, number), number
                break
            answers = planned_answers(
                self.memory.faults, False, self.first + index, address, beats, self.config.n
            )
            data = self.noise[slice(address, address + beats * self.config.n)].tobytes()
            self.bursts.expect(Burst(False, 0, address, beats, data, max(answers)))
            good = next((i for i, answer in enumerate(answers) if answer), beats) * self.config.n
            for k in range(good // COMMAND_BYTES):
                if stop is None:
                    at = number + k
                    stop = self._command(data[k * COMMAND_BYTES : (k + 1) * COMMAND_BYTES], base, at)
            if any(answers) and stop is None:
                decerr = next(answer for answer in answers if answer) == DECERR
                stop = Stop(Cause.READ_DECERR if decerr else Cause.READ_SLVERR, address, number)
                at = number
                self.samples.append(outcomes.of_error(answers))
            count = len(data) // COMMAND_BYTES
            self.planned.append(outcomes.of_burst(address, count, length - number))
            number += count
            ends.append(number)
            self.watch.allowed += 1
        if stop is None:
            stop, at = Stop(Cause.OVERRUN, base + COMMAND_BYTES * length, length), length
        self.read_error = stop.cause in (Cause.READ_SLVERR, Cause.READ_DECERR)
        self.stops.expect(stop)
        self.samples.append(outcomes.of_stop(stop.cause, at, length, ends))
        return length

    def _command(self, raw: bytes, base: int, number: int) -> Stop | None:
        cause = cause_of(raw, self.config)
        if cause == Cause.BAD_OPCODE:
            return Stop(cause, base + COMMAND_BYTES * number, number)
        command = parse(raw)
        if cause is None and isinstance(command, End):
            return Stop(0)
        self.samples += outcomes.of_command(raw, self.config, self.handed)
        if cause is not None:
            return Stop(cause, base + COMMAND_BYTES * number, number)
        self.handed = command
        self.order.expect(Handed(ENGINES[type(command)], number, int.from_bytes(raw, "little")))
        return None

    async def start(self, base: int, length: int) -> None:
        """Pulse start; before and after it prog_* mean nothing."""
        dut = self.dut
        dut.start.value, dut.prog_base.value, dut.prog_len.value = 1, base, length
        await self.cycles(1)
        dut.start.value = 0
        dut.prog_base.value, dut.prog_len.value = self.rng.getrandbits(32), self.rng.getrandbits(16)

    async def execute(
        self, base: int, commands: Sequence[Command | bytes], length: int | None = None
    ) -> None:
        """A program from start to its end, then a reset as npu_control gives it."""
        await self.start(base, self.load_program(base, commands, length))
        await self.finished()
        await self.reset()

    async def finished(self) -> None:
        """Wait for the stop, and for the bus; an error cuts short what was not handed out."""
        await self.stops.drained(self.dut.clk, 5000)
        for _ in range(5000):
            await self.cycles(1)
            if value_of(self.dut.quiet):
                break
        else:
            raise EngineError("never quiet after the end")
        await self.cycles(self.rng.randint(1, 30))
        if self.order.pending and not self.read_error:
            raise EngineError(f"{self.order.pending} commands before the stop were not handed out")
        self.sample(len(self.memory.bursts) - self.first)
        self.order.stop()
        self.bursts.stop()

    def sample(self, bursts: int) -> None:
        """The program did what was predicted, with the first `bursts` of its bursts."""
        for values in (*self.samples, *self.planned[:bursts]):
            # What a failed read cut short was not handed out.
            if not (self.read_error and self.order.pending and "opcode" in values):
                self.cover.sample(**values)
