"""A compiled network and its inputs, handed to a simulation, and what comes back.

The two sides are two processes: the one a person started (`run`), and the simulator (tb/chip/network_sim.py).
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.network import Compiled
from models.config import Config
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.chip import activity
from tb.chip.activity import Activity
from tb.chip.host import ACCOUNT
from tb.chip.progress import NetworkProgress
from tb.chip.session import bench
from tb.chip.watched import watched

LATENCY = 64  # cycles of the memory, unless a run says otherwise
# More threads gain the machine little, and wait in a loop: beside anything else it becomes ten times slower.
ENV = {"OPENBLAS_NUM_THREADS": "1"}


@dataclass
class LayerResult:
    """A layer over all images: cycles are sums; mismatches counts values of its tensor that differ.

    account: how many of the cycles belong to each category of docs/registers.md; they add up to `cycles`.
    Both are 0 in a network with more layers than the core has stamps.
    """

    name: str
    op: str
    macs: int
    cycles: int = 0
    account: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ACCOUNT, 0))
    bytes_read: int = 0
    bytes_written: int = 0
    mismatches: int = 0


@dataclass
class Result:
    """What the simulation measured. counters: sums over all images. seconds: wall time over all images, of
    the simulator (simulation), of putting the image in the memory (load), of reading the log (log), of
    waiting for the machine (machine), of comparing (score)."""

    images: int = 0
    cycles: int = 0
    bursts: int = 0
    burst_mismatches: int = 0
    first_mismatch: str = ""
    layers: list[LayerResult] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    # Of the first image; from the simulation's logs, not from the simulator itself.
    activity: Activity | None = None
    # Where the simulation ran: its logs and, after a mismatch, the jobs of tb/chip/tile.py.
    folder: Path | None = None

    @property
    def mismatches(self) -> int:
        return self.burst_mismatches + sum(layer.mismatches for layer in self.layers)


class JobFailed(Exception):
    """The simulation did not come to its end; the message says why and where its log is."""


def chip(
    name: str,
    config: Config,
    words: int,
    sim: str,
    *,
    outstanding: int = 8,
    waves: bool = False,
    verbose: bool = False,
) -> Build:
    """Build the chip with a memory of that many bus words, if it is not built. Raises UserError."""
    build = _chip(name, config, words, sim, outstanding, waves)
    with hdl.alone(build):
        _make(build, verbose)
    return build


def _chip(name: str, config: Config, words: int, sim: str, outstanding: int, waves: bool) -> Build:
    parameters = {key.upper(): value for key, value in asdict(config).items()}
    parameters |= {"OUTSTANDING": outstanding, "MEM_WORDS": words}
    return Build(name, bench([parameters], fast=True, timeout=3600), parameters, sim, waves)


def _make(build: Build, verbose: bool) -> None:
    start = time.monotonic()
    if hdl.make(build, jobs=2, verbose=verbose):
        print(f"chip built for {build.sim} in {time.monotonic() - start:.1f} s", flush=True)


def run(
    name: str,
    compiled: Compiled,
    inputs: Sequence[Mapping[str, NDArray[np.int8]]],
    sim: str,
    seed: int,
    *,
    outstanding: int = 8,
    waves: bool = False,
    verbose: bool = False,
    memory: Mapping[str, int] | None = None,
    least_words: int = 1,
    spoil: bool = False,
) -> tuple[Result, dict[str, NDArray[np.uint8]]]:
    """Build the chip, run one program per input on it, and score everything.

    inputs: per image, int8 by the name of the network's input. memory: plusargs of tb/hdl/axi_memory.v
    (latency, jitter, stall). least_words: of the bench's memory; those who ask for the same share a build.
    spoil: the twin, for tests: the machine is given a wrong bit.
    Returns the result and DRAM afterwards, uint8, as the writes of the RTL ("rtl") and of the machine
    ("machine") left it.
    Raises JobFailed if the simulation broke off, UserError if it does not build.
    """
    words = max(1 << max(compiled.dram.size // compiled.config.n - 1, 1).bit_length(), least_words)
    build = _chip(name, compiled.config, words, sim, outstanding, waves)
    # Another job of the same chip waits: its image and its logs would take the place of this one's.
    with hdl.alone(build):
        _make(build, verbose)
        return _run(build, compiled, inputs, seed, verbose, memory or {}, spoil)


def _run(
    build: Build,
    compiled: Compiled,
    inputs: Sequence[Mapping[str, NDArray[np.int8]]],
    seed: int,
    verbose: bool,
    memory: Mapping[str, int],
    spoil: bool,
) -> tuple[Result, dict[str, NDArray[np.uint8]]]:
    """`run` on a finished build that nobody else uses."""
    folder = build.folder / "run"
    folder.mkdir(exist_ok=True)
    for old in ("result.json", "rtl.npy", "machine.npy", activity.UNITS_LOG):
        (folder / old).unlink(missing_ok=True)
    with (folder / "job.pickle").open("wb") as file:
        pickle.dump((compiled, inputs), file)
    settings = {"latency": LATENCY, "seed": seed, **memory}
    plusargs = [f"+{key}={value}" for key, value in settings.items()]
    env = {**ENV, "JOB_SPOIL": str(int(spoil))}
    layers = compiled.layers
    progress = NetworkProgress(
        folder / activity.UNITS_LOG,
        [layer.name for layer in layers],
        [layer.tiling.cycles for layer in layers],
        len(inputs),
    )
    module = "tb.chip.network_sim"
    verdict = watched(
        lambda: runner.simulate(build, module, seed, env=env, verbose=verbose, plusargs=plusargs),
        progress.update,
    )
    progress.close()
    if build.waves and (wave := runner.waveform(build)):
        print(f"waveform: {wave}")
    if not verdict.passed or not (folder / "result.json").exists():
        raise JobFailed(f"{verdict.why or 'no result'}; see {folder / 'run.log'}")
    raw = json.loads((folder / "result.json").read_text())
    raw["layers"] = [LayerResult(**layer) for layer in raw["layers"]]
    raw["folder"] = folder
    raw["activity"] = activity.read(folder, compiled.config.n)
    return Result(**raw), {name: np.load(folder / f"{name}.npy") for name in ("rtl", "machine")}
