"""What `make bench` writes and when it fails, with the reference machine in the place of every simulation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench import __main__ as program
from bench import measure, networks, speed, topology
from bench.blocks import BlockTime
from bench.measure import Measured
from bench.networks import Network
from bench.speed import Speed
from compiler.network import compile_network
from models.isa import Config
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
    "block_cold_s",
    "block_warm_s",
}
RESNET = {"cycles", "account", "utilisation", "wall_s", "mismatches", "bursts", "predicted_cycles"}
SMALL = topology.resnet50(32, (1, 0, 0, 0), 20)


def account(cycles: int) -> dict[str, int]:
    """Every tenth cycle a wait for data."""
    return dict.fromkeys(ACCOUNT, 0) | {"busy": cycles - cycles // 10, "load": cycles // 10}


def measured(network: Network, config: Config, mismatches: int = 0) -> Measured:
    """A run in which each layer took the compiler's estimate, ten times as long to simulate as to check."""
    compiled = compile_network(network.model, config)
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.input)
    Machine(config, check_races=False).run(dram, *compiled.programs[0])
    layers = [LayerResult(layer.name, layer.op, layer.macs) for layer in compiled.layers]
    for layer, info in zip(layers, compiled.layers, strict=True):
        layer.cycles, layer.account = info.tiling.cycles, account(info.tiling.cycles)
    seconds = {"simulation": 10.0, "load": 5.0, "log": 0.25, "machine": 0.25, "score": 0.5}
    cycles = sum(layer.cycles for layer in layers)
    first = "a mismatch" if mismatches else ""
    result = Result(1, cycles, 100, mismatches, first, layers, account(cycles), seconds)
    return Measured(network, compiled, result, 12.0, dram)


@pytest.fixture
def summary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the summary goes. All networks are the small one."""
    network = networks.build(SMALL, 1)
    one = measured(network, Config())
    fast = Speed(1e6, 0.95e6, 0.9e6, 1e5, 0.3)
    monkeypatch.setattr(program, "SUMMARY", tmp_path / "bench" / "summary.json")
    monkeypatch.setattr(program.networks, "build", lambda *_: network)
    monkeypatch.setattr(program, "side_by_side", lambda *_: (fast, one))
    monkeypatch.setattr(measure, "measure", lambda net, config, seed, images=1: measured(net, config))
    monkeypatch.setattr(speed, "SIZES", ((32, (1, 0, 0, 0)),))
    monkeypatch.setattr(program.blocks, "measure", lambda block, seed: BlockTime(block, 9.0, 2.0))
    return tmp_path / "bench" / "summary.json"


def test_the_summary_has_what_issue_4_asks_for(summary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.bench(3)
    found = json.loads(summary.read_text())
    assert found.keys() >= KEYS and found["resnet50"].keys() >= RESNET
    assert found["speed_ratio"] == pytest.approx(0.9)
    for point in found["scaling"]:
        assert point.keys() >= {"gmac", "wall_s", "python_share"}
        assert point["python_share"] == pytest.approx(1 / 11) and point["wall_s"] == pytest.approx(11)
    assert (found["block_cold_s"], found["block_warm_s"]) == (9.0, 2.0)
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
