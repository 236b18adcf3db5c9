"""Random LOAD commands, as weights and constraints."""

from __future__ import annotations

import random
from typing import Any

from constrainedrandom import RandObj

from models.isa import PAGE, Config, Dest, Load

SPACE = 1 << 32
PADDING = {0: 2, 1: 1, range(2, 5): 1}
FLAG = {False: 1, True: 1}
# Field of the command -> value or range of values -> weight.
WEIGHTS: dict[str, dict[Any, int]] = {
    "dest": {int(dest): 1 for dest in Dest},
    "buffer": {0: 1, range(1 << 16): 1, range((1 << 16) - 40, 1 << 16): 1},
    "count_x": {1: 2, 2: 1, range(1, 7): 1},
    "count_y": {1: 2, 2: 1, range(1, 6): 1},
    "pad_top": PADDING,
    "pad_bottom": PADDING,
    "pad_left": PADDING,
    "pad_right": PADDING,
    "pad_value": {-128: 1, 0: 1, 127: 1, range(-128, 128): 2},
    "wait_compute": FLAG,
    "wait_store": FLAG,
    "signal_compute": FLAG,
    "stamp": FLAG,
    "layer": {range(1 << 16): 1},
}


def run_weights(longest: int) -> dict[Any, int]:
    """Words of a run: around one and two bursts of MAX_BURST."""
    near = (1, 2, longest - 1, longest, longest + 1, 2 * longest, 2 * longest + 1)
    return {run: 1 for run in near if run > 0} | {range(1, 41): 2}


def address_of(rng: random.Random, n: int, run: int) -> int:
    """Of the first word: most runs end at a 4 KiB boundary or cross it."""
    if rng.random() < 0.4:
        return rng.randrange(SPACE // n) * n
    return (rng.randrange(SPACE // PAGE) * PAGE - n * rng.randint(0, min(run, PAGE // n - 1))) % SPACE


def stride_of(rng: random.Random, n: int, run: int) -> int:
    """From one run to the next: onto itself, next to it, over it, far away, down."""
    words = rng.choice((0, run, run, rng.randint(1, 3 * run), -run, -rng.randint(1, 64), PAGE // n))
    return words * n % SPACE


class Commands:
    """Draws commands of at most `words` words of data, padding not counted."""

    def __init__(self, rng: random.Random, config: Config, words: int = 120) -> None:
        draws = self.draws = RandObj(rng)
        longest, n = config.max_burst, config.n
        draws.add_rand_var("run", domain=run_weights(longest), constraints=(lambda run: run <= words,))
        for name, weights in WEIGHTS.items():
            draws.add_rand_var(name, domain=weights)
        for name, derive in {"address": address_of, "stride_x": stride_of, "stride_y": stride_of}.items():
            draws.add_rand_var(name, fn=derive, args=(rng, n), rand_var_args=("run",))
        draws.add_constraint(lambda run, x, y: run * x * y <= words, ("run", "count_x", "count_y"))

    def draw(self, **fixed: Any) -> Load:
        """A command; `fixed` fields are taken as they are."""
        self.draws.randomize(with_values=fixed)
        return Load(**self.draws.get_results())
