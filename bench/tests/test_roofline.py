"""The roofline on layers that one engine alone bounds."""

from __future__ import annotations

import pytest

from bench import networks, roofline
from bench.topology import Step, Topology
from compiler.network import Compiled, compile_network
from models.config import Config
from models.isa import Load

N = 16


def compiled(*steps: Step, size: int = 64) -> Compiled:
    network = networks.build(Topology("test", size, steps), seed=1)
    return compile_network(network.model, Config(n=N))


STEM = Step("conv", "stem", ("input",), 64, stride=2)


def test_a_convolution_with_much_to_do_costs_its_multiplications() -> None:
    """3x3, 64 to 64 channels at 32x32: the array is the roof, and what comes before and after is small."""
    network = compiled(STEM, Step("conv", "deep", ("stem",), 64, 3, 1, 1))
    cycles = roofline.predict(network)[1]
    ideal = 9 * 64 * 64 * 32 * 32 / N**2
    assert ideal <= cycles < ideal * 1.03


def test_a_dense_layer_costs_its_weights() -> None:
    """64 x 16 x 16 inputs to 64 outputs: a word of weights a cycle."""
    network = compiled(STEM, Step("dense", "pred", ("stem",), 64), size=32)
    words = 64 * 16 * 16 * 64 / N
    # The last half of the weight buffer is computed when no more weights come, and some loads wait for the
    # memory.
    assert words <= roofline.predict(network)[1] < words * 1.03 + Config(n=N).wgt_words / 2 + 1000


def test_a_convolution_of_one_pass_costs_its_outputs_and_a_gap_for_each_tile() -> None:
    """1x1 from 16 channels: as many words leave the array as enter, and post stops between two tiles."""
    steps = STEM, Step("conv", "narrow", ("stem",), N), Step("conv", "wide", ("narrow",), 96)
    network = compiled(*steps, size=128)
    tiling, depth = network.layers[2].tiling, Config(n=N).acc_depth
    pixels, words = tiling.rows * tiling.columns, 6 * 64 * 64
    tiles = words // pixels * -(-pixels // depth)
    # Nine words of parameters, a pipeline of seven stages, four steps.
    ideal = words + 20 * tiles
    assert ideal <= roofline.predict(network)[2] < ideal * 1.05


@pytest.mark.parametrize("run, cycles", [(1, 65 / 8), (8, 72 / 8), (16, 16), (64, 64)])
def test_a_short_burst_holds_its_place_for_latency_and_beats(run: int, cycles: float) -> None:
    load = Load(run=run, count_x=10, stride_x=1024)
    assert roofline._bus(load, Config(n=N)) == 10 * cycles


def test_pooling_costs_a_tap_a_cycle() -> None:
    network = compiled(STEM, Step("max", "pool", ("stem",), 0, 3, 1, 1))
    taps = 32 * 32 * 9 * 64 / N
    # Its first tile is computed while the last of the layer before it is stored.
    assert roofline.predict(network)[1] == pytest.approx(taps, rel=0.05)


def test_a_depthwise_layer_costs_its_input() -> None:
    """A word a cycle, with the border and what tiles share; not a pass per tap."""
    network = compiled(STEM, Step("depthwise", "deep", ("stem",), 64, 3, 1, 1))
    words = 32 * 32 * 64 / N
    assert words <= roofline.predict(network)[1] < 1.6 * words


def test_layers_add_up_to_the_network() -> None:
    """The sum is the end of the last command, so a longer network costs more than a part of it."""
    steps = [STEM, *(Step("conv", f"c{i}", (("stem", "c0", "c1")[i],), 64, 3, 1, 1) for i in range(3))]
    sums = [sum(roofline.predict(compiled(*steps[:count]))) for count in (2, 3, 4)]
    assert sums == sorted(sums) and sums[2] - sums[1] == pytest.approx(sums[1] - sums[0], rel=0.05)
