"""The pins of an AXI port, channel by channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tb.agents.axi_checks import Sample
from tb.agents.checker import Checker
from tb.agents.rules import BURST_RULES
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
    an absent size, burst and strobe mean full-width INCR with every byte, an absent lock a normal access.
    """

    def __init__(self, dut: Any, prefix: str = "m_axi", directions: str = "rw") -> None:
        address = ("addr", "len")
        extra = ("id", "size", "burst", "lock")
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
        self.dut = dut
        self.stem = f"{prefix}_" if prefix else ""
        self.rst_n = dut.rst_n
        self.edge = data.edge

    def checkers(self) -> list[Checker]:
        """The rules on every channel and on the bursts. Raises AttributeError if the bench has none."""
        bursts = Checker(self.dut, f"{self.stem}bursts_", BURST_RULES)
        return [*(channel.checker() for channel in self.channels.values()), bursts]
