"""The agents know nothing of this core: they can be taken to another bench as they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scripts.tools import ROOT
from tb.agents.rules import RULES

AGENTS = ROOT / "tb" / "agents"
# The bench that tests them.
BENCH = ("test_agents.py", "test_axi_lite.py", "profiles.py", "coverage.py")
FILES = sorted(file for file in AGENTS.rglob("*.py") if file.name not in BENCH)
OURS = {"tb", "models", "compiler", "scripts", "coverage", "nets", "bench"}
PARAMETERS = {
    name
    for file in ROOT.glob("rtl/**/*.v")
    for name in re.findall(r"parameter integer (\w+)", file.read_text())
}


def knows(source: str) -> set[str]:
    """What of this core a source names: modules of the project other than agents, parameters of the RTL."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or "" if not node.level else "relative"]
        elif isinstance(node, ast.Name):
            found |= {node.id} & PARAMETERS
        elif isinstance(node, ast.Attribute):
            found |= {node.attr} & PARAMETERS
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} & (PARAMETERS - RULES.keys())
        found |= {m for m in modules if m.split(".")[0] in OURS and not (m + ".").startswith("tb.agents.")}
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(AGENTS)))
def test_an_agent_knows_nothing_of_this_core(file: Path) -> None:
    assert knows(file.read_text()) == set()


def test_what_an_agent_must_not_know_is_found() -> None:
    assert knows("from models.isa import PAGE\nfrom tb.agents.burst import INCR") == {"models.isa"}
    assert knows("import tb.common.compute") == {"tb.common.compute"}
    assert knows("depth = dut.ACC_DEPTH.value") == {"ACC_DEPTH"}
    assert knows("getattr(dut, 'MAX_BURST')") == {"MAX_BURST"}
    assert knows("from tb.agentsmith import x") == {"tb.agentsmith"}


def test_the_readme_lists_every_file() -> None:
    """As `name.py`, or by its folder."""
    text = (AGENTS / "README.md").read_text()
    missing = [file.name for file in FILES if file.parent == AGENTS and f"`{file.name}`" not in text]
    assert missing in ([], ["__init__.py"])
