"""The inside of a job. It leaves results.xml in its folder, with waves also wave.fst or wave.vcd, and an exit
code that agrees with them.

    python -m scripts.regress.worker block --block conv --params 0 --sim icarus --seed 7 --folder /tmp/x
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from scripts.regress import same
from scripts.regress.job import EXIT_CRASHED, EXIT_FAILED, EXIT_PASSED, EXIT_TIMED_OUT, RESULTS
from scripts.tools import BUILD, SIMULATORS, UserError, run_program
from tb import build as hdl
from tb import runner, verdict
from tb.build import Build


def build_of(
    block: str, params: int, sim: str, waves: bool = False, coverage: bool = False
) -> tuple[str, Build]:
    """A block's test module and its build with its params-th set of parameters."""
    module, bench = runner.bench_of(block)
    return module, Build(block, bench, bench.params[params], sim, waves, coverage)


def make(block: str, params: int, sim: str, coverage: bool) -> int:
    """Build only."""
    _, build = build_of(block, params, sim, coverage=coverage)
    with hdl.alone(build):
        hdl.make(build, jobs=1)
    return EXIT_PASSED


def run_block(block: str, params: int, sim: str, seed: int, folder: Path, waves: bool, coverage: bool) -> int:
    """One simulation of a finished build; with waves the build is made here."""
    module, build = build_of(block, params, sim, waves, coverage)
    # Icarus's transactions are kept for the job that compares them; its runs are light in any case.
    env = same.LOGGED if sim == "icarus" else {}
    if not waves:
        return _exit_code(runner.simulate(build, module, seed, env=env, folder=folder))
    start = time.time()
    with hdl.alone(build):
        hdl.make(build, jobs=1)
        outcome = runner.simulate(build, module, seed, folder=folder)
        keep_wave([folder, build.folder], folder, start)
    return _exit_code(outcome)


def run_same(block: str, params: int, seed: int, icarus: str, folder: Path, waves: bool) -> int:
    """The block once more on Verilator, compared with what the job `icarus` has logged. No waves: it is about
    text."""
    there = next(parent / icarus for parent in folder.parents if (parent / icarus).is_dir())
    other = verdict.read(there / RESULTS)
    module, build = build_of(block, params, "verilator")
    outcome = same.run(build, module, seed, folder)
    if not (outcome.passed and other.passed):
        print(f"nothing to compare: verilator {outcome.problem or outcome.passed}, {icarus} {other.passed}")
        return EXIT_CRASHED
    tests = same.compare(same.read("verilator", folder, outcome), same.read("icarus", there, other))
    verdict.write_junit(folder / RESULTS, f"{block} on both simulators", verdict.Verdict(tests))
    return EXIT_FAILED if any(test.status == "fail" for test in tests) else EXIT_PASSED


def _exit_code(outcome: verdict.Verdict) -> int:
    if outcome.timed_out:
        return EXIT_TIMED_OUT
    if outcome.problem:
        print(outcome.problem)
        return EXIT_CRASHED
    return EXIT_PASSED if outcome.passed else EXIT_FAILED


def run_digits(images: int, sim: str, seed: int, folder: Path, waves: bool) -> int:
    """The main job on some images."""
    from tb.chip import digits  # a block's job needs no compiler

    return _chip("digits", lambda: digits.run(sim, images, seed, waves), sim, folder, waves)


def run_soak(count: int, config: str, sim: str, seed: int, folder: Path, waves: bool) -> int:
    """Some random networks."""
    from tb.chip import soak

    return _chip(
        "net", lambda: soak.run(count, seed, sim=sim, config=config, waves=waves), sim, folder, waves
    )


def run_hostile(count: int, sim: str, seed: int, folder: Path, waves: bool) -> int:
    """Some hostile programs."""
    from tb.chip import hostile

    return _chip(
        "hostile_programs", lambda: hostile.run(count, seed, sim=sim, waves=waves), sim, folder, waves
    )


def _chip(name: str, work: Callable[[], bool], sim: str, folder: Path, waves: bool) -> int:
    from tb.chip.job import JobFailed

    start, clock, message = time.time(), time.monotonic(), "see job.log"
    try:
        passed = work()
    except JobFailed as error:
        passed, message = False, str(error)
    test = verdict.Test(
        name, "pass" if passed else "fail", time.monotonic() - clock, "" if passed else message
    )
    verdict.write_junit(folder / RESULTS, name, verdict.Verdict([test]))
    if waves:
        keep_wave([BUILD / "sim" / name / sim], folder, start)
    return EXIT_PASSED if passed else EXIT_FAILED


def keep_wave(roots: list[Path], folder: Path, since: float) -> None:
    """Move the newest waveform below `roots`, if it was written after `since`, to folder/wave.*."""
    found = [file for root in roots for kind in ("*.fst", "*.vcd") for file in root.rglob(kind)]
    new = [file for file in found if file.stat().st_mtime >= since]
    if new:
        newest = max(new, key=lambda file: file.stat().st_mtime)
        shutil.move(newest, folder / f"wave{newest.suffix}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind in ("make", "block", "same", "digits", "soak", "hostile"):
        options = kinds.add_parser(kind)
        if kind == "same":
            options.add_argument("--icarus", required=True, help="the name of the job to compare with")
        else:
            options.add_argument("--sim", choices=SIMULATORS, required=True)
        if kind in ("make", "block", "same"):
            options.add_argument("--block", required=True)
            options.add_argument("--params", type=int, required=True)
        if kind in ("make", "block"):
            options.add_argument("--coverage", action="store_true", help="count code coverage (verilator)")
        elif kind in ("digits", "soak", "hostile"):
            options.add_argument("--images" if kind == "digits" else "--count", type=int, required=True)
        if kind == "soak":
            options.add_argument("--config", required=True)
        if kind != "make":
            options.add_argument("--seed", type=int, required=True)
            options.add_argument("--waves", action="store_true")
        options.add_argument("--folder", type=Path, required=True)
    given = vars(parser.parse_args())
    # Idle threads of numpy's linear algebra would take the other jobs' time.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    kind = given.pop("kind")
    try:
        if kind == "make":
            return make(given["block"], given["params"], given["sim"], given["coverage"])
        jobs: dict[str, Callable[..., int]] = {
            "block": run_block,
            "same": run_same,
            "digits": run_digits,
            "soak": run_soak,
            "hostile": run_hostile,
        }
        return jobs[kind](**given)
    except UserError as error:
        print(error)
        return EXIT_CRASHED


if __name__ == "__main__":
    run_program(main)
