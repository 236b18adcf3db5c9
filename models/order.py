"""What happens before what: the order that tokens and engines guarantee, and nothing more.

Four things end in a fixed order each: loads, the buffer reads of compute, the output writes of compute
(post), and stores. A clock is a tuple of four counts: how many of each have certainly ended.
docs/architecture.md, "Engines and order", is the text; what it does not promise is not assumed here. In
particular:

- the next LOAD, CONV, POOL or STORE may start to read before the previous one has ended;
- compute's signal to load says that the activation and weight words are read, not that the parameters are:
  post may still use parameters and tables until its last output word is written.
"""

from __future__ import annotations

from collections.abc import Iterable

Clock = tuple[int, int, int, int]

LOADED, READ, WRITTEN, STORED = range(4)
ZERO: Clock = (0, 0, 0, 0)


def join(clocks: Iterable[Clock]) -> Clock:
    """The clock of an event that comes after all of these."""
    a, b, c, d = zip(*clocks, strict=True)
    return max(a), max(b), max(c), max(d)


class Order:
    """Clocks of a growing program. Commands are added engine by engine, each engine's in order.

    ends[k][i]: clock at the end of the i-th load, read, write or store (k: LOADED, READ, WRITTEN, STORED).
    """

    def __init__(self) -> None:
        self.ends: tuple[list[Clock], ...] = ([], [], [], [])
        self.load_start = ZERO
        self.read_start = ZERO
        self.store_start = ZERO

    def last(self, kind: int) -> Clock:
        """Clock at the end of the latest event of a kind."""
        return self.ends[kind][-1] if self.ends[kind] else ZERO

    def load(self, tokens: Iterable[Clock]) -> Clock:
        """Add a LOAD that takes these tokens. Returns the clock before its first read address."""
        self.load_start = join((self.load_start, *tokens))
        self._end(LOADED, self.load_start)
        return self.load_start

    def compute(self, load_tokens: Iterable[Clock], store_tokens: Iterable[Clock]) -> tuple[Clock, Clock]:
        """Add a CONV or POOL. Returns the clocks before its first buffer read and before its first write."""
        self.read_start = join((self.read_start, *load_tokens))
        self._end(READ, self.read_start)
        writes = join((self.last(WRITTEN), self.read_start, *store_tokens))
        self._end(WRITTEN, join((writes, self.last(READ))))
        return self.read_start, writes

    def store(self, tokens: Iterable[Clock]) -> Clock:
        """Add a STORE. Returns the clock before its first read of the output buffer."""
        self.store_start = join((self.store_start, *tokens))
        self._end(STORED, self.store_start)
        return self.store_start

    def _end(self, kind: int, start: Clock) -> None:
        counts = list(join((self.last(kind), start)))
        counts[kind] = len(self.ends[kind]) + 1
        self.ends[kind].append((counts[0], counts[1], counts[2], counts[3]))
