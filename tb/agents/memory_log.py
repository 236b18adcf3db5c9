"""Reads the burst log that tb/hdl/axi_memory.v writes: the transactions of a chip-level run.

The log is three files (see the head of axi_memory.v). It is read incrementally and without a loop over
beats or bursts; `Burst` objects, the same that the memory agent in Python logs, are made only on demand.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tb.agents.burst import Burst

# The memory that writes it, for the sources of a bench.
MEMORY_HDL = tuple(f"tb/hdl/axi_memory{part}.v" for part in ("", "_read", "_write", "_store", "_log"))
RECORD = np.dtype(
    [
        ("flags", "<u4"),
        ("id", "<u4"),
        ("beats", "<u4"),
        ("addr", "<u8"),
        ("start", "<u4"),
        ("end", "<u4"),
        ("position", "<u4"),
    ]
)


@dataclass(frozen=True)
class BurstTable:
    """Bursts in order of completion, as columns, and their data.

    Columns, all [bursts]: write bool, id, addr (bytes), beats, resp, full bool, start and end (cycles),
    position (index of the first word in reads or writes). reads, writes: uint8 [words, data_bytes].
    """

    write: np.ndarray
    id: np.ndarray
    addr: np.ndarray
    beats: np.ndarray
    resp: np.ndarray
    full: np.ndarray
    start: np.ndarray
    end: np.ndarray
    position: np.ndarray
    reads: np.ndarray
    writes: np.ndarray

    def __len__(self) -> int:
        return len(self.write)

    def data(self, index: int) -> np.ndarray:
        """Data of one burst: uint8 [beats, data_bytes], a view."""
        words = self.writes if self.write[index] else self.reads
        first = int(self.position[index])
        return words[first : first + int(self.beats[index])]

    def burst(self, index: int) -> Burst:
        """One burst as an object."""
        return Burst(
            bool(self.write[index]),
            int(self.id[index]),
            int(self.addr[index]),
            int(self.beats[index]),
            self.data(index).tobytes(),
            int(self.resp[index]),
            bool(self.full[index]),
            int(self.start[index]),
            int(self.end[index]),
        )

    def bursts(self) -> list[Burst]:
        """All of them as objects: for block tests and reports, not for a whole network."""
        return [self.burst(i) for i in range(len(self))]


class _Tail:
    """A growing file, read from where the last read ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0

    def read(self, unit: int) -> bytes:
        """Whole units of `unit` bytes that are new."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        data = data[: len(data) // unit * unit]
        self.offset += len(data)
        return data


class MemoryLog:
    """Incremental reader of one log.

    stem: the value of +log=. data_bytes: width of the bus. Read after a flush (AxiMemory's `flush` pin): what
    is still in the simulator's buffers is not in the files.
    """

    def __init__(self, stem: str | Path, data_bytes: int) -> None:
        self.data_bytes = data_bytes
        self._bursts = _Tail(Path(f"{stem}.bursts"))
        self._reads = _Tail(Path(f"{stem}.reads"))
        self._writes = _Tail(Path(f"{stem}.writes"))
        # Words of bursts that are still under way, and the position of the first of them.
        self._left = {
            "reads": np.empty((0, data_bytes), np.uint8),
            "writes": np.empty((0, data_bytes), np.uint8),
        }
        self._first = {"reads": 0, "writes": 0}

    def read(self) -> BurstTable:
        """Bursts completed since the last call.

        Raises ValueError if the data of a burst is missing: the log was not flushed, or is damaged.
        """
        records = np.frombuffer(self._bursts.read(RECORD.itemsize), RECORD)
        write = (records["flags"] & 1).astype(bool)
        beats = records["beats"].astype(np.int64)
        position = records["position"].astype(np.int64)
        words = {
            "reads": self._words("reads", self._reads),
            "writes": self._words("writes", self._writes),
        }
        for name, mask in (("reads", ~write), ("writes", write)):
            position[mask] -= self._first[name]
            ends = (position + beats)[mask]
            if len(ends) == 0:
                self._left[name] = words[name]
                continue
            used = int(ends.max())
            if used > len(words[name]) or position[mask].min() < 0:
                raise ValueError(f"log {self._bursts.path}: data of a burst is missing; flush before reading")
            self._left[name] = words[name][used:]
            self._first[name] += used
        return BurstTable(
            write,
            records["id"],
            records["addr"],
            beats,
            (records["flags"] >> 2 & 3).astype(np.uint8),
            (records["flags"] & 2).astype(bool),
            records["start"],
            records["end"],
            position,
            words["reads"],
            words["writes"],
        )

    def _words(self, name: str, tail: _Tail) -> np.ndarray:
        new = np.frombuffer(tail.read(self.data_bytes), np.uint8).reshape(-1, self.data_bytes)
        left = self._left[name]
        return np.concatenate((left, new)) if len(left) else new
