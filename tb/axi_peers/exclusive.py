"""Exclusive accesses, one after the other, and what a memory that knows them answers (IHI 0022 A7.2)."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tb.agents.burst import EXOKAY, INCR, OKAY, SLVERR, WRAP
from tb.axi_peers.traffic import PAGE, Shape

READ_FAILS = 4  # the page whose reads get SLVERR


@dataclass(frozen=True)
class Access:
    """A step. beside: on the bytes behind. half: only the first half of them."""

    write: bool
    expected: int
    exclusive: bool = True
    id: int = 1
    beside: bool = False
    half: bool = False

    @property
    def stores(self) -> bool:
        """Whether the memory changes."""
        return self.write and self.expected == (EXOKAY if self.exclusive else OKAY)


READ = Access(False, EXOKAY)
GRANTED, REFUSED = Access(True, EXOKAY), Access(True, OKAY)
SEQUENCES = {
    "granted": [READ, GRANTED],
    "granted_once": [READ, GRANTED, REFUSED],
    "read_again": [READ, READ, GRANTED],
    "without_a_read": [REFUSED],
    "of_another_id": [READ, replace(REFUSED, id=2)],
    "of_each_id": [READ, replace(READ, id=2), replace(GRANTED, id=2), REFUSED],
    "of_fewer_bytes": [READ, replace(REFUSED, half=True)],
    "written_between": [READ, Access(True, OKAY, exclusive=False, id=2), REFUSED],
    "written_in_part": [READ, Access(True, OKAY, exclusive=False, half=True), REFUSED],
    "written_beside": [READ, Access(True, OKAY, exclusive=False, beside=True), GRANTED],
    "read_failed": [Access(False, SLVERR), REFUSED],
}


def exclusive_shape(rng: random.Random, data_bytes: int, page: int) -> Shape:
    """A legal one: a power of two of 2 to 128 bytes, aligned to that, in 1 to 16 beats; READ's direction."""
    total = min(1 << rng.randint(1, 7), 16 * data_bytes)
    sizes = [size for size in range(data_bytes.bit_length()) if 1 <= total >> size <= 16]
    size = rng.choice(sizes)
    beats = total >> size
    addr = page * PAGE + rng.randrange(PAGE // total - 1) * total  # room for what is beside
    return Shape(False, addr, beats, size, rng.choice((INCR, WRAP)) if beats > 1 else INCR, READ.id)


def shape_of(access: Access, shape: Shape) -> Shape:
    """The burst of a step, for a shape that its sequence has drawn."""
    total = shape.beats << shape.size
    shape = replace(shape, write=access.write, id=access.id)
    if access.beside:
        shape = replace(shape, addr=shape.addr + total)
    if access.half:
        single = shape.beats == 1
        size, beats = (shape.size - 1, 1) if single else (shape.size, shape.beats // 2)
        shape = replace(shape, size=size, beats=beats, kind=INCR)
    return shape
