"""The networks of `make bench`: their shapes against what is published, their numbers against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

from bench import networks, topology
from bench.measure import macs
from compiler.network import compile_network
from models.config import Config
from models.machine import Machine
from models.tests.litert import run as litert

# Multiplications, from the papers' and torchvision's tables (the convolutions and the last layer).
GMACS = {"resnet50": 4.089, "mobilenet_v2": 0.301}


def test_resnet50_has_the_published_shape() -> None:
    """53 convolutions, 16 joins; the stride is on the 3x3 convolution, which is what makes it v1.5."""
    steps = topology.resnet50().steps
    convs = [step for step in steps if step.kind == "conv"]
    assert len(convs) == 53 and sum(step.kind == "add" for step in steps) == 16
    inner = [step for step in convs if step.name.endswith(("2a", "2b", "2c"))]
    strides = {step.name: step.stride for step in inner if step.stride != 1}
    assert strides == {f"res{stage}_0_branch2b": 2 for stage in (3, 4, 5)}
    assert all(step.kernel == 3 for step in inner if step.stride == 2)


@pytest.mark.parametrize(
    "shape", [topology.resnet50(), topology.mobilenet_v2()], ids=lambda shape: shape.name
)
def test_multiplications_are_the_published_ones(shape: topology.Topology) -> None:
    network = networks.build(shape, seed=1)
    assert macs(network, Config()) / 1e9 == pytest.approx(GMACS[shape.name], abs=0.001)


def test_fewer_blocks_and_classes_are_what_was_asked_for() -> None:
    steps = topology.resnet50(64, (1, 2, 1, 1), classes=20).steps
    assert [step.name for step in steps if step.kind == "add"] == [
        "res2_0",
        "res3_0",
        "res3_1",
        "res4_0",
        "res5_0",
    ]
    made = {"input"}
    for step in steps:
        assert made.issuperset(step.sources), step
        made.add(step.name)
    assert steps[-1].channels == 20
    (last,) = (step for step in steps if step.name == "res4_0_branch2a")
    assert last.sources == ("res3_1",)


@pytest.mark.parametrize(
    "shape",
    [topology.resnet50(128, (1, 1, 1, 1), 20), topology.mobilenet_v2(128, 20)],
    ids=lambda shape: shape.name,
)
def test_a_network_is_healthy_and_litert_agrees(shape: topology.Topology) -> None:
    """No layer is mostly at the ends of int8, none is nearly constant; the last tensor is LiteRT's."""
    network = networks.build(shape, seed=3)
    compiled = compile_network(network.model, Config())
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.input)
    Machine(Config(), check_races=False).run(dram, *compiled.programs[0])
    for layer in compiled.layers:
        value = compiled.read_tensor(dram, 0, layer.target)
        zero = compiled.graph.tensors[layer.target].zero_point
        saturated = ((value == 127) | (value == -128)) & (value != zero)
        # A few scores say nothing about a distribution.
        assert saturated.mean() < 0.1 or value.size < 100, layer.name
        assert np.mean(value == zero) < 0.8 and value.std() > 5, layer.name
    answer = compiled.read_tensor(dram, 0, compiled.outputs[0])
    assert np.array_equal(answer, litert(network.model, network.input[None])[0])


def test_the_seed_decides() -> None:
    shape = topology.resnet50(32, (1, 1, 1, 1), 20)
    first, again, other = (networks.build(shape, seed).model for seed in (5, 5, 6))
    assert first == again and first != other


def test_the_picture_is_not_the_one_of_the_calibration() -> None:
    first, second = (networks.picture(32, 1, part) for part in (networks.CALIBRATION, networks.INPUT))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("low, high", [(-1.0, 3.0), (0.0, 6.0), (2.0, 5.0), (-4.0, -1.0)])
def test_quantisation_covers_the_range_and_zero(low: float, high: float) -> None:
    """Every value comes back within half a step, and 0 exactly."""
    values = np.linspace(low, high, 1001, dtype=np.float32)
    scale, zero_point = networks.quantisation(values)
    assert -128 <= zero_point <= 127
    back = (networks.to_int8(values, scale, zero_point).astype(np.float64) - zero_point) * scale
    # The zero point was rounded: the ends may be off by a whole step.
    assert np.abs(back - values).max() <= scale
    assert networks.to_int8(np.zeros(1, np.float32), scale, zero_point)[0] == zero_point
