"""Random cycles of a buffer's two ports, as weights."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from tb.common.draws import Draws, Weights, flags


class Cycle(NamedTuple):
    """The inputs of one cycle; an address and data without their enable are noise."""

    wr_en: int
    wr_addr: int
    wr_data: int
    rd_en: int
    rd_addr: int


WEIGHTS: dict[str, Weights] = {
    **flags("wr_en", "rd_en"),
    "near": {False: 3, True: 1},  # both ports on one word
}


class Cycles:
    """Cycles of a buffer of `depth` words of `width` bits."""

    def __init__(self, rng: random.Random, depth: int, width: int) -> None:
        self.draws = Draws(
            rng,
            {**WEIGHTS, "wr_addr": {range(depth): 1}},
            {
                "wr_data": (lambda: rng.getrandbits(width), ()),
                "rd_addr": (
                    lambda near, wr_addr: wr_addr if near else rng.randrange(depth),
                    ("near", "wr_addr"),
                ),
            },
        )

    def draw(self, **fixed: Any) -> Cycle:
        """A cycle; `fixed` fields, also `near`, are taken as they are."""
        drawn = self.draws.draw(**fixed)
        return Cycle(**{name: int(drawn[name]) for name in Cycle._fields})

    def write(self, **fixed: Any) -> Cycle:
        """Of the write port alone."""
        return self.draw(wr_en=1, rd_en=0, **fixed)

    def read(self, **fixed: Any) -> Cycle:
        """Of the read port alone."""
        return self.draw(wr_en=0, rd_en=1, **fixed)

    def idle(self) -> Cycle:
        """Nothing but noise."""
        return self.draw(wr_en=0, rd_en=0)
