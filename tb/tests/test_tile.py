"""The job of one tile: written, kept, read, judged; with the reference machine in the place of the chip."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.network import compile_network
from compiler.tests.deep_networks import deep_network
from models.config import Config
from models.isa import Store
from models.machine import Machine
from models.trace import Trace
from scripts.tools import ROOT, UserError
from tb.chip import report, tile
from tb.chip.job import LayerResult, Result
from tb.chip.score import Mismatch
from tb.chip.tile import DRAM, JOB, LAYER, TILE, TileJob, keep, leave, main

CONFIG = Config()
MEMORY = {"seed": 9, "latency": 64}


@pytest.fixture(scope="module")
def whole() -> tuple[Trace, list[str]]:
    """A run of a network, and its layers' names."""
    network = deep_network(np.random.default_rng(4), 4, 6)
    compiled = compile_network(network.finish(), CONFIG)
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.values["x"])
    return Machine(CONFIG).run(dram, *compiled.programs[0]), [layer.name for layer in compiled.layers]


def store(trace: Trace, which: int) -> tuple[int, Mismatch]:
    """A STORE, and a mismatch in it."""
    number = [number for number, c in enumerate(trace.commands) if isinstance(c, Store)][which]
    return number, Mismatch("store write", "a layer", None, number, 5, 2, 1000, "data", "01", "02")


def left(folder: Path, whole: tuple[Trace, list[str]], which: int = -1) -> Mismatch:
    trace, names = whole
    return leave(folder, store(trace, which)[1], trace, CONFIG, 8, names, MEMORY)


def test_a_mismatch_leaves_its_tile_and_its_layer(tmp_path: Path, whole: tuple[Trace, list[str]]) -> None:
    trace, names = whole
    number, _ = store(trace, -1)
    found = left(tmp_path, whole)
    own = [n for n, c in enumerate(trace.commands) if isinstance(c, Store) and c.layer == len(names) - 1]
    assert found.tile == f"{len(own)} of {len(own)}"
    assert "tile" in str(found) and str(found).index("layer") < str(found).index("tile")
    for name, stores in ((TILE, [number]), (LAYER, own)):
        job = TileJob.read(tmp_path / name)
        assert job.memory == MEMORY and job.layers == names and job.mismatch == asdict(found)
        dram = np.fromfile(tmp_path / name / DRAM, np.uint8)
        again = Machine(Config(**job.config)).run(dram, job.base, job.length)
        assert [job.numbers[part.command] for part in again.store] == stores


def test_what_belongs_to_no_tile_leaves_none(tmp_path: Path, whole: tuple[Trace, list[str]]) -> None:
    trace, names = whole
    odd = Mismatch("ID 7", "?", None, None, 0, None, None, "burst", "none", "a burst")
    assert leave(tmp_path, odd, trace, CONFIG, 8, names, MEMORY) == odd
    assert not list(tmp_path.iterdir()) and keep(tmp_path, tmp_path / "kept", "make it") == ""


def test_the_kept_tile_replaces_that_of_an_earlier_run(
    tmp_path: Path, whole: tuple[Trace, list[str]]
) -> None:
    left(tmp_path / "run", whole)
    kept = tmp_path / "kept"
    assert keep(tmp_path / "run", kept, "make it") == f"make net TILE={kept / TILE} SIM=icarus WAVES=1"
    assert TileJob.read(kept / TILE).whole == "make it"
    assert keep(tmp_path / "nothing", kept, "make it") == "" and not (kept / TILE).exists()
    inside = ROOT / "build" / "net" / "x" / TILE
    assert tile.command(inside) == "make net TILE=build/net/x/tile SIM=icarus WAVES=1"


def test_the_report_says_how_to_repeat(
    tmp_path: Path, whole: tuple[Trace, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    left(tmp_path / "run", whole)
    result = Result(1, 10, 5, 1, "the mismatch", [LayerResult("a", "CONV_2D", 1)], folder=tmp_path / "run")
    report.print_first_mismatch(result, tmp_path / "kept", "make it")
    said = capsys.readouterr().out
    assert "the first mismatch:\nthe mismatch\n" in said
    assert f"that tile alone, with waves: make net TILE={tmp_path / 'kept' / TILE} SIM=icarus WAVES=1" in said


@pytest.fixture
def kept(tmp_path: Path, whole: tuple[Trace, list[str]]) -> Path:
    left(tmp_path / "run", whole)
    keep(tmp_path / "run", tmp_path, "make the whole run")
    return tmp_path


def judged(folder: Path, first: Mismatch | None) -> bool:
    found: dict[str, Any] = {"mismatches": [asdict(first)] if first else []}
    return tile._judge(TileJob.read(folder), folder, found)


def test_the_same_mismatch_repeats(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = replace(Mismatch(**TileJob.read(kept / TILE).mismatch), burst=0, cycle=77)
    assert not judged(kept / TILE, same)
    said = capsys.readouterr().out
    assert said.startswith("the mismatch repeats:") and "in the waveform at 775 ns" in said


def test_another_mismatch_is_called_so(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = replace(Mismatch(**TileJob.read(kept / TILE).mismatch), what="beats")
    assert not judged(kept / TILE, other)
    assert capsys.readouterr().out.startswith("another mismatch than in the whole run:")


def test_a_mismatch_of_timing_names_the_next_wider_run(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(kept / TILE, None)
    said = capsys.readouterr().out
    assert "depends on what runs at the same time" in said and f"TILE={kept / LAYER}" in said
    assert judged(kept / LAYER, None)
    assert "the whole run: make the whole run" in capsys.readouterr().out


@pytest.mark.parametrize("spoil", ["nothing", "no image", "text", "other", "half a word"])
def test_a_folder_that_is_no_tile_is_refused(
    kept: Path, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = kept / TILE
    if spoil == "nothing":
        folder = kept / "nothing"
    elif spoil == "no image":
        (folder / DRAM).unlink()
    elif spoil == "half a word":
        (folder / DRAM).write_bytes(b"123")
    else:
        (folder / JOB).write_text({"text": "{", "other": json.dumps({"base": 1})}[spoil])
    assert main(["--tile", str(folder)]) == 2
    assert f"error: TILE={folder}" in capsys.readouterr().err
    with pytest.raises(UserError):
        TileJob.read(folder)
