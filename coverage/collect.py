"""Run the blocks with coverage builds and keep what each run counted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.tools import BUILD, ROOT
from tb import verdict
from tb.build import Build
from tb.common.cover import FILE as FUNCTIONAL
from tb.runner import bench_of
from tb.verdict import Test

FOLDER = BUILD / "coverage"
RUNS = FOLDER / "runs"
CODE = "coverage.dat"  # as Verilator calls it
RESULTS = "results.xml"
# Blocks that take long begin first: at the end no one waits for one of them alone.
LONG = ("chip", "element", "axi_memory", "npu", "store", "load", "post")


@dataclass(frozen=True)
class Run:
    """A block with a seed: where its files are, a folder for each set of parameters. problem: why it counts
    for nothing."""

    block: str
    seed: int
    folders: Sequence[Path]
    problem: str | None = None

    def files(self, name: str) -> list[Path]:
        """Those of its files that are there."""
        return [folder / name for folder in self.folders if (folder / name).exists()]

    def tests(self) -> list[Test]:
        return [test for file in self.files(RESULTS) for test in verdict.read(file).tests]


def run(block: str, seed: int) -> Run:
    """Simulate a block with all its sets of parameters, and move its files to build/coverage/runs."""
    kept = RUNS / block / str(seed)
    kept.mkdir(parents=True)
    command = [sys.executable, "-m", "tb.runner", "--block", block, "--seed", str(seed)]
    with (kept / "log").open("w") as log:
        done = subprocess.run(
            [*command, "--coverage", "--jobs", "1"], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    for params in bench_of(block)[1].params:
        build = Build(block, bench_of(block)[1], params, "verilator", coverage=True)
        (kept / build.label).mkdir()
        for name in (CODE, FUNCTIONAL.name, RESULTS):
            if (file := build.folder / "run" / name).exists():
                shutil.copy(file, kept / build.label)
    return kept_run(block, seed, done.returncode)


def kept_run(block: str, seed: int, code: int | None = None) -> Run:
    """A run whose files are there. code: its exit code, if it just ended; it is kept with the files."""
    kept = RUNS / block / str(seed)
    status = kept / "exit"
    if code is not None:
        status.write_text(str(code))
    folders = sorted(folder for folder in kept.glob("*") if folder.is_dir())
    failed = not status.exists() or status.read_text() != "0"
    bare = [folder.name for folder in folders if not (folder / CODE).exists()]
    problem = None
    if failed:
        problem = f"{block} seed {seed} did not pass, see {kept.relative_to(ROOT)}/log"
    elif bare or not folders:
        problem = f"{block} seed {seed} wrote no {CODE}: {', '.join(bare) or 'no parameter set'}"
    return Run(block, seed, folders, problem)


def run_all(blocks: Iterable[str], seeds: Sequence[int], jobs: int) -> list[Run]:
    """Every block with every seed, `jobs` blocks at a time; a line as each run ends."""
    order = sorted(blocks, key=lambda b: LONG.index(b) if b in LONG else len(LONG))
    total, lock, done = len(order) * len(seeds), threading.Lock(), []

    def all_seeds(block: str) -> list[Run]:
        # One after the other: they share the build.
        shutil.rmtree(RUNS / block, ignore_errors=True)
        found = []
        for seed in seeds:
            start = time.monotonic()
            found.append(run(block, seed))
            with lock:
                done.append(block)
                word = "FAIL" if found[-1].problem else "pass"
                seconds = time.monotonic() - start
                print(f"[{len(done)}/{total}] {word}  {block} seed {seed}  {seconds:.1f} s", flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return [run for runs in pool.map(all_seeds, order) for run in runs]


def kept_runs(blocks: Iterable[str]) -> list[Run]:
    """The runs of an earlier time."""
    return [
        kept_run(block, int(folder.name))
        for block in blocks
        for folder in sorted((RUNS / block).glob("*"))
        if folder.name.isdigit()
    ]


def processors() -> int:
    return os.cpu_count() or 1
