"""AXI4: a file per role. Import from here."""

from tb.agents.axi4.manager import Axi4Item, Axi4ManagerAgent, ManagerTiming
from tb.agents.axi4.memory import AxiMemoryAgent, AxiMemoryDriver, Fault, MemoryTiming
from tb.agents.axi4.monitor import Axi4Monitor
from tb.agents.axi4.pins import Axi4Pins, bind_channel, sample_channels

__all__ = [
    "Axi4Item",
    "Axi4ManagerAgent",
    "Axi4Monitor",
    "Axi4Pins",
    "AxiMemoryAgent",
    "AxiMemoryDriver",
    "Fault",
    "ManagerTiming",
    "MemoryTiming",
    "bind_channel",
    "sample_channels",
]
