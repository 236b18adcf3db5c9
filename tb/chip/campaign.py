"""Many seeded jobs on one chip in one simulation: what tb/chip/hostile.py and tb/chip/soak.py have in common.

Job i of a seed is always the same one, so --first i --count 1 repeats it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.tools import SIMULATORS, UserError, tool_env
from tb import runner
from tb.build import Build
from tb.chip.watched import watched
from tb.progress import Progress

# Where the simulation runs: a line of JSON for each job that came to its end.
LOG = Path("campaign.jsonl")


@dataclass(frozen=True)
class Campaign:
    """Jobs [first, first + count) of a seed.

    name: of the module in tb/chip that is started; tb/chip/<name>_sim.py runs in the simulator. job: what one
    job is called. options: more of its command line, value and default by name.
    """

    name: str
    job: str
    count: int
    seed: int
    first: int
    options: Mapping[str, tuple[str, str]]

    def command(self, only: int | None = None) -> str:
        """The command that repeats all jobs, or only that one."""
        first, count = (self.first, self.count) if only is None else (only, 1)
        given = [f"--count {count}", f"--seed {self.seed}", *([f"--first {first}"] if first else [])]
        given += [f"--{name} {value}" for name, (value, usual) in self.options.items() if value != usual]
        return f".venv/bin/python -m tb.chip.{self.name} {' '.join(given)}"

    def begin(self) -> None:
        """Say how to repeat it."""
        print(f"seed={self.seed}  repeat: {self.command()}", flush=True)

    def failed(self, index: int, why: str) -> None:
        """Say what became of a job, and how to repeat it."""
        print(f"FAILED  {self.job} {index}: {why}\n  repeat: {self.command(index)}")

    def end(self, passed: bool) -> None:
        """Say the verdict."""
        print(("passed  " if passed else "FAILED  ") + self.command())

    def simulate(
        self,
        build: Build,
        env: Mapping[str, str] | None = None,
        plusargs: Sequence[str] = (),
        verbose: bool = False,
    ) -> tuple[list[dict[str, Any]], str]:
        """Run the jobs on a finished build that nobody else uses. Returns what `log` was given of each,
        and why there are no more of them ("" if all ran)."""
        folder = build.folder / "run"
        folder.mkdir(exist_ok=True)
        log = folder / LOG
        log.write_text("")
        given = {"CAMPAIGN_FIRST": str(self.first), "CAMPAIGN_COUNT": str(self.count), **(env or {})}
        module, progress = f"tb.chip.{self.name}_sim", Progress(self.count, self.job)
        verdict = watched(
            lambda: runner.simulate(build, module, self.seed, env=given, verbose=verbose, plusargs=plusargs),
            lambda: progress.update(log.read_text().count("\n")),
        )
        progress.close()
        results = [json.loads(line) for line in log.read_text().splitlines()]
        return results, "" if verdict.passed else f"{verdict.why}; see {folder / 'run.log'}"


def jobs() -> range:
    """Inside the simulation: the jobs to run."""
    first = int(os.environ["CAMPAIGN_FIRST"])
    return range(first, first + int(os.environ["CAMPAIGN_COUNT"]))


def log(result: Mapping[str, Any], path: Path = LOG) -> None:
    """Inside the simulation: a job came to its end."""
    with path.open("a") as file:
        file.write(json.dumps(dict(result)) + "\n")


def command_line(description: str | None, count: int) -> argparse.ArgumentParser:
    """With the arguments of every campaign. count: jobs unless given."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--count", type=int, default=count)
    made.add_argument("--seed", type=int, default=int(time.time()) % 2**31)
    made.add_argument("--first", type=int, default=0)
    made.add_argument("--sim", default="verilator", choices=SIMULATORS)
    made.add_argument("--waves", action="store_true")
    made.add_argument("--verbose", action="store_true")
    return made


def launch(
    made: argparse.ArgumentParser, run: Callable[..., bool], arguments: Sequence[str] | None = None
) -> int:
    """Call `run` with the parsed arguments. Returns the exit code: 1 if it is False, 2 for a user's error."""
    options = vars(made.parse_args(arguments))
    if options["count"] < 1 or options["first"] < 0 or not 1 <= options["seed"] < 2**31:
        made.error("count and seed start at 1, first at 0")
    # Verilator and its compilers, as make would have set them.
    os.environ.update(tool_env())
    try:
        return 0 if run(**options) else 1
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
