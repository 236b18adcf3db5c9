"""Every protocol rule has a trace that breaks it, and is named; legal traces break none."""

from __future__ import annotations

from typing import Any

import pytest

from tb.agents.axi_checks import RULES, Access, Axi4Rules, AxiLiteRules, ChannelRules, Violation
from tb.agents.burst import Burst

RESET = "reset"
Step = Any  # RESET, or channel -> (valid, ready, payload); a channel that is not named is idle


def ar(addr: int = 0, beats: int = 1, ident: int = 0, ready: int = 1, **more: int) -> dict[str, Any]:
    return {"ar": (1, ready, {"addr": addr, "len": beats - 1, "id": ident, **more})}


def aw(addr: int = 0, beats: int = 1, ident: int = 0, ready: int = 1, **more: int) -> dict[str, Any]:
    return {"aw": (1, ready, {"addr": addr, "len": beats - 1, "id": ident, **more})}


def r(last: int = 1, ident: int = 0, data: int | None = 5, resp: int = 0, ready: int = 1) -> dict[str, Any]:
    return {"r": (1, ready, {"id": ident, "data": data, "resp": resp, "last": last})}


def w(last: int = 1, data: int = 7, strb: int = 0xF, ready: int = 1) -> dict[str, Any]:
    return {"w": (1, ready, {"data": data, "strb": strb, "last": last})}


def b(ident: int = 0, resp: int = 0, ready: int = 1) -> dict[str, Any]:
    return {"b": (1, ready, {"id": ident, "resp": resp})}


def run(rules: Axi4Rules | AxiLiteRules, steps: list[Step]) -> list[Any]:
    """Feed the steps, then the end of the test; returns what completed."""
    idle: dict[str, Any] = {name: (0, 1, {}) for name in ("ar", "r", "aw", "w", "b")}
    done: list[Any] = []
    for step in steps:
        done += rules.edge(step == RESET, {**idle, **(step if step != RESET else {})})
    rules.end()
    return done


def names(steps: list[Step], **options: Any) -> set[str]:
    """Rules that the steps break on a 32-bit AXI4 bus."""
    seen: list[Violation] = []
    run(Axi4Rules("bus", 4, report=seen.append, **options), steps)
    return {violation.rule for violation in seen}


def lite_names(steps: list[Step]) -> set[str]:
    seen: list[Violation] = []
    run(AxiLiteRules("bus", seen.append), steps)
    return {violation.rule for violation in seen}


READ = [ar(16, 2), r(0), r(1)]
WRITE = [aw(16, 2), w(0), w(1), b()]

BROKEN: dict[str, list[list[Step]]] = {
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
    "VALID_IN_RESET": [[RESET, RESET]],
    "BURST_TYPE": [[ar(burst=3), r()], [ar(4, 3, burst=2), r(0), r(0), r()], [ar(2, 2, burst=2), r(0), r()]],
    "BURST_SIZE": [[aw(size=3), w(), b()]],
    "BOUNDARY_4K": [[ar(4092, 2), r(0), r()], [aw(8188, 2), w(0), w(), b()]],
    "FULL_WIDTH_INCR": [[ar(2), r()], [ar(0, 2, burst=0), r(0), r()], [aw(size=1), w(strb=3), b()]],
    "WLAST": [[aw(0, 2), w(0), w(0), b()], [aw(0, 2), w(1), b()], [w(0), aw(0, 1), b()]],
    "B_BEFORE_DATA": [[aw(), b(ready=0), {**b(), **w()}], [aw(0, 2), w(0), b(ready=0), {**w(), **b()}]],
    "R_UNREQUESTED": [[r()], [ar(ident=1), r(ident=2), r(ident=1)], [*READ, r()]],
    "RLAST": [[ar(0, 2), r(1)], [ar(0, 2), r(0), r(0)], [ar(0, 2), ar(0, 1), r(1), r(1)]],
    "RESP_EXOKAY": [[ar(), r(resp=1)], [aw(), w(), b(resp=1)]],
    "OUTSTANDING": [[ar(), ar(), ar(), r(), r(), r()], [aw(), aw(), aw(), w(), w(), w(), b(), b(), b()]],
    "UNFINISHED": [[ar()], [aw(), w()], [w()], READ[:2]],
}


@pytest.mark.parametrize(
    ("rule", "steps"), [(rule, steps) for rule, traces in BROKEN.items() for steps in traces]
)
def test_broken_rule_is_named(rule: str, steps: list[Step]) -> None:
    if rule == "VALID_IN_RESET":
        seen: list[Violation] = []
        channel = ChannelRules("channel", seen.append)
        for _ in steps:
            channel.sample(True, 1, 1, [0])
        found = {violation.rule for violation in seen}
    else:
        found = names(steps, outstanding=2 if rule == "OUTSTANDING" else None)
    assert found == {rule}


def test_strobe_outside_the_addressed_lanes() -> None:
    narrow = {"full_width": False}
    assert names([aw(2, 1, size=1), w(strb=0b0011), b()], **narrow) == {"STROBE_LANES"}
    assert names([aw(1, 2), w(0, strb=0b0001), w(1), b()], **narrow) == {"STROBE_LANES"}
    assert names([aw(2, 2, size=1), w(0, strb=0b1100), w(1, strb=0b0011), b()], **narrow) == set()


def test_every_rule_has_a_trace_that_breaks_it() -> None:
    assert BROKEN.keys() | {"STROBE_LANES"} == RULES.keys()


@pytest.mark.parametrize(
    "steps",
    [
        READ,
        WRITE,
        [w(0), w(1), aw(16, 2), b()],
        [{**aw(16, 2), **w(0)}, w(1), b()],
        [ar(ready=0), ar(ready=0), ar(), {}, r(ready=0), r()],
        [ar(0, 2, 1), ar(8, 2, 2), r(0, 2), r(0, 1), r(1, 2), r(1, 1)],
        [aw(0, 1, 1), aw(8, 1, 2), w(), w(), b(2), b(1)],
        [ar(4096 - 16, 4), r(0), r(0), r(0), r()],
        [aw(0, 4), w(0), RESET, RESET, *READ],
    ],
)
def test_legal_traffic_breaks_nothing(steps: list[Step]) -> None:
    assert names(steps) == set()


def test_legal_burst_types() -> None:
    assert (
        names([ar(8, 4, burst=2), r(0), r(0), r(0), r(), ar(0, 2, burst=0), r(0), r()], full_width=False)
        == set()
    )


def test_bursts_are_collected() -> None:
    rules = Axi4Rules("bus", 4)
    steps = [
        aw(16, 2, 3),
        ar(32, 1, 1),
        w(0, 0x04030201),
        w(1, 0x08070605, strb=7),
        {**b(3), **r(1, 1, 9, 2)},
    ]
    assert run(rules, steps) == [
        Burst(False, 1, 32, 1, bytes([9, 0, 0, 0]), 2),
        Burst(True, 3, 16, 2, bytes([1, 2, 3, 4, 5, 6, 7, 8]), 0, full=False),
    ]


def test_axi_lite() -> None:
    read = [{"ar": (1, 1, {"addr": 4})}, {"r": (1, 1, {"data": 6, "resp": 0})}]
    write = [
        {"w": (1, 1, {"data": 6, "strb": 15})},
        {"aw": (1, 1, {"addr": 8})},
        {"b": (1, 1, {"resp": 2})},
    ]
    done = run(AxiLiteRules("bus"), [*read, *write])
    assert done == [Access(False, 4, 6, 0, 0), Access(True, 8, 6, 15, 2)]
    assert lite_names(read[1:]) == {"R_UNREQUESTED"}
    assert lite_names(write[1:]) == {"B_BEFORE_DATA", "UNFINISHED"}
    assert lite_names([write[0], write[2]]) == {"B_BEFORE_DATA", "UNFINISHED"}
    assert lite_names(read[:1]) == lite_names(write[:2]) == {"UNFINISHED"}
    assert lite_names([read[0], {"r": (1, 1, {"data": 0, "resp": 1})}]) == {"RESP_EXOKAY"}
    assert lite_names([{"ar": (1, 0, {"addr": 4})}, {}]) == {"VALID_STABLE"}


def test_violation_fails_the_test_by_default() -> None:
    with pytest.raises(Violation, match="bus: R_UNREQUESTED in cycle 1"):
        run(Axi4Rules("bus", 4), [r()])
