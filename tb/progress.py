"""How far a long job is: a bar on a terminal, about ten plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm


class Progress:
    """Of `total` pieces of `what`: `update` as they get done, `close` at the end."""

    def __init__(self, total: int, what: str) -> None:
        self.total, self.what, self.shown = total, what, 0
        self.start = time.monotonic()
        self.bar = tqdm(total=total, unit=what, disable=not sys.stderr.isatty(), leave=False)

    def update(self, done: int) -> None:
        """`done` of the total are done."""
        self.bar.update(done - self.bar.n)
        if self.bar.disable and done * 10 // self.total > self.shown * 10 // self.total:
            seconds = time.monotonic() - self.start
            print(f"  {done} of {self.total} {self.what}s, {seconds:.1f} s", flush=True)
            self.shown = done

    def say(self, text: str) -> None:
        """Print lines without tearing the bar."""
        if self.bar.disable:
            print(text, flush=True)
        else:
            self.bar.write(text)

    def close(self) -> None:
        """Remove the bar."""
        self.bar.close()
