"""Which files a run of some blocks has to cover."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from coverage.items import block_of
from scripts.tools import ROOT
from tb.build import sources
from tb.runner import bench_of


def contained(blocks: Sequence[str]) -> dict[str, set[str]]:
    """Block -> the files that its bench is made of, relative to the repository."""
    return {block: {str(file.relative_to(ROOT)) for file in sources(bench_of(block)[1])} for block in blocks}


def split(
    files: Sequence[str], asked: Collection[str], benches: Mapping[str, Collection[str]]
) -> tuple[list[str], list[str], list[str]]:
    """Of the asked blocks' own files: those to cover now, those that only benches of other blocks contain,
    and a sentence for each that no bench at all contains. benches: every block, and its bench's files.

    When all blocks are asked there are no others: every file is to cover, or is a problem.
    """
    mine = [file for file in files if block_of(file, [*benches]) in asked]
    here = {file for block in asked for file in benches[block]}
    anywhere = {file for found in benches.values() for file in found}
    problems = [f"{file}: no block's bench contains it" for file in mine if file not in anywhere]
    elsewhere = [file for file in mine if file in anywhere - here]
    return [file for file in mine if file not in elsewhere], elsewhere, problems
