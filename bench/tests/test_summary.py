"""What `make bench` writes and when it fails, with the reference machine in the place of every simulation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import goals, measure, networks, roofline, speed, topology
from bench.blocks import BlockTime
from bench.measure import Measured
from bench.networks import Network
from bench.speed import Speed
from compiler.network import compile_network
from models.config import Config
from models.machine import Machine
from tb.chip.host import ACCOUNT
from tb.chip.job import LayerResult, Result

KEYS = {
    "resnet50",
    "speed_ratio",
    "raw_hz",
    "checked_hz",
    "peer_hz",
    "scaling",
    "resnet50_fp32",
    "largest_prediction_error",
    "goals",
    "block_cold_s",
    "block_warm_s",
}
RESNET = {"cycles", "account", "utilisation", "wall_s", "mismatches", "bursts", "predicted_cycles"}
SMALL = topology.resnet50(32, (1, 0, 0, 0), 20)


def account(cycles: int) -> dict[str, int]:
    """Every tenth cycle a wait for data."""
    return dict.fromkeys(ACCOUNT, 0) | {"busy": cycles - cycles // 10, "load": cycles // 10}


def measured(network: Network, config: Config, mismatches: int = 0) -> Measured:
    """A run in which each layer took what the roofline says, ten times as long to simulate as to check."""
    compiled = compile_network(network.model, config)
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.input)
    Machine(config, check_races=False).run(dram, *compiled.programs[0])
    layers = [
        LayerResult(layer.name, layer.op, layer.macs, cycles, account=account(cycles))
        for layer, cycles in zip(compiled.layers, roofline.predict(compiled), strict=True)
    ]
    seconds = {"simulation": 10.0, "load": 5.0, "log": 0.25, "machine": 0.25, "score": 0.5}
    cycles = sum(layer.cycles for layer in layers)
    first = "a mismatch" if mismatches else ""
    result = Result(1, cycles, 100, mismatches, first, layers, account(cycles), seconds)
    return Measured(network, compiled, result, 12.0, dram)


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the summary goes. All networks are the small one, which no array of this size is busy with."""
    network = networks.build(SMALL, 1)
    one = measured(network, Config())
    fast = Speed(1e6, 0.95e6, 0.9e6, 1e5, 0.3)
    monkeypatch.setattr(program, "SUMMARY", tmp_path / "bench" / "summary.json")
    monkeypatch.setattr(program.networks, "build", lambda *_: network)
    monkeypatch.setattr(program.quantised, "resnet50", lambda *_: network)
    monkeypatch.setattr(goals, "UTILISATION", {16: 0, 32: 0})
    monkeypatch.setattr(goals, "STEM", 0)
    monkeypatch.setattr(goals, "WINDOWED", 0)
    monkeypatch.setattr(program, "side_by_side", lambda *_: (fast, one))
    monkeypatch.setattr(measure, "measure", lambda net, config, *_, **__: measured(net, config))
    monkeypatch.setattr(speed, "SIZES", ((32, (1, 0, 0, 0)),))
    times = {"conv": BlockTime("conv", 9.0, 1.0), "lib": BlockTime("lib", 8.0, 2.0)}
    monkeypatch.setattr(program, "all_blocks", lambda: list(times))
    monkeypatch.setattr(program.blocks, "measure", lambda block, seed: times[block])
    return tmp_path / "bench" / "summary.json"


def test_the_summary_has_what_issue_4_asks_for(summary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.bench(3)
    found = json.loads(summary.read_text())
    assert found.keys() >= KEYS and found["resnet50"].keys() >= RESNET
    assert found["speed_ratio"] == pytest.approx(0.9)
    for point in found["scaling"]:
        assert point.keys() >= {"gmac", "wall_s", "python_share"}
        assert point["python_share"] == pytest.approx(1 / 11) and point["wall_s"] == pytest.approx(11)
    assert (found["block_cold_s"], found["block_cold"]) == (9.0, "conv")
    assert (found["block_warm_s"], found["block_warm"]) == (2.0, "lib")
    assert [entry["block"] for entry in found["blocks"]] == ["conv", "lib"]
    assert "repeat: make bench SEED=3" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["resnet50", "another network", "scaling"])
def test_a_mismatch_anywhere_fails(summary: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    network = networks.build(SMALL, 1)
    bad = measured(network, Config(), mismatches=2)
    if where == "resnet50":
        monkeypatch.setattr(program, "side_by_side", lambda *_: (Speed(1e6, 1e6, 1e6, 1e5, 0.3), bad))
    elif where == "scaling":
        monkeypatch.setattr(program, "scaling", lambda *_: ([speed._point(bad)], 2))
    else:
        monkeypatch.setattr(measure, "measure", lambda *_, **__: replace(bad))
    assert not program.bench(3)
    assert json.loads(summary.read_text())["mismatches"] >= 2


def test_a_goal_that_is_missed_fails_and_is_named(
    summary: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(goals, "SPEED_RATIO", 0.91)
    assert not program.bench(3)
    assert "FAILED  speed_ratio  seed=3" in capsys.readouterr().out
    missed = [goal["name"] for goal in json.loads(summary.read_text())["goals"] if not goal["met"]]
    assert missed == ["speed_ratio"]
