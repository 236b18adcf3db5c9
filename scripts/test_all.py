"""Everything that must pass before a commit lands: `make test`.

The checks, the tests that need no simulator, then every block on every simulator, two jobs at a time. JUnit
files lie in build/test/, the output of each job in build/test/<job>.log.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from scripts.tools import BUILD, ROOT, SIMULATORS, blocks, missing_icarus, run_program
from tb.runner import bench_of
from tb.verdict import Test, Verdict, write_junit

RESULTS = BUILD / "test"
AT_ONCE = 2
LIMIT = 900  # seconds for one job
COMPARED = (
    "csr"  # whose transactions must be the same on both simulators; make regress compares every block's
)


@dataclass(frozen=True)
class Job:
    """One command of make test. skipped: why it cannot run on this machine."""

    name: str
    command: Sequence[str]
    skipped: str = ""


def python_jobs() -> list[Job]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = settings["tool"]["pytest"]["ini_options"]["testpaths"]
    jobs = [Job("check", ["scripts.check"])]
    for folder in folders:
        if any((ROOT / folder).glob("test_*.py")):
            name = folder.replace("/", ".")
            jobs.append(Job(name, ["pytest", "-q", folder, f"--junit-xml={RESULTS / name}.xml"]))
    return jobs


def simulations(seed: int) -> list[Job]:
    """A job for each block on each of its simulators. Icarus, the slow one, first. Last, one on both."""
    command = missing_icarus()
    reason = {"icarus": f"icarus not installed: {command}" if command else ""}
    jobs = []
    for sim in reversed(SIMULATORS):
        for block in blocks():
            if sim in bench_of(block)[1].simulators:
                where = ["--block", block, "--sim", sim, "--seed", str(seed)]
                runner = ["tb.runner", *where, "--jobs", "1", "--full"]
                jobs.append(Job(f"{block}.{sim}", runner, reason.get(sim, "")))
    same = ["scripts.regress.same", "--block", COMPARED, "--seed", str(seed)]
    return [*jobs, Job(f"{COMPARED}.same", same, reason["icarus"])]


def run(job: Job, verbose: bool) -> Test:
    """Run one job to its end. A job that is skipped is never a pass."""
    if job.skipped:
        write_junit(RESULTS / f"{job.name}.xml", job.name, Verdict([Test("run", "skip", 0.0, job.skipped)]))
        print(f"skip  {job.name}  skipped: {job.skipped}", flush=True)
        return Test(job.name, "skip", 0.0, job.skipped)
    start = time.monotonic()
    log = RESULTS / f"{job.name}.log"
    with log.open("w") as out:
        try:
            command = [sys.executable, "-m", *job.command]
            code = subprocess.run(
                command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, timeout=LIMIT
            ).returncode
        except subprocess.TimeoutExpired:
            out.write(f"\nstopped: not finished after {LIMIT} s\n")
            code = 1
    seconds = time.monotonic() - start
    text = log.read_text(errors="replace")
    shown = text if verbose or code else ""
    print(f"{'FAIL' if code else 'pass'}  {job.name}  {seconds:.1f} s\n{indent(shown)}", end="", flush=True)
    return Test(job.name, "fail" if code else "pass", seconds, text[-2000:] if code else "")


def indent(text: str) -> str:
    return "".join(f"      {line}\n" for line in text.splitlines())


def clear(folder: Path) -> None:
    """Remove the results of an earlier run, which must not stand in for this one's."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in [*folder.glob("*.xml"), *folder.glob("*.log")]:
        file.unlink()


def test_all(seed: int, verbose: bool) -> bool:
    clear(RESULTS)
    print(f"seed={seed}  repeat: make test SEED={seed}", flush=True)
    start = time.monotonic()
    jobs = [*python_jobs(), *simulations(seed)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tests = list(pool.map(lambda job: run(job, verbose), jobs))
    write_junit(RESULTS / "jobs.xml", "make test", Verdict(tests))
    failed = [test.name for test in tests if test.status == "fail"]
    skipped = [test for test in tests if test.status == "skip"]
    for test in skipped:
        print(f"{test.name} skipped: {test.message}")
    verdict = f"FAILED: {', '.join(failed)};" if failed else "passed"
    ran = f"{len(tests) - len(skipped)} jobs" + (f", {len(skipped)} skipped," if skipped else "")
    print(f"{verdict} {ran} in {time.monotonic() - start:.0f} s  seed={seed}  repeat: make test SEED={seed}")
    return not failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    return 0 if test_all(options.seed, options.verbose) else 1


if __name__ == "__main__":
    run_program(main)
