"""make check says nothing about clean code, and something about each kind of fault."""

from __future__ import annotations

import re
import shutil

import pytest

from scripts import check
from scripts.tests.conftest import Tree
from tb import build


@pytest.fixture
def parametric(tree: Tree) -> Tree:
    """The checks build npu with N = 4, 16 and 32."""
    tree.edit("rtl/npu.v", "module npu (", "module npu #(\n    parameter integer N = 16\n) (")
    tree.edit("rtl/npu.v", "output reg  [7:0] count", "output reg  [N-1:0] count")
    tree.edit("rtl/npu.v", "count <= 8'd0", "count <= {N{1'b0}}")
    tree.edit("rtl/npu.v", "count + 8'd1", "count + 1'b1")
    for column in ("input  wire       clk", "input  wire       rst_n"):
        tree.edit("rtl/npu.v", column, column.replace("wire       ", "wire         "))
    return tree


def test_clean_code_passes(parametric: Tree) -> None:
    done = parametric.make("check")
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout
    assert (parametric.root / "build/test/check.xml").exists()


FAULTS = [
    # step, file, what is there, the fault, what the step must say
    ("verilator lint N=16", "rtl/npu.v", "count + 1'b1", "count + rst_m", "rst_m"),
    ("icarus lint N=16", "rtl/npu.v", "!rst_n", "!rst_o", "rst_o"),
    ("verible lint", "rtl/npu.v", "endmodule", "wire [0:3] backward = 4'd0;\nendmodule", "packed-dimensions"),
    ("verible format", "rtl/npu.v", "else count", "else  count", "rtl/npu.v"),
    ("ruff check", "tb/toy/test_toy.py", "import cocotb\n", "import cocotb\nimport sys\n", "F401"),
    ("ruff format", "tb/toy/test_toy.py", "== 5", "==  5", "test_toy.py"),
    ("testplans", "docs/testplan/toy.hjson", '"counts"', '"sleeps"', "sleeps, which does not exist"),
    ("mypy", "tb/bench.py", "return int(", "return str(", "tb/bench.py"),
]


def test_each_fault_fails_its_own_step(parametric: Tree) -> None:
    for _, path, old, new, _ in FAULTS:
        parametric.edit(path, old, new)
    done = parametric.make("check")
    assert done.returncode != 0
    for step, *_, words in FAULTS:
        if step.startswith("icarus") and not shutil.which("iverilog"):
            continue
        failed = re.search(rf"^FAIL  {step} .*\n((?: .*\n)*)", done.stdout, re.M)
        assert failed, f"{step} passed:\n{done.stdout}"
        assert words in failed[1]


def test_unlisted_missing_and_unused_files_are_named(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (check, build):
        monkeypatch.setattr(module, "ROOT", tree.root)
    monkeypatch.setattr(build, "FILE_LIST", tree.root / "rtl/npu.f")
    assert check.file_list().status == "pass"
    tree.write("rtl/lib/npu_unused.v", "module npu_unused;\nendmodule\n")
    assert "rtl/lib/npu_unused.v is not in rtl/npu.f" in check.file_list().message
    tree.write("rtl/npu.f", "rtl/lib/npu_unused.v\nrtl/npu_gone.v\nrtl/npu.v\n")
    assert "rtl/npu_gone.v is in rtl/npu.f and does not exist" in check.file_list().message
    assert "nothing instantiates npu_unused" in check.file_list().message


def test_a_step_that_only_warns_fails() -> None:
    assert check.run("quiet", ["true"]).status == "pass"
    assert check.run("warns", ["echo", "warning: x"]).status == "fail"
    assert check.run("fails", ["false"]).status == "fail"
