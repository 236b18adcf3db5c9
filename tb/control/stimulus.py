"""What happens to control, as weights: how often, for some hundred cycles, and what an error says."""

from __future__ import annotations

import random
from typing import Any

from models.isa import Cause
from tb.common.draws import ANY16, Draws, Weights, flags

SOURCES = ("fetch", "load", "store")
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


ADDRESS: Weights = {0: 1, 0xFFFF_FFFF: 1, range(1 << 32): 8}
PLACE: dict[str, Weights] = {"addr": ADDRESS, "cmd": ANY16}
# A window that the core has refused comes without an answer of the bus: the other flag is noise then.
DMA: dict[str, Weights] = {**PLACE, **flags("decerr", "window")}
FETCH_CAUSES = (*range(Cause.BAD_OPCODE, Cause.READ_DECERR + 1), Cause.READ_WINDOW)
# Source -> field of its report -> weights.
REPORTS: dict[str, dict[str, Weights]] = {
    "fetch": {**PLACE, "cause": dict.fromkeys(map(int, FETCH_CAUSES), 1)},
    "load": DMA,
    "store": DMA,
}
# Bits of what comes with an error, or tells what the core waits for.
PAYLOAD = {
    **{f"{source}_err_{name}": bits for source in SOURCES for name, bits in (("addr", 32), ("cmd", 16))},
    "fetch_err_cause": 4,
    **{f"{source}_err_{name}": 1 for source in ("load", "store") for name in ("decerr", "window")},
    "waits": 32,
    "waits_cmd": 16,
}


class Reports:
    """The payload of a cycle: legal with its valid, noise without."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.draws = {source: Draws(rng, weights) for source, weights in REPORTS.items()}

    def draw(self, raised: list[str]) -> dict[str, int]:
        """Input -> value. raised: sources whose error is valid."""
        payload = {name: self.rng.getrandbits(bits) for name, bits in PAYLOAD.items()}
        for source in raised:
            payload |= {f"{source}_err_{name}": int(v) for name, v in self.draws[source].draw().items()}
        return payload
