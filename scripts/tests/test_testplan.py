"""A testplan that says too much or too little fails the check, and says what to mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import testplan
from scripts.testplan import Feature, Plan, problems_of
from scripts.tools import UserError


def plan(tests: tuple[str, ...] = ("counts",), points: tuple[str, ...] = ("level",)) -> Plan:
    return Plan("toy", (Feature("count", "It counts.", "V1", tests, points),))


@pytest.mark.parametrize(
    "wrong, tests, points, words",
    [
        (plan(("counts", "sleeps")), ["counts"], ["level"], "names test sleeps, which does not exist"),
        (plan(()), [], ["level"], "feature count has no test"),
        (plan(points=("level", "depth")), ["counts"], ["level"], "coverpoint depth, which does not exist"),
        (plan(), ["counts", "stops"], ["level"], "no feature names test stops"),
        (plan(), ["counts"], ["level", "depth"], "no feature names coverpoint depth"),
    ],
)
def test_each_fault_is_named(wrong: Plan, tests: list[str], points: list[str], words: str) -> None:
    found = problems_of(wrong, tests, points)
    assert len(found) == 1 and words in found[0]
    assert not problems_of(plan(), ["counts"], ["level"])


def test_two_features_of_one_name_are_found() -> None:
    twice = Plan("toy", plan().features * 2)
    assert problems_of(twice, ["counts"], ["level"]) == ["toy: two features are called count"]


TEST = "import cocotb\n\n\n@cocotb.test()\n@cocotb.parametrize(x=[1])\nasync def counts(dut): ...\n"
HELPER = "\n\nasync def helper(dut): ...\n\n\n@cocotb.test\nasync def plain(dut): ...\n"


def project(root: Path, **plans: str) -> Path:
    (root / "docs/testplan").mkdir(parents=True)
    (root / "tb/toy").mkdir(parents=True)
    (root / "tb/toy/test_toy.py").write_text(TEST)
    for name, text in plans.items():
        (root / f"docs/testplan/{name}.hjson").write_text(text)
    return root


GOOD = '{name: "toy", testpoints: [{name: "count", desc: "d", stage: "V1", tests: ["counts"]}]}'


def test_a_good_project_passes(tmp_path: Path) -> None:
    assert testplan.check(project(tmp_path, toy=GOOD), ["toy"]) == []


def test_a_block_without_testplan_and_a_testplan_without_block_are_found(tmp_path: Path) -> None:
    found = testplan.check(project(tmp_path, gone=GOOD), ["toy"])
    assert found == [
        "docs/testplan/gone.hjson: there is no block gone",
        "toy has no testplan docs/testplan/toy.hjson",
    ]


def test_a_testplan_of_another_name_is_found(tmp_path: Path) -> None:
    root = project(tmp_path, toy=GOOD.replace('"toy"', '"tea"'))
    assert testplan.check(root, ["toy"]) == ["docs/testplan/toy.hjson: its name is tea, expected toy"]


@pytest.mark.parametrize(
    "text, words",
    [
        ('{name: "toy"}', "testpoints"),
        ('{name: "toy", testpoints: [', "expected hjson"),
        (GOOD.replace("V1", "V9"), "stage is V9"),
        (GOOD.replace('desc: "d", ', ""), "no desc"),
        (GOOD.replace("tests", "test"), "unknown field test"),
        (GOOD.replace('["counts"]', '"counts"'), "lists of names"),
    ],
)
def test_a_testplan_that_is_not_complete_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        testplan.check(project(tmp_path, toy=text), ["toy"])


def test_tests_are_what_cocotb_runs(tmp_path: Path) -> None:
    root = project(tmp_path)
    (root / "tb/toy/test_toy.py").write_text(TEST + HELPER)
    assert testplan.tests_of("toy", root) == ["counts", "plain"]


def test_tests_may_be_in_more_than_one_file(tmp_path: Path) -> None:
    root = project(tmp_path, toy=GOOD)
    (root / "tb/toy/test_again.py").write_text(TEST.replace("counts", "counts_again"))
    assert testplan.tests_of("toy", root) == ["counts", "counts_again"]
    assert testplan.check(root, ["toy"]) == ["toy: no feature names test counts_again"]
