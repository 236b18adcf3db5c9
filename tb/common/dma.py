"""What the benches of load and store share: the environment and how an engine is scored.

An engine is scored on four lists, each in order: the starts of its commands with the tokens they took, its
bursts, its events (buffer words, tokens, stamps) and its error. The model (models/blocks.py) fills all four
when a command starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
from cocotb.triggers import with_timeout
from pyuvm import uvm_component

from models.blocks import window_bursts
from models.decode import decode
from models.isa import COMMAND_BYTES, PAGE, Window
from tb.agents.axi4 import Axi4Pins, AxiMemoryAgent, Fault, MemoryTiming
from tb.agents.burst import DECERR, OKAY, SLVERR, Burst
from tb.agents.env import BlockEnv
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Scoreboard
from tb.agents.stream import StreamAgent, StreamPins, StreamSink
from tb.bench import params, seed
from tb.common.commands import SPACE, Noise, pack, wide_config
from tb.common.watch import BusWatch, EngineError, TokenQueue, value_of

FIRST_WAIT = 9  # the bit of a LOAD or STORE that asks for a token of compute; the next: of store


def planned_answers(
    faults: Sequence[Fault], write: bool, index: int, address: int, beats: int, n: int
) -> list[int]:
    """The response of every beat of a read, or the one of a write. index: of the burst, as a Fault counts."""
    hits = [fault for fault in faults if fault.hits(write, index, address, beats * n)]
    return [
        next((fault.resp for fault in hits if fault.beat in (None, beat)), OKAY)
        for beat in range(1 if write else beats)
    ]


class Prefix(Scoreboard):
    """A scoreboard for work that may be cut short: after stop(), what is missing stays missing."""

    def stop(self) -> None:
        """What has not come by now need not come. What comes from now on is unexpected."""
        self._expected.clear()


class Start(NamedTuple):
    """A command taken: its number, and which tokens went with it."""

    number: int | None
    tokens: tuple[int, ...]


class Failure(NamedTuple):
    """What an engine reports of a failed burst. window: it was not sent, and decerr says nothing."""

    decerr: int
    addr: int
    command: int
    window: int = 0


class EngineMonitor(BusWatch):
    """Every rising edge: publishes starts, events and errors of load or store, checks idle and halt, and
    raises halt in the cycle after an error as npu_control does."""

    def __init__(self, name: str, parent: DmaEnv, channel: str) -> None:
        super().__init__(name, parent, channel)
        self.waits = [queue.pins for queue in parent.waits.values()]
        self.signals = {name: queue.pins for name, queue in parent.signals.items()}
        side = {"ar": "r", "aw": "b"}[channel]
        self.answer = [getattr(self.dut, f"{side}_{pin}") for pin in ("valid", "ready", "resp")]

    def halt(self) -> None:
        """High from here on, until reset; tokens on offer may be taken back."""
        super().halt()
        for queue in self.env.signals.values():
            queue.halted = True

    def sample(self) -> None:
        """One edge outside reset."""
        dut, env, halted = self.dut, self.env, value_of(self.dut.halt)
        self.rule(halted or not (value_of(dut.idle) and env.events.pending), "idle with work left to do")
        tokens = tuple(value_of(pins.valid) & value_of(pins.ready) for pins in self.waits)
        started = value_of(dut.cmd_valid) & value_of(dut.cmd_ready)
        if started or any(tokens):
            self.rule(not halted, "a command or token was taken while halted")
            data = value_of(dut.cmd_data)
            if started:
                self.allowed += env.started(data)
            env.starts.observe(Start(data >> (8 * COMMAND_BYTES) if started else None, tokens))
        self.sample_bus(halted)
        env.sample_events()
        given = [name for name, pins in self.signals.items() if value_of(pins.valid)]
        stamp = value_of(env.stamp.valid)
        self.rule(not (halted and (given or stamp)), "a token or stamp was given while halted")
        for name in given:
            if value_of(self.signals[name].ready):
                env.events.observe(("token", name))
        if stamp and env.stamp.is_ready():
            env.events.observe(("stamp", value_of(dut.stamp_layer)))
        if value_of(dut.err_valid):
            self.rule(not halted, "an error while halted")
            window = value_of(dut.err_window)
            self.rule(window or self.answer_fails(), "an error, and no failed answer is taken")
            decerr = 0 if window else value_of(dut.err_decerr)
            env.errors.observe(Failure(decerr, value_of(dut.err_addr), value_of(dut.err_cmd), window))
            self.halt()
        self.rule(
            value_of(dut.stat_wait) == self.waits_for_token(), "stat_wait is not: only a token is missing"
        )

    def answer_fails(self) -> bool:
        """A beat of read data, or a response, with an error is taken at this edge."""
        valid, ready, resp = map(value_of, self.answer)
        return bool(valid and ready and resp in (SLVERR, DECERR))

    def waits_for_token(self) -> int:
        """A command could start but for a token: what LOAD_WAIT and STORE_WAIT count."""
        if not (value_of(self.dut.cmd_valid) and value_of(self.dut.can_start)):
            return 0
        flags = value_of(self.dut.cmd_data) >> FIRST_WAIT
        return int(any(flags >> i & 1 and not value_of(pins.valid) for i, pins in enumerate(self.waits)))


class DmaEnv(BlockEnv):
    """cmd and token queues --> engine --> AXI memory in Python. Base of LoadEnv and StoreEnv."""

    kind: type[Window]
    wait_pins: tuple[str, ...]
    signal_pins: tuple[str, ...]
    stamp_may_wait: bool
    directions: str

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        dut: Any,
        timing: MemoryTiming | None = None,
        stalls: bool = True,
        credits: int | None = None,
    ) -> None:
        super().__init__(name, parent, dut)
        build = params()
        self.config = wide_config(build["N"], build["MAX_BURST"])
        self.outstanding = 1 << build["LOG_OUTSTANDING"]
        self.noise = Noise(seed())

        def stall() -> Stalls:
            return Stalls.pick(self.rng) if stalls else Stalls(self.rng)

        self.cmd = StreamAgent("cmd", self, StreamPins(dut, "cmd"), "source", stall())
        self.waits = {n: TokenQueue(n, self, dut, n, True, stall()) for n in self.wait_pins}
        self.signals = {n: TokenQueue(n, self, dut, n, False, stall()) for n in self.signal_pins}
        for queue in (*self.waits.values(), *self.signals.values()):
            queue.credits = credits
        self.stamp = StreamPins(dut, "stamp", ("layer",), has_ready=self.stamp_may_wait)
        self.stamp_sink = StreamSink("stamp_sink", self, self.stamp, stall())
        self.memory = AxiMemoryAgent(
            "memory",
            self,
            Axi4Pins(dut, "", self.directions),
            cast(np.ndarray, self.noise),
            self.rng,
            timing or MemoryTiming.pick(self.rng),
            self.outstanding,
        )
        self.starts = Prefix("starts", self)
        self.bursts = Prefix("bursts", self)
        self.events = Prefix("events", self)
        self.errors = Scoreboard("errors", self, minimum=0)
        self.watch = EngineMonitor("watch", self, "ar" if self.directions == "r" else "aw")
        self.number = self.rng.getrandbits(16)
        self.set_window()
        self.flush()

    def connect_phase(self) -> None:
        """The memory's monitor sees every burst."""
        self.memory.port.connect(self.bursts.actual)

    def flush(self) -> None:
        """Reset."""
        self.predicted = len(self.memory.bursts)  # index of the next burst, for faults
        self.failed = False
        self.refused = False  # a burst of a started command lies outside the window: none from it on is sent

    def set_window(self, base: int = 0, limit: int = SPACE - PAGE) -> None:
        """The pages (first byte of the first, of the last) that this engine may touch."""
        self.window = range(base, limit + PAGE)
        side = "read" if self.directions == "r" else "write"
        getattr(self.dut, f"{side}_base").value = base
        getattr(self.dut, f"{side}_limit").value = limit

    def started(self, cmd_data: int) -> int:
        """The model: what this command must bring. Returns its number of bursts."""
        raw = (cmd_data & ((1 << 8 * COMMAND_BYTES) - 1)).to_bytes(COMMAND_BYTES, "little")
        number = cmd_data >> (8 * COMMAND_BYTES)
        command = cast(Window, decode(raw, self.config))
        self.starts.expect(Start(number, tuple(int(getattr(command, name)) for name in self.wait_pins)))
        addresses, beats = window_bursts(command, self.config)
        where = [(a % SPACE, b) for a, b in zip(addresses.tolist(), beats.tolist(), strict=True)]
        before = self.predicted
        self.predict(command, number, where)
        return self.predicted - before

    def predict(self, command: Window, number: int, where: list[tuple[int, int]]) -> None:
        """Fill the scoreboards with a command's bursts (address, beats) and events."""
        raise NotImplementedError

    def expect_burst(self, address: int, beats: int, data: bytes, number: int) -> None:
        """Expect a burst, and the error if a fault is planned for it or it must not be sent."""
        if self.refused:
            return
        if address not in self.window:
            self.refused = True
            if not self.failed:
                self.failed = True
                self.errors.expect(Failure(0, address, number, 1))
            return
        write = self.directions == "w"
        answers = planned_answers(self.memory.faults, write, self.predicted, address, beats, self.config.n)
        self.predicted += 1
        self.bursts.expect(Burst(write, 0, address, beats, data, max(answers)))
        if any(answers) and not self.failed:
            self.failed = True
            first = next(answer for answer in answers if answer)
            self.errors.expect(Failure(int(first == DECERR), address, number))

    def sample_events(self) -> None:
        """Publish this edge's events other than tokens and stamps."""
        raise NotImplementedError

    def burst_ends(self) -> int:
        """Whether a burst ends at this edge."""
        raise NotImplementedError

    async def run(self, commands: Iterable[Window]) -> None:
        """Send commands, numbered; returns when the last was taken. Raises SimTimeoutError."""
        items = []
        for command in commands:
            items.append(pack(command, self.number))
            self.number = (self.number + 1) % 65536
        await with_timeout(self.cmd.send(items), 600, "us")

    async def drained(self) -> None:
        """Wait until all that is expected was seen and the engine says that it is idle."""
        for scoreboard in (self.starts, self.bursts, self.events, self.errors):
            await scoreboard.drained(self.dut.clk, 20000)
        await self.cycles(2)
        if not value_of(self.dut.idle):
            raise EngineError("not idle with nothing left to do")

    async def halted(self) -> None:
        """Wait, after halt, until quiet; what is missing then stays missing."""
        for _ in range(20000):
            await self.cycles(1)
            if value_of(self.dut.halt) and value_of(self.dut.quiet):
                break
        else:
            raise EngineError("never quiet after halt")
        await self.cycles(50)
        for scoreboard in (self.starts, self.bursts, self.events):
            scoreboard.stop()
