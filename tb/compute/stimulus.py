"""Random work for compute, as weights: commands, and how fast tokens come and units work."""

from __future__ import annotations

import random
from typing import Any

from models.isa import Opcode
from tb.common.draws import Draws, Weights, flags

WAIT_LOAD = 1 << 8  # in a command's first word
NUMBER_BITS = 16  # of a command, above its 512 bits
BITS = 512 + NUMBER_BITS

# What compute looks at in a command.
COMMAND: dict[str, Weights] = {"opcode": {Opcode.CONV: 1, Opcode.POOL: 1}, **flags("wait_load")}
# How a test finds the world: it holds for all of its commands.
SURROUNDINGS: dict[str, Weights] = {
    "token_gap": {0.1: 1, 0.5: 1, 0.9: 1},  # probability that no token comes in a cycle
    "conv_busy": {1: 1, 5: 1, 20: 1},  # cycles on a command, at most
    "pool_busy": {1: 1, 5: 1, 20: 1},
    "pool_depth": {1: 1, 2: 1},  # commands that pool takes at a time
}


class Commands:
    """An opcode and a token to wait for; what compute only passes on, or leaves behind, is noise."""

    def __init__(self, rng: random.Random) -> None:
        self.draws = Draws(rng, COMMAND, {"passed_on": (lambda: rng.getrandbits(BITS), ())})

    def draw(self, **fixed: Any) -> int:
        """A command as it lies on the pins; `fixed` fields are taken as they are."""
        drawn = self.draws.draw(**fixed)
        noise = drawn["passed_on"] & ~0xFF & ~WAIT_LOAD
        return noise | drawn["opcode"] | WAIT_LOAD * drawn["wait_load"]


def surroundings(rng: random.Random) -> dict[str, Any]:
    """See SURROUNDINGS."""
    return Draws(rng, SURROUNDINGS).draw()
