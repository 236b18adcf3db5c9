"""Testplans: what each block must do, and the tests and coverpoints that show it.

docs/testplan/<block>.hjson has lowRISC's form: testpoints with name, desc, stage and tests; `coverpoints`
names the block's points and crosses (tb/<block>/coverage.py) that the feature must fill. `make check` fails
on

- a block without a testplan, and a testplan without a block
- a test or coverpoint that does not exist
- a feature without a test
- a test or coverpoint of a block that no feature names
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hjson

from scripts.tools import ROOT, UserError, blocks, run_program, test_files
from tb.common.cover import Coverage

STAGES = ("V1", "V2", "V3")  # it works, it is complete, it is signed off
_FIELDS = {"name", "desc", "stage", "tests", "coverpoints"}


@dataclass(frozen=True)
class Feature:
    """A testpoint: what the block must do, and what shows it."""

    name: str
    desc: str
    stage: str
    tests: tuple[str, ...]
    coverpoints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All features of a block."""

    block: str
    features: tuple[Feature, ...]


def plan_file(block: str, root: Path = ROOT) -> Path:
    return root / "docs" / "testplan" / f"{block}.hjson"


def load(path: Path) -> Plan:
    """A testplan. Raises UserError if it is not complete."""
    try:
        plan = hjson.loads(path.read_text())
        rows: list[dict[str, Any]] = plan["testpoints"]
        return Plan(plan["name"], tuple(_feature(path, row) for row in rows))
    except (hjson.HjsonDecodeError, KeyError) as error:
        raise UserError(f"{path}: expected hjson with `name` and a list `testpoints`: {error}") from None


def _feature(path: Path, row: dict[str, Any]) -> Feature:
    where = f"{path}: feature {row.get('name', '?')}"
    if unknown := row.keys() - _FIELDS:
        raise UserError(f"{where}: unknown field {', '.join(sorted(unknown))}")
    for name in ("name", "desc"):
        if not str(row.get(name, "")).strip():
            raise UserError(f"{where}: no {name}")
    if row.get("stage") not in STAGES:
        raise UserError(f"{where}: stage is {row.get('stage')}, expected one of {', '.join(STAGES)}")
    lists = [row.get(name, []) for name in ("tests", "coverpoints")]
    if not all(isinstance(names, list) for names in lists):
        raise UserError(f"{where}: tests and coverpoints are lists of names")
    return Feature(row["name"], row["desc"], row["stage"], tuple(lists[0]), tuple(lists[1]))


def tests_of(block: str, root: Path = ROOT) -> list[str]:
    """The cocotb tests of a block, read from its sources: functions decorated with @cocotb.test."""
    return [
        node.name
        for file in test_files(block, root)
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef)
        and any(
            ast.unparse(d.func if isinstance(d, ast.Call) else d) == "cocotb.test"
            for d in node.decorator_list
        )
    ]


def coverage_of(block: str, root: Path = ROOT) -> Coverage | None:
    """The block's coverage model, None if it has none yet."""
    if not (root / "tb" / block / "coverage.py").exists():
        return None
    model = getattr(importlib.import_module(f"tb.{block}.coverage"), "COVERAGE", None)
    if not isinstance(model, Coverage) or model.block != block:
        raise UserError(f'tb/{block}/coverage.py declares no COVERAGE = Coverage("{block}", ...)')
    return model


def problems_of(plan: Plan, tests: Sequence[str], coverpoints: Sequence[str]) -> list[str]:
    """What is wrong with a testplan. tests, coverpoints: those that the block has."""
    found = []
    names = [feature.name for feature in plan.features]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(f"{plan.block}: two features are called {name}")
    for feature in plan.features:
        where = f"{plan.block}: feature {feature.name}"
        if not feature.tests:
            found.append(f"{where} has no test")
        found += [f"{where} names test {t}, which does not exist" for t in feature.tests if t not in tests]
        found += [
            f"{where} names coverpoint {point}, which does not exist"
            for point in feature.coverpoints
            if point not in coverpoints
        ]
    named = {test for feature in plan.features for test in feature.tests}
    found += [f"{plan.block}: no feature names test {test}" for test in tests if test not in named]
    covered = {point for feature in plan.features for point in feature.coverpoints}
    found += [f"{plan.block}: no feature names coverpoint {p}" for p in coverpoints if p not in covered]
    return found


def check(root: Path = ROOT, names: Sequence[str] | None = None) -> list[str]:
    """What is wrong with the testplans of all blocks."""
    known = blocks() if names is None else names
    found = []
    for file in sorted((root / "docs" / "testplan").glob("*.hjson")):
        if file.stem not in known:
            found.append(f"{file.relative_to(root)}: there is no block {file.stem}")
    for block in known:
        file = plan_file(block, root)
        if not file.exists():
            found.append(f"{block} has no testplan {file.relative_to(root)}")
            continue
        plan = load(file)
        if plan.block != block:
            found.append(f"{file.relative_to(root)}: its name is {plan.block}, expected {block}")
        model = coverage_of(block, root)
        points = [*model.points, *model.crosses] if model else []
        found += problems_of(plan, tests_of(block, root), points)
    return found


def main() -> int:
    found = check()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    run_program(main)
