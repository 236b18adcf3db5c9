"""What the jobs on the whole chip print and write: a table with a row per layer, and a summary file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from report import run as pictures
from scripts.tools import ROOT
from tb.chip import tile
from tb.chip.host import ACCOUNT
from tb.chip.job import LayerResult, Result

PLAIN_WIDTH = 180  # characters of a table that no terminal limits
# What a category needs for a column of its own: this share of the network's cycles, or that of a layer's.
OF_ALL, OF_ONE = 0.01, 0.1

Account = Mapping[str, float]  # cycles of each category


def utilisation(macs: int, cycles: float, n: int) -> float:
    """Multiplications of the network over those that an n x n array could have made in these cycles."""
    return macs / (n * n * cycles) if cycles else 0.0


def layer_entry(layer: LayerResult, images: int, n: int) -> dict[str, Any]:
    """A layer in the summary: cycles and account are the mean of the images."""
    cycles = layer.cycles / images
    account = {name: count / images for name, count in layer.account.items()}
    own = {"cycles": cycles, "account": account, "utilisation": utilisation(layer.macs, cycles, n)}
    return {**asdict(layer), **own}


def account_columns(total: Account, layers: Iterable[Account]) -> list[str]:
    """Titles of the columns for the accounts of a network and its layers: the categories that matter to the
    whole or to one of the layers, and one for the rest."""

    def matters(account: Account, name: str, share: float) -> bool:
        return account[name] > share * sum(account[other] for other in ACCOUNT)

    each = list(layers)
    names = (n for n in ACCOUNT if matters(total, n, OF_ALL) or any(matters(a, n, OF_ONE) for a in each))
    return [*names, "rest"]


def account_cells(account: Account, columns: Sequence[str]) -> list[str]:
    """An account in these columns, as shares of its cycles."""
    cycles = sum(account[name] for name in ACCOUNT)
    if not cycles:
        return ["-"] * len(columns)
    counts = [account[name] for name in columns[:-1]]
    return [f"{count / cycles:.1%}" for count in (*counts, cycles - sum(counts))]


def common(
    result: Result, layers: list[dict[str, Any]], n: int, title: str, sim: str, seed: int, repeat: str
) -> dict[str, Any]:
    """The keys that every summary of a job has. n: of the array."""
    images = result.images
    counters = {name: count / images for name, count in result.counters.items()}
    return {
        "title": title,
        "n": n,
        "images": images,
        "layers": layers,
        "bursts": result.bursts,
        "mismatches": result.mismatches,
        "cycles": result.cycles / images,
        "account": {name: counters[name] for name in ACCOUNT},
        "counters": counters,
        "seed": seed,
        "simulator": sim,
        "repeat": repeat,
    }


def write_summary(path: Path, summary: Mapping[str, Any]) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(summary, indent=1))
    os.replace(draft, path)


def print_first_mismatch(result: Result, folder: Path, repeat: str) -> None:
    """The first mismatch, and how to see just its tile again. folder: where this run's summary goes; repeat:
    the command that repeats the whole run."""
    again = tile.keep(result.folder, folder, repeat) if result.folder else ""
    if result.first_mismatch:
        print(f"the first mismatch:\n{result.first_mismatch}")
    if again:
        print(f"that tile alone, with waves: {again}")


def draw(folder: Path, summary: Mapping[str, Any], result: Result) -> None:
    """Pictures and page of a run beside its summary, and where they are."""
    path = pictures.write(folder, summary, result.activity)
    print(f"pictures: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}")


def print_table(
    title: str,
    words: Sequence[str],
    numbers: Sequence[str],
    rows: Sequence[Sequence[str]],
    total: Sequence[str],
) -> None:
    """words, numbers: the columns, left and right aligned; every row has them all; total: the last row."""
    table = Table(title=title)
    for name in words:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*row)
    table.add_section()
    table.add_row(*total)
    Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH).print(table)
