"""Valid/ready streams: `<prefix>_valid`, `<prefix>_ready` and payload fields.

An item is a plain value: an int when the payload is one field, otherwise a named tuple of ints in the
order of the fields (an empty tuple when there is no payload: a token).
"""

from __future__ import annotations

import random
from collections import namedtuple
from collections.abc import Iterable, Sequence
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.types import LogicArray
from cocotb_bus.bus import Bus
from pyuvm import (
    uvm_agent,
    uvm_component,
    uvm_driver,
    uvm_monitor,
    uvm_sequence,
    uvm_sequence_item,
    uvm_sequencer,
)

from tb.agents import transactions
from tb.agents.axi_checks import Channel
from tb.agents.checker import Checker
from tb.agents.edges import at_every
from tb.agents.pins import PATIENCE, Stalls, to_int
from tb.agents.rules import CHANNEL_RULES, Report, Violation, fail


class StreamPins:
    """The pins of one stream.

    dut: handle with the pins, `clk` and `rst_n`. prefix: name before `_valid`. payload: names after it.
    has_ready: False for a stream that cannot be stalled. separator: "" for AXI names such as `m_axi_arvalid`.
    Raises AttributeError for a pin that is not there.
    """

    def __init__(
        self,
        dut: Any,
        prefix: str,
        payload: Sequence[str] = ("data",),
        has_ready: bool = True,
        separator: str = "_",
    ) -> None:
        self.name = prefix
        self.dut = dut
        self.stem = prefix + separator
        self.clk = dut.clk
        self.rst_n = dut.rst_n
        self.payload = tuple(payload)
        signals = ["valid", *(["ready"] if has_ready else []), *self.payload]
        bus = Bus(dut, prefix, signals, bus_separator=separator, case_insensitive=False)
        self.valid = bus.valid
        self.ready = bus.ready if has_ready else None
        self.fields = [getattr(bus, name) for name in self.payload]
        self.Item: Any = namedtuple(f"{prefix}_item", self.payload)  # type: ignore[misc]
        self.edge = RisingEdge(self.clk)
        # What payload pins carry while valid is low: X where the simulator has it, noise elsewhere.
        four_state = "icarus" in cocotb.SIM_NAME.lower()
        self._unknown = [LogicArray("X" * len(handle)) for handle in self.fields] if four_state else None
        self._noise = random.Random(prefix)
        self._is_idle = False

    def checker(self) -> Checker:
        """The handshake rules on these pins. Raises AttributeError if the bench has none."""
        return Checker(self.dut, self.stem, CHANNEL_RULES)

    def item(self, values: Sequence[int]) -> Any:
        """The item for the sampled payload fields."""
        return values[0] if len(values) == 1 else self.Item(*values)

    def drive(self, item: Any) -> None:
        """Put an item on the payload pins, with valid."""
        values = (item,) if len(self.fields) == 1 else item
        for handle, value in zip(self.fields, values, strict=True):
            handle.value = value
        self.valid.value = 1
        self._is_idle = False

    def idle(self) -> None:
        """valid low, payload worthless: something else after each item."""
        if self._is_idle:
            return
        self._is_idle = True
        self.valid.value = 0
        worthless: Sequence[Any] | None = self._unknown
        if worthless is None:
            worthless = [self._noise.getrandbits(len(handle)) for handle in self.fields]
        for handle, value in zip(self.fields, worthless, strict=True):
            handle.value = value

    def sample(self) -> tuple[int | None, int | None, list[int | None]]:
        """valid, ready and, if valid, the payload at this edge; None stands for X."""
        valid = to_int(self.valid)
        ready = 1 if self.ready is None else to_int(self.ready)
        return valid, ready, [to_int(handle) for handle in self.fields] if valid else []

    def is_ready(self) -> bool:
        """ready as sampled at this edge."""
        return self.ready is None or to_int(self.ready) == 1

    async def send(self, item: Any) -> bool:
        """Offer an item until it is taken. False if a reset came first: the item is lost.

        Raises TimeoutError after PATIENCE edges.
        """
        self.drive(item)
        for _ in range(PATIENCE):
            await self.edge
            if to_int(self.rst_n) != 1:
                self.idle()
                return False
            if self.is_ready():
                self.idle()
                return True
        raise TimeoutError(f"{self.stem}ready: not high within {PATIENCE} cycles")


class StreamItem(uvm_sequence_item):
    """Carries one plain value through the sequencer."""

    def __init__(self, value: Any) -> None:
        super().__init__("item")
        self.value = value


class StreamSequence(uvm_sequence):
    """Sends plain values in order."""

    def __init__(self, values: Iterable[Any]) -> None:
        super().__init__("values")
        self.values = values

    async def body(self) -> None:
        """One sequence item per value."""
        for value in self.values:
            item = StreamItem(value)
            await self.start_item(item)
            await self.finish_item(item)


class StreamDriver(uvm_driver):
    """Source: drives valid and payload; pauses between items as `stalls` says."""

    def __init__(self, name: str, parent: uvm_component, pins: StreamPins, stalls: Stalls) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.stalls = stalls

    async def run_phase(self) -> None:
        """Send items as they come; hold them back during reset."""
        self.pins.idle()
        while True:
            item = await self.seq_item_port.get_next_item()
            while to_int(self.pins.rst_n) != 1 or self.stalls():
                await self.pins.edge
            await self.pins.send(item.value)
            self.seq_item_port.item_done()


class StreamSink(uvm_component):
    """Sink: drives ready as `stalls` says."""

    def __init__(self, name: str, parent: uvm_component, pins: StreamPins, stalls: Stalls) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.stalls = stalls
        self._previous: bool | None = None

    async def run_phase(self) -> None:
        """A new ready after every edge, whatever valid does."""
        if self.pins.ready is not None:
            self._step()
            await at_every(self.pins.edge, self._step)

    def _step(self) -> None:
        value = not self.stalls()
        if value != self._previous:
            self.pins.ready.value = self._previous = value  # type: ignore[union-attr]


class StreamMonitor(uvm_monitor):
    """Publishes every transferred item on `port` and reports what the checker on the pins finds."""

    def __init__(self, name: str, parent: uvm_component, pins: StreamPins, report: Report = fail) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.port = transactions.port("port", self)
        self.report = report
        self.channel = Channel()
        self.checker = pins.checker()
        self.count = 0
        self.cycle = 0

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        cocotb.start_soon(self.checker.watch(self._violate))
        await at_every(self.pins.edge, self._sample)

    def _violate(self, rule: str, detail: str) -> None:
        self.report(Violation(rule, self.get_full_name(), self.cycle, detail, "stream"))

    def _sample(self) -> None:
        self.cycle += 1
        pins = self.pins
        valid, ready, values = pins.sample()
        if self.channel.sample(to_int(pins.rst_n) != 1, valid, ready, values):
            self.count += 1
            self.port.write(pins.item(values))  # type: ignore[arg-type]


class StreamAgent(uvm_agent):
    """A stream's monitor, plus what drives it.

    role: "source" drives valid and payload, "sink" drives ready, "monitor" drives nothing.
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: StreamPins,
        role: str = "monitor",
        stalls: Stalls | None = None,
        report: Report = fail,
    ) -> None:
        super().__init__(name, parent)
        if role not in ("source", "sink", "monitor"):
            raise ValueError(f"stream {name}: role is source, sink or monitor, not {role}")
        stalls = stalls or Stalls(random.Random(0))
        self.monitor = StreamMonitor("monitor", self, pins, report)
        self.port = self.monitor.port
        if role == "source":
            self.sequencer = uvm_sequencer("sequencer", self)
            self.driver = StreamDriver("driver", self, pins, stalls)
        elif role == "sink":
            self.sink = StreamSink("sink", self, pins, stalls)

    def build_phase(self) -> None:
        """Nothing: handles came in through the constructor (pyuvm's own would ask the ConfigDB)."""

    def connect_phase(self) -> None:
        """Join sequencer and driver of a source."""
        if hasattr(self, "driver"):
            self.driver.seq_item_port.connect(self.sequencer.seq_item_export)

    async def send(self, values: Iterable[Any]) -> None:
        """Send plain values in order; returns when the last was taken (or lost to a reset)."""
        await StreamSequence(values).start(self.sequencer)
