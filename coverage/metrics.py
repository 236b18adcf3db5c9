"""Numbers of a run, and the gates they must pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coverage.items import KINDS, Items, block_of

METRICS = (*KINDS, "functional", "testplan")
GATES = {
    "line": 1.0,
    "branch": 1.0,
    "fsm": 1.0,
    "toggle": 0.95,
    "expression": 0.95,
    "functional": 1.0,
    "testplan": 1.0,
}


@dataclass(frozen=True)
class Ratio:
    """covered of total; what is excluded is in neither."""

    covered: int = 0
    total: int = 0
    excluded: int = 0

    @property
    def value(self) -> float | None:
        """0 to 1; None where there is nothing to cover."""
        return self.covered / self.total if self.total else None

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(self.covered + other.covered, self.total + other.total, self.excluded + other.excluded)


Row = dict[str, Ratio]


@dataclass
class Numbers:
    """Per file, per block and in total: metric -> Ratio."""

    files: dict[str, Row] = field(default_factory=dict)
    blocks: dict[str, Row] = field(default_factory=dict)

    @property
    def total(self) -> Row:
        return {metric: sum((row[metric] for row in self.blocks.values()), Ratio()) for metric in METRICS}


def of_items(items: Iterable) -> Row:
    """The ratios of code coverage."""
    row = {}
    found = list(items)
    for kind in KINDS:
        mine = [item for item in found if item.kind == kind]
        left = [item for item in mine if item.excluded is None]
        row[kind] = Ratio(sum(item.hits > 0 for item in left), len(left), len(mine) - len(left))
    return row


def numbers(
    items: Items,
    functional: Mapping[str, Ratio],
    testplan: Mapping[str, Ratio],
    blocks: Sequence[str],
    asked: Sequence[str],
) -> Numbers:
    """All numbers. blocks: every block there is; asked: those of this run.

    A block without a ratio of functional coverage or of its testplan has none of it covered.
    """
    result = Numbers()
    for block in asked:
        result.blocks[block] = {kind: Ratio() for kind in KINDS} | {
            "functional": functional.get(block, Ratio(0, 1)),
            "testplan": testplan.get(block, Ratio(0, 1)),
        }
    for file, found in items.items():
        result.files[file] = of_items(found)
        row = result.blocks[block_of(file, blocks)]
        for kind in KINDS:
            row[kind] += result.files[file][kind]
    return result


def failures(found: Numbers) -> list[str]:
    """The gates that a run does not pass, one sentence each. Every block must pass every gate by itself."""
    if not found.blocks:
        return ["nothing was covered: no block has run"]
    sentences = []
    for block, row in found.blocks.items():
        for metric, least in GATES.items():
            ratio = row.get(metric, Ratio(0, 1))
            if ratio.value is not None and ratio.value < least:
                share = f"{ratio.covered} of {ratio.total}, {100 * ratio.value:.1f} %"
                sentences.append(f"{block}: {metric} {share}, needs {100 * least:.0f} %")
    return sentences


def summary(found: Numbers) -> dict:
    """What summary.json holds: each metric's share and `excluded` items, in total, per block and per file."""

    def shares(row: Row) -> dict[str, float | int | None]:
        values = {metric: _rounded(ratio) for metric, ratio in row.items()}
        return {**values, "excluded": sum(ratio.excluded for ratio in row.values())}

    return {
        **shares(found.total),
        "blocks": {block: shares(row) for block, row in found.blocks.items()},
        "files": {file: shares(row) for file, row in found.files.items()},
    }


def _rounded(ratio: Ratio) -> float | None:
    """Rounded down, so that 1.0 means all."""
    return None if ratio.value is None else int(ratio.value * 10000) / 10000
