"""How long `make sim BLOCK=x` takes, with nothing built and with everything built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class BlockTime:
    """Wall time in seconds of all tests of a block, with all its parameter sets."""

    block: str
    cold: float
    warm: float


def measure(block: str, seed: int) -> BlockTime:
    """Build and run a block's tests on Verilator twice, the first time from nothing.

    Raises UserError if they do not pass.
    """
    folder = FOLDER / block
    shutil.rmtree(folder, ignore_errors=True)
    return BlockTime(block, _run(block, seed, folder), _run(block, seed, folder))


def _run(block: str, seed: int, folder: Path) -> float:
    arguments = ["--block", block, "--sim", "verilator", "--seed", str(seed)]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        repeat = f"make sim BLOCK={block} SEED={seed}"
        raise UserError(f"the tests of {block} do not pass, see {repeat}\n{done.stdout[-1500:]}")
    return seconds
