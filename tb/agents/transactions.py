"""What the monitors and scoreboards of a simulation saw, as text: the same seed must give the same on every
simulator (scripts/regress/same.py compares).

Off unless ASSAY_TRANSACTIONS=1. A line is `test <tab> agent <tab> item` in transactions.log, where the
simulation runs. There are no times in it, and only the order within one agent has a meaning.
"""

from __future__ import annotations

import atexit
import dataclasses
import enum
import functools
import hashlib
import os
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from cocotb.task import current_task
from pyuvm import uvm_analysis_port, uvm_component

LOG = Path("transactions.log")
LONG = 64  # bytes of an item that are shown; of more, a digest
ON = os.environ.get("ASSAY_TRANSACTIONS") == "1"
_test = "?"


def begin() -> None:
    """Called from a test's own task: what is seen from now on belongs to it."""
    global _test
    _test = current_task().get_name()


def saw(agent: str, item: Any) -> None:
    """One more item of an agent."""
    if ON:
        _log().write(f"{_test}\t{agent}\t{canonical(item)}\n")


@functools.cache
def _log() -> TextIO:
    """The open file: a line is there once it is written, whatever becomes of the simulation."""
    log = LOG.open("w", buffering=1)
    atexit.register(log.close)
    return log


class LoggedPort(uvm_analysis_port):
    """An analysis port whose items are logged."""

    def write(self, item: Any) -> None:
        saw(self.get_full_name(), item)
        super().write(item)


def port(name: str, parent: uvm_component) -> uvm_analysis_port:
    """A monitor's analysis port; a plain one when nothing is logged."""
    return (LoggedPort if ON else uvm_analysis_port)(name, parent)


def canonical(item: Any) -> str:
    """An item in one line that depends on its values alone."""
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        values = {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if f.compare}
        return f"{type(item).__name__}({_named(values)})"
    if hasattr(item, "_asdict"):
        return f"{type(item).__name__}({_named(item._asdict())})"
    if isinstance(item, dict):
        return f"{{{_named(item)}}}"
    if isinstance(item, (list, tuple)):
        return f"[{', '.join(canonical(value) for value in item)}]"
    if isinstance(item, np.ndarray):
        return f"{item.dtype}{list(item.shape)} {_bytes(np.ascontiguousarray(item).tobytes())}"
    if isinstance(item, (bytes, bytearray)):
        return _bytes(bytes(item))
    if isinstance(item, enum.Enum):
        return item.name
    if isinstance(item, (bool, np.bool_)):
        return str(int(item))
    if isinstance(item, (int, np.integer)):
        return hex(item)
    return repr(item)


def _named(values: dict[Any, Any]) -> str:
    return ", ".join(f"{name}={canonical(value)}" for name, value in values.items())


def _bytes(data: bytes) -> str:
    if len(data) <= LONG:
        return data.hex()
    return f"{data[:LONG].hex()}... {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"
