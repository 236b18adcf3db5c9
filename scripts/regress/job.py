"""One job of a regression: a process that must leave results. Run it, and say how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.tools import ROOT
from tb import verdict

PASSED, FAILED, TIMED_OUT, CRASHED = STATUSES = ("passed", "failed", "timed_out", "crashed")

# How a worker ends: what its results must agree with. Anything else is a crash.
EXIT_PASSED, EXIT_FAILED, EXIT_CRASHED, EXIT_TIMED_OUT = 0, 1, 3, 124
RESULTS = "results.xml"
SHOWN = 2000  # characters of a log that a report keeps


@dataclass(frozen=True)
class Job:
    """command: Python's arguments; `--folder F` is added, where results.xml must be, and
    `--waves` when it runs again. repeat: what a person types. limit: seconds. build: what it runs on, by
    name. after: a job that must have ended. alone: of the jobs with the same word one runs at a time."""

    name: str
    sim: str
    seed: int
    command: Sequence[str]
    repeat: str
    limit: float
    build: str = ""
    after: str = ""
    alone: str = ""


@dataclass
class Outcome:
    """How a job ended. code: its process's, None if it was stopped or never ran. again: how it ended the
    second time, with waves; "" if there was none."""

    job: Job
    status: str = CRASHED
    message: str = "it was never started"
    seconds: float = 0.0
    again: str = ""
    waveform: str = ""
    tests: Sequence[verdict.Test] = field(default_factory=list)
    code: int | None = None


class Processes:
    """The jobs that run now; `kill` ends them with all that they started."""

    def __init__(self) -> None:
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False

    def run(self, command: Sequence[str], log: Path, limit: float) -> int | None:
        """The exit code, negative for a signal; None if it had to be stopped after `limit` seconds."""
        with log.open("w") as out:
            # A session of its own: the simulator below it ends with it.
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.running.add(process)
        if self.stopped:
            self.kill()
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None
        finally:
            self._kill(process)
            self.running.discard(process)

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """What is left of it: a crashed job must not leave a simulator behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def kill(self) -> None:
        self.stopped = True
        for process in list(self.running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def judge(code: int | None, results: Path) -> tuple[str, str, verdict.Verdict]:
    """(status, message, results) of a process that ended with `code` and should have left `results`.

    Passed and failed need results that can be read and agree with the code; all else is a crash.
    """
    found = verdict.read(results)
    bad = [test for test in found.tests if test.status == "fail"]
    if code is None or code == EXIT_TIMED_OUT:
        return TIMED_OUT, "stopped: it took too long", found
    if code < 0:
        return CRASHED, f"killed by {signal.Signals(-code).name}", found
    if code not in (EXIT_PASSED, EXIT_FAILED):
        return CRASHED, f"ended with exit code {code}", found
    if found.problem:
        return CRASHED, found.problem, found
    if (code == EXIT_FAILED) != bool(bad):
        return CRASHED, f"exit code {code}, but {len(bad)} tests failed", found
    if bad:
        return FAILED, "; ".join(f"{test.name}: {test.message.partition(chr(10))[0]}" for test in bad), found
    return PASSED, "", found


def run(job: Job, folder: Path, processes: Processes, waves: bool = False) -> Outcome:
    """Run a job in `folder` (made here, empty) to its end."""
    folder.mkdir(parents=True)
    start = time.monotonic()
    command = [sys.executable, *job.command, "--folder", str(folder), *(["--waves"] if waves else [])]
    code = processes.run(command, folder / "job.log", job.limit)
    status, message, found = judge(code, folder / RESULTS)
    if status == CRASHED and (said := tail(folder / "job.log").split("\n")[-2:-1]):
        message += f": {said[0]}"
    wave = "".join(str(file) for file in folder.glob("wave.*"))
    seconds = time.monotonic() - start
    return Outcome(job, status, message, seconds, waveform=wave, tests=found.tests, code=code)


def run_twice_if_bad(job: Job, folder: Path, processes: Processes) -> Outcome:
    """Run a job; if it does not pass run it again at once, same seed, with waves."""
    outcome = run(job, folder, processes)
    if outcome.status == PASSED or processes.stopped:
        return outcome
    again = run(job, folder / "again", processes, waves=True)
    outcome.again, outcome.waveform = again.status, again.waveform
    return outcome


def tail(log: Path) -> str:
    """The end of a log, for a report; "" if there is none."""
    return log.read_text(errors="replace")[-SHOWN:] if log.exists() else ""
