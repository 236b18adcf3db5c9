"""Run the blocks with coverage builds, as `make regress` runs them, and keep what each run counted."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.check import relative
from scripts.regress.__main__ import build_all
from scripts.regress.job import PASSED, RESULTS, Job, Outcome, Processes
from scripts.regress.job import run as run_job
from scripts.regress.plan import plan
from scripts.regress.schedule import run_all
from scripts.tools import BUILD
from tb import verdict
from tb.build import Build
from tb.progress import Progress
from tb.runner import bench_of
from tb.verdict import Test

FOLDER = BUILD / "coverage"
RUNS = FOLDER / "runs"
CODE = "coverage.dat"  # as Verilator calls it
SIM = "verilator"
# They take longest, so they begin first: at the end no one waits for one of them alone.
LONG = ("npu", "chip", "registers", "element", "axi_memory", "store", "load", "post")


@dataclass(frozen=True)
class Run:
    """One simulation: a block with one set of parameters and a seed. Its files are in `folder`.

    problem: why it counts for nothing.
    """

    block: str
    label: str
    seed: int
    folder: Path
    problem: str | None = None

    def files(self, name: str) -> list[Path]:
        """That file of its folder, if it is there."""
        return [file for file in [self.folder / name] if file.exists()]

    def tests(self) -> Sequence[Test]:
        return verdict.read(self.folder / RESULTS).tests


def labels(block: str) -> list[str]:
    """The names of a block's sets of parameters."""
    bench = bench_of(block)[1]
    return [Build(block, bench, params, SIM).label for params in bench.params]


def jobs_of(asked: Sequence[str], seeds: Sequence[int]) -> tuple[list[Job], list[Job]]:
    """Builds and runs of these blocks, the longest first."""
    builds: list[Job] = []
    runs: list[Job] = []
    for block in sorted(asked, key=lambda b: LONG.index(b) if b in LONG else len(LONG)):
        work = plan(seeds, block, SIM)
        builds += [replace(job, command=[*job.command, "--coverage"]) for job in work.builds]
        runs += [
            replace(
                job,
                command=[*job.command, "--coverage"],
                repeat=f"make coverage BLOCK={block} SEED={job.seed}",
            )
            for job in work.jobs
        ]
    return builds, runs


def collect(asked: Sequence[str], seeds: Sequence[int], at_once: int) -> list[Run]:
    """Every block with every set of parameters and every seed, `at_once` of them at a time."""
    builds, jobs = jobs_of(asked, seeds)
    for block in asked:
        for old in RUNS.glob(f"{block}.*"):
            shutil.rmtree(old)
    shutil.rmtree(RUNS / "builds", ignore_errors=True)
    processes = Processes()
    broken = build_all(builds, at_once, RUNS, processes)

    def one(job: Job) -> Outcome:
        if job.build in broken:
            return Outcome(job, message=f"its build failed: {broken[job.build]}")
        return run_job(job, RUNS / job.name, processes)

    progress, ended = Progress(len(jobs), "run"), []

    def done(outcome: Outcome) -> None:
        ended.append(outcome)
        if outcome.status != PASSED:
            progress.say(f"{outcome.status}  {outcome.job.name}: {outcome.message}")
        progress.update(len(ended))

    outcomes = run_all(jobs, at_once, one, done, processes)
    progress.close()
    if processes.stopped:
        raise KeyboardInterrupt
    return [_run(o.job.name, None if o.status == PASSED else f"{o.status}: {o.message}") for o in outcomes]


def _run(name: str, problem: str | None) -> Run:
    block, label, _, seed = name.split(".")
    folder = RUNS / name
    if problem is None and not (folder / CODE).exists():
        problem = f"it wrote no {CODE}"
    if problem:
        problem = f"{block} {label} seed {seed}: {problem}, see {relative(folder)}/job.log"
    return Run(block, label, int(seed), folder, problem)


def kept(asked: Iterable[str]) -> list[Run]:
    """The runs of an earlier time, as far as they have results."""
    found = []
    for block in asked:
        for folder in sorted(RUNS.glob(f"{block}.*")):
            outcome = verdict.read(folder / RESULTS)
            found.append(_run(folder.name, None if outcome.passed else outcome.problem or "a test failed"))
    return found


def missing(asked: Iterable[str], runs: Sequence[Run]) -> list[str]:
    """Blocks, or parameter sets of them, of which no run is here."""
    there = {(run.block, run.label) for run in runs}
    return [f"{b} {label} has not run" for b in asked for label in labels(b) if (b, label) not in there]
