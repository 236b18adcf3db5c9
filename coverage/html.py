"""The report for people: index.html, a page per file with its lines coloured, a page per block's bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from coverage import holes
from coverage.items import KINDS, Item, Items
from coverage.metrics import GATES, METRICS, Numbers, Ratio
from scripts.tools import ROOT
from tb.common.cover import Bins, Coverage, Cross


@dataclass
class Line:
    """A line of source and all that is counted on it. colour: run, partly, missed, excluded or nothing."""

    number: int
    source: str
    hits: int | None
    colour: str
    branches: Sequence[Item]
    expressions: Sequence[Item]
    steps: Sequence[Item]
    toggles: Sequence[str]  # that did not happen
    reasons: Sequence[str]


def lines_of(source: str, items: Sequence[Item]) -> list[Line]:
    """The lines of a file with their items."""
    by_line: dict[int, list[Item]] = {}
    for item in items:
        by_line.setdefault(item.line, []).append(item)
    return [
        _line(number, text, by_line.get(number, []))
        for number, text in enumerate(source.splitlines(), start=1)
    ]


def _line(number: int, text: str, items: Sequence[Item]) -> Line:
    kinds = {kind: [item for item in items if item.kind == kind] for kind in KINDS}
    hits = max((item.hits for item in kinds["line"]), default=None)
    left = [item for item in items if item.open]
    if not items:
        colour = ""
    elif not left:
        colour = "run" if any(item.hits for item in items) else "excluded"
    else:
        # What ran, but not in each of its ways, is not the same as what never ran.
        colour = "partly" if any(item.hits for item in items) else "missed"
    toggles = holes.toggles(item for item in kinds["toggle"] if item.open)
    reasons = sorted({item.excluded for item in items if item.excluded})
    return Line(
        number, text, hits, colour, kinds["branch"], kinds["expression"], kinds["fsm"], toggles, reasons
    )


def cross_rows(model: Coverage, cross: Cross, hits: Mapping[str, int]) -> list[tuple[str, list[int | None]]]:
    """A cross as a table: the last point's bins across, the others down; None is what can never be."""
    cells = model.cells(cross.name)
    last = list(model.points[cross.of[-1]].bins)
    firsts: list[tuple[str, ...]] = [()]
    for point in cross.of[:-1]:
        firsts = [(*first, name) for first in firsts for name in model.points[point].bins]
    return [
        (" ".join(first), [hits[cells[(*first, b)]] if (*first, b) in cells else None for b in last])
        for first in firsts
    ]


def _percent(ratio: Ratio) -> str:
    return "" if ratio.value is None else f"{int(ratio.value * 1000) / 10:.1f} %"


def write(
    folder: Path,
    numbers: Numbers,
    items: Items,
    models: Mapping[str, Coverage | None],
    bins: Mapping[str, Bins],
    features: Mapping[str, Sequence[str]],
    problems: Sequence[str],
    elsewhere: Sequence[str],
) -> Path:
    """Write all pages into a folder; returns the first one. elsewhere: files that this run does not judge."""
    pages = Environment(
        loader=PackageLoader("coverage"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.globals.update(percent=_percent, gates=GATES, metrics=METRICS, kinds=KINDS)

    def page(name: str, template: str, **values: object) -> None:
        (folder / name).write_text(pages.get_template(template).render(**values))

    for file, found in items.items():
        source = (ROOT / file).read_text()
        row = numbers.files[file]
        page(f"{Path(file).stem}.html", "file.html", file=file, row=row, lines=lines_of(source, found))
    for block, model in models.items():
        if model:
            crosses = [
                (
                    cross,
                    list(model.points[cross.of[-1]].bins),
                    cross_rows(model, cross, bins[block][cross.name]),
                )
                for cross in model.crosses.values()
            ]
            page(
                f"functional_{block}.html",
                "functional.html",
                model=model,
                bins=bins[block],
                crosses=crosses,
                ratio=numbers.blocks[block]["functional"],
            )
    excluded = sorted(
        {(item.file, item.kind, item.excluded) for found in items.values() for item in found if item.excluded}
    )
    page(
        "index.html",
        "index.html",
        numbers=numbers,
        models=models,
        features=features,
        problems=problems,
        elsewhere=elsewhere,
        excluded=excluded,
    )
    return folder / "index.html"
