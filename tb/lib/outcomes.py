"""What to sample of the parts of lib: from their pins in every cycle, and of bursts that were compared."""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from models.blocks import window_bursts
from models.config import Config
from models.isa import PAGE, Load
from tb.common.cover import Hits

SPACE = 1 << 32


class Step(NamedTuple):
    """A burst of the walk."""

    addr: int
    beats: int
    last: int


def level_name(count: int, limit: int) -> str:
    return "empty" if count == 0 else "full" if count == limit else "some"


def stride_name(stride: int, words: int, n: int) -> str:
    """words: the distance at which one begins where the last has ended."""
    return {0: "none", words * n: "next"}.get(stride, "up" if stride < SPACE // 2 else "down")


class WalkOutcomes:
    """Samples a command and its bursts; `seen` comes behind the scoreboard, which raises if one is wrong."""

    def __init__(self, cover: Hits, config: Config) -> None:
        self.cover, self.config = cover, config
        self.commands: deque[deque[dict[str, str]]] = deque()

    def flush(self) -> None:
        """Reset: what has not come does not come."""
        self.commands.clear()

    def steps(self, command: Load) -> list[Step]:
        """The walk's model (models/blocks.py); what its bursts are is kept until they are seen."""
        addresses, beats = (column.tolist() for column in window_bursts(command, self.config))
        last = len(beats) - 1
        bursts: deque[dict[str, str]] = deque()
        left, runs_left = command.run, command.count_x
        for i, (address, count) in enumerate(zip(addresses, beats, strict=True)):
            left -= count
            runs_left -= not left
            behind = "command" if i == last else "nothing" if left else "run" if runs_left else "row"
            bursts.append(self.burst(address, count, left, behind))
            left, runs_left = left or command.run, runs_left or command.count_x
        n, row = self.config.n, command.run * command.count_x
        bursts[-1] |= {
            "rows": "one" if command.count_y == 1 else "more",
            "runs": "one" if command.count_x == 1 else "more",
            "cuts": "some" if len(beats) > command.count_x * command.count_y else "none",
            "stride_x": stride_name(command.stride_x, command.run, n),
            "stride_y": stride_name(command.stride_y, row, n),
        }
        self.commands.append(bursts)
        return [Step(a % SPACE, b, i == last) for i, (a, b) in enumerate(zip(addresses, beats, strict=True))]

    def burst(self, address: int, beats: int, left: int, behind: str) -> dict[str, str]:
        """left: words of its run behind it."""
        longest = beats == self.config.max_burst
        page = (address + beats * self.config.n) % PAGE == 0
        limit = "both" if longest and page else "max" if longest else "page" if page else ""
        if left:
            end = "max_at_page" if limit == "both" else limit
        else:
            end = f"run_at_{limit}" if limit else "run"
        return {
            "burst_end": end,
            "beats": "max" if longest else "one" if beats == 1 else "some",
            "behind": behind,
        }

    def seen(self, _: Any) -> None:
        """A burst that was expected."""
        self.cover.sample(**self.commands[0].popleft())
        if not self.commands[0]:
            self.commands.popleft()


class ReadOrder:
    """Whether the memory answers the two managers in the order in which they asked."""

    def __init__(self, cover: Hits) -> None:
        self.cover = cover
        self.asked: list[int] = []

    def flush(self) -> None:
        """Reset: nothing is under way."""
        self.asked.clear()

    def ask(self, manager: int) -> None:
        self.asked.append(manager)

    def ended(self, manager: int) -> None:
        """A burst's last beat. Only while the other manager has asked, too, is there an order."""
        if 1 - manager in self.asked:
            self.cover.sample(order="changed" if self.asked[0] != manager else "kept")
        self.asked.remove(manager)
