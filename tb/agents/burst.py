"""The AXI4 transaction of this bench: a burst, and where its bytes lie."""

from __future__ import annotations

from dataclasses import dataclass, field

OKAY, EXOKAY, SLVERR, DECERR = range(4)
FIXED, INCR, WRAP = range(3)


@dataclass
class Burst:
    """One completed AXI4 burst.

    data: beats * data_bytes bytes as they were on the bus, lowest address first.
    resp: BRESP, or the highest RRESP of the beats. full: every strobe of a write was set (True for a read).
    start, end: cycle of the address and of the last handshake (R last, B); not part of the comparison.
    kind: FIXED, INCR or WRAP. size: bytes of a beat as a power of two, None for the width of the bus.
    """

    write: bool
    id: int
    addr: int
    beats: int
    data: bytes
    resp: int = OKAY
    full: bool = True
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    kind: int = INCR
    size: int | None = None


def beat_ranges(addr: int, beats: int, size: int, kind: int = INCR) -> list[range]:
    """The byte addresses that each beat of a legal burst transfers (IHI 0022H A3.4.1 and A3.4.4).

    addr: of the first byte, aligned or not. size: log2 of the bytes of a beat. Only the first beat of an INCR
    burst, and every beat of a FIXED one, can be shorter than that.
    """
    width = 1 << size
    aligned = addr // width * width
    if kind == FIXED:
        return [range(addr, aligned + width)] * beats
    if kind == WRAP:
        total = width * beats
        base = addr // total * total
        starts = [base + (aligned - base + i * width) % total for i in range(beats)]
    else:
        starts = [aligned + i * width for i in range(beats)]
    return [range(max(start, addr) if i == 0 else start, start + width) for i, start in enumerate(starts)]
