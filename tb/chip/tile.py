"""The tile in which a run first differed, as a job of its own that runs again in seconds, with waves.

    make net TILE=build/net/mine/tile SIM=icarus WAVES=1

A run with a mismatch leaves two such folders: `tile`, the one STORE and what it depends on, and `layer`, all
tiles of its layer. Both hold a DRAM image as the reference machine had it (compiler/slice.py).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.slice import cut, store_that_needs, stores_of_layer
from models.config import Config
from models.trace import Trace
from scripts.tools import ROOT, SIMULATORS, UserError, shell
from tb import runner
from tb.chip import job as chip
from tb.chip.job import JobFailed
from tb.chip.score import Mismatch

JOB, DRAM = "job.json", "dram.bin"
TILE, LAYER = "tile", "layer"
NS = 10  # of a cycle


@dataclass(frozen=True)
class TileJob:
    """base, length: of the program, bytes and commands. numbers: of its commands in the whole program.
    layers: names by number. memory: plusargs of the memory, the seed too. mismatch: the whole run's first.
    whole: the command that repeats the whole run."""

    config: dict[str, int]
    outstanding: int
    memory: dict[str, int]
    base: int
    length: int
    numbers: list[int]
    layers: list[str]
    mismatch: dict[str, Any]
    whole: str = ""

    @classmethod
    def read(cls, folder: Path) -> TileJob:
        """Raises UserError if the folder has no such job."""
        try:
            job = cls(**json.loads((folder / JOB).read_text()))
            size = (folder / DRAM).stat().st_size
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"TILE={folder}: expected what a run with a mismatch has left, a folder with {JOB} and {DRAM}"
            ) from error
        if size % Config(**job.config).n:
            raise UserError(f"TILE={folder}: {DRAM} has {size} bytes, which are no whole words")
        return job

    def write(self, folder: Path, dram: NDArray[np.uint8]) -> None:
        """Replaces what is there."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        dram.tofile(folder / DRAM)
        (folder / JOB).write_text(json.dumps(asdict(self), indent=1))


def located(mismatch: Mismatch, trace: Trace, config: Config) -> tuple[Mismatch, int | None]:
    """The mismatch with its tile, and the number of that tile's STORE; None if it belongs to none."""
    if mismatch.command is None:
        return mismatch, None
    store = store_that_needs(trace.commands, mismatch.command, config)
    if store is None:
        return mismatch, None
    stores = stores_of_layer(trace.commands, trace.commands[store].layer)
    return replace(mismatch, tile=f"{stores.index(store) + 1} of {len(stores)}"), store


def leave(
    folder: Path,
    mismatch: Mismatch,
    trace: Trace,
    config: Config,
    outstanding: int,
    layers: Sequence[str],
    memory: Mapping[str, int],
) -> Mismatch:
    """Write the jobs `tile` and `layer` for a mismatch, if it belongs to a tile. Returns it with its tile."""
    mismatch, store = located(mismatch, trace, config)
    if store is None:
        return mismatch
    own = stores_of_layer(trace.commands, trace.commands[store].layer)
    for name, stores in ((TILE, [store]), (LAYER, own)):
        part = cut(trace, stores, config)
        job = TileJob(
            asdict(config),
            outstanding,
            dict(memory),
            part.base,
            part.length,
            part.numbers,
            list(layers),
            asdict(mismatch),
        )
        job.write(folder / name, part.dram)
    return mismatch


def keep(source: Path, target: Path, whole: str) -> str:
    """Take the jobs that a simulation has left in `source` to `target`, removing those of earlier runs.
    whole: the command that repeats the whole run. Returns the command that repeats the tile, or ""."""
    for name in (TILE, LAYER):
        shutil.rmtree(target / name, ignore_errors=True)
        if (source / name / JOB).exists():
            job = replace(TileJob.read(source / name), whole=whole)
            job.write(target / name, np.fromfile(source / name / DRAM, np.uint8))
    return command(target / TILE) if (target / TILE).exists() else ""


def command(folder: Path) -> str:
    """What a person types to run a job with waves. Icarus: it builds in seconds."""
    path = folder.resolve()
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return shell(["make", "net", f"TILE={shown}", "SIM=icarus", "WAVES=1"])


def run(
    folder: Path,
    sim: str,
    seed: int | None = None,
    waves: bool = False,
    verbose: bool = False,
    spoil: bool = False,
) -> bool:
    """Run a job, say whether its mismatch is there again. True if nothing differs.

    seed: of the memory's stalls and of registers before reset; None for the whole run's. spoil: the twin, for
    tests: the machine is given a wrong bit. Raises UserError; JobFailed if the simulation broke off.
    """
    job = TileJob.read(folder)
    config = Config(**job.config)
    words = (folder / DRAM).stat().st_size // config.n
    memory = {**job.memory, "seed": seed or job.memory["seed"]}
    named = "all tiles" if folder.name == LAYER else f"tile {job.mismatch['tile']}"
    print(f"{named} of {job.mismatch['layer']}: {job.length} commands, seed={memory['seed']}", flush=True)
    build = chip.chip(
        "tile",
        config,
        1 << max(words - 1, 255).bit_length(),
        sim,
        outstanding=job.outstanding,
        waves=waves,
        verbose=verbose,
    )
    place = build.folder / "run"
    place.mkdir(exist_ok=True)
    start = time.monotonic()
    env = {**chip.ENV, "TILE_JOB": str(folder.resolve()), "TILE_SPOIL": str(int(spoil))}
    verdict = runner.simulate(
        build,
        "tb.chip.tile_sim",
        memory["seed"],
        env=env,
        verbose=verbose,
        plusargs=[f"+{name}={value}" for name, value in memory.items()],
    )
    if waves and (wave := runner.waveform(build)):
        print(f"waveform: {wave}")
    result = place / "tile.json"
    if not verdict.passed or not result.exists():
        raise JobFailed(f"{verdict.why or 'no result'}; see {place / 'run.log'}")
    found = json.loads(result.read_text())
    print(f"{found['cycles']:,} cycles, {found['bursts']} bursts compared, {time.monotonic() - start:.1f} s")
    return _judge(job, folder, found)


def _judge(job: TileJob, folder: Path, found: Mapping[str, Any]) -> bool:
    """Say what it means. True if nothing differs."""
    expected = Mismatch(**job.mismatch)
    if not found["mismatches"]:
        print("no mismatch: in this part alone it does not happen, it depends on what runs at the same time")
        wider = folder.resolve().parent / LAYER
        if folder.name != LAYER and wider.exists():
            print(f"the whole layer: {command(wider)}")
        elif job.whole:
            print(f"the whole run: {job.whole}")
        return not found["mismatches"]
    first = Mismatch(**found["mismatches"][0])
    same = (first.stream, first.command, first.what) == (expected.stream, expected.command, expected.what)
    print("the mismatch repeats:" if same else f"another mismatch than in the whole run:\n{expected}\nnow:")
    print(first)
    if first.cycle is not None:
        print(f"in the waveform at {first.cycle * NS + NS // 2:,} ns")
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    from tb.chip.job import JobFailed

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tile", type=Path, required=True, dest="folder")
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    try:
        return 0 if run(**vars(parser.parse_args(arguments))) else 1
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except JobFailed as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
