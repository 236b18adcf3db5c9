"""AXI4-Lite: manager and monitor."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.queue import Queue
from cocotb.triggers import Lock
from pyuvm import (
    uvm_agent,
    uvm_component,
    uvm_driver,
    uvm_monitor,
    uvm_sequence_item,
    uvm_sequencer,
)

from tb.agents import transactions
from tb.agents.axi4 import bind_channel, sample_channels
from tb.agents.axi_checks import AxiLiteRules
from tb.agents.pins import PATIENCE, Stalls, to_int
from tb.agents.rules import Report, fail


class AxiLitePins:
    """The five channels of one AXI4-Lite port: `<prefix>_awvalid` and so on."""

    def __init__(self, dut: Any, prefix: str = "s_axi") -> None:
        self.channels = {
            "aw": bind_channel(dut, prefix, "aw", ("addr",)),
            "w": bind_channel(dut, prefix, "w", ("data", "strb")),
            "b": bind_channel(dut, prefix, "b", ("resp",)),
            "ar": bind_channel(dut, prefix, "ar", ("addr",)),
            "r": bind_channel(dut, prefix, "r", ("data", "resp")),
        }
        self.rst_n = dut.rst_n
        self.edge = self.channels["aw"].edge


class AxiLiteItem(uvm_sequence_item):
    """One access through the sequencer; the driver fills in data (read) and resp (None: lost to a reset)."""

    def __init__(self, write: bool, addr: int, data: int = 0, strobe: int = 0xF) -> None:
        super().__init__("item")
        self.write = write
        self.addr = addr
        self.data = data
        self.strobe = strobe
        self.resp: int | None = None


class AxiLiteDriver(uvm_driver):
    """Manager. A read and a write may be under way at the same time, one of each.

    An access that has no answer within PATIENCE edges fails the test (TimeoutError).
    stalls: asked before each of AW, W, AR (so address and data come in any order) and for B and R ready.
    """

    def __init__(self, name: str, parent: uvm_component, pins: AxiLitePins, stalls: Stalls) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.stalls = stalls
        self._answers: dict[str, Queue[Any]] = {"b": Queue(), "r": Queue()}
        self._locks = {"b": Lock(), "r": Lock()}

    async def run_phase(self) -> None:
        """Serve the sequencer; `write` and `read` may be called beside it."""
        for name in ("aw", "w", "ar"):
            self.pins.channels[name].idle()
        for name in ("b", "r"):
            cocotb.start_soon(self._collect(name))
        while True:
            item = await self.seq_item_port.get_next_item()
            if item.write:
                item.resp = await self.write(item.addr, item.data, item.strobe)
            else:
                item.data, item.resp = await self.read(item.addr)
            self.seq_item_port.item_done()

    async def write(self, addr: int, data: int, strobe: int = 0xF) -> int | None:
        """Write; returns BRESP, or None if a reset came first."""
        async with self._locks["b"]:
            self._forget("b")
            data_sent = cocotb.start_soon(self._send("w", (data, strobe)))
            sent = await self._send("aw", addr)
            if not (await data_sent and sent):
                return None
            return await self._answers["b"].get()

    async def read(self, addr: int) -> tuple[int, int | None]:
        """Read; returns data and RRESP, or (0, None) if a reset came first."""
        async with self._locks["r"]:
            self._forget("r")
            answer = await self._answers["r"].get() if await self._send("ar", addr) else None
            return (0, None) if answer is None else answer

    def _forget(self, name: str) -> None:
        while not self._answers[name].empty():
            self._answers[name].get_nowait()

    async def _send(self, name: str, item: Any) -> bool:
        channel = self.pins.channels[name]
        while to_int(self.pins.rst_n) == 1 and self.stalls():
            await channel.edge
        return to_int(self.pins.rst_n) == 1 and await channel.send(item)

    async def _collect(self, name: str) -> None:
        channel, waited = self.pins.channels[name], 0
        while True:
            waited = waited + 1 if self._locks[name].locked() else 0
            if waited > PATIENCE:
                raise TimeoutError(f"{self.get_full_name()}: no answer on {name} within {PATIENCE} cycles")
            ready = not self.stalls()
            channel.ready.value = ready  # type: ignore[union-attr]
            await channel.edge
            if to_int(self.pins.rst_n) != 1:
                self._answers[name].put_nowait(None)
            elif ready and to_int(channel.valid) == 1:
                waited = 0
                # X is the monitor's to report; here it must only not stop the bench.
                self._answers[name].put_nowait(channel.item([to_int(field) or 0 for field in channel.fields]))


class AxiLiteMonitor(uvm_monitor):
    """Publishes every completed Access on `port` and checks the protocol."""

    def __init__(self, name: str, parent: uvm_component, pins: AxiLitePins, report: Report = fail) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.port = transactions.port("port", self)
        self.rules = AxiLiteRules(self.get_full_name(), report)
        self.checkers = [channel.checker() for channel in pins.channels.values()]

    async def run_phase(self) -> None:
        """Sample every rising edge."""
        for checker in self.checkers:
            cocotb.start_soon(checker.watch(self.rules.violate))
        while True:
            await self.pins.edge
            samples = sample_channels(self.pins.channels)
            for access in self.rules.edge(to_int(self.pins.rst_n) != 1, samples):
                self.port.write(access)

    def check_phase(self) -> None:
        """No request without an answer."""
        self.rules.end()


class AxiLiteAgent(uvm_agent):
    """Monitor, and with `drives` a manager: `await agent.write(addr, data)`, `await agent.read(addr)`."""

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        pins: AxiLitePins,
        drives: bool = True,
        stalls: Stalls | None = None,
        report: Report = fail,
    ) -> None:
        super().__init__(name, parent)
        self.monitor = AxiLiteMonitor("monitor", self, pins, report)
        self.port = self.monitor.port
        if drives:
            self.sequencer = uvm_sequencer("sequencer", self)
            self.driver = AxiLiteDriver("driver", self, pins, stalls or Stalls(random.Random(0)))
            self.write = self.driver.write
            self.read = self.driver.read

    def build_phase(self) -> None:
        """Nothing: handles came in through the constructor (pyuvm's own would ask the ConfigDB)."""

    def connect_phase(self) -> None:
        """Join sequencer and driver."""
        if hasattr(self, "driver"):
            self.driver.seq_item_port.connect(self.sequencer.seq_item_export)
