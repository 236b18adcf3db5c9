"""Two jobs of the same chip share its folder: one waits for the other."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.network import compile_network
from compiler.tflite_build import TfliteBuilder
from models.config import Config
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.chip import job
from tb.verdict import Verdict


def is_held(build: Build) -> bool:
    with build.folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_job_has_its_folder_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    def make(build: Build, jobs: int, verbose: bool = False) -> bool:
        build.folder.mkdir(parents=True, exist_ok=True)
        held.append(is_held(build))
        return False

    def simulate(build: Build, *_: Any, **__: Any) -> Verdict:
        held.append(is_held(build))
        return Verdict([], "no simulator here")

    monkeypatch.setattr(hdl, "BUILD", tmp_path)
    monkeypatch.setattr(hdl, "make", make)
    monkeypatch.setattr(runner, "simulate", simulate)
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 4), np.int8, 0.1) for name in "xy")
    b.max_pool(x, y, kernel=(1, 1))
    compiled = compile_network(b.finish([x], [y]), Config())
    with pytest.raises(job.JobFailed, match="no simulator here"):
        job.run("job", compiled, [{"x": np.zeros((1, 2, 2, 4), np.int8)}], "verilator", 1)
    assert held == [True, True]
