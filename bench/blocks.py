"""How long `make sim BLOCK=x` takes, with nothing built and with everything built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scripts.tools import BUILD, ROOT, UserError

FOLDER = BUILD / "bench" / "blocks"
# The runner as make starts it, but with build folders of its own: what others have built is left alone.
SCRIPT = """
import sys
from pathlib import Path
from tb import build, runner
build.BUILD = runner.BUILD = Path(sys.argv.pop(1))
sys.exit(runner.main())
"""
# Cold means that a compiler's cache, if this machine has one, is cold too.
NO_CACHE = {"OBJCACHE": "", "CCACHE_DISABLE": "1"}


@dataclass(frozen=True)
class BlockTime:
    """Wall time in seconds of all tests of a block, with all its parameter sets."""

    block: str
    cold: float
    warm: float


def measure(block: str, seed: int) -> BlockTime:
    """Build and run a block's tests on Verilator twice, with quick counts, the first time from nothing.

    Raises UserError if they do not pass.
    """
    folder = FOLDER / block
    shutil.rmtree(folder, ignore_errors=True)
    times = BlockTime(block, _run(block, seed, folder), _run(block, seed, folder))
    shutil.rmtree(folder)
    return times


def entry(times: Sequence[BlockTime]) -> dict[str, Any]:
    """For the summary: every block, and the slowest of both kinds with its name."""
    cold, warm = max(times, key=lambda time: time.cold), max(times, key=lambda time: time.warm)
    return {
        "blocks": [asdict(time) for time in times],
        "block_cold_s": cold.cold,
        "block_cold": cold.block,
        "block_warm_s": warm.warm,
        "block_warm": warm.block,
    }


def _run(block: str, seed: int, folder: Path) -> float:
    arguments = ["--block", block, "--sim", "verilator", "--seed", str(seed)]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), *arguments],
        cwd=ROOT,
        env={**os.environ, **NO_CACHE, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        repeat = f"make sim BLOCK={block} SEED={seed}"
        raise UserError(f"the tests of {block} do not pass, see {repeat}\n{done.stdout[-1500:]}")
    return seconds
