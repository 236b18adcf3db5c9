"""What can be covered, file by file: source lines, branches, toggles, terms of expressions, states."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coverage import fsm
from coverage.dat import Counts
from scripts.tools import ROOT, UserError

KINDS = ("line", "branch", "toggle", "expression", "fsm")
ALWAYS = ("line", "branch", "toggle", "expression")  # a file whose runs are missing has none of these covered
NO_RESULT = "no result"
# Arrays of so many words are memories. Their bits are no toggles, as in other tools: they would outnumber all
# others by far, and a gate of 95 % would then say nothing about the logic.
MEMORY_WORDS = 64
_WORD = re.compile(r"(.*)\[(\d+)\]\[\d+\]:\d->\d")


@dataclass(frozen=True)
class Item:
    """One thing that is covered or not. source: its line of code, without indentation.

    text says which of those on a line it is: `state[0]:0->1`, `(a==1) => 1`, `else`, `S_RUN -> S_HALT`.
    excluded: the reason why it need not be covered.
    """

    kind: str
    file: str
    line: int
    text: str
    source: str
    hits: int
    excluded: str | None = None

    @property
    def open(self) -> bool:
        """A hole: neither hit nor excluded."""
        return not self.hits and self.excluded is None


Items = Mapping[str, Sequence[Item]]


def of_file(name: str, source: str, counts: Counts) -> list[Item]:
    """The items of one file, sorted by line. counts: its points; none at all is a missing result."""
    lines = source.splitlines()
    if not counts:
        return [Item(kind, name, 1, NO_RESULT, "", 0) for kind in ALWAYS]

    def code(number: int) -> str:
        return lines[number - 1].strip() if 0 < number <= len(lines) else ""

    counts = _without_memories(counts)
    runs: dict[int, int] = defaultdict(int)
    merged: dict[tuple[str, int, int, str], int] = defaultdict(int)
    for point, hits in counts.items():
        for number in point.covers():
            # A line has run when something on it has; that all of it has is what branches are for.
            runs[number] = max(runs[number], hits)
        if point.kind != "line":
            merged[point.kind, point.line, point.column, point.text] += hits
    found = [Item("line", name, number, "", code(number), hits) for number, hits in runs.items()]
    found += [
        Item(kind, name, line, text, code(line), hits) for (kind, line, _, text), hits in merged.items()
    ]
    try:
        found += [Item("fsm", name, s.line, s.name, code(s.line), s.hits) for s in fsm.steps(source, counts)]
    except UserError as error:
        raise UserError(f"{name}: {error}") from None
    return sorted(found, key=lambda item: (item.line, KINDS.index(item.kind)))


def _without_memories(counts: Counts) -> Counts:
    words = {point: _WORD.fullmatch(point.text) for point in counts if point.kind == "toggle"}
    deep = {found[1] for found in words.values() if found and int(found[2]) >= MEMORY_WORDS - 1}
    gone = {point for point, found in words.items() if found and found[1] in deep}
    return Counts({point: hits for point, hits in counts.items() if point not in gone})


def of_counts(counts: Counts, files: Sequence[str]) -> dict[str, list[Item]]:
    """The items of every file. files: relative to the repository, those that must be covered."""
    by_file: dict[str, Counts] = {name: Counts() for name in files}
    for point, hits in counts.items():
        if point.file in by_file:
            by_file[point.file][point] = hits
    return {name: of_file(name, (ROOT / name).read_text(), by_file[name]) for name in files}


def excluded(item: Item, reason: str) -> Item:
    return replace(item, excluded=reason)


def block_of(file: str, blocks: Sequence[str]) -> str:
    """Whose a file is: of the block with its name, else of the block with its folder's. What lies in rtl/
    itself is npu's."""
    path = Path(file)
    for name in (path.stem.removeprefix("npu_"), "npu" if path.parent.name == "rtl" else path.parent.name):
        if name in blocks:
            return name
    raise UserError(f"{file} belongs to no block: neither its name nor its folder's is one")
