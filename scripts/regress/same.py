"""The same seed on both simulators: the benches must see the same transactions, test by test.

    python -m scripts.regress.same --block csr --seed 7

Verilator's run is a light one, with the counts that Icarus has.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from scripts.tools import BUILD, SIMULATORS, blocks, run_program
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.verdict import Test, Verdict

LOG = "transactions.log"
LOGGED = {"ASSAY_TRANSACTIONS": "1", "ASSAY_LIGHT": "1"}


@dataclass(frozen=True)
class Seen:
    """A simulation's log. tests: that ran. items: test -> agent -> what it saw, in order."""

    sim: str
    tests: Sequence[str]
    items: Mapping[str, Mapping[str, list[str]]]


def read(sim: str, folder: Path, outcome: Verdict) -> Seen:
    """What a simulation that ran in `folder` has logged."""
    items: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    log = folder / LOG
    for line in log.read_text().splitlines() if log.exists() else ():
        test, agent, item = line.split("\t", 2)
        items[test.removeprefix("Test ")][agent].append(item)
    return Seen(sim, [test.name for test in outcome.tests if test.status != "skip"], items)


def compare(one: Seen, other: Seen) -> list[Test]:
    """One Test for each that both simulators ran: pass, fail with the first difference of each agent, or skip
    if none of its agents saw anything. Last `transactions`, which fails if nothing at all was compared.

    A test that one simulator has not (X shows on Icarus only) is skipped, and named.
    """
    found, compared = [], 0
    for name in dict.fromkeys([*one.tests, *other.tests]):
        if name not in one.tests or name not in other.tests:
            found.append(Test(name, "skip", 0.0, "one simulator has no such test"))
            continue
        a, b = one.items.get(name, {}), other.items.get(name, {})
        agents = list(dict.fromkeys([*a, *b]))
        texts = [difference(one.sim, a.get(agent, []), other.sim, b.get(agent, [])) for agent in agents]
        wrong = [f"{agent}: {text}" for agent, text in zip(agents, texts, strict=True) if text]
        compared += sum(map(len, a.values()))
        status = "fail" if wrong else "pass" if agents else "skip"
        found.append(Test(name, status, 0.0, "\n".join(wrong) or ("" if agents else "it saw nothing")))
    status = "pass" if compared else "fail"
    return [*found, Test("transactions", status, 0.0, f"{compared} transactions compared")]


def difference(sim: str, one: list[str], other_sim: str, other: list[str]) -> str:
    """The first item in which two lists differ; "" if there is none."""
    for i, (a, b) in enumerate(zip_longest(one, other, fillvalue="nothing more")):
        if a != b:
            return f"item {i} differs\n  {sim}: {a}\n  {other_sim}: {b}"
    return ""


def run(build: Build, module: str, seed: int, folder: Path, test: str | None = None) -> Verdict:
    """A light run of a finished build that logs its transactions into `folder`."""
    (folder / LOG).unlink(missing_ok=True)
    return runner.simulate(build, module, seed, env=LOGGED, test=test, folder=folder)


def same(block: str, seed: int, test: str | None = None) -> bool:
    """Run a block on both simulators with each parameter set, compare and report. True if all is the same."""
    module, bench = runner.bench_of(block)
    passed = True
    for params in bench.params:
        seen, problems = [], []
        for sim in SIMULATORS:
            build = Build(block, bench, params, sim)
            folder = BUILD / "same" / block / build.label / sim
            with hdl.alone(build):
                hdl.make(build, jobs=1)
            outcome = run(build, module, seed, folder, test)
            if not outcome.passed:
                problems.append(f"{build.title}: {outcome.problem or 'a test failed'}; see {folder}")
            seen.append(read(sim, folder, outcome))
        tests = [] if problems else compare(*seen)
        problems += [f"{test.name}: {test.message}" for test in tests if test.status == "fail"]
        count = Counter(test.status for test in tests[:-1])
        print(
            f"{block} {build.label}: {count['pass']} tests the same, {count['fail']} not, {count['skip']} "
            f"without comparison; {tests[-1].message if tests else 'nothing compared'}",
            *problems,
            sep="\n",
            flush=True,
        )
        passed = passed and not problems
    command = f"python -m scripts.regress.same --block {block} --seed {seed}"
    print(f"{'passed' if passed else 'FAILED'}  repeat: .venv/bin/{command}")
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
