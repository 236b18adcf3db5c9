"""The AXI4 transaction of this bench: a burst."""

from __future__ import annotations

from dataclasses import dataclass, field

OKAY, EXOKAY, SLVERR, DECERR = range(4)


@dataclass
class Burst:
    """One completed AXI4 burst.

    data: beats * data_bytes bytes as they were on the bus, lowest address first.
    resp: BRESP, or the highest RRESP of the beats. full: every strobe of a write was set (True for a read).
    start, end: cycle of the address and of the last handshake (R last, B); not part of the comparison.
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
