"""Random element records: scales as networks have them, sometimes anything that the fields can hold."""

from __future__ import annotations

import functools
import random
from typing import Any

from models.elementwise import PLAIN_TIES, Element, Elementwise
from models.quantize import Rounding
from tb.common.draws import FLAG, Draws, Weights, clamp

ZERO_POINT: Weights = {-128: 1, 0: 1, 127: 1, range(-128, 128): 3}
Q31 = range(1 << 30, 1 << 31)
# What no field of a record holds, but fields are worked out of.
KNOBS: dict[str, Weights] = {
    "wild": {False: 4, True: 1},  # anything goes
    "edges": {False: 4, True: 1},  # multipliers often at the ends of their range
    "few_bits": FLAG,  # of the multipliers in mode fp32 are 1: sums are ties more often
    "fraction": {0: 3, range(1 << 23): 7},  # of a float32; without one half of the odd products are ties
    "plain_ties": FLAG,
    "negative": {(1, 1): 1, (1, -1): 1, (-1, 1): 1, (-1, -1): 1},
    "below_zero": FLAG,
}


class Records:
    """Records for one rounding mode and operation."""

    def __init__(self, rng: random.Random, mode: Rounding, op: Elementwise) -> None:
        self.rng, self.mode, self.op = rng, mode, op
        multiplier = (self.multiplier, ("wild", "edges"))
        scale = (self.scale, ("wild", "fraction", "below_zero"))
        self.draws = Draws(
            rng,
            {**KNOBS, **dict.fromkeys(("zp1", "zp2", "out_zp"), ZERO_POINT)},
            {
                ("out_min", "out_max"): (functools.partial(clamp, rng, whole=20, part=4, one=1), ()),
                "m1": multiplier,
                "m2": multiplier,
                "m_out": scale if mode == Rounding.FP32 else multiplier,
                ("s1", "s2", "s_out"): (self.shifts, ("wild",)),
            },
        )

    def multiplier(self, wild: bool, edges: bool) -> int:
        """A Q31."""
        value = self.rng.choice(Q31)
        return self.rng.choice((Q31[0], Q31[-1], value)) if wild or edges else value

    def scale(self, wild: bool, fraction: int, below_zero: bool) -> int:
        """The product's scale, as float32 bits."""
        useful = range(255) if wild else range(97, 128) if fraction else range(118, 127)
        return (self.rng.choice(useful) << 23 | fraction) - ((wild and below_zero) << 31)

    def shifts(self, wild: bool) -> tuple[int, int, int]:
        """s1, s2, s_out; in mode fp32 the last is the shift of a sum, which without one leaves int32."""
        rng = self.rng
        if self.mode == Rounding.FP32:
            wide = rng.choice((0, rng.randrange(43), rng.randrange(43, 63)))
            return 0, 0, wide if wild else rng.randrange(26, 34)
        if wild:
            return rng.randrange(-31, 31), rng.randrange(-31, 31), rng.randrange(-31, 31)
        if self.op == Elementwise.MUL:
            return 0, 0, rng.randrange(-10, 1)
        return rng.randrange(-3, 1), rng.randrange(-3, 1), rng.randrange(-21, -17)

    def draw(self) -> Element:
        """One record."""
        drawn: dict[str, Any] = self.draws.draw()
        knobs = {name: drawn.pop(name) for name in KNOBS}
        if self.mode == Rounding.FP32:
            if knobs["few_bits"]:
                # XNNPACK's multipliers have 21 bits.
                cut = {"m1": drawn["m1"] >> 10, "m2": drawn["m2"] >> 10, "s_out": max(drawn["s_out"] - 10, 0)}
                drawn |= cut if knobs["wild"] else {"m1": 1 << 20, "m2": 3 << 18, "s_out": 20}
            if knobs["wild"]:
                signs = knobs["negative"]
                drawn |= {"m1": drawn["m1"] * signs[0], "m2": drawn["m2"] * signs[1]}
            drawn["s_out"] += PLAIN_TIES * knobs["plain_ties"]
        return Element(**drawn)
