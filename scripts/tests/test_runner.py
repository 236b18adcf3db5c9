"""The runner's verdict is the truth, and a build happens when, and only when, something changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.tests.conftest import BENCH, COUNTER, Tree
from tb import verdict


@pytest.fixture
def tree(warm_tree: Tree) -> Tree:
    return warm_tree


PASS = '<testcase name="a" time="0.5"/>'
SKIP = '<testcase name="b"><skipped/></testcase>'
FAIL = '<testcase name="c" time="1"><failure message="1 is not 2"/></testcase>'
ERROR = '<testcase name="d"><error message="boom"/></testcase>'


def read(tmp_path: Path, cases: str, failure: str | None = None) -> verdict.Verdict:
    file = tmp_path / "results.xml"
    file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    return verdict.read(file, failure)


@pytest.mark.parametrize(
    "cases, passed", [(PASS, True), (PASS + SKIP, True), (PASS + FAIL, False), (PASS + ERROR, False)]
)
def test_one_bad_test_fails_the_run(tmp_path: Path, cases: str, passed: bool) -> None:
    assert read(tmp_path, cases).passed is passed


@pytest.mark.parametrize("cases", ["", SKIP])
def test_nothing_executed_is_a_failure(tmp_path: Path, cases: str) -> None:
    outcome = read(tmp_path, cases)
    assert not outcome.passed
    assert outcome.problem == "no test was executed"


def test_a_crash_is_a_failure_whatever_the_results_say(tmp_path: Path) -> None:
    assert not read(tmp_path, PASS, failure="the simulator failed").passed


def test_missing_and_cut_off_results_are_failures(tmp_path: Path) -> None:
    assert not verdict.read(tmp_path / "none.xml").passed
    (tmp_path / "cut.xml").write_text("<testsuites><testsuite>")
    assert not verdict.read(tmp_path / "cut.xml").passed


def test_written_junit_reads_back(tmp_path: Path) -> None:
    outcome = read(tmp_path, PASS + SKIP + FAIL, failure="crashed")
    verdict.write_junit(tmp_path / "out.xml", "suite", outcome)
    again = verdict.read(tmp_path / "out.xml")
    assert [test.status for test in again.tests] == ["pass", "skip", "fail", "fail"]


def test_a_block_passes_and_a_warm_run_builds_nothing(tree: Tree) -> None:
    first = tree.make("sim", "BLOCK=toy", "SEED=7")
    assert first.returncode == 0, first.stdout
    line = "seed=7  repeat: make sim BLOCK=toy SIM=verilator SEED=7"
    assert first.stdout.splitlines()[0] == line
    assert first.stdout.splitlines()[-1] == f"passed  {line}"
    assert "built in" in first.stdout
    summary = json.loads((tree.root / "build/sim/toy/summary.json").read_text())
    assert (summary["block"], summary["simulator"], summary["seed"]) == ("toy", "verilator", 7)
    assert [test["status"] for test in summary["runs"][0]["tests"]] == ["pass"]
    assert (tree.root / "build/test/toy.verilator.default.xml").exists()

    assert "built in" not in tree.make("sim", "BLOCK=toy").stdout
    tree.write("rtl/npu_elsewhere.v", COUNTER.replace("npu", "npu_elsewhere"))
    tree.write("rtl/npu.f", "rtl/npu_elsewhere.v\nrtl/npu.v\n")
    assert "built in" not in tree.make("sim", "BLOCK=toy").stdout, "a file that npu does not reach"

    tree.edit("rtl/npu.v", "count + 8'd1", "count + 8'd2")
    broken = tree.make("sim", "BLOCK=toy")
    assert "built in" in broken.stdout
    assert broken.returncode != 0
    assert "FAIL  counts" in broken.stdout
    assert broken.stdout.splitlines()[-2].startswith("FAILED  seed=")

    tree.write("rtl/npu.v", COUNTER.replace("count <= 8'd0", "count <= 9'd0"))
    warns = tree.make("sim", "BLOCK=toy")
    assert warns.returncode != 0
    assert "%Warning-WIDTH" in warns.stdout


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("assert dut.count.value == 5", "__import__('os')._exit(0)", "wrote no results"),
        ("assert dut.count.value == 5", "__import__('os').abort()", "simulator failed"),
        ("@cocotb.test()\n", "", "No tests were discovered"),
        ("@cocotb.test()", "@cocotb.test(skip=True)", "no test was executed"),
        ("assert dut.count.value == 5", "while True:\n        pass", "not finished after 3 s"),
        ("BENCH = ", "OTHER = ", "declares no BENCH"),
        ('toplevel="npu"', 'toplevel="nope"', "nope.v"),
        ('toplevel="npu"', 'toplevel="npu", sources=["tb/gone.v"]', "tb/gone.v"),
    ],
)
def test_what_is_not_a_pass_fails(tree: Tree, old: str, new: str, words: str) -> None:
    tree.edit("tb/toy/test_toy.py", old, new)
    if "not finished" in words:
        tree.edit("tb/toy/test_toy.py", 'toplevel="npu"', 'toplevel="npu", timeout=3')
    done = tree.make("sim", "BLOCK=toy")
    assert done.returncode != 0
    assert words in done.stdout
    assert "passed  seed=" not in done.stdout
    if words not in done.stdout.partition("--- the end of")[2]:
        assert "Traceback" not in done.stdout


def test_test_picks_by_name_and_must_find_one(tree: Tree) -> None:
    second = BENCH[BENCH.index("@cocotb.test()") :].replace("counts", "counts_again")
    tree.write("tb/toy/test_toy.py", f"{BENCH}\n\n{second}")
    picked = tree.make("sim", "BLOCK=toy", "TEST=again")
    assert picked.returncode == 0
    assert "1 passed" in picked.stdout
    assert tree.make("sim", "BLOCK=toy", "TEST=nothing_like_it").returncode != 0


def test_counts_are_small_unless_full_ones_are_asked_for(tree: Tree) -> None:
    tree.edit("tb/toy/test_toy.py", "import Bench", "import Bench, lighter")
    tree.edit("tb/toy/test_toy.py", "count.value == 5", "count.value == 5 and lighter(60, 2, 20) == 3")
    assert tree.make("sim", "BLOCK=toy").returncode == 0
    full = tree.make("sim", "BLOCK=toy", "SEED=7", "FULL=1")
    assert full.returncode != 0
    assert "repeat: make sim BLOCK=toy SIM=verilator SEED=7 FULL=1" in full.stdout
    tree.edit("tb/toy/test_toy.py", "20) == 3", "20) == 60")
    assert tree.make("sim", "BLOCK=toy", "FULL=1").returncode == 0


def test_waves_says_where_the_waveform_is(tree: Tree) -> None:
    done = tree.make("sim", "BLOCK=toy", "WAVES=1")
    assert done.returncode == 0, done.stdout
    found = re.search(r"waveform: (\S+)", done.stdout)
    assert found
    assert (tree.root / found[1]).stat().st_size > 0
