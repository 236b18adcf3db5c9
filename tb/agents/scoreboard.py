"""In-order scoreboard: what the model expects against what the monitor saw."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_analysis_export, uvm_component

from tb.agents import transactions


class ScoreboardError(AssertionError):
    """What a scoreboard found. A twin test expects the subclass it provokes."""


class Mismatch(ScoreboardError):
    """An item differs from the expected one."""


class Missing(ScoreboardError):
    """Expected items were never seen."""


class Unexpected(ScoreboardError):
    """Items were seen that nobody expected."""


class Idle(ScoreboardError):
    """Too few items were compared: the bench did not exercise the block."""


class AnalysisSink(uvm_analysis_export):
    """Analysis export that hands every value to a function."""

    def __init__(self, name: str, parent: uvm_component, function: Callable[[Any], None]) -> None:
        super().__init__(name, parent)
        self.write = function


def fields(item: Any) -> dict[str, Any]:
    """Name and value of every field of a dataclass, named tuple, dict, sequence or plain value."""
    if dataclasses.is_dataclass(item) and not isinstance(item, type):
        return {f.name: getattr(item, f.name) for f in dataclasses.fields(item) if f.compare}
    if hasattr(item, "_asdict"):
        return dict(item._asdict())
    if isinstance(item, dict):
        return {str(key): value for key, value in item.items()}
    if isinstance(item, (list, tuple)):
        return {f"[{i}]": value for i, value in enumerate(item)}
    return {"value": item}


def _show(value: Any, at: int = 0) -> str:
    """A value in a cell; of long bytes the part around byte `at`."""
    if isinstance(value, (bytes, bytearray)):
        first = max(0, at - 4)
        dots = ("..." if first else "", "..." if len(value) > first + 16 else "")
        return f"{dots[0]}{value[first : first + 16].hex(' ')}{dots[1]}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 9:
        return f"{value} ({value:#x})"
    return str(value)


def _difference(a: Any, b: Any) -> tuple[int, str]:
    """Where two values start to differ (byte) and what to say about it."""
    if isinstance(a, (bytes, bytearray)) and isinstance(b, (bytes, bytearray)):
        pairs = enumerate(zip(a, b, strict=False))
        at = next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))
        return at, f"{len(a)} and {len(b)} bytes" if len(a) != len(b) else f"from byte {at}"
    if isinstance(a, int) and isinstance(b, int):
        return 0, f"xor {a ^ b:#x}"
    return 0, "differs"


def field_table(expected: Any, actual: Any) -> str:
    """A line per field: name, expected, actual, and a mark where they differ."""
    left, right = fields(expected), fields(actual)
    rows = [("field", "expected", "actual", "")]
    for name in list(left) + [name for name in right if name not in left]:
        a, b = left.get(name, "-"), right.get(name, "-")
        at, text = _difference(a, b) if a != b else (0, "")
        rows.append((name, _show(a, at), _show(b, at), f"<-- {text}" if text else ""))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return "\n".join(
        "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip() for row in rows
    )


class Scoreboard(uvm_component):
    """Compares items pairwise, in order.

    Connect a monitor's port to `actual`. Expected items come from `expect()`, or, with `model` given,
    from a monitor of the inputs connected to `stimulus`: `model(item)` returns the expected items
    (an iterable, possibly empty).

    The first difference raises Mismatch. The end of the test raises Missing, Unexpected, or, with fewer than
    `minimum` comparisons, Idle.
    """

    def __init__(
        self,
        name: str,
        parent: uvm_component,
        model: Callable[[Any], Iterable[Any]] | None = None,
        minimum: int = 1,
    ) -> None:
        super().__init__(name, parent)
        self.model = model
        self.minimum = minimum
        self.compared = 0
        self.actual = AnalysisSink("actual", self, self.observe)
        self.stimulus = AnalysisSink("stimulus", self, self._stimulate)
        self._expected: deque[Any] = deque()
        self._actual: deque[Any] = deque()

    def _stimulate(self, item: Any) -> None:
        if self.model is None:
            raise TypeError(f"{self.get_full_name()}: stimulus connected but no model given")
        for result in self.model(item):
            self.expect(result)

    def expect(self, item: Any) -> None:
        """Add the next item that must be seen."""
        self._expected.append(item)
        self._match()

    def observe(self, item: Any) -> None:
        """Add the next item that was seen; it may come before its expectation."""
        transactions.saw(self.get_full_name(), item)
        self._actual.append(item)
        self._match()

    def _match(self) -> None:
        while self._expected and self._actual:
            expected, actual = self._expected.popleft(), self._actual.popleft()
            if expected != actual:
                raise Mismatch(
                    f"{self.get_full_name()}: item {self.compared} differs\n{field_table(expected, actual)}"
                )
            self.compared += 1

    def flush(self) -> None:
        """Forget what is pending (reset); the count stays."""
        self._expected.clear()
        self._actual.clear()

    @property
    def pending(self) -> int:
        """Expected items not seen yet."""
        return len(self._expected)

    async def drained(self, clk: Any, patience: int = 2000) -> None:
        """Wait until nothing is expected; raises after `patience` cycles without a comparison."""
        edge = RisingEdge(clk)
        count, left = self.compared, patience
        while self._expected:
            await edge
            left -= 1
            if self.compared != count:
                count, left = self.compared, patience
            if left == 0:
                raise Missing(
                    f"{self.get_full_name()}: {self.pending} results missing, none for {patience} cycles "
                    f"(seen {self.compared}); next expected:\n{field_table(self._expected[0], '-')}"
                )

    def check_phase(self) -> None:
        """End of the test: everything expected was seen, nothing else was, and there was something."""
        if self._expected:
            raise Missing(
                f"{self.get_full_name()}: {self.pending} results missing after {self.compared}; "
                f"next expected:\n{field_table(self._expected[0], '-')}"
            )
        if self._actual:
            raise Unexpected(
                f"{self.get_full_name()}: {len(self._actual)} results nobody expected after {self.compared}; "
                f"first:\n{field_table('-', self._actual[0])}"
            )
        if self.compared < self.minimum:
            raise Idle(
                f"{self.get_full_name()}: compared {self.compared} items, expected at least {self.minimum}: "
                "the bench did not exercise the block"
            )
