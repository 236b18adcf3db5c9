"""A small copy of the project, with one throwaway block, to run make on and to break."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tools import ROOT, VENV

COUNTER = """\
`default_nettype none

module npu (
    input  wire       clk,
    input  wire       rst_n,
    output reg  [7:0] count
);

  always @(posedge clk) begin
    if (!rst_n) count <= 8'd0;
    else count <= count + 8'd1;
  end

endmodule

`default_nettype wire
"""

BENCH = """\
from __future__ import annotations

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge

from tb.bench import Bench

BENCH = Bench(toplevel="npu")


@cocotb.test()
async def counts(dut):
    Clock(dut.clk, 10, "ns").start()
    dut.rst_n.value = 0
    await ClockCycles(dut.clk, 2)
    await FallingEdge(dut.clk)
    dut.rst_n.value = 1
    await ClockCycles(dut.clk, 5)
    await FallingEdge(dut.clk)
    assert dut.count.value == 5
"""

TESTPLAN = """\
{
  name: toy
  testpoints: [{ name: "count", desc: "It counts.", stage: "V1", tests: ["counts"] }]
}
"""


class Tree:
    """A copy of the front door in a folder of its own, sharing this project's .venv."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("Makefile", "requirements.txt", "pyproject.toml", ".rules.verible_lint"):
            shutil.copy(ROOT / name, root)
        shutil.copytree(
            ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("tests", "__pycache__")
        )
        for package in ("tb", "tb/common", "models", "compiler", "nets", "bench", "coverage", "report"):
            self.write(f"{package}/__init__.py", "")
        for file in (ROOT / "tb").glob("*.py"):
            shutil.copy(file, root / "tb")
        shutil.copy(ROOT / "tb/common/cover.py", root / "tb/common")
        # What the scripts reach of the rest: registers and regress import it.
        self.edit(
            "pyproject.toml",
            '    "ai_edge_litert.*"',
            '    "tb.chip.*", "tb.registers.*", "ai_edge_litert.*"',
        )
        self.write("docs/testplan/toy.hjson", TESTPLAN)
        self.write("scripts/verilator.vlt", "`verilator_config\n")  # waivers of the real RTL stay out
        self.write("rtl/npu.f", "rtl/npu.v\n")
        self.write("rtl/npu.v", COUNTER)
        self.write("tb/toy/test_toy.py", BENCH)
        (root / ".venv").symlink_to(VENV)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def files(self) -> set[Path]:
        return set(self.root.rglob("*"))

    def make(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run make here, as a user would from a fresh shell. Output and errors come as one text."""
        clean = {k: v for k, v in os.environ.items() if k != "PYTEST_CURRENT_TEST"}
        return subprocess.run(
            ["make", f"PYTHON={sys.executable}", *arguments],
            cwd=self.root,
            env={**clean, "PYTHONDONTWRITEBYTECODE": "1", "ASSAY_APT": "0", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.fixture
def warm_tree(tree: Tree) -> Tree:
    """With the project's own store of compiled Verilator library: seconds saved at each build."""
    store = Path("build", "sim", ".runtime")
    (ROOT / store).mkdir(parents=True, exist_ok=True)
    (tree.root / store).parent.mkdir(parents=True)
    (tree.root / store).symlink_to(ROOT / store)
    return tree
