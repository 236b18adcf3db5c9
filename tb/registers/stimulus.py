"""Random writes of registers, as weights."""

from __future__ import annotations

import random
from typing import NamedTuple

from tb.common.draws import Draws, Weights

WORD: Weights = {range(1 << 32): 1}
WEIGHTS: dict[str, Weights] = {
    "held": WORD,  # by the register before
    "data": {0: 1, 0xFFFF_FFFF: 1, range(1 << 32): 2},
    "strobe": {0xF: 10, 0: 1, range(16): 5},
}


class Write(NamedTuple):
    """What is written with which strobes over what."""

    held: int
    data: int
    strobe: int


class Writes:
    """See WEIGHTS."""

    def __init__(self, rng: random.Random) -> None:
        self.draws = Draws(rng, WEIGHTS)

    def draw(self) -> Write:
        """Anything."""
        return Write(**self.draws.draw())

    def every_bit(self) -> Write:
        """One that changes every bit."""
        data = self.draws.draw()["data"]
        return Write(~data & 0xFFFF_FFFF, data, 0xF)
