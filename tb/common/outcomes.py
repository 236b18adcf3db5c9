"""What coverage of several blocks samples alike."""

from __future__ import annotations

from collections import deque
from typing import Any

from tb.agents.scoreboard import Scoreboard

SIDES = {(0, 0): "none", (1, 0): "first", (0, 1): "second", (1, 1): "both"}


def which(first: object, second: object, names: tuple[str, str]) -> str:
    """none, one of the two names, or both."""
    return {"first": names[0], "second": names[1]}.get(found := SIDES[bool(first), bool(second)], found)


class Awaited:
    """Samples that count once a scoreboard has compared what they depend on."""

    def __init__(self, scoreboard: Scoreboard, sample: Any) -> None:
        self.scoreboard = scoreboard
        self.sample = sample
        self.waiting: deque[tuple[int, dict[str, Any]]] = deque()

    def add(self, **values: Any) -> None:
        """Sample these when everything that the scoreboard expects so far was seen."""
        self.waiting.append((self.scoreboard.compared + self.scoreboard.pending, values))

    def settle(self) -> None:
        """Sample what was seen by now."""
        while self.waiting and self.scoreboard.compared >= self.waiting[0][0]:
            self.sample(**self.waiting.popleft()[1])
