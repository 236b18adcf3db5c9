"""What the jobs on the whole chip print and write: a table with a row per layer, and a summary file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tb.chip.job import LayerResult, Result

PLAIN_WIDTH = 150  # characters of a table that no terminal limits


def utilisation(macs: int, cycles: float, n: int) -> float:
    """Multiplications of the network over those that an n x n array could have made in these cycles."""
    return macs / (n * n * cycles) if cycles else 0.0


def layer_entry(layer: LayerResult, images: int, n: int) -> dict[str, Any]:
    """A layer in the summary: cycles are the mean of the images."""
    cycles = layer.cycles / images
    return {**asdict(layer), "cycles": cycles, "utilisation": utilisation(layer.macs, cycles, n)}


def common(result: Result, layers: list[dict[str, Any]], sim: str, seed: int, repeat: str) -> dict[str, Any]:
    """The keys that every summary of a job has."""
    images = result.images
    return {
        "images": images,
        "layers": layers,
        "bursts": result.bursts,
        "mismatches": result.mismatches,
        "cycles": result.cycles / images,
        "counters": {name: count / images for name, count in result.counters.items()},
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
