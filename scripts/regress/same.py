"""The same seed on both simulators: the benches must see the same transactions, test by test.

    python -m scripts.regress.same --block csr --seed 7

Verilator's run is a light one, with the counts that Icarus has.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from itertools import zip_longest
from pathlib import Path

from scripts.tools import BUILD, SIMULATORS, UserError, blocks, run_program
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.verdict import Test, Verdict

LOG = "transactions.log"
LOGGED = {"ASSAY_TRANSACTIONS": "1", "ASSAY_LIGHT": "1"}
Log = dict[tuple[str, str], list[str]]


def read(path: Path) -> Log:
    """(test, agent) -> what it saw, in order. Raises UserError if the file is missing or empty."""
    found: Log = defaultdict(list)
    if path.exists():
        for line in path.read_text().splitlines():
            test, agent, item = line.split("\t", 2)
            found[test, agent].append(item)
    if not found:
        raise UserError(f"{path}: no transaction was logged")
    return found


def compare(logs: dict[str, Log]) -> list[Test]:
    """One Test for each test of the two logs (by simulator): pass, or fail with the first difference."""
    (a, one), (b, other) = logs.items()
    keys = list(dict.fromkeys([*one, *other]))
    found = []
    for test in dict.fromkeys(test for test, _ in keys):
        agents = [agent for name, agent in keys if name == test]
        wrong = [
            text
            for agent in agents
            if (text := difference(agent, one[test, agent], other[test, agent], a, b))
        ]
        found.append(Test(test, "fail" if wrong else "pass", 0.0, "\n".join(wrong)))
    return found


def difference(agent: str, one: list[str], other: list[str], a: str, b: str) -> str:
    """The first item in which an agent's two lists differ; "" if there is none."""
    for i, (x, y) in enumerate(zip_longest(one, other, fillvalue="nothing more")):
        if x != y:
            return f"{agent}: item {i} differs\n  {a}: {x}\n  {b}: {y}"
    return ""


def run(build: Build, module: str, seed: int, folder: Path, test: str | None = None) -> Verdict:
    """A light run of a finished build that logs its transactions into `folder`."""
    (folder / LOG).unlink(missing_ok=True)
    return runner.simulate(build, module, seed, env=LOGGED, test=test, folder=folder)


def same(block: str, seed: int, test: str | None = None) -> bool:
    """Run a block on both simulators with each parameter set, and compare. True if all is the same."""
    module, bench = runner.bench_of(block)
    passed = True
    for params in bench.params:
        logs, problems = {}, []
        for sim in SIMULATORS:
            build = Build(block, bench, params, sim)
            folder = BUILD / "same" / block / build.label / sim
            with hdl.alone(build):
                hdl.make(build, jobs=1)
            outcome = run(build, module, seed, folder, test)
            if not outcome.passed:
                problems.append(f"{build.title}: {outcome.problem or 'a test failed'}; see {folder}")
            else:
                logs[sim] = read(folder / LOG)
        tests = [] if problems else compare(logs)
        problems += [f"{test.name}\n{test.message}" for test in tests if test.status == "fail"]
        items = sum(map(len, logs.get("icarus", {}).values()))
        print(
            f"{block} {build.label}: {len(tests)} tests with {items} transactions compared, "
            f"{len(problems)} differences",
            *problems,
            sep="\n",
            flush=True,
        )
        passed = passed and not problems
    print(f"{'passed' if passed else 'FAILED'}  python -m scripts.regress.same --block {block} --seed {seed}")
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--block", required=True, choices=blocks())
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--test")
    return 0 if same(**vars(parser.parse_args())) else 1


if __name__ == "__main__":
    run_program(main)
