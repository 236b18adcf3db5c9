"""Each figure that `make bench` is held to, broken on purpose."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from bench.goals import furthest, goals

LAYERS = [
    {"name": "conv1", "op": "CONV_2D", "cycles": 1010, "predicted_cycles": 1000, "utilisation": 0.65},
    {"name": "res2", "op": "CONV_2D+ADD", "cycles": 960, "predicted_cycles": 1000, "utilisation": 0.98},
    {"name": "pred", "op": "FULLY_CONNECTED", "cycles": 1000, "predicted_cycles": 1000, "utilisation": 0.06},
]
ENTRY = {
    "cycles": 16.5e6,
    "utilisation": 0.96,
    "wall_s": 25.0,
    "bursts": 250_000,
    "n": 16,
    "layers": LAYERS,
    "runtime": "LiteRT",
    "runtime_values": 11_000_000,
    "runtime_mismatches": 0,
    "runtime_failures": 0,
}
SUMMARY = {
    "mismatches": 0,
    "speed_ratio": 0.85,
    "block_cold_s": 19.0,
    "block_cold": "conv",
    "block_warm_s": 2.5,
    "block_warm": "fetch",
}


def missed(summary: dict[str, Any], key: str, entry: dict[str, Any]) -> list[str]:
    return [goal.name for goal in goals(summary, {key: entry}) if not goal.met]


def test_a_good_run_meets_them_all() -> None:
    assert not missed(SUMMARY, "resnet50", ENTRY)
    assert furthest(ENTRY) == ("res2", pytest.approx(0.04))


@pytest.mark.parametrize(
    "change, name",
    [
        ({"cycles": 17_200_001}, "cycles"),
        ({"utilisation": 0.929}, "utilisation"),
        ({"wall_s": 60.1}, "wall_s"),
        ({"bursts": 0}, "bursts compared"),
        ({"runtime_values": 0}, "values compared with LiteRT"),
        ({"runtime_failures": 1}, "of these different without a proof"),
    ],
)
def test_a_figure_of_a_network_that_misses_is_named(change: dict[str, Any], name: str) -> None:
    assert missed(SUMMARY, "resnet50", {**ENTRY, **change}) == [f"resnet50: {name}"]


@pytest.mark.parametrize(
    "layer, change, name",
    [
        (2, {"cycles": 1051}, "furthest from its prediction, pred"),
        (2, {"cycles": 949}, "furthest from its prediction, pred"),
        (0, {"utilisation": 0.59}, "utilisation of conv1"),
        (1, {"utilisation": 0.92}, "least utilisation, res2"),
    ],
)
def test_a_layer_that_misses_is_named(layer: int, change: dict[str, Any], name: str) -> None:
    entry: dict[str, Any] = deepcopy(ENTRY)
    entry["layers"][layer] |= change
    assert missed(SUMMARY, "resnet50", entry) == [f"resnet50: {name}"]


@pytest.mark.parametrize(
    "change, name",
    [
        ({"mismatches": 1}, "mismatches with the reference machine"),
        ({"speed_ratio": 0.79}, "speed_ratio"),
        ({"block_cold_s": 20.1}, "make sim BLOCK=conv, cold, s"),
        ({"block_warm_s": 3.1}, "make sim BLOCK=fetch, warm, s"),
    ],
)
def test_a_figure_of_the_whole_run_that_misses_is_named(change: dict[str, Any], name: str) -> None:
    assert missed({**SUMMARY, **change}, "resnet50", ENTRY) == [name]


def test_each_size_of_the_array_has_its_own_bound() -> None:
    entry = {**ENTRY, "n": 32, "utilisation": 0.86}
    assert not missed(SUMMARY, "resnet50_n32", entry)
    assert missed(SUMMARY, "resnet50_n32", {**entry, "utilisation": 0.84}) == ["resnet50_n32: utilisation"]


def test_other_networks_are_held_to_prediction_and_comparison_only() -> None:
    slow = {**ENTRY, "utilisation": 0.4, "cycles": 2e7, "wall_s": 70}
    assert not missed(SUMMARY, "mobilenet_v2", slow)
    assert missed(SUMMARY, "mobilenet_v2", {**slow, "runtime_failures": 3})
