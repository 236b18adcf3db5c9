"""Hostile programs against the whole chip: broken, endless and random commands, late and failing memory.

    python -m tb.chip.hostile --count 2000 --seed 7 [--first 0] [--sim verilator] [--core n4] [--waves]

Each must end, touch nothing outside its windows, send only bursts that its commands stand for, and leave a
core that runs a good program. Program i of a seed is always the same one: --first i --count 1 repeats it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from scripts.tools import BUILD
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.chip.campaign import Campaign, command_line, launch
from tb.chip.hostile_sim import Result, summary
from tb.chip.report import write_summary
from tb.chip.session import bench
from tb.common.cores import HOSTILE

# What Python changes in the memory between programs.
PUBLIC = [
    ("chip_bench", "*"),
    *(
        ("axi_memory", name)
        for name in ("latency", "jitter", "stall", "stall_on", "read_count", "write_count")
    ),
    *(("axi_memory", name) for name in ("err_read", "err_write", "err_resp", "err_beat")),
]
TIMEOUT = 12 * 3600  # seconds


def run(
    count: int,
    seed: int,
    first: int = 0,
    sim: str = "verilator",
    core: str = "n4",
    waves: bool = False,
    verbose: bool = False,
) -> bool:
    """Run programs [first, first + count) of a seed, write build/hostile.json. True if none won."""
    chip = bench([HOSTILE[core]], public=PUBLIC, timeout=TIMEOUT)
    build = Build("hostile_programs", chip, HOSTILE[core], sim, waves)
    options = {"sim": (sim, "verilator"), "core": (core, "n4")}
    campaign = Campaign("hostile", "program", count, seed, first, options)
    campaign.begin()
    start = time.monotonic()
    with hdl.alone(build):
        hdl.make(build, jobs=2, verbose=verbose)
        built = time.monotonic()
        lines, problem = campaign.simulate(build, verbose=verbose)
    results = [Result(**line) for line in lines]
    seconds = time.monotonic() - built
    if waves and (wave := runner.waveform(build)):
        print(f"waveform: {wave}")
    failures = [result for result in results if result.failure]
    for result in failures:
        campaign.failed(result.index, f"{result.what}: {result.failure}")
    if not failures and len(results) < count:
        problem = problem or "the simulation ended early"
        campaign.failed(first + len(results), problem)
    ends = summary(results)
    commands, bursts = sum(r.commands for r in results), sum(r.bursts for r in results)
    passed = len(results) == count and not failures and not problem
    write_summary(
        BUILD / "hostile.json",
        {
            "seed": seed,
            "passed": passed,
            "programs": len(results),
            "commands": commands,
            "bursts": bursts,
            "good": sum(r.good for r in results),
            "seconds": round(seconds, 1),
            "ends": dict(ends),
        },
    )
    print(", ".join(f"{name} {number}" for name, number in ends.most_common()))
    print(
        f"{len(results)} programs, {commands:,} commands, {bursts:,} bursts, "
        f"{sum(r.good for r in results)} good programs behind them, built in {built - start:.1f} s, "
        f"run in {seconds:.1f} s: "
        f"{commands / max(seconds, 0.001) * 3600:,.0f} commands an hour"
    )
    campaign.end(passed)
    return passed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line(__doc__, count=1000)
    parser.add_argument("--core", default="n4", choices=HOSTILE)
    return launch(parser, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
