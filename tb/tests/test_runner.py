"""What bounds a simulation."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from tb.runner import bounded


def alive(pid: int) -> bool:
    """A process that has ended may wait for someone to ask how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_simulation_that_hangs_is_stopped() -> None:
    start = time.monotonic()
    assert subprocess.run([*bounded(1), "sleep", "60"]).returncode == 124
    assert time.monotonic() - start < 10


def test_a_simulation_does_not_outlive_its_runner() -> None:
    runner = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    with subprocess.Popen(
        [sys.executable, "-c", runner, *bounded(60), "sleep", "60"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        pid = int(process.stdout.readline())
        children = Path(f"/proc/{pid}/task/{pid}/children")
        while not children.read_text():  # until timeout has started it
            time.sleep(0.01)
        sleeping = int(children.read_text())
        process.kill()
    deadline = time.monotonic() + 10
    while alive(sleeping) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(sleeping)
