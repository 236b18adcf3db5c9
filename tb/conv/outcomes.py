"""What a command met, for the coverage model; sampled when the last of its sums has been right."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.blocks import conv_reads, window_reads
from models.config import Config
from models.isa import Conv
from tb.common.compute import BUFFER_WORDS
from tb.common.cover import Hits

Sums = NDArray[np.int32]


def counted(count: int) -> str:
    return {1: "one", 2: "two"}.get(count, "more")


class Outcomes:
    """Remembers commands until their sums have been seen."""

    def __init__(self, cover: Hits, config: Config) -> None:
        self.cover, self.config = cover, config
        self.flush()

    def flush(self) -> None:
        """Reset: what is under way will not be seen."""
        self.parts: list[tuple[Conv, Sums]] = []  # of the sum that is being added up
        self.under_way: deque[tuple[int, list[tuple[Conv, Sums]]]] = deque()  # sums to come, commands

    def accepted(self, command: Conv, sums: Sums) -> None:
        """sums: int32 [groups, pixels, n], of this command alone."""
        self.parts.append((command, sums))
        if command.drain:
            self.under_way.append((command.groups * command.pixels, self.parts))
            self.parts = []

    def sum_seen(self, _: Any) -> None:
        """A sum that was expected."""
        left, parts = self.under_way.popleft()
        if left > 1:
            self.under_way.appendleft((left - 1, parts))
            return
        for number, (command, sums) in enumerate(parts):
            self._sample(command, sums)
            place = (command.clear, command.drain)
            names = {(1, 1): "whole", (1, 0): "first", (0, 0): "middle", (0, 1): "last"}
            self.cover.sample(kind=command.window, part=names[place])
            if number:
                self.cover.sample(before=parts[number - 1][0].window, kind=command.window)

    def _sample(self, command: Conv, sums: Sums) -> None:
        cover, kind = self.cover, command.window
        last = command.pixels % command.tile
        sizes = {1: "one_pixel", self.config.acc_depth: "bank"}
        cover.sample(
            kind=kind,
            tile=sizes.get(command.tile, "part"),
            tiles=counted(-(-command.pixels // command.tile)),
            last_tile="short" if last else "whole",
        )
        if command.pixels > command.tile and command.out_w > 1:
            cover.sample(kind=kind, cut="in_row" if command.tile % command.out_w else "row_end")
        cover.sample(kind=kind, groups=counted(command.groups))
        tokens = {name: getattr(command, name) for name in ("wait_store", "signal_store", "stamp")}
        cover.sample(signal_load=command.signal_load, **(tokens if command.drain else {}))
        words = self.config.n * command.weight_blocks * command.groups
        cover.sample(wgt_wrap=command.wgt_base + words > BUFFER_WORDS)
        if kind:
            self._window(command)
        else:
            self._passes(command)
        products = command.kw * command.kh if kind else command.weight_blocks * self.config.n
        for name, product in {"highest": 128 * 128, "lowest": -128 * 127}.items():
            cover.sample(int(np.count_nonzero(sums == products * product)), kind=kind, extreme=name)

    def _passes(self, command: Conv) -> None:
        kernels = {(1, 1): "1x1", (3, 3): "3x3", (7, 7): "7x7"}
        line = "row" if command.kh == 1 else "column" if command.kw == 1 else "other"
        steps = {command.cb: "1", 2 * command.cb: "2"}
        self.cover.sample(
            kernel=kernels.get((command.kh, command.kw), line),
            stride="one_column" if command.out_w == 1 else steps.get(command.x_step, "far"),
            dilation="one_tap" if command.kw == 1 else steps.get(command.kx_step, "far"),
        )
        self.cover.sample(blocks=counted(command.cb))
        self._act_wrap(command, conv_reads(command, self.config))

    def _window(self, command: Conv) -> None:
        rows, columns = self.config.window
        kernels = {(1, 2): "smallest", (rows, columns): "largest"}
        kernel = kernels.get((command.kh, command.kw), "row" if command.kh == 1 else "inside")
        self.cover.sample(window=f"{rows}x{columns}", window_kernel=kernel)
        steps = {1: "1", 2: "2"}
        self.cover.sample(
            window_kernel=kernel,
            x_stride="one_column" if command.out_w == 1 else steps.get(command.x_stride, "more"),
            y_stride="one_row" if command.out_h == 1 else steps.get(command.y_stride, "more"),
        )
        ends = {2: "two", self.config.line_words: "line"}
        self.cover.sample(row=ends.get(command.in_w, "some"))
        self._act_wrap(command, window_reads(command, self.config))

    def _act_wrap(self, command: Conv, words: NDArray[np.int64]) -> None:
        """The first word is the lowest address, unless the others went round."""
        self.cover.sample(act_wrap=bool((words < command.act_base).any()))
