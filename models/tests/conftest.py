"""Prints the seed, the command that repeats it, and how many values each judge compared.

JUDGE_TABLE=file also writes the counts there as a Markdown table: docs/operators.md holds one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from models.tests.litert import SEED, judged


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for tally in judged:
        terminalreporter.write_line(
            f"{tally.operator:<40} {tally.values:>10,} values {tally.mismatches:>6} mismatches"
        )
    if "JUDGE_TABLE" in os.environ:
        rows = [f"| {t.operator} | {t.values:,} | {t.mismatches:,} | {t.largest} |\n" for t in judged]
        head = "| operator | values | differ | by at most |\n|---|---|---|---|\n"
        Path(os.environ["JUDGE_TABLE"]).write_text(head + "".join(rows), encoding="utf-8")
    terminalreporter.write_line(f"repeat with: SEED={SEED} python -m pytest models/tests")
