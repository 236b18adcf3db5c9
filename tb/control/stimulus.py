"""How often things happen to control, as weights: a profile holds for some hundred cycles."""

from __future__ import annotations

import random
from typing import Any

from tb.common.draws import Draws, Weights
from tb.control.env import SOURCES

# Input -> probability in a cycle -> weight.
WEIGHTS: dict[str, Weights] = {
    "start": {0.2: 1, 1.0: 1},
    "stop": {0.0: 1, 0.02: 1, 0.3: 1},
    "ended": {0.1: 1, 0.9: 1},
    "idle": {0.1: 1, 0.9: 1},
    "quiet": {0.2: 1, 0.9: 1},
    "progress": {0.05: 1, 0.5: 1},
    "error": {0.0: 1, 0.02: 1, 0.2: 1},
    "limit": {0: 1, 1: 1, 3: 1, range(2, 31): 1},
}


class Profiles:
    """Probabilities of the inputs, and the watchdog's limit."""

    def __init__(self, rng: random.Random) -> None:
        self.draws = Draws(rng, WEIGHTS)

    def draw(self) -> tuple[dict[str, float], int]:
        """(input -> probability, limit in cycles). Errors of all sources are equally likely."""
        drawn: dict[str, Any] = self.draws.draw()
        limit, error = drawn.pop("limit"), drawn.pop("error")
        return drawn | {f"{source}_err_valid": error for source in SOURCES}, limit
