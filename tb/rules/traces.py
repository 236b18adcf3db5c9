"""Traces that break one protocol rule each, cycle by cycle, and some that break none.

A step is what the channels of a bus show at one rising edge: channel -> (valid, ready, payload by pin); None
is X. A channel that is not named is idle. "reset": in reset. The bus of AXI4 has 4 bytes.
"""

from __future__ import annotations

from typing import Any

from tb.agents.burst import FIXED, WRAP

Step = dict[str, Any]
RESET: Step = {"reset": True}


def ar(addr: int = 0, beats: int = 1, ident: int = 0, ready: int = 1, **more: int) -> Step:
    return {"ar": (1, ready, {"addr": addr, "len": beats - 1, "id": ident, **more})}


def aw(addr: int = 0, beats: int = 1, ident: int = 0, ready: int = 1, **more: int) -> Step:
    return {"aw": (1, ready, {"addr": addr, "len": beats - 1, "id": ident, **more})}


def r(last: int = 1, ident: int = 0, data: int | None = 5, resp: int = 0, ready: int = 1) -> Step:
    return {"r": (1, ready, {"id": ident, "data": data, "resp": resp, "last": last})}


def w(last: int = 1, data: int = 7, strb: int = 0xF, ready: int = 1) -> Step:
    return {"w": (1, ready, {"data": data, "strb": strb, "last": last})}


def b(ident: int = 0, resp: int = 0, ready: int = 1) -> Step:
    return {"b": (1, ready, {"id": ident, "resp": resp})}


def s(data: int | None = 1, ready: int | None = 1, valid: int | None = 1) -> Step:
    """The one channel of a stream."""
    return {"s": (valid, ready, {"data": data} if valid else {})}


def lite(**channels: Any) -> Step:
    """Channels of AXI4-Lite that transfer: ar=4, aw=8, w=data, r=resp, b=resp."""
    payload = {"ar": "addr", "aw": "addr", "w": "data", "r": "resp", "b": "resp"}
    more: dict[str, dict[str, int]] = {"w": {"strb": 15}, "r": {"data": 6}}
    return {name: (1, 1, {payload[name]: value, **more.get(name, {})}) for name, value in channels.items()}


READ = [ar(16, 2), r(0), r(1)]
WRITE = [aw(16, 2), w(0), w(1), b()]

# Rule -> traces of an AXI4 bus that break it and no other.
AXI4: dict[str, list[list[Step]]] = {
    "HANDSHAKE_X": [[{"ar": (None, 1, {})}], [{"w": (0, None, {})}], [{"b": (None, 0, {})}]],
    "VALID_STABLE": [[ar(ready=0), {}], [aw(ready=0), {}], [*READ[:2], r(ready=0), {}, r(1)]],
    "PAYLOAD_STABLE": [
        [ar(16, ready=0), ar(20), r()],
        [aw(16, ready=0), aw(16, ident=1), w(), b(1)],
        [aw(), w(data=1, ready=0), w(data=2), b()],
        [aw(), w(strb=1, ready=0), w(strb=2), b()],
        [ar(), r(data=1, ready=0), r(data=2)],
        [aw(), w(), b(ready=0), b(resp=2)],
    ],
    "PAYLOAD_X": [[ar(), r(data=None), r()]],
    "VALID_IN_RESET": [[RESET, {**RESET, **ar()}], [RESET, {**RESET, **b()}], [RESET, {**RESET, **w()}]],
    "VALID_AFTER_RESET": [
        [RESET, ar(), r()],
        [RESET, RESET, w(), aw(), b()],
        [RESET, ar(ready=0), ar(), r()],
    ],
    "BURST_TYPE": [
        [ar(burst=3), r()],
        [ar(4, 3, burst=2), r(0), r(0), r()],
        [ar(2, 2, burst=2), r(0), r()],
        [ar(0, 17, burst=0), *[r(0)] * 16, r()],
    ],
    "BURST_SIZE": [[aw(size=3), w(), b()]],
    "BOUNDARY_4K": [
        [ar(4092, 2), r(0), r()],
        [aw(8188, 2), w(0), w(), b()],
        [ar(4095, 2), r(0), r()],
        [ar(4095, 2, size=0), r(0), r()],  # by one byte
    ],
    "FULL_WIDTH_INCR": [[ar(2), r()], [ar(0, 2, burst=0), r(0), r()], [aw(size=1), w(strb=3), b()]],
    "WLAST": [
        [aw(0, 2), w(0), w(0), b()],
        [aw(0, 2), w(1), b()],
        [w(0), aw(0, 1), b()],
        [w(1), aw(0, 2), b()],
    ],
    "STROBE_LANES": [
        [aw(2, 1, size=1), w(strb=0b0011), b()],
        [aw(1, 2), w(0, strb=0b0001), w(1), b()],
        [aw(2, 2, size=1, burst=FIXED), w(0, strb=0b1100), w(1, strb=0b0011), b()],
        [aw(1, 2, size=0, burst=WRAP), w(0, strb=0b0010), w(1, strb=0b0100), b()],
    ],
    "EXCLUSIVE": [
        [ar(0, 3, lock=1), r(0), r(0), r()],
        [ar(4, 2, lock=1), r(0), r()],
        [aw(0, 32, lock=1), *[w(0)] * 31, w(), b()],
    ],
    "B_BEFORE_DATA": [[aw(), b(ready=0), {**b(), **w()}], [aw(0, 2), w(0), b(ready=0), {**w(), **b()}]],
    "R_UNREQUESTED": [[r()], [ar(ident=1), r(ident=2), r(ident=1)], [*READ, r()]],
    "RLAST": [[ar(0, 2), r(1)], [ar(0, 2), r(0), r(0)], [ar(0, 2), ar(0, 1), r(1), r(1)]],
    "RESP_EXOKAY": [[ar(), r(resp=1)], [aw(), w(), b(resp=1)]],
    "OUTSTANDING": [[ar(), ar(), ar(), r(), r(), r()], [aw(), aw(), aw(), w(), w(), w(), b(), b(), b()]],
    "UNFINISHED": [[ar()], [aw(), w()], [w()], READ[:2]],
}

AXI_LITE: dict[str, list[list[Step]]] = {
    "HANDSHAKE_X": [[{"r": (None, 1, {})}]],
    "VALID_STABLE": [[{"ar": (1, 0, {"addr": 4})}, {}]],
    "PAYLOAD_STABLE": [[{"ar": (1, 0, {"addr": 4})}, lite(ar=8), lite(r=0)]],
    "PAYLOAD_X": [[{"ar": (1, 0, {"addr": None})}]],
    "VALID_IN_RESET": [[RESET, {**RESET, **lite(ar=4)}]],
    "VALID_AFTER_RESET": [[RESET, lite(ar=4), lite(r=0)]],
    "B_BEFORE_DATA": [
        [lite(b=0)],
        [lite(w=6), {"b": (1, 0, {"resp": 0})}, {**lite(aw=8), "b": (1, 0, {"resp": 0})}, lite(b=0)],
    ],
    "R_UNREQUESTED": [[lite(r=0)]],
    "RESP_EXOKAY": [[lite(ar=4), lite(r=1)], [lite(aw=4, w=6), lite(b=1)]],
    "UNFINISHED": [[lite(ar=4)], [lite(aw=4)], [lite(w=6)], [lite(aw=4, w=6)]],
}

STREAM: dict[str, list[list[Step]]] = {
    "HANDSHAKE_X": [[s(valid=None)], [s(ready=None)]],
    "VALID_STABLE": [[s(ready=0), {}]],
    "PAYLOAD_STABLE": [[s(1, ready=0), s(2)]],
    "PAYLOAD_X": [[s(None)]],
    "VALID_IN_RESET": [[RESET, {**RESET, **s()}], [RESET, {**RESET, **s(valid=None)}]],
    "VALID_AFTER_RESET": [[RESET, s()], [RESET, s(ready=0), s()]],
}

# AXI4 traces that break nothing.
LEGAL: list[list[Step]] = [
    READ,
    WRITE,
    [w(0), w(1), aw(16, 2), b()],
    [{**aw(16, 2), **w(0)}, w(1), b()],
    [ar(ready=0), ar(ready=0), ar(), {}, r(ready=0), r()],
    [ar(0, 2, 1), ar(8, 2, 2), r(0, 2), r(0, 1), r(1, 2), r(1, 1)],
    [aw(0, 1, 1), aw(8, 1, 2), w(), w(), b(2), b(1)],
    [ar(4096 - 16, 4), r(0), r(0), r(0), r()],
    [aw(0, 4), w(0), RESET, RESET, {}, *READ],
    [aw(0, 2, lock=1), w(0), w(), b(resp=1)],
]
# The same, but not with full-width INCR bursts.
LEGAL_SHAPES: list[Step] = [
    *[ar(8, 4, burst=WRAP), r(0), r(0), r(0), r(), ar(0, 2, burst=FIXED), r(0), r()],
    *[aw(2, 2, size=1), w(0, strb=0b1100), w(1, strb=0b0011), b()],
    *[aw(2, 2, size=1, burst=FIXED), w(0, strb=0b1100), w(1, strb=0b0100), b()],
]


def flat(table: dict[str, list[list[Step]]]) -> list[tuple[str, list[Step]]]:
    """(rule, trace) of a table above."""
    return [(rule, steps) for rule, traces in table.items() for steps in traces]


def has_x(steps: list[Step]) -> bool:
    """Whether a pin is X: a trace for Icarus."""
    channels = [value for step in steps for name, value in step.items() if name != "reset"]
    return any(None in (valid, ready, *payload.values()) for valid, ready, payload in channels)
