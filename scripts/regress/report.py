"""What came of a regression: summary.json, JUnit XML, and what a person must see."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from scripts.regress.job import PASSED, STATUSES, Outcome, tail
from scripts.tools import ROOT
from tb.verdict import Test, Verdict, write_junit


def summarise(outcomes: Sequence[Outcome], seeds: Sequence[int], repeat: str, seconds: float) -> dict:
    """The contents of summary.json: each job in exactly one of the four counts."""
    count = Counter(outcome.status for outcome in outcomes)
    return {
        "jobs": len(outcomes),
        **{status: count[status] for status in STATUSES},
        "seeds": list(seeds),
        "repeat": repeat,
        "seconds": round(seconds, 1),
        "results": [
            {
                "name": outcome.job.name,
                "status": outcome.status,
                "simulator": outcome.job.sim,
                "seed": outcome.job.seed,
                "seconds": round(outcome.seconds, 2),
                "tests": len(outcome.tests),
                "message": outcome.message,
                "again": outcome.again,
                "waveform": outcome.waveform,
                "repeat": outcome.job.repeat,
            }
            for outcome in outcomes
        ],
    }


def write(folder: Path, outcomes: Sequence[Outcome], summary: dict) -> None:
    """folder/summary.json and folder/junit.xml."""
    cases = []
    for outcome in outcomes:
        status = {"passed": "pass", "failed": "fail"}.get(outcome.status, "error")
        text = (
            ""
            if status == "pass"
            else f"{outcome.status}: {outcome.message}\n{tail(log_of(folder, outcome))}"
        )
        cases.append(Test(outcome.job.name, status, outcome.seconds, clean(text)))
    write_junit(folder / "junit.xml", "make regress", Verdict(cases))
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))


def clean(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(char for char in text if char in "\t\n" or char >= " ")


def log_of(folder: Path, outcome: Outcome) -> Path:
    return folder / outcome.job.name / "job.log"


def show(outcome: Outcome, folder: Path) -> str:
    """What a person must see of a job that did not pass."""
    lines = [f"{outcome.status.upper()}  {outcome.job.name}  {outcome.seconds:.1f} s  {outcome.message}"]
    logs = [folder / outcome.job.name / name for name in ("run.log", "job.log")]
    lines += [f"  log: {os.path.relpath(log, ROOT)}" for log in logs if log.exists() and log.stat().st_size]
    if outcome.again:
        wave = f"waveform: {outcome.waveform}" if outcome.waveform else "it left no waveform"
        lines.append(f"  again with waves: {outcome.again}; {wave}")
    return "\n".join([*lines, f"  repeat: {outcome.job.repeat}"])


def verdict_line(summary: dict) -> str:
    """The last line of a regression."""
    counts = ", ".join(f"{summary[status]} {status.replace('_', ' ')}" for status in STATUSES)
    good = summary["jobs"] and summary[PASSED] == summary["jobs"]
    return (
        f"{'passed' if good else 'FAILED'}  {summary['jobs']} jobs: {counts}; "
        f"{summary['seconds']:.0f} s  repeat: {summary['repeat']}"
    )
