"""What a command met, for the coverage model; sampled when the last of its results has been right."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from models.blocks import pool_reads
from models.config import Config
from models.isa import Pool, PoolKind
from tb.common.compute import BUFFER_WORDS, Image
from tb.common.cover import Hits


class Outcomes:
    """Remembers commands until their results have been seen."""

    def __init__(self, cover: Hits, config: Config, words: Image) -> None:
        self.cover, self.config, self.words = cover, config, words
        self.under_way: deque[tuple[int, Pool]] = deque()  # results to come, command

    def flush(self) -> None:
        """Reset: what is under way will not be seen."""
        self.under_way.clear()

    def accepted(self, command: Pool) -> None:
        """A command begins."""
        self.under_way.append((command.cb * command.pixels, command))

    def result_seen(self, _: Any) -> None:
        """A result that was expected."""
        left, command = self.under_way.popleft()
        if left > 1:
            self.under_way.appendleft((left - 1, command))
        else:
            self._command(command)
            self._windows(command)

    def _command(self, command: Pool) -> None:
        cover, kw, kh = self.cover, command.kw, command.kh
        line = "row" if kh == 1 else "column" if kw == 1 else "square" if kw == kh else "other"
        cover.sample(
            window="1x1" if kw * kh == 1 else line,
            x_step="one_column" if command.out_w == 1 else _step(command.x_stride, kw),
            y_step="one_row" if command.out_h == 1 else _step(command.y_stride, kh),
        )
        width, height = (
            (command.out_w - 1) * command.x_stride + kw,
            (command.out_h - 1) * command.y_stride + kh,
        )
        cover.sample(
            cut_x=_cut(command.x_lo, command.x_hi, width, ("left", "right")),
            cut_y=_cut(command.y_lo, command.y_hi, height, ("top", "bottom")),
        )
        cover.sample(kind=command.kind, taps=kw * kh)
        cover.sample(blocks={1: "one", 2: "two"}.get(command.cb, "more"))
        cover.sample(
            **{
                name: getattr(command, name)
                for name in ("signal_load", "wait_store", "signal_store", "stamp")
            }
        )

    def _windows(self, command: Pool) -> None:
        cover, kind = self.cover, command.kind
        addresses, inside = pool_reads(command, self.config)
        # The first word is the lowest address, unless the others went round.
        cover.sample(wrap=bool((addresses % BUFFER_WORDS < command.act_base).any()))
        counts = inside.sum(axis=1)
        for name, found in {"none": 0, "all": inside.shape[1]}.items():
            cover.sample(int(np.count_nonzero(counts == found)), kind=kind, inside=name)
        part = (counts > 0) & (counts < inside.shape[1])
        cover.sample(int(np.count_nonzero(part)), kind=kind, inside="part")
        x = self.words.view(np.int8)[addresses].astype(np.int64)
        total = np.where(inside[None, :, :, None], x, 0).sum(axis=2)
        taps = counts[None, :, None]
        for name, value in {"lowest": -128, "highest": 127}.items():
            cover.sample(int(np.sum((total == value * taps) & (taps > 1))), kind=kind, extreme=name)
        if kind == PoolKind.AVERAGE:
            tie = (taps > 0) & (2 * (np.abs(total) % np.maximum(taps, 1)) == taps)
            cover.sample(int(np.sum(tie & (total > 0))), tie="up")
            cover.sample(int(np.sum(tie & (total < 0))), tie="down")


def _step(stride: int, taps: int) -> str:
    """stride: coordinates from window to window, of `taps` each."""
    return "overlap" if stride < taps else "touch" if stride == taps else "gap"


def _cut(low: int, high: int, size: int, sides: tuple[str, str]) -> str:
    """Which sides of [0, size) do not count when [low, high) does."""
    if low >= min(high, size):
        return "all"
    return {(0, 0): "none", (1, 0): sides[0], (0, 1): sides[1], (1, 1): "both"}[low > 0, high < size]
