"""Many seeds through every block and the chip, on both simulators: make regress [SEEDS=n].

    python -m scripts.regress --seeds 3 --block conv --sim icarus --seed 7 --jobs 2

build/regress/ holds summary.json, junit.xml and a folder for each job.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.regress import report
from scripts.regress.job import PASSED, Job, Outcome, Processes, run, run_twice_if_bad, tail
from scripts.regress.plan import Plan, plan
from scripts.regress.schedule import run_all
from scripts.tools import BUILD, SIMULATORS, UserError, blocks, missing_icarus, run_program
from tb.progress import Progress

RESULTS = BUILD / "regress"
SEEDS = 3  # unless told otherwise: with make coverage, under 40 minutes on 2 cores
LARGEST_SEED = 2**31 - 1  # what Verilator takes


def regress(work: Plan, seeds: Sequence[int], repeat: str, at_once: int, folder: Path = RESULTS) -> int:
    """Run a plan and report. 0 if every job passed, 130 if it was stopped, else 1."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    print(f"{len(work.jobs)} jobs, seeds {seeds[0]} to {seeds[-1]}  repeat: {repeat}", flush=True)
    start, processes = time.monotonic(), Processes()
    broken = build_all(work.builds, at_once, folder, processes)

    def one(job: Job) -> Outcome:
        if job.build in broken:
            return Outcome(job, message=f"its build failed: {broken[job.build]}")
        return run_twice_if_bad(job, folder / job.name, processes)

    progress, ended = Progress(len(work.jobs), "job"), []

    def done(outcome: Outcome) -> None:
        ended.append(outcome)
        if outcome.status != PASSED:
            progress.say(report.show(outcome, folder))
        progress.update(len(ended))

    outcomes = run_all(work.jobs, at_once, one, done, processes)
    progress.close()
    summary = report.summarise(outcomes, seeds, repeat, time.monotonic() - start)
    report.write(folder, outcomes, summary)
    print(report.verdict_line(summary))
    if processes.stopped:
        return 130
    return 0 if work.jobs and summary[PASSED] == summary["jobs"] else 1


def build_all(builds: Sequence[Job], at_once: int, folder: Path, processes: Processes) -> dict[str, str]:
    """Make every build once. Returns those that failed, with what the compiler said."""
    broken: dict[str, str] = {}
    progress, ended = Progress(len(builds), "build"), []

    def make(job: Job) -> Outcome:
        return run(job, folder / "builds" / job.name, processes)

    def done(outcome: Outcome) -> None:
        ended.append(outcome)
        log = folder / "builds" / outcome.job.name / "job.log"
        # A build has no tests to report: its exit code is all.
        if outcome.code != 0:
            broken[outcome.job.name] = tail(log).strip() or outcome.message
            progress.say(f"{outcome.job.name} does not build\n{tail(log)}")
        progress.update(len(ended))

    run_all(builds, at_once, make, done, processes)
    progress.close()
    return broken


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many seeds ({SEEDS})")
    parser.add_argument("--seed", type=int, required=True, help="the first; the others follow it")
    parser.add_argument("--block", choices=blocks())
    parser.add_argument("--sim", choices=SIMULATORS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="jobs at a time (one a core)")
    options = parser.parse_args()
    if options.sim != "verilator" and (command := missing_icarus()):
        raise UserError(f"icarus is not installed; run: {command} (or regress with SIM=verilator)")
    seeds = [(options.seed - 1 + i) % LARGEST_SEED + 1 for i in range(options.seeds)]
    chosen = {"BLOCK": options.block, "SIM": options.sim, "SEEDS": options.seeds, "SEED": options.seed}
    repeat = " ".join(["make regress", *(f"{name}={value}" for name, value in chosen.items() if value)])
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI that gives up still gets its report
    return regress(plan(seeds, options.block, options.sim), seeds, repeat, options.jobs)


if __name__ == "__main__":
    run_program(main)
