"""Random cycles of the counters, as weights: which category a cycle belongs to, traffic, stamps."""

from __future__ import annotations

import functools
import random
from typing import Any

from tb.common.draws import Draws, Weights
from tb.counters.model import CONDITIONS, OTHERS, RULES, Pins

SOURCES = ("load", "post", "store")
# The condition without which a cycle is not of this category; fill needs none.
CAUSES = {
    "busy": "conv_reads",
    "pool": "pool_reads",
    "load": "load_missing",
    "weights": "weights_missing",
    "store": "room_missing",
    "token": "token_full",
    "drain": "drains",
}
ALL_TRAFFIC = (1 << len(OTHERS)) - 1
EVEN = dict.fromkeys(RULES, 1)
# How time goes by: in any category, almost always in the last or in the first, nothing at all.
PROFILES: dict[str, dict[str, Weights]] = {
    "any": {"category": EVEN, "traffic": {0: 1, ALL_TRAFFIC: 1, range(ALL_TRAFFIC + 1): 6}},
    "calm": {"category": {**EVEN, "fill": 100}, "traffic": {0: 9, range(ALL_TRAFFIC + 1): 1}},
    "busy": {"category": {**EVEN, "busy": 100}, "traffic": {ALL_TRAFFIC: 9, range(ALL_TRAFFIC + 1): 1}},
}
BESIDE: Weights = {0: 1, range(1 << len(CONDITIONS)): 9}  # other conditions, a bit each
LAYER: Weights = {0: 1, 255: 1, range(64): 1}  # few, so that the same one is stamped again and by others


@functools.cache
def conditions(category: str, beside: int) -> Pins:
    """The conditions of a cycle of this category; beside: bits of those that leave it in there."""
    pins = {name: beside >> k & 1 for k, name in enumerate(CONDITIONS)}
    if category in CAUSES:
        pins[CAUSES[category]] = 1
    if category == "load":
        pins |= {"units_idle": 1, "load_held": 0}
    for earlier, rule in RULES.items():
        if earlier == category:
            break
        if rule(pins):
            pins[CAUSES[earlier]] = 0
    return pins


@functools.cache
def traffic(bits: int) -> Pins:
    """What is counted beside the account, a bit each."""
    return {name: bits >> k & 1 for k, name in enumerate(OTHERS)}


class Inputs:
    """Of a cycle, by a profile."""

    def __init__(self, rng: random.Random, profile: str) -> None:
        self.draws = Draws(rng, {**PROFILES[profile], "beside": BESIDE})

    def draw(self) -> Pins:
        """Input -> value."""
        drawn = self.draws.draw()
        return conditions(drawn["category"], drawn["beside"]) | traffic(drawn["traffic"])


class Stamps:
    """Stamps that begin in a cycle.

    likely: probability of each source's; together: all of them or none.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.draws = Draws(
            rng,
            dict.fromkeys(SOURCES, LAYER),
            {"sources": (self.sources, ("likely", "together"))},
            given=("likely", "together"),
        )

    def sources(self, likely: float, together: bool) -> list[str]:
        """Whose."""
        common = self.rng.random()
        return [s for s in SOURCES if (common if together else self.rng.random()) < likely]

    def draw(self, **fixed: Any) -> dict[str, int]:
        """Source -> layer. fixed: likely and together, or sources."""
        drawn = self.draws.draw(**fixed)
        return {source: drawn[source] for source in drawn["sources"]}
