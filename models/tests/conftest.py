"""Prints the seed, the command that repeats it, and how many values each judge compared."""

from __future__ import annotations

import pytest

from models.tests.litert import SEED, judged


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for tally in judged:
        terminalreporter.write_line(
            f"{tally.operator:<40} {tally.values:>10,} values {tally.mismatches:>6} mismatches"
        )
    terminalreporter.write_line(f"repeat with: SEED={SEED} python -m pytest models/tests")
