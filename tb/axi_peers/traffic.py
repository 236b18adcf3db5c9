"""Random legal AXI4 bursts, and what must come back of them: a byte array."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from cocotb.triggers import Event
from constrainedrandom import dist

from tb.agents.burst import DECERR, FIXED, INCR, OKAY, SLVERR, WRAP
from tb.common.draws import FLAG, Draws, Weights

PAGE = 4096
PAGES = 6
# Our memory answers these pages, and what lies beyond the last, with an error.
BAD_PAGES = {2: SLVERR, 3: DECERR, PAGES: DECERR}
ANSWERS = (OKAY, SLVERR, DECERR)
LANES = ["full", "unaligned", "narrow", "narrow_unaligned"]  # of the first beat
# Every kind of burst once: (write, type, lanes); WRAP is aligned.
KINDS = [
    (write, kind, lanes)
    for write in (False, True)
    for kind in (INCR, WRAP, FIXED)
    for lanes in (LANES if kind != WRAP else LANES[::2])
]


def lanes_of(addr: int, size: int, data_bytes: int) -> str:
    """Which of LANES a burst is."""
    narrow = "narrow" if 1 << size < data_bytes else ""
    return "_".join(filter(None, (narrow, "unaligned" if addr % (1 << size) else ""))) or "full"


@dataclass(frozen=True)
class Shape:
    """A burst as it is asked for. size: log2 of the bytes of a beat."""

    write: bool
    addr: int
    beats: int
    size: int
    kind: int
    id: int

    @property
    def addresses(self) -> list[int]:
        """Of each byte, in the order of the burst: the specification's pseudocode (IHI 0022H A3.4.2), and not
        the agents' own beat_ranges, which this has to judge."""
        number_bytes = 1 << self.size
        addr, aligned = self.addr, self.addr % number_bytes == 0
        lower_wrap = self.addr // (number_bytes * self.beats) * (number_bytes * self.beats)
        result: list[int] = []
        for _ in range(self.beats):
            upper = addr // number_bytes * number_bytes + number_bytes - 1
            result += range(addr, upper + 1)
            if self.kind == FIXED:
                continue
            addr = addr + number_bytes if aligned else addr // number_bytes * number_bytes + number_bytes
            aligned = True
            if self.kind == WRAP and addr >= lower_wrap + number_bytes * self.beats:
                addr = lower_wrap
        return result


@dataclass
class Answer:
    """What the scoreboard compares: a burst and its answer."""

    shape: Shape
    resps: tuple[int, ...]
    data: bytes = b""


def answer_of(addr: int) -> int:
    """The worst answer to a burst from this address on."""
    return BAD_PAGES.get(addr // PAGE, OKAY)


def shapes(rng: random.Random, data_bytes: int, count: int, pages: int = PAGES) -> Iterator[Shape]:
    """Legal bursts: every one of KINDS before one comes again, and the next time for another answer."""
    drawn = Shapes(rng, data_bytes)
    places = {code: [page for page in range(pages) if answer_of(page * PAGE) == code] for code in ANSWERS}
    first = rng.randrange(len(ANSWERS))
    for index in range(count):
        turn, at = divmod(index, len(KINDS))
        if at == 0:
            deck = rng.sample(range(len(KINDS)), len(KINDS))
        kind = deck.pop()
        page = rng.choice(places[ANSWERS[(first + turn + kind) % len(ANSWERS)]])
        yield drawn.draw(page * PAGE, *KINDS[kind])


# Type of burst -> beats; of INCR as many as its page has room for.
BEATS: dict[int, Weights] = {
    INCR: {1: 1, 4: 1, 16: 1, range(2, 16): 1, range(17, 65): 1, 256: 1},
    WRAP: {2: 1, 4: 1, 8: 1, 16: 1},
    FIXED: {1: 1, 16: 1, range(2, 16): 1},
}


class Shapes:
    """Bursts of a type and with lanes that are given; every field within what AXI4 allows it."""

    def __init__(self, rng: random.Random, data_bytes: int) -> None:
        self.rng, self.full = rng, data_bytes.bit_length() - 1
        self.draws = Draws(
            rng,
            {"near": FLAG, "id": {range(4): 1}},
            {
                "size": (self.size, ("lanes",)),
                "addr": (self.addr, ("page", "lanes", "near", "size")),
                "beats": (self.beats, ("kind", "size", "addr")),
            },
            given=("page", "kind", "lanes"),
        )

    def size(self, lanes: str) -> int:
        """log2 of a beat's bytes; a beat of one byte is always aligned."""
        return self.rng.randrange(int("unaligned" in lanes), self.full) if "narrow" in lanes else self.full

    def addr(self, page: int, lanes: str, near: bool, size: int) -> int:
        """Anywhere in the page; near its start bursts meet."""
        width = 1 << size
        aligned = page + self.rng.randrange(256 if near else PAGE) // width * width
        return aligned + (self.rng.randrange(1, width) if "unaligned" in lanes else 0)

    def beats(self, kind: int, size: int, addr: int) -> int:
        """See BEATS."""
        room = (PAGE - (addr % PAGE >> size << size)) >> size if kind == INCR else 256
        return min(room, dist(BEATS[kind], self.rng))

    def draw(self, page: int, write: bool, kind: int, lanes: str) -> Shape:
        """page: byte address of its first."""
        drawn = self.draws.draw(page=page, kind=kind, lanes=lanes)
        return Shape(write, drawn["addr"], drawn["beats"], drawn["size"], kind, drawn["id"])


@dataclass
class Model:
    """The memory as it must be. A burst waits while one under way touches its bytes and either writes: AXI
    leaves their order open."""

    held: np.ndarray  # uint8
    under_way: list[tuple[bool, int, int]] = field(default_factory=list)
    changed: Event = field(default_factory=Event)

    async def claim(self, write: bool, addresses: list[int]) -> tuple[bool, int, int]:
        """Wait until these bytes are free."""
        mine = (write, min(addresses), max(addresses))
        while any(
            mine[1] <= last and first <= mine[2] and (write or wrote) for wrote, first, last in self.under_way
        ):
            self.changed.clear()
            await self.changed.wait()
        self.under_way.append(mine)
        return mine

    def release(self, claim: tuple[bool, int, int]) -> None:
        self.under_way.remove(claim)
        self.changed.set()

    def load(self, addresses: list[int]) -> bytes:
        return bytes(int(self.held[addr]) if addr < len(self.held) else 0 for addr in addresses)

    def store(self, addresses: list[int], data: Any, strobes: Any = None) -> None:
        """In the order of the burst; strobes: per byte, None for all."""
        for i, addr in enumerate(addresses):
            if strobes is None or strobes[i]:
                self.held[addr] = data[i]


def resps_of(shape: Shape) -> tuple[int, ...]:
    """What our memory answers: to a read of an SLVERR page so on each beat, of a DECERR page on the first."""
    code = answer_of(shape.addr)
    if shape.write:
        return (code,)
    first_only = code == DECERR and shape.addr < PAGES * PAGE
    return (code, *[OKAY if first_only else code] * (shape.beats - 1))
