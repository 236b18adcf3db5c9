"""Random bursts for the read arbiter, as weights."""

from __future__ import annotations

import random

from models.isa import PAGE
from tb.common.draws import Draws, Weights

PAGES = 1 << 20
LONGEST = 16  # beats; longer ones would only take longer


class Reads:
    """Bursts of words of `n` bytes that cross no page: anywhere in it, often at its end."""

    def __init__(self, rng: random.Random, n: int) -> None:
        self.rng, self.n = rng, n
        words = PAGE // n
        weights: dict[str, Weights] = {
            "page": {0: 1, PAGES - 1: 1, range(PAGES): 8},
            "word": {0: 2, words - 1: 1, range(words - LONGEST, words): 2, range(words): 5},
        }
        self.draws = Draws(rng, weights, {"beats": (self.beats, ("word",))})

    def beats(self, word: int) -> int:
        """As many as the page has room for, at most."""
        return self.rng.randint(1, min(LONGEST, PAGE // self.n - word))

    def draw(self) -> tuple[int, int]:
        """Address and AxLEN."""
        drawn = self.draws.draw()
        return drawn["page"] * PAGE + drawn["word"] * self.n, drawn["beats"] - 1
