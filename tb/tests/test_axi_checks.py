"""Every protocol rule has a trace that breaks it, and is named; legal traces break none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scripts import testplan
from scripts.tools import ROOT
from tb.agents.axi_checks import Access, Axi4Rules, AxiLiteRules
from tb.agents.burst import FIXED, INCR, WRAP, Burst, beat_ranges
from tb.agents.rules import (
    BURST_RULES,
    BURSTS,
    CHANNEL,
    CHANNEL_RULES,
    CLAUSES,
    HDL_RULES,
    PROTOCOLS,
    RULES,
    Violation,
    table,
)
from tb.rules.traces import AXI4, AXI_LITE, LEGAL, LEGAL_SHAPES, STREAM, Step, ar, aw, b, flat, r, w


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


OPTIONS: dict[str, dict[str, Any]] = {
    "OUTSTANDING": {"outstanding": 2},
}

IN_VERILOG = {*CHANNEL_RULES, *BURST_RULES}
# The file that checks a rule -> block and test that break the rules it checks.
IN_SIMULATION = {
    CHANNEL: ("rules", "a_broken_rule_is_named"),
    BURSTS: ("rules", "a_broken_rule_is_named"),
    "tb/agents/irq.py": ("agents", "axi_lite_checker_names_the_rule"),
}


def in_python(table: dict[str, list[list[Step]]]) -> list[tuple[str, list[Step]]]:
    return [(rule, steps) for rule, steps in flat(table) if rule not in IN_VERILOG]


@pytest.mark.parametrize(("rule", "steps"), in_python(AXI4))
def test_broken_rule_is_named(rule: str, steps: list[Step]) -> None:
    assert names(steps, **OPTIONS.get(rule, {})) == {rule}


@pytest.mark.parametrize(("rule", "steps"), in_python(AXI_LITE))
def test_broken_rule_of_axi_lite_is_named(rule: str, steps: list[Step]) -> None:
    assert lite_names(steps) == {rule}


def test_every_rule_has_a_trace_that_breaks_it() -> None:
    """For each protocol to which it applies."""
    own = {name for name, rule in RULES.items() if rule.own}
    applies = {p: {name for name, rule in RULES.items() if getattr(rule, p)} for p in PROTOCOLS}
    assert AXI4.keys() == applies["axi4"] | own - {"INTERRUPT_X"}
    assert AXI_LITE.keys() == applies["axi_lite"]
    assert STREAM.keys() == applies["stream"] <= IN_VERILOG
    for block, test in IN_SIMULATION.values():
        assert test in testplan.tests_of(block)


def test_a_rule_is_checked_in_one_place() -> None:
    """Its home names it, and no other file that checks rules does."""
    places = {*IN_SIMULATION, *(rule.home for rule in RULES.values())}
    texts = {place: (ROOT / place).read_text() for place in places}
    for name, rule in RULES.items():
        assert [place for place in sorted(places) if re.search(rf"\b{name}\b", texts[place])] == [rule.home]


def test_every_rule_names_its_clause() -> None:
    """By numbers of the right standard, and every clause with a title states a rule."""
    named = set()
    for name, rule in RULES.items():
        for protocol in PROTOCOLS:
            clauses = getattr(rule, protocol)
            named |= set(clauses)
            for clause in clauses:
                form = r"2(\.\d)+" if protocol == "stream" else r"[AB]\d(\.\d)+"
                assert re.fullmatch(form, clause), name
        assert bool(rule.own) != any(getattr(rule, protocol) for protocol in PROTOCOLS), name
        assert not rule.own or (ROOT / rule.own).exists(), name
    assert named == CLAUSES.keys()
    assert RULES["RLAST"].clause("axi4").startswith("IHI 0022H A3.2.2 Channel signaling requirements, A3.4.1")
    assert RULES["RESP_EXOKAY"].clause("axi_lite") == "IHI 0022H B1.1.1 Signal list"
    assert RULES["VALID_IN_RESET"].clause("stream") == "IHI 0051A 2.7.2 Reset"
    assert RULES["OUTSTANDING"].clause("axi4") == "docs/architecture.md"


def test_the_readme_has_the_table_of_the_rules() -> None:
    assert table() in (ROOT / "tb/agents/README.md").read_text(), "tb/agents/README.md: paste rules.table()"


def test_verilog_numbers_the_rules_as_python_does() -> None:
    text = (ROOT / "tb/hdl/axi_rules.v").read_text()
    assert re.findall(r"localparam \[3:0\] HANDSHAKE_X = 4'd(\d+);", text) == [
        str(HDL_RULES.index("HANDSHAKE_X"))
    ]
    for home, rules in ((CHANNEL, CHANNEL_RULES), (BURSTS, BURST_RULES)):
        bits = re.findall(r"assign broken\[(\d)\] = .*// (\w+)", (ROOT / home).read_text())
        assert tuple(name for _, name in sorted(bits)) == rules


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


@pytest.mark.parametrize("steps", [*LEGAL, LEGAL_SHAPES])
def test_legal_traffic_breaks_nothing(steps: list[Step]) -> None:
    assert names(steps) == set()


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


def test_violation_fails_the_test_by_default() -> None:
    with pytest.raises(Violation, match="bus: R_UNREQUESTED in cycle 1"):
        run(Axi4Rules("bus", 4), [r()])
