"""How far a simulation is: a bar on a terminal, some plain lines elsewhere.

`NetworkProgress` reads the log of tb/hdl/unit_log.v while the simulator writes it: the simulator does nothing
for it, and Python is not woken.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tb.chip.activity import UNIT_RECORD

STEPS = 10  # plain lines of a long run
QUIET = 2.0  # seconds at least between two of them
STAMPS = 256  # layer numbers in the log are modulo this


class NetworkProgress:
    """Layer, cycles, speed and time left of a network's programs.

    path: the log. names, estimates: of the layers, and the cycles that the compiler expects of each. Layers
    that are done count with what they took, the others with their estimate.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        estimates: Sequence[int],
        images: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.names, self.images, self.clock = path, names, images, clock
        # left[k]: cycles that the layers from k on are expected to take
        self.left = [*np.cumsum(estimates[::-1])[::-1].tolist(), 0]
        self.offset = self.image = self.before = self.cycle = self.layer = self.layer_start = 0
        self.start: float | None = None
        self.first = 0  # cycles that were done at the start
        self.shown, self.said = 0, 0.0
        self.bar: tqdm | None = None

    def update(self) -> None:
        """Read what is new in the log, and show it."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self.offset)
            raw = file.read()
        records = np.frombuffer(raw[: len(raw) // UNIT_RECORD.itemsize * UNIT_RECORD.itemsize], UNIT_RECORD)
        if not len(records):
            return
        self.offset += records.nbytes
        for cycle, layers in zip(records["cycles"].tolist(), records["layers"].tolist(), strict=True):
            self._take(cycle, layers)
        if self.start is None:
            self.start, self.first = self.clock(), self.cycles
            self.said = self.start
        self._show()

    def _take(self, cycle: int, layers: int) -> None:
        if cycle < self.cycle:
            self.image += 1
            self.before += self.cycle
            self.layer = self.layer_start = 0
        done = self.layer + (layers - self.layer) % STAMPS
        if done > self.layer:
            self.layer, self.layer_start = min(done, len(self.names)), cycle
        self.cycle = cycle

    @property
    def cycles(self) -> int:
        """Done, of all images."""
        return self.before + self.cycle

    @property
    def total(self) -> int:
        """Expected, of all images."""
        rest = self.left[self.layer] - min(self.cycle - self.layer_start, self.left[self.layer])
        image = self.before / self.image if self.image else self.cycle + rest
        return round(self.cycles + rest + (self.images - self.image - 1) * image)

    @property
    def where(self) -> str:
        """Image and layer."""
        parts = [f"image {self.image + 1} of {self.images}"] if self.images > 1 else []
        parts += [self.names[self.layer]] if self.layer < len(self.names) else []
        return ", ".join(parts) or "the end"

    def _show(self) -> None:
        assert self.start is not None
        total, now = self.total, self.clock()
        if sys.stderr.isatty():
            if self.bar is None:
                self.bar = tqdm(total=total, initial=self.first, unit=" cycles", unit_scale=True, leave=False)
            self.bar.total = total
            self.bar.set_description(self.where, refresh=False)
            self.bar.update(self.cycles - self.bar.n)
            return
        step = self.cycles * STEPS // max(total, 1)
        if step <= self.shown or step >= STEPS or now - self.said < QUIET:
            return
        speed = (self.cycles - self.first) / (now - self.start)
        left = (total - self.cycles) / speed if speed else 0.0
        print(
            f"  {self.where}: {self.cycles:,} of about {total:,} cycles, {speed / 1e3:,.0f} kHz, "
            f"about {left:.0f} s left",
            flush=True,
        )
        self.shown, self.said = step, now

    def close(self) -> None:
        """Remove the bar."""
        if self.bar is not None:
            self.bar.close()
