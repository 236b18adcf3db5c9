"""AXI4: a subordinate memory that answers beat by beat."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pyuvm import uvm_agent, uvm_component

from tb.agents.axi4.exclusive import ExclusiveMonitor, span
from tb.agents.axi4.monitor import Axi4Monitor
from tb.agents.axi4.pins import Axi4Pins
from tb.agents.burst import DECERR, EXOKAY, INCR, OKAY, Burst, beat_ranges
from tb.agents.pins import Stalls, to_int
from tb.agents.rules import Report, fail


@dataclass
class MemoryTiming:
    """How a memory answers. Latencies are (least, most) cycles from the request to the first response."""

    read_latency: tuple[int, int] = (1, 1)
    write_latency: tuple[int, int] = (1, 1)
    # Ready of ar, aw, w and valid of r, b; a channel that is not named never stalls.
    stalls: Mapping[str, Stalls] = field(default_factory=dict)
    outstanding: int = 16
    # Answer another ID first; interleave the read beats of different IDs. One ID stays in order.
    reorder: bool = False

    @classmethod
    def pick(cls, rng: random.Random) -> MemoryTiming:
        """Random: fast or slow, every channel with a stall profile of its own."""
        slow = rng.choice((1, 10, 80))
        return cls(
            (1, rng.randint(1, slow)),
            (1, rng.randint(1, slow)),
            {name: Stalls.pick(rng) for name in ("ar", "aw", "w", "r", "b")},
            rng.choice((1, 2, 16)),
            rng.choice((False, True)),
        )


@dataclass
class Fault:
    """An error response: on the index-th read or write (0: first accepted), or for addresses in a range.

    beat: of a read, which beat carries it (None: all). A burst of which any byte lies in `addr` is hit.
    """

    write: bool
    resp: int
    index: int | None = None
    addr: range | None = None
    beat: int | None = None

    def hits(self, write: bool, index: int, addr: int, size: int) -> bool:
        """Whether this fault is for the burst, `size` bytes from `addr`."""
        if write != self.write or (self.index is None and self.addr is None):
            return False
        if self.addr is not None and (addr >= self.addr.stop or addr + size <= self.addr.start):
            return False
        return self.index is None or self.index == index


@dataclass
class _Request:
    id: int
    beats: list[range]  # the bytes of each
    index: int
    due: int
    exclusive: bool
    granted: bool = False  # exclusive, and it succeeds
    beat: int = 0
    data: list[tuple[int, int]] = field(default_factory=list)


class AxiMemoryDriver(uvm_component):
    """Subordinate: one step per rising edge for all channels. In order within an ID."""

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: Axi4Pins,
        memory: np.ndarray,
        rng: random.Random,
        timing: MemoryTiming,
    ) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.memory = memory
        self.rng = rng
        self.timing = timing
        self.faults: list[Fault] = []
        self._full_size = pins.data_bytes.bit_length() - 1
        self._cycle = 0
        self._count = {"r": 0, "w": 0}
        self._clear()

    def _clear(self) -> None:
        self._reads: list[_Request] = []
        self._addresses: deque[_Request] = deque()
        self._beats: deque[tuple[int, int]] = deque()
        self._exclusive = ExclusiveMonitor()
        self._writes: list[_Request] = []
        self._current: dict[str, _Request | None] = {"r": None, "b": None}

    async def run_phase(self) -> None:
        """Take what was transferred at the edge, then drive the next cycle."""
        channels = self.pins.channels
        ready: dict[str, bool] = {name: False for name in ("ar", "aw", "w") if name in channels}
        while True:
            for name in ready:
                ready[name] = self._accepts(name)
                channels[name].ready.value = ready[name]  # type: ignore[union-attr]
            for name in ("r", "b"):
                if name in channels and self._current[name] is None:
                    self._offer(name)
            await self.pins.edge
            self._cycle += 1
            if to_int(self.pins.rst_n) != 1:
                self._clear()
                for name in ("r", "b"):
                    if name in channels:
                        channels[name].idle()
                continue
            for name in ("r", "b"):
                if self._current[name] is not None and channels[name].is_ready():
                    self._answered(name)
            for name, was_ready in ready.items():
                if was_ready and to_int(channels[name].valid) == 1:
                    values = [to_int(handle) or 0 for handle in channels[name].fields]
                    self._take(name, dict(zip(channels[name].payload, values, strict=True)))

    def _stalled(self, name: str) -> bool:
        stalls = self.timing.stalls.get(name)
        return stalls is not None and stalls()

    def _accepts(self, name: str) -> bool:
        if self._stalled(name):
            return False
        if name == "ar":
            return len(self._reads) < self.timing.outstanding
        if name == "aw":
            return len(self._addresses) + len(self._writes) < self.timing.outstanding
        return len(self._beats) < 256

    def _take(self, name: str, payload: Mapping[str, int]) -> None:
        if name == "w":
            self._beats.append((payload["data"], payload.get("strb", -1)))
        else:
            kind = "r" if name == "ar" else "w"
            latency = self.rng.randint(*self.timing.read_latency) if kind == "r" else 0
            size = payload.get("size", self._full_size)
            beats = beat_ranges(payload["addr"], payload["len"] + 1, size, payload.get("burst", INCR))
            request = _Request(
                payload.get("id", 0),
                beats,
                self._count[kind],
                self._cycle + latency - 1,
                payload.get("lock", 0) == 1,
            )
            self._count[kind] += 1
            if kind == "r":
                self._reads.append(request)
                self._reserve(request)
            else:
                self._addresses.append(request)
        while self._addresses and len(self._beats) >= len(self._addresses[0].beats):
            request = self._addresses.popleft()
            request.data = [self._beats.popleft() for _ in request.beats]
            request.due = self._cycle + self.rng.randint(*self.timing.write_latency) - 1
            self._store(request)
            self._writes.append(request)

    def _choose(self, requests: list[_Request]) -> _Request | None:
        heads: dict[int, _Request] = {}
        for request in requests:
            heads.setdefault(request.id, request)
        due = [request for request in heads.values() if request.due <= self._cycle]
        if not self.timing.reorder:
            return due[0] if due and due[0] is requests[0] else None
        return self.rng.choice(due) if due else None

    def _offer(self, name: str) -> None:
        request = self._choose(self._reads if name == "r" else self._writes)
        if request is None or self._stalled(name):
            self.pins.channels[name].idle()
            return
        self._current[name] = request
        resp = self._fault(request, name == "b", request.beat)
        values = {"id": request.id, "resp": EXOKAY if request.granted else resp}
        if name == "r":
            values["last"] = request.beat + 1 == len(request.beats)
            values["data"] = self._load(request.beats[request.beat])
        pins = self.pins.channels[name]
        item = [values[field_name] for field_name in pins.payload]
        pins.drive(item if len(item) > 1 else item[0])

    def _answered(self, name: str) -> None:
        request = self._current[name]
        assert request is not None
        self._current[name] = None
        request.beat += 1
        if name == "b":
            self._writes.remove(request)
        elif request.beat == len(request.beats):
            self._reads.remove(request)

    def _fault(self, request: _Request, write: bool, beat: int) -> int:
        """The error that this beat of a read, or a write (beat 0), is answered with; OKAY if none."""
        where = span(request.beats)
        if where.stop > len(self.memory):
            return DECERR
        for fault in self.faults:
            hit = fault.hits(write, request.index, where.start, len(where))
            if hit and fault.beat in (None, beat):
                return fault.resp
        return OKAY

    def _reserve(self, read: _Request) -> None:
        # From its address on, not from its data: a write in between takes it away again, which is allowed.
        if read.exclusive and all(self._fault(read, False, i) == OKAY for i in range(len(read.beats))):
            read.granted = True
            self._exclusive.reserve(read.id, read.beats)

    def _load(self, beat: range) -> int:
        """The word on the bus: lanes that the beat does not address carry noise."""
        width = self.pins.data_bytes
        wanted = self.memory[beat.start : beat.stop].tobytes()
        if len(beat) == width:
            return int.from_bytes(wanted, "little")
        lane = beat.start % width
        word = bytearray(self.rng.randbytes(width))
        word[lane : lane + len(wanted)] = wanted
        return int.from_bytes(word, "little")

    def _store(self, request: _Request) -> None:
        # A write that is answered with an error, or an exclusive one that fails, leaves the memory as it was.
        if self._fault(request, True, 0) != OKAY:
            return
        if request.exclusive:
            request.granted = self._exclusive.claim(request.id, request.beats)
            if not request.granted:
                return
        self._exclusive.written(request.beats)
        width = self.pins.data_bytes
        for beat, (data, strobe) in zip(request.beats, request.data, strict=True):
            word = data.to_bytes(width, "little")
            for addr in beat:
                if strobe >> addr % width & 1:
                    self.memory[addr] = word[addr % width]


class AxiMemoryAgent(uvm_agent):
    """The memory on an AXI4 port, in Python: any delay and any fault at any beat; the monitor logs bursts.

    memory: uint8 [size], changed in place; an access beyond it gets DECERR. It takes any legal burst,
    also exclusive ones (EXOKAY); with
    full_width the monitor also reports bursts that the core must not send (FULL_WIDTH_INCR). The agent in
    memory_log.py, on a memory in Verilog, yields the same bursts for the same program.
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: Axi4Pins,
        memory: np.ndarray,
        rng: random.Random,
        timing: MemoryTiming | None = None,
        outstanding: int | None = None,
        report: Report = fail,
        full_width: bool = True,
    ) -> None:
        super().__init__(name, parent)
        self.monitor = Axi4Monitor("monitor", self, pins, outstanding, full_width, report)
        self.driver = AxiMemoryDriver("driver", self, pins, memory, rng, timing or MemoryTiming())
        self.port = self.monitor.port
        self.memory = memory
        self.faults = self.driver.faults

    def build_phase(self) -> None:
        """Nothing: handles came in through the constructor (pyuvm's own would ask the ConfigDB)."""

    @property
    def bursts(self) -> list[Burst]:
        """Every burst completed so far, in the order of completion."""
        return self.monitor.bursts
