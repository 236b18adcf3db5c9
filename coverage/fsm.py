"""State machines: which states and transitions the source has, and how often each was taken.

Verilator 5.048 has --coverage-fsm, but it finds no machine whose states are localparams, and together with
--coverage-line it ends with an internal error. So they are read from the source, in the one form that the
project writes: `case (state)`, an arm `S_X:` per state, assignments of `S_Y` or `c ? S_Y : S_Z`. Nothing is
measured twice: an arm is a line point of Verilator's and runs once a cycle in its state; the block in which
the assignment stands is a branch point and runs once a transition. From which state a reset came is not in
these points: that is functional coverage (`reset` in the blocks' models).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from coverage.dat import Counts, Point
from scripts.tools import UserError

_ARM = re.compile(r"^\s*(S_\w+|default)\s*:")
_TARGETS = re.compile(r"(?:[^?:]*\?\s*(S_\w+)\s*:\s*)?(S_\w+)")
_FROM_RESET = "reset"


class Step(NamedTuple):
    """A state (`name` S_X) or a transition (S_X -> S_Y), and how often it was there. line: in the source."""

    line: int
    name: str
    hits: int


def _assignments(register: str, text: str, first: int) -> Iterator[tuple[int, int, int, list[str]]]:
    """Line, first and last column (from 1) and the one or two targets of every assignment to the register."""
    for number, line in enumerate(text.splitlines(), start=first):
        code = line.partition("//")[0]
        for found in re.finditer(rf"\b{register}\s*<=\s*([^;]*);", code):
            targets = _TARGETS.fullmatch(found[1].strip())
            if not targets:
                raise UserError(
                    f"line {number}: `{found[0]}`: a state register is given S_X or c ? S_X : S_Y, "
                    "or its transitions cannot be counted"
                )
            yield number, found.start() + 1, found.end(), [name for name in targets.groups() if name]


def _point_at(points: list[Point], line: int, column: int) -> Point | None:
    """The innermost block that the code at this place runs with."""
    around = [p for p in points if line in p.covers() and (p.line, p.column) <= (line, column)]
    inner = max(around, key=lambda p: (p.line, p.column), default=None)
    # Verilator puts the point of an else one column behind that of its if, wherever the else stands.
    if inner and any((p.line, p.column + 1) == (inner.line, inner.column) for p in around):
        raise UserError(f"line {line}: `if` and `else` with an assignment each need a line each")
    return inner


def steps(source: str, counts: Counts) -> list[Step]:
    """States and transitions of a file. counts: the points of that file alone.

    Raises UserError for a machine in another form than the one above.
    """
    states = re.findall(r"^\s*localparam[^=;]*\b(S_\w+)\s*=", source, re.M)
    widths = re.findall(r"^\s*localparam\s*\[(\d+):0\]\s*S_\w+\s*=", source, re.M)
    lines = source.splitlines()
    cases = [
        (n, found[1])
        for n, line in enumerate(lines, start=1)
        if (found := re.search(r"\bcase \((\w*state)\)", line))
    ]
    if bool(states) != bool(cases):
        raise UserError("a state machine needs both localparams S_* and a `case (state)`")
    named = {found[1] for line in lines if (found := _ARM.match(line))}
    missing = [state for state in states if state not in named]
    # Where the states fill the register, default is an arm of the one that has none.
    full = bool(widths) and len(states) == 2 ** (int(widths[0]) + 1)
    if len(missing) > (1 if full and len(cases) == 1 else 0):
        raise UserError(f"states without an arm in the case: {', '.join(missing)}")
    rest = missing[0] if missing else None
    return [step for n, register in cases for step in _machine(lines, n, register, rest, counts)]


def _machine(lines: list[str], start: int, register: str, rest: str | None, counts: Counts) -> Iterator[Step]:
    blocks = [p for p in counts if p.kind in ("line", "branch") and p.lines]
    end = next(n for n in range(start, len(lines) + 1) if re.match(r"\s*endcase\b", lines[n - 1]))
    arms = [(n, found[1]) for n in range(start, end) if (found := _ARM.match(lines[n - 1]))]
    bounds = [n for n, _ in arms] + [end]
    for (line, label), after in zip(arms, bounds[1:], strict=True):
        state = rest if label == "default" else label
        if state is None:  # an encoding that no state has
            continue
        column = lines[line - 1].index(label) + 1
        arm = next((p for p in blocks if p.line == line and p.text == "case"), None)
        yield Step(line, state, counts[arm] if arm else 0)
        body = " " * column + lines[line - 1][column:]
        text = "\n".join([body, *lines[line : after - 1]])
        yield from _transitions(register, text, line, state, blocks, counts)
    yield from _transitions(register, "\n".join(lines[: start - 1]), 1, _FROM_RESET, blocks, counts)


def _transitions(
    register: str, text: str, first: int, state: str, blocks: list[Point], counts: Counts
) -> Iterator[Step]:
    for line, start, end, targets in _assignments(register, text, first):
        if len(targets) == 1:
            points = [_point_at(blocks, line, start)]
        else:
            sides = [p for p in blocks if p.line == line and start <= p.column <= end]
            points = [next((p for p in sides if p.text == side), None) for side in ("cond_then", "cond_else")]
        for target, point in zip(targets, points, strict=True):
            yield Step(line, f"{state} -> {target}", counts[point] if point else 0)
