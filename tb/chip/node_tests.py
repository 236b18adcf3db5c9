"""Node tests of the onnx package on the whole chip: a seeded sample, or all, of those that run.

python -m tb.chip.node_tests --seed 3 [--count 20 | --all] [--sim icarus]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from compiler.errors import CompileError
from compiler.network import compile_network
from compiler.tests.node_tests import Case, cases, node_tests
from models.config import Config
from scripts.tools import BUILD, SIMULATORS, UserError
from tb.chip import net
from tb.chip.job import JobFailed

FOLDER = BUILD / "node_tests"


def runnable() -> Iterator[tuple[str, Case]]:
    """(name, network) of every case that the compiler takes."""
    for test in node_tests():
        if not test.is_real:
            continue
        try:
            for number, case in enumerate(cases(test)):
                compile_network(case.model, Config())
                yield f"{test.name}_{number}", case
        except CompileError:
            continue  # compiler/tests/test_node_tests.py holds the refusals to their words


def run(name: str, case: Case, sim: str, seed: int) -> bool:
    """One network on the RTL; prints all of the run if it fails. What the compiler takes, `make net` must."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    model, source = FOLDER / f"{name}.onnx", FOLDER / f"{name}.npz"
    model.write_bytes(case.model)
    arrays: dict[str, Any] = {key: value.reshape(value.shape[1:]) for key, value in case.feeds.items()}
    np.savez(source, **arrays)
    told = StringIO()
    with redirect_stdout(told):
        try:
            passed = net.run(model, source, sim, seed)
        except (CompileError, UserError, JobFailed) as error:
            passed = False
            print(f"{type(error).__name__}: {error}")
    if not passed:
        print(told.getvalue())
    return passed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    options = parser.parse_args(arguments)
    found = list(runnable())
    rng = np.random.default_rng(options.seed)
    chosen = found if options.all else [found[i] for i in rng.permutation(len(found))[: options.count]]
    repeat = f"python -m tb.chip.node_tests --seed {options.seed} --sim {options.sim}"
    repeat += " --all" if options.all else f" --count {options.count}"
    print(f"{len(chosen)} of {len(found)} networks; repeat: {repeat}", flush=True)
    failed = []
    for number, (name, case) in enumerate(chosen, 1):
        passed = run(name, case, options.sim, options.seed)
        print(f"{number}/{len(chosen)} {'pass' if passed else 'FAIL'} {name}", flush=True)
        failed += [] if passed else [name]
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
