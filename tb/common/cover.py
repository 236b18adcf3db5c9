"""Functional coverage: what a block can meet, declared as data, and how often it was met.

tb/<block>/coverage.py declares a block's points and crosses:

    COVERAGE = Coverage(
        "post",
        Point("mode", {"double": 0, "single": 1, "fp32": 2}, "rounding mode of a tile"),
        Point("out", ["saturated_high", "tie_up"], "what happened to a sum"),
        Cross("mode_x_out", ("mode", "out"), [Never("single rounds once", mode="single", out="tie_up")]),
    )

Monitors and scoreboards sample plain values (tb/common/collector.py); a bin's name is `post.out.tie_up`. The
simulation writes all bins, those never hit too, to functional.json in its folder, as
{block: {point: {bin: hits}}}. docs/adr/0004 says why this is not cocotb-coverage.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path("functional.json")  # in the folder where the simulation runs

Bins = dict[str, dict[str, int]]  # point -> bin -> hits
# What a bin takes: one value, a range, a set of values, or whatever a function says yes to.
Accepts = int | str | bool | range | frozenset | set | tuple | Callable[[Any], bool]


class CoverageError(AssertionError):
    """A sample that the declaration has no place for, or a declaration that contradicts itself."""


@dataclass(frozen=True)
class Point:
    """Named bins of one value. bins: name -> what it takes; a list of names takes those names.

    A value that no bin takes is an error, so that none is lost without a word; `others` says that it is not.
    """

    name: str
    bins: Mapping[str, Accepts] | Sequence[str]
    about: str
    others: bool = False

    def of(self, value: Any) -> str | None:
        """The bin of a value: the first one that takes it. Raises CoverageError if there is none."""
        if not isinstance(self.bins, Mapping):
            if value in self.bins:
                return value
        else:
            for name, takes in self.bins.items():
                if _takes(takes, value):
                    return name
        if self.others:
            return None
        raise CoverageError(f"{self.name} has no bin for {value!r}; it has: {', '.join(self.bins)}")


def _takes(takes: Accepts, value: Any) -> bool:
    if callable(takes):
        return takes(value)
    if isinstance(takes, (range, frozenset, set, tuple)):
        return value in takes
    return takes == value


class Never:
    """Part of a cross that cannot be: the combinations in which every named point has (one of) these bins."""

    def __init__(self, reason: str, **bins: str | Sequence[str]) -> None:
        self.reason = reason
        self.bins = {point: (b,) if isinstance(b, str) else tuple(b) for point, b in bins.items()}


@dataclass(frozen=True)
class Cross:
    """Every combination of the bins of some points, but for those that can never be."""

    name: str
    of: tuple[str, ...]
    never: Sequence[Never] = ()
    about: str = ""


@dataclass
class Coverage:
    """The coverage model of a block."""

    block: str
    parts: tuple[Point | Cross, ...]
    points: dict[str, Point] = field(default_factory=dict)
    crosses: dict[str, Cross] = field(default_factory=dict)

    def __init__(self, block: str, *parts: Point | Cross) -> None:
        self.block, self.parts = block, parts
        self.points = {part.name: part for part in parts if isinstance(part, Point)}
        self.crosses = {part.name: part for part in parts if isinstance(part, Cross)}
        if len(self.points) + len(self.crosses) != len(parts):
            raise CoverageError(f"{block}: two points or crosses have one name")
        self._cells = {cross.name: self._combinations(cross) for cross in self.crosses.values()}

    def _combinations(self, cross: Cross) -> dict[tuple[str, ...], str]:
        """Bins of the points -> the cross's bin."""
        where = f"{self.block}.{cross.name}"
        if unknown := [name for name in cross.of if name not in self.points]:
            raise CoverageError(f"{where} crosses {unknown[0]}, which is no point")
        cells = {
            cell: "_x_".join(cell) for cell in itertools.product(*(self.points[p].bins for p in cross.of))
        }
        for rule in cross.never:
            for point, bins in rule.bins.items():
                if point not in cross.of or set(bins) - set(self.points[point].bins):
                    raise CoverageError(f"{where}: `{rule.reason}` names {point} {bins}, which is not there")
            gone = [
                cell
                for cell in cells
                if all(cell[cross.of.index(point)] in bins for point, bins in rule.bins.items())
            ]
            if not gone:
                raise CoverageError(f"{where}: `{rule.reason}` takes nothing away")
            for cell in gone:
                del cells[cell]
        return cells

    def cells(self, cross: str) -> dict[tuple[str, ...], str]:
        """The combinations of a cross that can be, each with its bin's name."""
        return self._cells[cross]

    def empty(self) -> Bins:
        """Every bin, hit never."""
        return {name: dict.fromkeys(point.bins, 0) for name, point in self.points.items()} | {
            name: dict.fromkeys(cells.values(), 0) for name, cells in self._cells.items()
        }


class Hits:
    """Counts what is sampled. Several may count for one model, each for one environment."""

    def __init__(self, model: Coverage) -> None:
        self.model = model
        self.bins = model.empty()
        self._bin: dict[tuple[str, Any], str | None] = {}  # a value's bin: classified once
        self._crosses: dict[tuple[str, ...], list[Cross]] = {}  # the crosses of the points sampled together

    def _bin_of(self, point: str, value: Any) -> str | None:
        key = point, value
        if key not in self._bin:
            if point not in self.model.points:
                raise CoverageError(f"{self.model.block} has no point {point}")
            self._bin[key] = self.model.points[point].of(value)
        return self._bin[key]

    def sample(self, times: int = 1, /, **values: Any) -> None:
        """Hit the bins of these points, and of the crosses all of whose points are among them, `times` times.

        Values are hashable. Raises CoverageError for an unknown point or value, and for a combination that a
        cross says can never be.
        """
        if not times:
            return
        found = {point: self._bin_of(point, value) for point, value in values.items()}
        for point, name in found.items():
            if name is not None:
                self.bins[point][name] += times
        key = tuple(values)
        if key not in self._crosses:
            self._crosses[key] = [c for c in self.model.crosses.values() if values.keys() >= set(c.of)]
        for cross in self._crosses[key]:
            cell = tuple(found[point] for point in cross.of)
            if None in cell:
                continue
            name = self.model.cells(cross.name).get(cell)  # type: ignore[arg-type]
            if name is None:
                raise CoverageError(f"{self.model.block}.{cross.name}: {cell} can never be")
            self.bins[cross.name][name] += times

    def sample_each(self, **values: Any) -> None:
        """`sample` for every element of integer or boolean arrays; scalars and arrays are broadcast."""
        arrays = np.broadcast_arrays(*(np.asarray(value) for value in values.values()))
        kinds, codes = [], np.zeros(arrays[0].size, dtype=np.int64)
        for array in arrays:
            kind, code = np.unique(array.ravel(), return_inverse=True)
            kinds.append(kind.tolist())
            codes = codes * len(kind) + code
        found, counts = np.unique(codes, return_counts=True)
        for rest, times in zip(found.tolist(), counts.tolist(), strict=True):
            picked = []
            for kind in reversed(kinds):
                rest, index = divmod(rest, len(kind))
                picked.append(kind[index])
            self.sample(times, **dict(zip(values, reversed(picked), strict=True)))


_simulation: dict[str, Bins] = {}


def commit(hits: Hits) -> None:
    """Add what a passed test has hit to what the simulation has hit, and write that."""
    total = _simulation.setdefault(hits.model.block, hits.model.empty())
    add(total, hits.bins)
    FILE.write_text(json.dumps(_simulation, indent=1))


@contextmanager
def counted(model: Coverage) -> Iterator[Hits]:
    """Hits of a test that has no environment of UVM; those of one that fails do not count."""
    hits = Hits(model)
    yield hits
    commit(hits)


def add(total: Bins, more: Bins) -> None:
    """Add hits of the same model."""
    for point, bins in more.items():
        for name, hits in bins.items():
            total[point][name] += hits
