"""The whole report from kept runs; a run that failed or is missing counts for nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from coverage import __main__ as main
from coverage import collect, exclude, items, scope
from coverage.dat import HEADER
from coverage.html import cross_rows, lines_of
from coverage.items import Item
from scripts.testplan import Feature, Plan
from tb import verdict
from tb.common.cover import Coverage, Cross, Never, Point
from tb.verdict import Verdict

RTL = """\
module npu_toy;
  always @(posedge clk) begin
    if (go) a <= b;
  end
endmodule
"""
MODEL = Coverage(
    "toy",
    Point("mode", {"double": 0, "single": 1}, "m"),
    Point("tie", ["up", "down"], "t"),
    Cross("mode_x_tie", ("mode", "tie"), [Never("up only", mode="single", tie="down")]),
)
HITS = {
    "mode": {"double": 2, "single": 1},
    "tie": {"up": 2, "down": 1},
    "mode_x_tie": {"double_x_up": 1, "double_x_down": 1, "single_x_up": 1},
}
Change = Callable[[Path], object]


def dat(root: Path, taken: int = 3) -> str:
    def row(page: str, what: str, line: int, hits: int, lines: str = "") -> str:
        fields = {"f": root / "rtl/toy/npu_toy.v", "l": line, "n": 5, "page": f"v_{page}/npu_toy", "o": what}
        fields |= {"S": lines} if lines else {}
        return "C '" + "".join(f"\1{k}\2{v}" for k, v in fields.items()) + f"' {hits}\n"

    rows = [row("line", "block", 2, 9, "2"), row("branch", "if", 3, taken, "3"), row("branch", "else", 3, 4)]
    rows += [row("toggle", f"a:{edge}", 3, 5) for edge in ("0->1", "1->0")]
    rows += [row("expr", f"(go=={v}) => {v}", 3, 4) for v in (0, 1)]
    return HEADER + "\n" + "".join(rows)


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one block, and one run of it that covers everything. Returns the run's folder."""
    monkeypatch.setattr(collect, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(collect, "labels", lambda block: ["default"])
    monkeypatch.setattr(collect, "relative", str)
    monkeypatch.setattr(main, "FOLDER", tmp_path / "report")
    for module in (main, items):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr("coverage.dat.ROOT", tmp_path)
    monkeypatch.setattr("coverage.html.ROOT", tmp_path)
    monkeypatch.setattr(main, "blocks", lambda: ["toy"])
    monkeypatch.setattr(main, "listed", lambda: [tmp_path / "rtl/toy/npu_toy.v"])
    monkeypatch.setattr(scope, "contained", lambda blocks: {"toy": {"rtl/toy/npu_toy.v"}})
    monkeypatch.setattr(main, "coverage_of", lambda block: MODEL)
    monkeypatch.setattr(main, "plan_file", lambda block: tmp_path)
    plan = Plan("toy", (Feature("count", "d", "V1", ("counts",), ("tie",)),))
    monkeypatch.setattr(main, "load", lambda file: plan)
    monkeypatch.setattr(exclude, "load", lambda: [])
    (tmp_path / "rtl/toy").mkdir(parents=True)
    (tmp_path / "rtl/toy/npu_toy.v").write_text(RTL)
    folder = tmp_path / "runs/toy.default.verilator.7"
    folder.mkdir(parents=True)
    (folder / "coverage.dat").write_text(dat(tmp_path))
    (folder / "functional.json").write_text(json.dumps({"toy": HITS}))
    results(folder, "pass")
    return folder


def results(folder: Path, status: str) -> None:
    tests = [verdict.Test("counts/n=4", status, 0.1, "wrong" if status == "fail" else "")]
    verdict.write_junit(folder / "results.xml", "toy", Verdict(tests))


def report() -> tuple[bool, dict, str]:
    """Whether it passed, summary.json, and index.html."""
    passed = main.report(["toy"], collect.kept(["toy"]))
    folder = main.FOLDER
    return passed, json.loads((folder / "summary.json").read_text()), (folder / "index.html").read_text()


def test_a_run_that_covers_everything_passes_and_reports(kept: Path) -> None:
    passed, summary, index = report()
    assert passed and summary["passed"] and summary["seeds"] == [7] and "All gates hold" in index
    assert {summary[metric] for metric in ("line", "branch", "toggle", "expression", "functional")} == {1.0}
    assert summary["testplan"] == 1.0 and summary["fsm"] is None and summary["excluded"] == 0
    assert summary["blocks"]["toy"]["line"] == summary["files"]["rtl/toy/npu_toy.v"]["line"] == 1.0
    assert "DA:3,3" in (main.FOLDER / "coverage.info").read_text()
    assert (main.FOLDER / "holes.txt").read_text() == ""
    assert "mode_x_tie" in (main.FOLDER / "functional_toy.html").read_text()
    assert "if (go) a &lt;= b;" in (main.FOLDER / "npu_toy.html").read_text()


def no_branch(folder: Path) -> None:
    (folder / "coverage.dat").write_text(dat(folder.parents[1], taken=0))


def no_bin(folder: Path) -> None:
    (folder / "functional.json").write_text(json.dumps({"toy": HITS | {"tie": {"up": 1, "down": 0}}}))


MISSING: dict[str, tuple[Change, str]] = {
    "a branch": (no_branch, "toy: branch 1 of 2"),
    "a bin": (no_bin, "toy: functional 6 of 7"),
    "functional coverage": (lambda folder: (folder / "functional.json").unlink(), "toy: functional 0 of 7"),
    "code coverage": (lambda folder: (folder / "coverage.dat").unlink(), "it wrote no coverage.dat"),
    "results": (lambda folder: (folder / "results.xml").unlink(), "the simulation wrote no results"),
    "a passed test": (lambda folder: results(folder, "fail"), "toy default seed 7: a test failed"),
    "the run": (lambda folder: folder.rename(folder.with_name("gone")), "toy default has not run"),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_fails(kept: Path, what: str) -> None:
    change, words = MISSING[what]
    change(kept)
    passed, summary, index = report()
    assert not passed and not summary["passed"]
    assert any(words in problem for problem in summary["problems"]), summary["problems"]
    assert "failed" in index


def test_a_failed_run_covers_nothing(kept: Path) -> None:
    results(kept, "fail")
    _, summary, _ = report()
    assert summary["line"] == summary["branch"] == summary["functional"] == summary["testplan"] == 0.0


def test_a_file_that_only_another_block_runs_is_named_and_not_judged(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept / "coverage.dat").write_text(HEADER)  # the toy's bench has no line of it
    monkeypatch.setattr(main, "blocks", lambda: ["toy", "whole"])
    monkeypatch.setattr(scope, "contained", lambda blocks: {"toy": set(), "whole": {"rtl/toy/npu_toy.v"}})
    passed, summary, index = report()
    assert passed and summary["elsewhere"] == ["rtl/toy/npu_toy.v"] and summary["line"] is None
    assert "counted in a whole run: rtl/toy/npu_toy.v" in index
    monkeypatch.setattr(scope, "contained", lambda blocks: {"toy": {"rtl/toy/npu_toy.v"}, "whole": set()})
    passed, summary, _ = report()
    assert not passed and summary["line"] == 0.0


def test_holes_are_listed_and_shown(kept: Path) -> None:
    no_branch(kept)
    no_bin(kept)
    report()
    listed = (main.FOLDER / "holes.txt").read_text()
    assert "3: branch: if  | if (go) a <= b;" in listed and "toy.tie.down" in listed
    assert "count: coverpoint tie has 1 holes" in listed


def test_lines_are_coloured_by_what_is_open_on_them() -> None:
    def item(line: int, kind: str, hits: int, reason: str | None = None) -> Item:
        return Item(kind, "f", line, "x", "s", hits, reason)

    found = [item(1, "line", 2), item(2, "line", 2), item(2, "branch", 0), item(3, "line", 0)]
    found += [item(4, "branch", 0, "never")]
    assert [line.colour for line in lines_of("\n" * 5, found)] == ["run", "partly", "missed", "excluded", ""]


def test_a_cross_is_a_table_with_its_holes_and_what_can_never_be() -> None:
    rows = cross_rows(MODEL, MODEL.crosses["mode_x_tie"], HITS["mode_x_tie"] | {"double_x_down": 0})
    assert rows == [("double", [1, 0]), ("single", [1, None])]
