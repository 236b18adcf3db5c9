"""What each unit of the core did over one program, window by window: the data of a timeline.

Two logs of the simulation say it: tb/hdl/unit_log.v, the core's counters at the end of every window, and the
memory's bursts with their cycles. Read after the run, outside the simulator.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.network import Compiled
from models.isa import ID_FETCH, ID_LOAD, ID_STORE
from tb.agents.memory_log import RECORD
from tb.chip.host import ACCOUNT, COUNTER_NAMES

Cycles = NDArray[np.int64]

UNITS_LOG, BURSTS_LOG = "units.log", "axi.bursts"
LOGGED = ("memory_cycle", "layers", "post_words", "post_waits", *COUNTER_NAMES)
UNIT_RECORD = np.dtype([(name, "<u4") for name in LOGGED])

WINDOWS = 16384  # at most about this many in a program
SHORTEST = 16  # cycles of a window
# Where nobody asks for a timeline, the log only says how far the program is.
COARSE = 16384

# The states of each unit, in the order in which they are drawn; what is left of a window is idle.
STATES = {
    "load": ("moves data", "waits for memory", "waits for a token"),
    "conv, pool": ACCOUNT,
    "post": ("busy", "waits for store"),
    "store": ("moves data", "waits for memory", "waits for a token"),
}


@dataclass(frozen=True)
class Activity:
    """edges: cycles of the program at the borders of the windows, int64 [windows + 1]. cycles: of each unit
    and each of its STATES, cycles spent in it, float32 [windows]; a window's states add up to its length at
    most."""

    edges: Cycles
    cycles: dict[str, dict[str, NDArray[np.float32]]]

    def save(self, path: Path) -> None:
        """As .npz."""
        arrays = {
            f"{unit}/{state}": value
            for unit, states in self.cycles.items()
            for state, value in states.items()
        }
        np.savez_compressed(path, edges=self.edges, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Activity:
        """What save() wrote."""
        with np.load(path) as arrays:
            cycles = {
                unit: {state: arrays[f"{unit}/{state}"] for state in states}
                for unit, states in STATES.items()
            }
            return cls(arrays["edges"], cycles)


def window(compiled: Compiled) -> int:
    """Cycles of a window for a timeline of this network: a power of two."""
    cycles = sum(layer.tiling.cycles for layer in compiled.layers)
    return max(SHORTEST, 1 << max(cycles // WINDOWS - 1, 0).bit_length())


def read(folder: Path, n: int) -> Activity | None:
    """The first program of the simulation that ran in this folder; None if nothing was logged.

    n: bytes of a bus word.
    """
    units = np.fromfile(folder / UNITS_LOG, UNIT_RECORD)
    restarts = np.flatnonzero(np.diff(units["cycles"].astype(np.int64)) < 0)
    units = units[: restarts[0] + 1] if len(restarts) else units
    if len(units) < 2:
        return None
    edges = units["cycles"].astype(np.int64)
    offset = int(units["memory_cycle"][0]) - int(edges[0])
    bursts = np.fromfile(folder / BURSTS_LOG, RECORD)
    bursts = bursts[: np.searchsorted(bursts["end"], edges[-1] + offset, side="right")]
    return Activity(edges, _cycles(units, bursts, edges, offset, n))


def _cycles(
    units: NDArray, bursts: NDArray, edges: Cycles, offset: int, n: int
) -> dict[str, dict[str, NDArray[np.float32]]]:
    def counted(name: str) -> NDArray[np.float64]:
        return np.diff(units[name].astype(np.float64))

    def of(axi_id: int) -> tuple[Cycles, Cycles, Cycles]:
        mine = bursts[bursts["id"] == axi_id]
        return mine["start"].astype(np.int64) - offset, mine["end"].astype(np.int64) - offset, mine["beats"]

    fetched = np.diff(_beats(*of(ID_FETCH)[1:], edges))
    read = np.maximum(counted("read_bytes") / n - fetched, 0)
    written = counted("write_bytes") / n
    reading, writing = (np.diff(_covered(*of(axi_id)[:2], edges)) for axi_id in (ID_LOAD, ID_STORE))
    length = np.diff(edges).astype(np.float64)
    parts = {
        "load": (read, reading - read, counted("load_wait")),
        "conv, pool": tuple(counted(name) for name in ACCOUNT),
        "post": (counted("post_words"), counted("post_waits")),
        "store": (written, writing - written, counted("store_wait")),
    }
    return {
        unit: dict(zip(STATES[unit], _exclusive(values, length), strict=True))
        for unit, values in parts.items()
    }


def _exclusive(parts: tuple[NDArray, ...], length: NDArray) -> list[NDArray[np.float32]]:
    """The parts of each window, cut so that they add up to its length at most: the first ones count."""
    left, cut = length.copy(), []
    for part in parts:
        taken = np.clip(part, 0, left)
        left -= taken
        cut.append(taken.astype(np.float32))
    return cut


def _beats(
    ends: NDArray[np.int64], beats: NDArray[np.int64], edges: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Beats of these bursts until each edge. A burst's are taken for the last cycles until its end."""
    if not len(ends):
        return np.zeros(len(edges))
    total = np.cumsum(beats)
    times = np.stack([ends - beats, ends], axis=1).reshape(-1)
    counts = np.stack([total - beats, total], axis=1).reshape(-1)
    return np.interp(edges, np.maximum.accumulate(times), counts)


def _covered(starts: Cycles, ends: Cycles, edges: Cycles) -> NDArray[np.float64]:
    """Cycles until each edge in which at least one of these bursts is under way."""
    if not len(starts):
        return np.zeros(len(edges))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    fresh = np.maximum(starts[1:], ends[:-1])
    starts = np.concatenate([starts[:1], np.minimum(fresh, ends[1:])])
    total = np.cumsum(ends - starts)
    times = np.stack([starts, ends], axis=1).reshape(-1)
    counts = np.stack([total - (ends - starts), total], axis=1).reshape(-1)
    return np.interp(edges, times, counts)
