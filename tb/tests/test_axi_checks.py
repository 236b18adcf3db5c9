"""Every protocol rule has a trace that breaks it, and is named; legal traces break none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts import testplan
from scripts.tools import ROOT
from tb.agents.axi_checks import Access, Axi4Rules, AxiLiteRules, ChannelRules, Violation
from tb.agents.burst import FIXED, INCR, WRAP, Burst, beat_ranges
from tb.agents.rules import CHANNEL_RULES, HDL_RULES, PROTOCOLS, RULES, table

# Channel -> (valid, ready, payload); a channel that is not named is idle. "reset": in reset.
Step = dict[str, Any]
RESET: Step = {"reset": True}


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
        done += rules.edge("reset" in step, {**idle, **step})
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


def stream_names(steps: list[Step]) -> set[str]:
    """Rules that the steps of one channel, "s", break."""
    seen: list[Violation] = []
    rules = ChannelRules("stream", seen.append)
    for step in steps:
        valid, ready, payload = step.get("s", (0, 1, []))
        rules.sample("reset" in step, valid, ready, payload)
    return {violation.rule for violation in seen}


def s(data: int | None = 1, ready: int | None = 1, valid: int | None = 1) -> Step:
    return {"s": (valid, ready, [data] if valid else [])}


def lite(**channels: Any) -> Step:
    """Channels of AXI4-Lite that transfer: ar=4, aw=8, w=data, r=resp, b=resp."""
    payload = {"ar": "addr", "aw": "addr", "w": "data", "r": "resp", "b": "resp"}
    more: dict[str, dict[str, int]] = {"w": {"strb": 15}, "r": {"data": 6}}
    return {name: (1, 1, {payload[name]: value, **more.get(name, {})}) for name, value in channels.items()}


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
    "VALID_IN_RESET": [[RESET, {**RESET, **ar()}], [RESET, {**RESET, **b()}], [RESET, {**RESET, **w()}]],
    "VALID_AFTER_RESET": [[RESET, ar(), r()], [RESET, RESET, w(), aw(), b()]],
    "BURST_TYPE": [
        [ar(burst=3), r()],
        [ar(4, 3, burst=2), r(0), r(0), r()],
        [ar(2, 2, burst=2), r(0), r()],
        [ar(0, 17, burst=0), *[r(0)] * 16, r()],
    ],
    "BURST_SIZE": [[aw(size=3), w(), b()]],
    "BOUNDARY_4K": [[ar(4092, 2), r(0), r()], [aw(8188, 2), w(0), w(), b()], [ar(4095, 2), r(0), r()]],
    "FULL_WIDTH_INCR": [[ar(2), r()], [ar(0, 2, burst=0), r(0), r()], [aw(size=1), w(strb=3), b()]],
    "WLAST": [[aw(0, 2), w(0), w(0), b()], [aw(0, 2), w(1), b()], [w(0), aw(0, 1), b()]],
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
OPTIONS: dict[str, dict[str, Any]] = {
    "OUTSTANDING": {"outstanding": 2},
    "STROBE_LANES": {"full_width": False},
}

LITE_BROKEN: dict[str, list[list[Step]]] = {
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

STREAM_BROKEN: dict[str, list[list[Step]]] = {
    "HANDSHAKE_X": [[s(valid=None)], [s(ready=None)]],
    "VALID_STABLE": [[s(ready=0), {}]],
    "PAYLOAD_STABLE": [[s(1, ready=0), s(2)]],
    "PAYLOAD_X": [[s(None)]],
    "VALID_IN_RESET": [[RESET, {**RESET, **s()}], [RESET, {**RESET, **s(valid=None)}]],
    "VALID_AFTER_RESET": [[RESET, s()]],
}

# A pin of its own: the block test `agents` breaks it.
IN_SIMULATION = {"INTERRUPT_X": "axi_lite_checker_names_the_rule"}


def flat(table: dict[str, list[list[Step]]]) -> list[tuple[str, list[Step]]]:
    return [(rule, steps) for rule, traces in table.items() for steps in traces]


@pytest.mark.parametrize(("rule", "steps"), flat(BROKEN))
def test_broken_rule_is_named(rule: str, steps: list[Step]) -> None:
    assert names(steps, **OPTIONS.get(rule, {})) == {rule}


@pytest.mark.parametrize(("rule", "steps"), flat(LITE_BROKEN))
def test_broken_rule_of_axi_lite_is_named(rule: str, steps: list[Step]) -> None:
    assert lite_names(steps) == {rule}


@pytest.mark.parametrize(("rule", "steps"), flat(STREAM_BROKEN))
def test_broken_rule_of_a_stream_is_named(rule: str, steps: list[Step]) -> None:
    assert stream_names(steps) == {rule}


def test_every_rule_has_a_trace_that_breaks_it() -> None:
    """For each protocol to which it applies."""
    own = {name for name, rule in RULES.items() if rule.own}
    applies = {p: {name for name, rule in RULES.items() if getattr(rule, p)} for p in PROTOCOLS}
    assert BROKEN.keys() == applies["axi4"] | own - IN_SIMULATION.keys()
    assert LITE_BROKEN.keys() == applies["axi_lite"]
    assert STREAM_BROKEN.keys() == applies["stream"]
    assert set(IN_SIMULATION.values()) <= set(testplan.tests_of("agents"))


def test_every_rule_names_its_clause() -> None:
    for name, rule in RULES.items():
        for protocol in PROTOCOLS:
            if clause := getattr(rule, protocol):
                standard = (
                    "IHI 0051A [0-9.]+" if protocol == "stream" else r"IHI 0022H [AB][0-9.]+(, A[0-9.]+)?"
                )
                assert re.fullmatch(standard, clause), name
        assert bool(rule.own) != any(getattr(rule, protocol) for protocol in PROTOCOLS), name
        assert not rule.own or (ROOT / rule.own).exists(), name


def test_the_readme_has_the_table_of_the_rules() -> None:
    assert table() in (ROOT / "tb/agents/README.md").read_text(), "tb/agents/README.md: paste rules.table()"


def test_verilog_numbers_the_rules_as_python_does() -> None:
    text = (ROOT / "tb/hdl/axi_rules.v").read_text()
    numbers = {
        name: int(number) for name, number in re.findall(r"localparam \[3:0\] (\w+) = 4'd(\d+);", text)
    }
    assert numbers.pop("NONE") == 0
    assert all(HDL_RULES[number] == name for name, number in numbers.items())
    assert HDL_RULES[1:7] == CHANNEL_RULES
    assert set(HDL_RULES[7:]) == numbers.keys() - set(CHANNEL_RULES)
    bits = re.findall(r"assign broken\[(\d)\] = .*// (\w+)", (ROOT / "tb/hdl/channel_rules.v").read_text())
    assert tuple(name for _, name in sorted(bits)) == CHANNEL_RULES


@pytest.mark.parametrize(
    ("burst", "beats"),
    [
        ((3, 3, 2, INCR), ["3", "4567", "89ab"]),
        ((5, 2, 1, FIXED), ["5", "5"]),
        ((6, 4, 1, WRAP), ["67", "01", "23", "45"]),
        ((12, 2, 2, WRAP), ["cdef", "89ab"]),
        ((0xFFF, 1, 0, INCR), [[0xFFF]]),
    ],
)
def test_beats_lie_where_the_specification_says(burst: tuple[int, int, int, int], beats: list[Any]) -> None:
    expected = [[int(c, 16) for c in beat] if isinstance(beat, str) else beat for beat in beats]
    assert [list(beat) for beat in beat_ranges(*burst)] == expected


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
        [aw(0, 4), w(0), RESET, RESET, {}, *READ],
        [aw(0, 2, lock=1), w(0), w(), b(resp=1)],
    ],
)
def test_legal_traffic_breaks_nothing(steps: list[Step]) -> None:
    assert names(steps) == set()


def test_legal_burst_types() -> None:
    wrap, fixed = [ar(8, 4, burst=WRAP), r(0), r(0), r(0), r()], [ar(0, 2, burst=FIXED), r(0), r()]
    narrow = [aw(2, 2, size=1), w(0, strb=0b1100), w(1, strb=0b0011), b()]
    again = [aw(2, 2, size=1, burst=FIXED), w(0, strb=0b1100), w(1, strb=0b0100), b()]
    assert names([*wrap, *fixed, *narrow, *again], full_width=False) == set()


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
