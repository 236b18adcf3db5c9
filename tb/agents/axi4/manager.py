"""AXI4: a manager that sends any legal burst, many at a time, reads and writes side by side."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cocotb
from cocotb.triggers import Event
from pyuvm import uvm_agent, uvm_component, uvm_driver, uvm_sequence, uvm_sequence_item, uvm_sequencer

from tb.agents.axi4.monitor import Axi4Monitor
from tb.agents.axi4.pins import Axi4Pins
from tb.agents.burst import INCR, beat_ranges
from tb.agents.pins import Stalls, to_int
from tb.agents.rules import Report, fail

QUEUED = 8  # items that the driver takes from the sequencer before it has sent their addresses


class Axi4Item(uvm_sequence_item):
    """One burst through the sequencer.

    addr, beats, size (log2 of the bytes of a beat), kind (FIXED, INCR, WRAP), id: as on the bus; exclusive:
    the lock.
    data: bytes in the order in which the burst transfers them, the first beat of an unaligned one is shorter;
    of a read the driver fills it in. strobes: one per byte of data, None for all set. The driver fills in
    resps, one per beat of a read, one of a write, none if a reset came first, and sets done.
    Raises ValueError if data or strobes are not as long as the burst.
    """

    def __init__(
        self,
        write: bool,
        addr: int,
        beats: int,
        size: int,
        kind: int = INCR,
        id: int = 0,
        data: bytes = b"",
        strobes: Sequence[bool] | None = None,
        exclusive: bool = False,
    ) -> None:
        super().__init__("item")
        self.write, self.addr, self.beats, self.size, self.kind, self.id = write, addr, beats, size, kind, id
        self.ranges = beat_ranges(addr, beats, size, kind)
        self.data = bytearray(data)
        self.strobes = strobes
        self.exclusive = exclusive
        self.resps: list[int] = []
        self.done = Event()
        length = sum(len(beat) for beat in self.ranges)
        if write and {len(data), length if strobes is None else len(strobes)} != {length}:
            raise ValueError(f"burst of {length} bytes, but {len(data)} of data or another count of strobes")

    def words(self, data_bytes: int, noise: random.Random) -> list[tuple[int, int]]:
        """WDATA and WSTRB of each beat; lanes without a strobe carry noise."""
        strobes = self.strobes or [True] * len(self.data)
        result, at = [], 0
        for beat in self.ranges:
            word, strobe = bytearray(noise.randbytes(data_bytes)), 0
            for addr in beat:
                if strobes[at]:
                    word[addr % data_bytes] = self.data[at]
                    strobe |= 1 << addr % data_bytes
                at += 1
            result.append((int.from_bytes(word, "little"), strobe))
        return result


class Axi4Sequence(uvm_sequence):
    """Sends items in order, as fast as the driver takes them."""

    def __init__(self, items: Iterable[Axi4Item]) -> None:
        super().__init__("bursts")
        self.items = items

    async def body(self) -> None:
        """One sequence item per burst."""
        for item in self.items:
            await self.start_item(item)
            await self.finish_item(item)


@dataclass
class ManagerTiming:
    """How a manager behaves. stalls: before AR, AW, each W beat, and of ready of R and B.

    outstanding: bursts under way per direction. early_data: write data may come before their address.
    """

    stalls: Mapping[str, Stalls] = field(default_factory=dict)
    outstanding: int = 16
    early_data: bool = False

    @classmethod
    def pick(cls, rng: random.Random) -> ManagerTiming:
        """Random: every channel with a stall profile of its own."""
        stalls = {name: Stalls.pick(rng) for name in ("ar", "aw", "w", "r", "b")}
        return cls(stalls, rng.choice((1, 2, 16)), rng.choice((False, True)))


class Axi4Driver(uvm_driver):
    """Manager: one step per rising edge for all channels.

    Items of one direction are sent in order. A response belongs to the oldest burst of its ID.
    """

    def __init__(
        self, name: str, parent: uvm_component, pins: Axi4Pins, rng: random.Random, timing: ManagerTiming
    ) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.rng = rng
        self.timing = timing
        self._moved = Event()
        self._clear()

    def _clear(self) -> None:
        self._to_send: dict[str, deque[Axi4Item]] = {"ar": deque(), "aw": deque()}
        self._data: deque[tuple[Axi4Item, int, int, bool]] = deque()  # item, data, strobe, last
        self._addressed: set[int] = set()  # writes whose address was taken, by id()
        self._open: dict[str, dict[int, deque[Axi4Item]]] = {"r": {}, "b": {}}
        self._offered: dict[str, Axi4Item | None] = {"ar": None, "aw": None, "w": None}

    def _lose(self) -> None:
        """A reset: what is under way gets no answer."""
        lost = [*self._to_send["ar"], *self._to_send["aw"]]
        lost += [item for queues in self._open.values() for queue in queues.values() for item in queue]
        self._clear()
        for item in lost:
            item.resps.clear()
            item.done.set()
        self._moved.set()

    async def run_phase(self) -> None:
        """Drive the next cycle, then take what was transferred at its edge."""
        cocotb.start_soon(self._pull())
        channels = self.pins.channels
        ready = {name: False for name in ("r", "b")}
        while True:
            for name in self._offered:
                if self._offered[name] is None:
                    self._offer(name)
            for name in ready:
                ready[name] = not self._stalled(name)
                channels[name].ready.value = ready[name]  # type: ignore[union-attr]
            await self.pins.edge
            if to_int(self.pins.rst_n) != 1:
                for name in self._offered:
                    channels[name].idle()
                self._lose()
                continue
            for name, item in self._offered.items():
                if item is not None and channels[name].is_ready():
                    self._offered[name] = None
                    self._sent(name, item)
            for name, was_ready in ready.items():
                if was_ready and to_int(channels[name].valid) == 1:
                    # X is the monitor's to report; here it must only not stop the bench.
                    values = [to_int(handle) or 0 for handle in channels[name].fields]
                    self._answer(name, dict(zip(channels[name].payload, values, strict=True)))

    async def _pull(self) -> None:
        while True:
            item = await self.seq_item_port.get_next_item()
            while to_int(self.pins.rst_n) != 1:
                await self.pins.edge
            if item.write:
                words = item.words(self.pins.data_bytes, self.rng)
                for i, (data, strobe) in enumerate(words):
                    self._data.append((item, data, strobe, i + 1 == item.beats))
            self._to_send["aw" if item.write else "ar"].append(item)
            self.seq_item_port.item_done()
            while sum(len(queue) for queue in self._to_send.values()) >= QUEUED:
                self._moved.clear()
                await self._moved.wait()

    def _stalled(self, name: str) -> bool:
        stalls = self.timing.stalls.get(name)
        return stalls is not None and stalls()

    def _offer(self, name: str) -> None:
        pins = self.pins.channels[name]
        values = None if self._stalled(name) else self._data_beat() if name == "w" else self._address(name)
        if values is None:
            pins.idle()
        else:
            pins.drive([values[payload] for payload in pins.payload])

    def _address(self, name: str) -> dict[str, int] | None:
        under_way = sum(len(queue) for queue in self._open["r" if name == "ar" else "b"].values())
        if not self._to_send[name] or under_way >= self.timing.outstanding:
            return None
        item = self._offered[name] = self._to_send[name][0]
        return {
            "id": item.id,
            "addr": item.addr,
            "len": item.beats - 1,
            "size": item.size,
            "burst": item.kind,
            "lock": item.exclusive,
        }

    def _data_beat(self) -> dict[str, int] | None:
        if not self._data or not (self.timing.early_data or id(self._data[0][0]) in self._addressed):
            return None
        self._offered["w"], data, strobe, last = self._data[0]
        return {"data": data, "strb": strobe, "last": last}

    def _sent(self, name: str, item: Axi4Item) -> None:
        if name == "w":
            if self._data.popleft()[3]:
                self._addressed.discard(id(item))
            return
        self._to_send[name].popleft()
        self._moved.set()
        if name == "aw" and any(beat[0] is item for beat in self._data):
            self._addressed.add(id(item))
        self._open["r" if name == "ar" else "b"].setdefault(item.id, deque()).append(item)

    def _answer(self, name: str, payload: Mapping[str, int]) -> None:
        queue = self._open[name].get(payload.get("id", 0))
        if not queue:
            return  # the monitor reports it
        item = queue[0]
        if name == "r":
            width, beat = self.pins.data_bytes, item.ranges[len(item.resps)]
            lane = beat.start % width
            item.data += payload["data"].to_bytes(width, "little")[lane : lane + len(beat)]
        item.resps.append(payload["resp"])
        if name == "b" or len(item.resps) == item.beats:
            queue.popleft()
            item.done.set()


class Axi4ManagerAgent(uvm_agent):
    """Monitor, sequencer and driver of a manager: `await agent.transfer(Axi4Item(...))`."""

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: Axi4Pins,
        rng: random.Random,
        timing: ManagerTiming | None = None,
        report: Report = fail,
    ) -> None:
        super().__init__(name, parent)
        self.monitor = Axi4Monitor("monitor", self, pins, full_width=False, report=report)
        self.port = self.monitor.port
        self.sequencer = uvm_sequencer("sequencer", self)
        self.driver = Axi4Driver("driver", self, pins, rng, timing or ManagerTiming())

    def build_phase(self) -> None:
        """Nothing: handles came in through the constructor (pyuvm's own would ask the ConfigDB)."""

    def connect_phase(self) -> None:
        """Join sequencer and driver."""
        self.driver.seq_item_port.connect(self.sequencer.seq_item_export)

    async def transfer(self, item: Axi4Item) -> Axi4Item:
        """Send a burst and wait for its answer; other bursts may be under way."""
        await Axi4Sequence([item]).start(self.sequencer)
        await item.done.wait()
        return item
