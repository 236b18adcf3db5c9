"""Reading pins once per clock cycle, with X told apart from 0."""

from __future__ import annotations

import random
from typing import Any

# Rising edges after which what an agent or a test waits for will never come: it must fail, not hang.
PATIENCE = 100_000


def to_int(handle: Any) -> int | None:
    """Unsigned value of a pin; None if any bit is X or Z.

    Benches read pins more than they do anything else; `handle.value` would make a LogicArray each time.
    """
    try:
        return int(handle._handle.get_signal_val_binstr(), 2)
    except ValueError:
        return None


class Handles:
    """A handle's children as attributes, looked up once: in cocotb that costs as much as reading them."""

    def __init__(self, parent: Any) -> None:
        self._parent = parent

    def __getattr__(self, name: str) -> Any:
        handle = getattr(self._parent, name)
        setattr(self, name, handle)
        return handle


class Stalls:
    """Whether to hold back, one answer per cycle.

    probability: fraction of cycles held back, 0..1 (1 is refused: nothing would ever move).
    burst: mean length in cycles of one hold; 1 makes cycles independent.
    rng: the source of all randomness, so that a seed repeats the run.
    """

    def __init__(self, rng: random.Random, probability: float = 0.0, burst: int = 1) -> None:
        if not 0.0 <= probability < 1.0 or burst < 1:
            raise ValueError(f"stalls: need 0 <= probability < 1 and burst >= 1, got {probability}, {burst}")
        self._rng = rng
        self._left = 0
        self._burst = burst
        # A hold of mean length b starts with this probability so that the fraction held is as asked.
        self._start = probability / (probability + burst * (1.0 - probability))
        if burst == 1:
            self._start = probability

    @classmethod
    def pick(cls, rng: random.Random) -> Stalls:
        """One of the profiles that find bugs: never, rarely, often, in long holds."""
        probability, burst = rng.choice(((0.0, 1), (0.1, 1), (0.5, 1), (0.8, 1), (0.5, 20), (0.9, 10)))
        return cls(rng, probability, burst)

    def __call__(self) -> bool:
        """True: hold back in this cycle."""
        if self._left:
            self._left -= 1
            return True
        if self._start and self._rng.random() < self._start:
            self._left = self._rng.randint(0, 2 * (self._burst - 1))
            return True
        return False
