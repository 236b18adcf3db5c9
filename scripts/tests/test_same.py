"""The comparison of two simulators' transactions finds what differs and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.regress.same import LOG, compare, read
from tb import verdict
from tb.agents.burst import Burst
from tb.agents.transactions import canonical

LINES = ["Test a\tin\t0x1", "Test a\tout\t0x2", "Test a\tin\t0x3", "Test b\tin\t0x4"]


def statuses(tmp_path: Path, one: list[str], other: list[str], more: str = "") -> dict[str, str]:
    """What comes of comparing two logs of tests a and b (and, on the second simulator, `more`)."""
    seen = []
    for sim, lines, names in (("verilator", one, ["a", "b"]), ("icarus", other, ["a", "b", *more])):
        folder = tmp_path / sim
        folder.mkdir(exist_ok=True)
        (folder / LOG).write_text("".join(f"{line}\n" for line in lines))
        seen.append(read(sim, folder, verdict.Verdict([verdict.Test(name, "pass", 0.0) for name in names])))
    return {test.name: test.status for test in compare(*seen)}


def test_the_order_between_agents_does_not_count(tmp_path: Path) -> None:
    mixed = [LINES[1], LINES[0], LINES[2], LINES[3]]
    assert statuses(tmp_path, LINES, mixed) == {"a": "pass", "b": "pass", "transactions": "pass"}


def test_the_order_within_an_agent_does(tmp_path: Path) -> None:
    mixed = [LINES[2], LINES[1], LINES[0], LINES[3]]
    assert statuses(tmp_path, LINES, mixed) == {"a": "fail", "b": "pass", "transactions": "pass"}


def test_another_value_one_too_few_and_an_agent_too_many_are_found(tmp_path: Path) -> None:
    for other in (
        [*LINES[:3], "Test b\tin\t0x5"],
        [*LINES[:3], LINES[3], LINES[3]],
        [*LINES, "Test b\tout\t0x0"],
    ):
        assert statuses(tmp_path, LINES, other) == {"a": "pass", "b": "fail", "transactions": "pass"}
        assert statuses(tmp_path, other, LINES) == {"a": "pass", "b": "fail", "transactions": "pass"}


def test_the_first_difference_is_shown(tmp_path: Path) -> None:
    for sim, value in (("verilator", "0x3"), ("icarus", "0x7")):
        (tmp_path / sim).mkdir()
        (tmp_path / sim / LOG).write_text(f"Test a\tin\t0x1\nTest a\tin\t{value}\n")
    tests = verdict.Verdict([verdict.Test("a", "pass", 0.0)])
    found = compare(*(read(sim, tmp_path / sim, tests) for sim in ("verilator", "icarus")))
    assert found[0].message == "in: item 1 differs\n  verilator: 0x3\n  icarus: 0x7"


def test_what_cannot_be_compared_is_not_a_pass(tmp_path: Path) -> None:
    assert statuses(tmp_path, LINES[:3], LINES[:3], "x") == {
        "a": "pass",
        "b": "skip",  # saw nothing
        "x": "skip",  # one simulator has no such test
        "transactions": "pass",
    }
    assert statuses(tmp_path, [], [])["transactions"] == "fail"


def test_an_item_is_its_values_and_not_its_times() -> None:
    burst = Burst(True, 1, 0x40, 2, bytes(8), start=7, end=9)
    assert canonical(burst) == canonical(Burst(True, 1, 0x40, 2, bytes(8)))
    assert canonical(burst) != canonical(Burst(True, 1, 0x40, 2, bytes(7) + b"\1"))
    assert canonical({"x": (True, 255, b"\1")}) == "{x=[1, 0xff, 01]}"
    long = np.arange(1000)
    assert canonical(long) != canonical(np.where(long == 999, 0, long))
