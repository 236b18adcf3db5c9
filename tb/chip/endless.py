"""One simulation that works off a numbered series and writes a line an item: soak.py and hostile.py.

A broken item does not hide those before it: what was written by then counts.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scripts.tools import SIMULATORS, UserError, tool_env
from tb import runner
from tb.build import Build
from tb.chip.job import POLL
from tb.progress import Progress


def items(
    build: Build,
    module: str,
    seed: int,
    count: int,
    what: str,
    env: Mapping[str, str],
    plusargs: Sequence[str] = (),
    verbose: bool = False,
) -> tuple[list[dict[str, Any]], str]:
    """What the test `module`, tb.chip.<name>_sim, wrote into run/<name>.jsonl, and why there is no more.

    what: an item, for the progress. The reason is empty if the simulation passed.
    """
    folder = build.folder / "run"
    folder.mkdir(exist_ok=True)
    log = folder / f"{module.rpartition('.')[2].removesuffix('_sim')}.jsonl"
    log.write_text("")
    verdicts = []

    def simulate() -> None:
        verdicts.append(runner.simulate(build, module, seed, env=env, verbose=verbose, plusargs=plusargs))

    thread = threading.Thread(target=simulate)
    progress = Progress(count, what)
    thread.start()
    while thread.is_alive():
        thread.join(POLL)
        progress.update(log.read_text().count("\n"))
    progress.close()
    found = [json.loads(line) for line in log.read_text().splitlines()]
    if verdicts and verdicts[0].passed:
        return found, ""
    problem = verdicts and (verdicts[0].problem or "; ".join(test.message for test in verdicts[0].tests))
    return found, f"{problem or 'no result'}; see {folder / 'run.log'}"


def parser(description: str | None, count: int) -> argparse.ArgumentParser:
    """The options that every series has. count: items unless given."""
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


def main(
    options: argparse.ArgumentParser, run: Callable[..., bool], arguments: Sequence[str] | None = None
) -> int:
    """Run with what the command line says; the exit code."""
    chosen = vars(options.parse_args(arguments))
    if chosen["count"] < 1 or chosen["first"] < 0 or not 1 <= chosen["seed"] < 2**31:
        options.error("count and seed start at 1, first at 0")
    # Verilator and its compilers, as make would have set them.
    os.environ.update(tool_env())
    try:
        return 0 if run(**chosen) else 1
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
