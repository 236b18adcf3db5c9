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
from tb.chip import endless
from tb.chip.hostile_sim import Result, summary
from tb.chip.report import write_summary
from tb.chip.session import bench
from tb.common.cores import SMALL_BUFFERS

# Small buffers wrap and fill; 64 KiB of memory are loaded in no time.
CORES = {
    "n4": {"N": 4, **SMALL_BUFFERS, "MAX_BURST": 8, "OUTSTANDING": 2, "MEM_WORDS": 16384},
    "n8": {"N": 8, **SMALL_BUFFERS, "MAX_BURST": 16, "OUTSTANDING": 4, "MEM_WORDS": 8192},
}
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
    chip = bench([CORES[core]], public=PUBLIC, timeout=TIMEOUT)
    build = Build("hostile_programs", chip, CORES[core], sim, waves)
    print(f"seed={seed}  repeat: {_command(seed, first, count, sim, core)}", flush=True)
    start = time.monotonic()
    with hdl.alone(build):
        hdl.make(build, jobs=2, verbose=verbose)
        built = time.monotonic()
        results, problem = _simulate(build, seed, first, count, verbose)
    seconds = time.monotonic() - built
    if waves and (wave := runner.waveform(build)):
        print(f"waveform: {wave}")
    failures = [result for result in results if result.failure]
    for result in failures:
        print(f"FAILED  program {result.index} ({result.what}): {result.failure}")
        print(f"  repeat: {_command(seed, result.index, 1, sim, core)}")
    if not failures and len(results) < count:
        problem = problem or "the simulation ended early"
        print(f"FAILED  program {first + len(results)}: {problem}")
        print(f"  repeat: {_command(seed, first + len(results), 1, sim, core)}")
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
    print(("passed  " if passed else "FAILED  ") + _command(seed, first, count, sim, core))
    return passed


def _command(seed: int, first: int, count: int, sim: str, core: str) -> str:
    options = f"--count {count} --seed {seed}"
    options += f" --first {first}" if first else ""
    options += f" --sim {sim}" if sim != "verilator" else ""
    options += f" --core {core}" if core != "n4" else ""
    return f".venv/bin/python -m tb.chip.hostile {options}"


def _simulate(build: Build, seed: int, first: int, count: int, verbose: bool) -> tuple[list[Result], str]:
    """What became of the programs, and why there are no more of them."""
    env = {"HOSTILE_FIRST": str(first), "HOSTILE_COUNT": str(count)}
    results, failure = endless.items(
        build, "tb.chip.hostile_sim", seed, count, "program", env, verbose=verbose
    )
    return [Result(**one) for one in results], failure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = endless.parser(__doc__, 1000)
    parser.add_argument("--core", default="n4", choices=CORES)
    return endless.main(parser, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
