"""Random traffic on the registers, as weights."""

from __future__ import annotations

import random
from typing import Any

from tb.common.draws import Draws, Weights
from tb.csr.registers import ACCOUNTS, NAMED, STAMPS
from tb.registers.rdl import SPACE

WEIGHTS: dict[str, Weights] = {
    "action": {"event": 1, "inputs": 1, "write": 4, "read": 4},
    "unaligned": {0: 3, range(1, 4): 1},
    "strobe": {0xF: 2, range(16): 1},
    "busy": {0: 1, 1: 1},
    "events": {(0, 1): 1, (1, 0): 1, (1, 1): 1},  # done, error
}


class Actions:
    """What happens next: an access, an event, or other inputs."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.draws = Draws(rng, WEIGHTS, {"word": (self.word, ()), "data": (self.data, ())})

    def word(self) -> int:
        """Offset of a word: mostly of a register with a name, sometimes anything in the map."""
        rng, named = self.rng, tuple(NAMED)
        others = (rng.randrange(SPACE), rng.choice(STAMPS), rng.choice(ACCOUNTS))
        return rng.choice((*named, *named, *others)) & ~3

    def data(self) -> int:
        """All bits, none, one, any."""
        return self.rng.choice((0, 0xFFFF_FFFF, 1 << self.rng.randrange(32), self.rng.getrandbits(32)))

    def draw(self) -> dict[str, Any]:
        """action, addr, data, strobe, busy, events."""
        drawn = self.draws.draw()
        return drawn | {"addr": drawn["word"] + drawn["unaligned"]}
