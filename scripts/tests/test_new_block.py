"""docs/new_block.md is followed to the letter: its files are a block that runs and a testplan that holds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.tools import ROOT, VENV, tool_env

PAGE = (ROOT / "docs" / "new_block.md").read_text()
FILE = re.compile(r"^`(\S+)`\n\n```\w+\n(.*?)^```$", re.M | re.S)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What a block, and the check of all testplans, need of this project, and the page's files in it."""
    for folder in ("scripts", "tb", "rtl", "models", "compiler", "nets", "docs/testplan"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(VENV)
    for path, text in FILE.findall(PAGE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "tb/mean/__init__.py").touch()
    with (tmp_path / "rtl/npu.f").open("a") as list_:
        list_.write("rtl/mean/npu_mean.v\n")
    return tmp_path


def run(tree: Path, *command: str) -> subprocess.CompletedProcess[str]:
    python = [sys.executable, "-m", *command]
    return subprocess.run(python, cwd=tree, env=tool_env(), capture_output=True, text=True, timeout=300)


def test_the_block_of_the_page_runs_and_its_testplan_holds(tree: Path) -> None:
    done = run(tree, "tb.runner", "--block", "mean", "--seed", "3")
    assert done.returncode == 0, done.stdout
    assert "mean verilator: 5 passed, 0 failed" in done.stdout
    checked = run(tree, "scripts.testplan")
    assert checked.returncode == 0, checked.stdout


def test_the_faults_of_the_page_are_caught(tree: Path) -> None:
    rtl = tree / "rtl/mean/npu_mean.v"
    good = rtl.read_text()
    for old, new, test in (
        ("sum[8] ?", "sum[7] ?", "mean_matches_model_under_backpressure"),
        ("if (!rst_n) out_valid <= 1'b0;\n    else if", "if", "mean_works_after_reset_in_flight"),
    ):
        assert old in good
        rtl.write_text(good.replace(old, new))
        done = run(tree, "tb.runner", "--block", "mean", "--seed", "3")
        assert done.returncode == 1 and re.search(rf"FAIL  {test}", done.stdout), done.stdout
