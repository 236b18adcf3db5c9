"""What is left open, short enough to read: the bits of a signal in one line, not one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from coverage.items import KINDS, Item

_BIT = re.compile(r"(?P<signal>.*?)(?:\[(?P<bit>\d+)\])?:(?P<edge>\d->\d)")
LONGEST = 140  # characters of an expression's term


def ranges(numbers: Iterable[int]) -> str:
    """7, 5, 4, 3 as "7,5:3"."""
    parts: list[list[int]] = []
    for n in sorted(set(numbers), reverse=True):
        if parts and parts[-1][-1] == n + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ",".join(f"{p[0]}:{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def toggles(items: Iterable[Item]) -> list[str]:
    """Bits that did not toggle, a line per signal and edge: `addr[31:16] 0->1`."""
    bits: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    edges: dict[tuple[str, int], list[str]] = {}
    for item in items:
        found = _BIT.fullmatch(item.text)
        signal, bit, edge = (found["signal"], found["bit"], found["edge"]) if found else (item.text, None, "")
        edges.setdefault((signal, -1 if bit is None else int(bit)), []).append(edge)
    for (signal, bit), which in edges.items():
        bits.setdefault((signal, tuple(sorted(which))), []).append(bit)
    return [
        signal + ("" if numbers == [-1] else f"[{ranges(numbers)}]") + f" {' '.join(which)}"
        for (signal, which), numbers in bits.items()
    ]


def of_file(items: Iterable[Item]) -> list[str]:
    """The holes of one file, a line each: where, what kind, what."""
    left = [item for item in items if item.open]
    found = []
    for line in sorted({item.line for item in left}):
        here = [item for item in left if item.line == line]
        for kind in KINDS:
            mine = [item for item in here if item.kind == kind]
            if not mine:
                continue
            if kind == "toggle":
                texts = toggles(mine)
            else:
                texts = [item.text or item.source for item in mine]
            shown = [text if len(text) <= LONGEST else text[:LONGEST] + " ..." for text in texts]
            if kind == "branch":
                shown = [f"{text}  | {mine[0].source}" for text in shown]
            found += [f"{line}: {kind}: {text}" for text in shown]
    return found
