"""Run a block's tests: the one place that starts a simulation.

    python -m tb.runner --block fifo --sim verilator --seed 7

Logs and results lie in build/sim/<block>/<simulator>/<parameters>/run/, JUnit files in build/test/.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import cocotb_tools.runner

from scripts.tools import BUILD, ROOT, SIMULATORS, UserError, blocks, run_program, test_files
from tb import build as hdl
from tb import verdict
from tb.bench import Bench
from tb.build import Build
from tb.verdict import Verdict

# Idle threads of numpy's linear algebra would take the other simulations' time.
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
QUICK_SETS = 2  # parameter sets that a quick run simulates: one a core


def bench_of(block: str) -> tuple[str, Bench]:
    """The block's test modules, separated by commas, and its BENCH."""
    modules = [f"tb.{block}.{file.stem}" for file in test_files(block)]
    bench = getattr(importlib.import_module(modules[0]), "BENCH", None)
    if not isinstance(bench, Bench):
        raise UserError(f"tb/{block}/test_{block}.py declares no BENCH = Bench(...), see tb/bench.py")
    return ",".join(modules), bench


def repeat(block: str, sim: str, seed: int, full: bool = False) -> str:
    return f"seed={seed}  repeat: make sim BLOCK={block} SIM={sim} SEED={seed}" + (" FULL=1" if full else "")


def bounded(seconds: int) -> list[str]:
    """Put before a command: a simulation that hangs has failed, and none outlives who started it."""
    return ["setpriv", "--pdeathsig", "TERM", "timeout", "--foreground", "-k", "5", str(seconds)]


def simulate(
    build: Build,
    module: str,
    seed: int,
    env: Mapping[str, str] | None = None,
    test: str | None = None,
    plusargs: Sequence[str] = (),
    verbose: bool = False,
    folder: Path | None = None,
) -> Verdict:
    """Run the cocotb tests of `module`, or of several separated by commas, on a finished build.

    seed: 1 to 2^31-1, for $random, registers before reset and, with the parameters, Python. env: more
    environment for the tests. test: a regular expression that picks tests by name. plusargs: after the
    bench's own and +seed.
    folder: where it runs, run/ in the build's folder unless given; runs of one build at the same time need a
    folder each. Output goes to run.log there unless verbose.
    """
    folder = folder or build.folder / "run"
    folder.mkdir(parents=True, exist_ok=True)
    results, log = folder / "results.xml", folder / "run.log"
    own = [f"+seed={seed}"]
    if build.sim == "verilator":
        # Random before reset; 0 where toggles count, or a bit that never moves is hit by the seed's luck.
        own += [f"+verilator+seed+{seed}", f"+verilator+rand+reset+{0 if build.coverage else 2}"]
    own_env = {
        "ASSAY_PARAMS": json.dumps(dict(build.params)),
        "ASSAY_SEED": str(seed),
        "ASSAY_SIM": build.sim,
        # Whose assertions say what they compared. Left to itself cocotb has pytest rewrite all that is
        # imported, numpy too, each time: two thirds of the start.
        "COCOTB_REWRITE_ASSERTION_FILES": "tb/*.py",
    }
    os.environ["SIM_CMD_PREFIX"] = " ".join(bounded(build.bench.timeout))
    start, failure, timed_out = time.monotonic(), None, False
    try:
        cocotb_tools.runner.get_runner(build.sim).test(
            test_module=module,
            hdl_toplevel=build.bench.toplevel,
            hdl_toplevel_lang="verilog",
            build_dir=build.folder,
            test_dir=folder,
            # Or all parameter sets would draw the same, and be one test.
            seed=random.Random(f"{seed} {build.label}").randrange(1, 1 << 31),
            plusargs=[*own, *build.bench.plusargs, *plusargs],
            test_filter=test,
            waves=build.waves,
            results_xml=str(results),
            extra_env={**own_env, **(env or {})},
            log_file=None if verbose else log,
        )
    except (RuntimeError, SystemExit) as error:
        failure = f"the simulator failed: {error}"
        timed_out = time.monotonic() - start >= build.bench.timeout
        if timed_out:
            failure = f"stopped: not finished after {build.bench.timeout} s"
    return replace(verdict.read(results, failure), timed_out=timed_out)


def waveform(build: Build) -> Path | None:
    """The newest waveform of a build made with waves."""
    files = [file for kind in ("*.fst", "*.vcd") for file in build.folder.rglob(kind)]
    return max(files, key=lambda file: file.stat().st_mtime, default=None)


def run_block(
    block: str,
    sim: str,
    seed: int,
    test: str | None = None,
    waves: bool = False,
    verbose: bool = False,
    jobs: int = 2,
    coverage: bool = False,
    full: bool = False,
) -> bool:
    """Build and run a block's tests with each of its parameter sets, and report. True if all passed.

    jobs: parameter sets at a time, and compilers of a build. coverage: with builds that count code coverage
    into run/coverage.dat. full: with the counts of make test and every parameter set. A quick run simulates
    QUICK_SETS of them, drawn by the seed, with quick counts.
    """
    module, bench = bench_of(block)
    if sim not in bench.simulators:
        raise UserError(f"BLOCK={block} runs on {' and '.join(bench.simulators)} only")
    print(repeat(block, sim, seed, full), flush=True)
    if not full:
        sets = len(bench.params)
        what = f", {QUICK_SETS} of {sets} parameter sets" if sets > QUICK_SETS else ""
        print(f"every test with small counts{what}; as in make test: FULL=1", flush=True)
    env = ONE_THREAD if full else {**ONE_THREAD, "ASSAY_QUICK": "1"}
    builds = [Build(block, bench, params, sim, waves, coverage) for params in bench.params]
    chosen = builds if full else random.Random(seed).sample(builds, min(QUICK_SETS, len(builds)))

    def run(build: Build) -> tuple[Verdict, str] | None:
        """Build in any case: the HDL must compile with every set, and the next seed draws others."""
        note = ""
        with hdl.alone(build):
            try:
                start = time.monotonic()
                if hdl.make(build, jobs, verbose):
                    note = f"{build.title}: built in {time.monotonic() - start:.1f} s\n"
                if build not in chosen:
                    return None
                outcome = simulate(build, module, seed, env=env, test=test, verbose=verbose)
            except UserError as error:
                outcome = Verdict([], str(error))
            keep_junit(build, outcome, BUILD / "test" / f"{block}.{sim}.{build.label}.xml")
            return outcome, note + report(build, outcome)

    runs = []
    with ThreadPoolExecutor(jobs) as pool:
        # The last set is mostly the largest: no one shall wait for it alone.
        started = [pool.submit(run, build) for build in reversed(builds)]
        for build, future in zip(builds, reversed(started), strict=True):
            if not (result := future.result()):
                continue
            outcome, text = result
            print(text, flush=True)
            runs.append({"params": dict(build.params), "passed": outcome.passed, **asdict(outcome)})
    passed = all(run["passed"] for run in runs)
    summary = {"block": block, "simulator": sim, "seed": seed, "full": full, "passed": passed, "runs": runs}
    folder = BUILD / "sim" / block
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    print(("passed  " if passed else "FAILED  ") + repeat(block, sim, seed, full), flush=True)
    return passed


def report(build: Build, outcome: Verdict) -> str:
    """A line a test; for a failed run also its messages and the end of its log."""
    lines = []
    for test in outcome.tests:
        status = test.status if test.status != "fail" else "FAIL"
        lines.append(f"  {status}  {test.name}  {test.seconds:.2f} s")
        if test.status == "fail":
            lines.append("        " + test.message.replace("\n", "\n        "))
    log = build.folder / "run" / "run.log"
    if not outcome.passed and log.exists():
        lines.append(f"--- the end of {log.relative_to(ROOT)}")
        lines += log.read_text(errors="replace").splitlines()[-40:]
        lines.append("---")
    if outcome.problem:
        lines.append(f"{build.title}: {outcome.problem}")
    if build.waves and (file := waveform(build)):
        lines.append(f"waveform: {file.relative_to(ROOT)}")
    count = Counter(test.status for test in outcome.tests)
    skipped = f", {count['skip']} skipped" if count["skip"] else ""
    lines.append(f"{build.title}: {count['pass']} passed, {count['fail']} failed{skipped}")
    return "\n".join(lines)


def keep_junit(build: Build, outcome: Verdict, path: Path) -> None:
    if outcome.problem:
        verdict.write_junit(path, build.title, outcome)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(build.folder / "run" / "results.xml", path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--block", required=True, choices=blocks())
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--test")
    parser.add_argument("--jobs", type=int, default=2, help="simulations, and compilers, at a time")
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--coverage", action="store_true", help="count code coverage (verilator)")
    parser.add_argument("--full", action="store_true", help="the counts of make test, not small ones")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    return 0 if run_block(**vars(options)) else 1


if __name__ == "__main__":
    run_program(main)
