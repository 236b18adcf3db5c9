"""coverage.dat is read as Verilator writes it, and runs add up as a sum by hand does."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverage import dat
from coverage.dat import HEADER, Point
from scripts.tools import ROOT, UserError

FIFO = ROOT / "rtl/lib/npu_fifo.v"


def row(
    hits: int, page: str, what: str, line: int, column: int = 5, instance: str = "top", **more: str
) -> str:
    fields = {
        "f": str(FIFO),
        "l": line,
        "n": column,
        "t": "x",
        "page": page,
        "o": what,
        **more,
        "h": instance,
    }
    return "C '" + "".join(f"\1{name}\2{value}" for name, value in fields.items()) + f"' {hits}\n"


def file(folder: Path, name: str, *rows: str) -> Path:
    path = folder / name
    path.write_text(HEADER + "\n" + "".join(rows))
    return path


def test_runs_parameter_sets_and_instances_add_up_to_the_sum_by_hand(tmp_path: Path) -> None:
    first = file(
        tmp_path,
        "first.dat",
        row(3, "v_line/npu_fifo__W30_L1", "block", 37, S="37"),
        row(4, "v_line/npu_fifo__W95_L1", "block", 37, S="37", instance="top.u_queue"),
        row(0, "v_toggle/npu_fifo__W30_L1", "level[1]:0->1", 35),
        row(5, "v_branch/npu_fifo__W30_L1", "if", 38, S="38"),
    )
    second = file(
        tmp_path,
        "second.dat",
        row(10, "v_line/npu_fifo", "block", 37, S="37"),
        row(2, "v_toggle/npu_fifo", "level[1]:0->1", 35),
        row(1, "v_toggle/npu_fifo", "level[2]:0->1", 35),
        row(7, "v_branch/npu_fifo", "else", 38, column=6),
    )
    name = "rtl/lib/npu_fifo.v"
    assert dat.merge([dat.read(first), dat.read(second)]) == {
        Point(name, 37, 5, "line", "block", "37"): 3 + 4 + 10,
        Point(name, 35, 5, "toggle", "level[1]:0->1"): 0 + 2,
        Point(name, 35, 5, "toggle", "level[2]:0->1"): 1,
        Point(name, 38, 5, "branch", "if", "38"): 5,
        Point(name, 38, 6, "branch", "else"): 7,
    }


def test_a_point_never_hit_is_there(tmp_path: Path) -> None:
    found = dat.merge([dat.read(file(tmp_path, "a.dat", row(0, "v_expr/npu_fifo", "(a==1) => 1", 4)))])
    assert list(found.values()) == [0]


def test_alternatives_that_verilator_calls_lines_are_branches(tmp_path: Path) -> None:
    rows = [row(1, "v_line/npu_fifo", what, n) for n, what in enumerate(("block", "elsif", "case", "else"))]
    kinds = [point.kind for point in dat.read(file(tmp_path, "a.dat", *rows))]
    assert kinds == ["line", "branch", "branch", "branch"]


def test_lines_are_ranges() -> None:
    assert Point("f", 1, 1, "line", "block", "3-5,9").covers() == [3, 4, 5, 9]
    assert Point("f", 1, 1, "branch", "else").covers() == []


def test_quotes_in_an_expression_are_read(tmp_path: Path) -> None:
    found = dat.read(file(tmp_path, "a.dat", row(2, "v_expr/npu_fifo", "({32'h1 ' 7}==1) => 1", 4)))
    assert [point.text for point in found] == ["({32'h1 ' 7}==1) => 1"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "does not begin with"),
        ("# something else\n", "does not begin with"),
        (HEADER + "\nC 'half a li", "no coverage point"),
        (HEADER + "\nC '\1f\2a.v\1page\2v_line/a' 3\n", "lacks a field"),
    ],
)
def test_a_file_that_is_not_whole_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.dat").write_text(text)
    with pytest.raises(UserError, match=words):
        dat.read(tmp_path / "a.dat")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="wrote no coverage"):
        dat.read(tmp_path / "none.dat")
