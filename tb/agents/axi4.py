"""AXI4: the pins, a passive monitor, and a subordinate memory that answers beat by beat."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pyuvm import uvm_agent, uvm_component, uvm_monitor

from tb.agents import transactions
from tb.agents.axi_checks import Axi4Rules, Report, Sample, fail
from tb.agents.burst import DECERR, OKAY, Burst
from tb.agents.pins import Stalls, to_int
from tb.agents.stream import StreamPins


def bind_channel(
    dut: Any, prefix: str, channel: str, payload: Sequence[str], optional: Sequence[str] = ()
) -> StreamPins:
    """One AXI channel as a stream, named `m_axi_arvalid`, `m_axi_ar_valid` or (prefix "") `ar_valid`.

    optional: payload pins that a port inside a chip may lack. AttributeError: no such channel.
    """
    stem = f"{prefix}_{channel}" if prefix else channel
    separator = "" if hasattr(dut, f"{stem}valid") else "_"
    present = [name for name in optional if hasattr(dut, f"{stem}{separator}{name}")]
    return StreamPins(dut, stem, (*present, *payload), separator=separator)


def sample_channels(channels: Mapping[str, StreamPins]) -> dict[str, Sample]:
    """Every channel at this edge."""
    result: dict[str, Sample] = {}
    for name, pins in channels.items():
        valid, ready, values = pins.sample()
        result[name] = (valid, ready, dict(zip(pins.payload, values, strict=False)))
    return result


class Axi4Pins:
    """The channels of one AXI4 port.

    prefix: "m_axi" for `m_axi_arvalid`, "" for `ar_valid`. directions: "r", "w" or "rw". An absent ID is 0,
    an absent size, burst and strobe mean full-width INCR with every byte.
    """

    def __init__(self, dut: Any, prefix: str = "m_axi", directions: str = "rw") -> None:
        address = ("addr", "len")
        extra = ("id", "size", "burst")
        self.channels: dict[str, StreamPins] = {}
        if "r" in directions:
            self.channels["ar"] = bind_channel(dut, prefix, "ar", address, extra)
            self.channels["r"] = bind_channel(dut, prefix, "r", ("data", "resp", "last"), ("id",))
        if "w" in directions:
            self.channels["aw"] = bind_channel(dut, prefix, "aw", address, extra)
            self.channels["w"] = bind_channel(dut, prefix, "w", ("data", "last"), ("strb",))
            self.channels["b"] = bind_channel(dut, prefix, "b", ("resp",), ("id",))
        data = self.channels["r" if "r" in directions else "w"]
        self.data_bytes = len(data.fields[data.payload.index("data")]) // 8
        self.rst_n = dut.rst_n
        self.edge = data.edge


class Axi4Monitor(uvm_monitor):
    """Passive: publishes every completed Burst on `port`, keeps them in `bursts`, checks the protocol.

    outstanding, full_width: see Axi4Rules.
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: Axi4Pins,
        outstanding: int | None = None,
        full_width: bool = True,
        report: Report = fail,
    ) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.port = transactions.port("port", self)
        self.bursts: list[Burst] = []
        self.rules = Axi4Rules(
            self.get_full_name(), pins.data_bytes, tuple(pins.channels), outstanding, full_width, report
        )

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        while True:
            await self.pins.edge
            samples = sample_channels(self.pins.channels)
            for burst in self.rules.edge(to_int(self.pins.rst_n) != 1, samples):
                self.bursts.append(burst)
                self.port.write(burst)

    def check_phase(self) -> None:
        """Nothing under way at the end."""
        self.rules.end()


@dataclass
class MemoryTiming:
    """How a memory answers. Latencies are (least, most) cycles from the request to the first response."""

    read_latency: tuple[int, int] = (1, 1)
    write_latency: tuple[int, int] = (1, 1)
    # Ready of ar, aw, w and valid of r, b; a channel that is not named never stalls.
    stalls: Mapping[str, Stalls] = field(default_factory=dict)
    outstanding: int = 16
    # Answer another ID first; interleave the read beats of different IDs.
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
        """Whether this fault is for the burst."""
        if write != self.write or (self.index is None and self.addr is None):
            return False
        if self.addr is not None and (addr >= self.addr.stop or addr + size <= self.addr.start):
            return False
        return self.index is None or self.index == index


@dataclass
class _Request:
    id: int
    addr: int
    beats: int
    index: int
    due: int
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
        self._cycle = 0
        self._count = {"r": 0, "w": 0}
        self._clear()

    def _clear(self) -> None:
        self._reads: list[_Request] = []
        self._addresses: deque[_Request] = deque()
        self._beats: deque[tuple[int, int]] = deque()
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
            request = _Request(
                payload.get("id", 0),
                payload["addr"],
                payload["len"] + 1,
                self._count[kind],
                self._cycle + latency - 1,
            )
            self._count[kind] += 1
            (self._reads if kind == "r" else self._addresses).append(request)
        while self._addresses and len(self._beats) >= self._addresses[0].beats:
            request = self._addresses.popleft()
            request.data = [self._beats.popleft() for _ in range(request.beats)]
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
        values = {"id": request.id, "resp": self._resp(request, name == "b")}
        if name == "r":
            values["last"] = request.beat + 1 == request.beats
            values["data"] = self._load(request.addr + request.beat * self.pins.data_bytes)
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
        elif request.beat == request.beats:
            self._reads.remove(request)

    def _resp(self, request: _Request, write: bool) -> int:
        size = request.beats * self.pins.data_bytes
        if request.addr + size > len(self.memory):
            return DECERR
        for fault in self.faults:
            if fault.hits(write, request.index, request.addr, size) and fault.beat in (None, request.beat):
                return fault.resp
        return OKAY

    def _load(self, addr: int) -> int:
        return int.from_bytes(self.memory[addr : addr + self.pins.data_bytes].tobytes(), "little")

    def _store(self, request: _Request) -> None:
        # A write that is answered with an error leaves the memory as it was.
        if self._resp(request, True) != OKAY:
            return
        width = self.pins.data_bytes
        for i, (data, strobe) in enumerate(request.data):
            addr = request.addr + i * width
            for lane, value in enumerate(data.to_bytes(width, "little")):
                if strobe >> lane & 1:
                    self.memory[addr + lane] = value


class AxiMemoryAgent(uvm_agent):
    """The memory on an AXI4 port, in Python: any delay and any fault at any beat; the monitor logs bursts.

    memory: uint8 [size], changed in place; an access beyond it gets DECERR. The agent in
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
    ) -> None:
        super().__init__(name, parent)
        self.monitor = Axi4Monitor("monitor", self, pins, outstanding, report=report)
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
