"""What need not be covered, and why: coverage/exclusions.hjson, the one place that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import hjson

from coverage.items import KINDS, NO_RESULT, Item, excluded
from scripts.tools import UserError

EXCLUSIONS = Path(__file__).with_name("exclusions.hjson")
_FIELDS = {"file", "kind", "source", "text", "reason"}


@dataclass(frozen=True)
class Exclusion:
    """Items that need not be covered: those of `kind` in `file` (a glob) that both patterns match whole.

    source: of their line of code, without indentation. text: of what is not covered there (Item.text).
    A module is its file. There is no line number: code moves.
    """

    file: str
    kind: str
    reason: str
    source: re.Pattern[str] | None
    text: re.Pattern[str] | None

    def matches(self, item: Item) -> bool:
        return (
            item.kind == self.kind
            and item.text != NO_RESULT
            and fnmatch(item.file, self.file)
            and (self.source is None or self.source.fullmatch(item.source) is not None)
            and (self.text is None or self.text.fullmatch(item.text) is not None)
        )

    def __str__(self) -> str:
        patterns = [f"{n}: {p.pattern}" for n, p in (("source", self.source), ("text", self.text)) if p]
        return f"{self.kind} in {self.file}, {', '.join(patterns)}"


def load(path: Path = EXCLUSIONS) -> list[Exclusion]:
    """The exclusions of a file. Raises UserError if one is not complete."""
    try:
        rows = hjson.loads(path.read_text())["exclusions"]
    except (hjson.HjsonDecodeError, KeyError) as error:
        raise UserError(f"{path}: expected hjson with a list `exclusions`: {error}") from None
    return [_one(path, number, row) for number, row in enumerate(rows, start=1)]


def _one(path: Path, number: int, row: Mapping[str, Any]) -> Exclusion:
    def wrong(what: str) -> UserError:
        return UserError(f"{path}: exclusion {number}: {what}")

    if unknown := row.keys() - _FIELDS:
        raise wrong(f"unknown field {', '.join(sorted(unknown))}")
    for name in ("file", "kind", "reason"):
        if not str(row.get(name, "")).strip():
            raise wrong(f"no {name}")
    if row["kind"] not in KINDS:
        raise wrong(f"kind is {row['kind']}, expected one of {', '.join(KINDS)}")
    if not ("source" in row or "text" in row):
        raise wrong("needs a pattern, source or text, of what it excludes")
    try:
        patterns = [re.compile(row[name]) if name in row else None for name in ("source", "text")]
    except re.error as error:
        raise wrong(f"expected a regular expression: {error}") from None
    return Exclusion(row["file"], row["kind"], " ".join(row["reason"].split()), *patterns)


def apply(
    items: Mapping[str, Sequence[Item]], exclusions: Sequence[Exclusion], whole: bool
) -> tuple[dict[str, list[Item]], list[str]]:
    """Items with their reasons, and what is wrong with the exclusions.

    An exclusion that matches nothing is wrong, and so is one that matches what was hit: it hides nothing, or
    more than it says. whole: all blocks have run; in part of them a point may be missing.
    """
    used = [0] * len(exclusions)
    problems = []
    result: dict[str, list[Item]] = {}
    for file, found in items.items():
        rules = [(n, rule) for n, rule in enumerate(exclusions) if fnmatch(file, rule.file)]
        result[file] = []
        for item in found:
            rule = next(((n, rule) for n, rule in rules if rule.matches(item)), None)
            if rule:
                used[rule[0]] += 1
                if item.hits:
                    what = item.text or item.source
                    problems.append(
                        f"excluded, but hit {item.hits} times: {file}:{item.line} {what} ({rule[1]})"
                    )
                else:
                    item = excluded(item, rule[1].reason)
            result[file].append(item)
    if whole:
        problems += [
            f"exclusion matches nothing: {rule}"
            for count, rule in zip(used, exclusions, strict=True)
            if not count
        ]
    return result, problems
