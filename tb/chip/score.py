"""Scores a program's AXI traffic: what the memory logged against what the reference machine predicts.

Every burst of every ID is compared in order: address, length, direction, strobes, response, all data. The
comparison is in numpy columns, so that a network of 50 MB of traffic costs a fraction of a second.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.isa import ID_FETCH, ID_LOAD, ID_STORE
from models.trace import CommandBursts, Trace
from tb.agents.burst import Burst
from tb.agents.memory_log import BurstTable

NEVER = 1 << 32  # later than any cycle
NAMES = {ID_FETCH: "fetch read", ID_LOAD: "load read", ID_STORE: "store write"}


@dataclass(frozen=True)
class Mismatch:
    """One difference. tile: which of its layer's STOREs it belongs to, as text, where that is known; command:
    number in the program; burst: index among its ID's; beat, cycle: None where there is no such burst or
    beat."""

    stream: str
    layer: str
    tile: str | None
    command: int | None
    burst: int
    beat: int | None
    cycle: int | None
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        rows = [f"{name:<9} {value}" for name, value in vars(self).items() if value is not None]
        return "\n".join(rows)


@dataclass(frozen=True)
class Columns:
    """Bursts of one ID as columns [k], their words [words, n] in order, and the first word of each."""

    addr: NDArray[np.int64]
    beats: NDArray[np.int64]
    words: NDArray[np.uint8]
    command: NDArray[np.int64]
    layer: NDArray[np.int64]

    @property
    def first(self) -> NDArray[np.int64]:
        return np.cumsum(self.beats) - self.beats


def expected_columns(parts: Sequence[CommandBursts], n: int) -> Columns:
    """The machine's bursts of one ID."""
    if not parts:
        none = np.zeros(0, np.int64)
        return Columns(none, none, np.zeros((0, n), np.uint8), none, none)
    counts = [len(part.beats) for part in parts]
    return Columns(
        np.concatenate([part.addresses for part in parts]),
        np.concatenate([part.beats for part in parts]),
        np.concatenate([part.data for part in parts]),
        np.repeat([part.command for part in parts], counts),
        np.repeat([part.layer for part in parts], counts),
    )


class ProgramScore:
    """Compares one program's bursts; counts and keeps what differs.

    layers: names by layer number. `bursts` is the number compared; a score of none has not passed. `read`,
    `written`: bytes that load and store were seen to move, by layer number.
    """

    def __init__(self, layers: Sequence[str] = ()) -> None:
        self.layers = layers
        self.bursts = 0
        self.mismatches: list[Mismatch] = []
        self.read: Counter[int] = Counter()
        self.written: Counter[int] = Counter()

    def first(self) -> Mismatch:
        """The mismatch that came first in time: what follows may be its consequence."""
        return min(self.mismatches, key=lambda m: NEVER if m.cycle is None else m.cycle)

    def compare(self, trace: Trace, table: BurstTable, *, prefix: bool = False) -> int:
        """Compare everything; returns the number of mismatched bursts (and missing or extra ones).

        prefix: the program was stopped, so each ID may end early (but must agree until then).
        """
        before = len(self.mismatches)
        known = np.isin(table.id, list(NAMES)) & (table.write == (table.id == ID_STORE))
        for index in np.flatnonzero(~known).tolist():
            self._add(
                int(table.id[index]), None, int(index), "burst", "none", table.burst(index), table, index
            )
        for axi_id, parts in ((ID_FETCH, trace.fetch), (ID_LOAD, trace.load), (ID_STORE, trace.store)):
            rows = np.flatnonzero((table.id == axi_id) & known)
            self._stream(axi_id, expected_columns(parts, table.reads.shape[1]), table, rows, prefix)
        return len(self.mismatches) - before

    def _stream(
        self, axi_id: int, want: Columns, table: BurstTable, rows: NDArray[np.int64], prefix: bool
    ) -> None:
        count = min(len(want.beats), len(rows))
        self.bursts += count
        if len(rows) > count:
            self._add(axi_id, None, count, "burst", "none", table.burst(rows[count]), table, rows[count])
        elif len(want.beats) > count and not prefix:
            text = f"{len(want.beats) - count} more, next at {want.addr[count]:#x}"
            self._add(axi_id, (want, count), count, "burst", text, "none", table, None)
        rows = rows[:count]
        if axi_id != ID_FETCH:
            moved = self.written if axi_id == ID_STORE else self.read
            layers, at = np.unique(want.layer[:count], return_inverse=True)
            moves = np.bincount(at, table.beats[rows], len(layers)).astype(np.int64)
            for layer, total in zip(layers.tolist(), moves.tolist(), strict=True):
                moved[layer] += total * table.reads.shape[1]
        words = table.writes if axi_id == ID_STORE else table.reads
        good = np.ones(count, bool)
        columns = (
            ("address", want.addr[:count], table.addr[rows]),
            ("beats", want.beats[:count], table.beats[rows]),
            ("all strobes", np.ones(count, bool), table.full[rows]),
        )
        for what, expected, found in columns:
            for burst in np.flatnonzero((expected != found) & good):
                good[burst] = False
                pair = (f"{int(expected[burst]):#x}", f"{int(found[burst]):#x}")
                self._add(axi_id, (want, int(burst)), int(burst), what, *pair, table, rows[burst])
        # Data of bursts whose shape agrees and which the memory answered with OKAY.
        good &= table.resp[rows] == 0
        beats = want.beats[:count][good]
        starts = np.cumsum(beats) - beats
        offset = np.arange(int(beats.sum())) - np.repeat(starts, beats)
        expected_words = want.words[: len(offset)]
        if not good.all():
            expected_words = want.words[np.repeat(want.first[:count][good], beats) + offset]
        found_words = words[np.repeat(table.position[rows][good], beats) + offset]
        if np.array_equal(expected_words, found_words):
            return
        wrong = np.flatnonzero((expected_words != found_words).any(axis=1))
        owner = np.repeat(np.flatnonzero(good), beats)[wrong]
        for burst, at in zip(*np.unique(owner, return_index=True), strict=True):
            word = wrong[at]
            pair = (expected_words[word].tobytes().hex(), found_words[word].tobytes().hex())
            place = (want, int(burst))
            self._add(axi_id, place, int(burst), "data", *pair, table, rows[burst], int(offset[word]))

    def _add(
        self,
        axi_id: int,
        place: tuple[Columns, int] | None,
        burst: int,
        what: str,
        expected: object,
        found: object,
        table: BurstTable,
        row: int | None,
        beat: int | None = None,
    ) -> None:
        layer, command = "?", None
        if place:
            columns, index = place
            number, command = int(columns.layer[index]), int(columns.command[index])
            layer = self.layers[number] if number < len(self.layers) else str(number)
        cycle = None if row is None else int(table.end[row])
        stream = NAMES.get(axi_id, f"ID {axi_id}")
        self.mismatches.append(
            Mismatch(stream, layer, None, command, burst, beat, cycle, what, str(expected), str(found))
        )


def table_of(bursts: Sequence[Burst], n: int) -> BurstTable:
    """Bursts logged by the memory in Python, as columns. n: bytes of a bus word."""

    def words(write: bool) -> NDArray[np.uint8]:
        raw = b"".join(burst.data for burst in bursts if burst.write == write)
        return np.frombuffer(raw, np.uint8).reshape(-1, n)

    beats = np.array([burst.beats for burst in bursts], np.int64)
    write = np.array([burst.write for burst in bursts], bool)
    ends = np.where(write, np.cumsum(beats * write), np.cumsum(beats * ~write))

    def column(name: str) -> NDArray:
        return np.array([getattr(burst, name) for burst in bursts])

    return BurstTable(
        write=write,
        id=column("id"),
        addr=column("addr"),
        beats=beats,
        resp=column("resp"),
        full=column("full"),
        start=column("start"),
        end=column("end"),
        position=ends - beats,
        reads=words(False),
        writes=words(True),
    )


def apply_writes(memory: NDArray[np.uint8], table: BurstTable) -> None:
    """Make `memory` (uint8, one dimension) what the logged writes with an OKAY answer make of it."""
    rows = np.flatnonzero(table.write & (table.resp == 0))
    beats = table.beats[rows]
    starts = np.cumsum(beats) - beats
    offset = np.arange(int(beats.sum())) - np.repeat(starts, beats)
    n = table.writes.shape[1]
    words = memory.reshape(-1, n)
    words[np.repeat(table.addr[rows].astype(np.int64) // n, beats) + offset] = table.writes[
        np.repeat(table.position[rows], beats) + offset
    ]
