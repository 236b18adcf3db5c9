"""Depthwise and grouped convolutions: compiler and reference machine against the models and LiteRT."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np
import pytest

from compiler.ir import CONTRACTS
from compiler.layer import GroupedLayer
from compiler.network import Compiled, compile_network
from compiler.ops import lower
from compiler.ops.context import Context
from compiler.repeat import diagonal
from compiler.tests.random_networks import CONFIGS, RandomNetwork, start
from compiler.tests.run import assert_right
from compiler.tests.test_network import ACTIVATIONS, assert_litert_agrees, generator, pair
from compiler.tflite import read_tflite
from compiler.tflite_build import TfliteBuilder
from models.decode import decode
from models.isa import Command, Conv, Dest, Load
from models.machine import Machine
from tb.chip.runtime import Runtime


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(8))
def test_depthwise_of_any_shape(config: str, trial: int) -> None:
    rng = generator("depthwise", config, trial)
    network = start(rng, most=11, channels=40)
    kernel, stride = pair(rng, 1, 6), (int(rng.integers(1, 4)),) * 2
    dilation = (1, 1) if max(stride) > 1 else pair(rng, 1, 3)
    height, width, _ = network.x.shape
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = "VALID" if rng.integers(2) and span[0] <= height and span[1] <= width else "SAME"
    network.depthwise(
        kernel,
        multiplier=int(rng.integers(1, 4)) if trial % 2 else 1,
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=str(rng.choice(ACTIVATIONS)),
    )
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(4))
def test_channel_multiplier_behind_another_layer(contract: str, config: str, trial: int) -> None:
    """Nobody can write that layer's input with its channels repeated: they are copied, or passes see them."""
    rng = generator("multiplier", contract, config, trial)
    network = start(rng, most=9, channels=20, contract=contract)
    network.pool("max", (1, 1))
    window: dict[str, Any] = {"kernel": pair(rng, 1, 5), "stride": (int(rng.integers(1, 3)),) * 2}
    if trial == 3:
        window = {"kernel": pair(rng, 2, 3), "dilation": (2, 1)}
    network.depthwise(**window, multiplier=int(rng.integers(2, 6)), activation=str(rng.choice(ACTIVATIONS)))
    output = assert_right(network, CONFIGS[config])
    if contract == "tflite":
        assert_litert_agrees(network, output)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("kernel", "stride"), [((4, 2), (1, 2)), ((3, 2), (2, 2)), ((3, 6), (1, 1))])
def test_depthwise_padded_above_and_below_only(
    config: str, kernel: tuple[int, int], stride: tuple[int, int]
) -> None:
    """A strip as wide as the input: its rows follow each other, and the padding is still of whole rows."""
    rng = generator("rows", config, kernel)
    network = RandomNetwork(rng, rng.integers(-128, 128, (6, 6, 5)).astype(np.int8))
    network.depthwise(kernel, stride=stride)
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(5))
def test_grouped_convolution(config: str, trial: int) -> None:
    rng = generator("grouped", config, trial)
    groups = int(rng.integers(2, 7))
    shape = (*rng.integers(3, 9, 2), groups * int(rng.integers(1, 9)))
    network = RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8))
    network.conv(
        groups * int(rng.integers(1, 9)),
        pair(rng, 1, 4),
        stride=pair(rng, 1, 3),
        activation=str(rng.choice(ACTIVATIONS)),
        groups=groups,
    )
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("size", [(5, 7), (25, 5), (7, 7), (49, 10)])
def test_depthwise_separable_network(size: tuple[int, int]) -> None:
    rng = generator("separable", size)
    network = RandomNetwork(rng, rng.integers(-128, 128, (*size, 1)).astype(np.int8))
    network.conv(64, (4, 3), stride=(2, 2), activation="RELU")
    for _ in range(2):
        network.depthwise((3, 3), activation="RELU")
        network.conv(64, (1, 1), activation="RELU")
    network.pool("average", network.x.shape[:2])
    assert_litert_agrees(network, assert_right(network, CONFIGS["n16"]))


def commands_of(compiled: Compiled) -> list[Command]:
    """The first program."""
    base, length = compiled.programs[0]
    raw = compiled.dram[base : base + 64 * length].tobytes()
    return [decode(raw[at : at + 64], compiled.config) for at in range(0, len(raw), 64)]


def depthwise(shape: tuple[int, int, int], config: str, kernel: tuple[int, int], **options: Any) -> Compiled:
    """A network of one depthwise layer, checked."""
    rng = generator("one depthwise", shape, config, kernel)
    network = RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8))
    network.depthwise(kernel, **options)
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))
    return compile_network(network.finish(), CONFIGS[config])


def convs_of(compiled: Compiled) -> list[Conv]:
    return [command for command in commands_of(compiled) if isinstance(command, Conv)]


def test_depthwise_takes_no_pass_per_tap() -> None:
    """Nor the dense form: with its border, tiles that overlap included, the input is less than two inputs."""
    compiled = depthwise((12, 12, 48), "n16", (3, 3))
    convs = convs_of(compiled)
    assert all(conv.window for conv in convs)
    assert sum(conv.groups * conv.words_read for conv in convs) < 2 * 12 * 12 * 3
    assert compiled.layers[0].macs == 12 * 12 * 48 * 9


@pytest.mark.parametrize("stride", [1, 2])
def test_tiles_down_a_strip_load_each_row_once(stride: int) -> None:
    compiled = depthwise((40, 9, 30), "n16_small", (3, 3), stride=(stride, stride))
    loads = [c for c in commands_of(compiled) if isinstance(c, Load) and c.dest == Dest.ACT]
    rows: Counter[int] = Counter()
    for load in loads:
        rows[load.address // compiled.config.n % (9 * 2)] += load.count_y
    assert len(loads) > 4 * len(rows) and set(rows.values()) == {40}


@pytest.mark.parametrize(
    ("config", "kernel", "pieces"),
    [
        ("n16", (5, 5), [(3, 5), (2, 5)]),
        ("n16", (7, 7), [(3, 4), (3, 3), (2, 4), (2, 3), (2, 4), (2, 3)]),
        ("n4_small", (3, 3), [(1, 3)] * 3),
    ],
)
def test_large_kernels_are_cut_into_windows(
    config: str, kernel: tuple[int, int], pieces: list[tuple[int, int]]
) -> None:
    convs = convs_of(depthwise((8, 8, 4), config, kernel))
    assert all(conv.window for conv in convs)
    assert [(conv.kh, conv.kw) for conv in convs[: len(pieces)]] == pieces
    assert [conv.clear for conv in convs[: len(pieces)]] == [True] + [False] * (len(pieces) - 1)


@pytest.mark.parametrize(("kernel", "options"), [((3, 3), {"dilation": (2, 2)}), ((3, 1), {})])
@pytest.mark.parametrize("multiplier", [1, 2])
def test_what_windows_cannot_do_takes_passes(
    kernel: tuple[int, int], options: dict[str, Any], multiplier: int
) -> None:
    compiled = depthwise((9, 9, 20), "n16", kernel, multiplier=multiplier, **options)
    assert not any(conv.window for conv in convs_of(compiled))
    assert compiled.tensors["x"].fold is None


@pytest.mark.parametrize("multiplier", [2, 3, 4])
def test_channel_multiplier_takes_a_word_of_copies_and_a_word_of_windows(multiplier: int) -> None:
    rng = generator("copies", multiplier)
    network = RandomNetwork(rng, rng.integers(-128, 128, (14, 14, 24)).astype(np.int8))
    network.pool("max", (1, 1))
    network.depthwise((3, 3), multiplier=multiplier)
    assert_litert_agrees(network, assert_right(network, CONFIGS["n16"]))
    compiled = compile_network(network.finish(), CONFIGS["n16"])
    assert [layer.op for layer in compiled.layers] == ["MAX_POOL_2D", "DEPTHWISE_CONV_2D"]
    words = 14 * 14 * -(-24 * multiplier // 16)
    convs = convs_of(compiled)
    copies = sum(conv.words_read * conv.groups for conv in convs if not conv.window)
    assert words <= copies <= 2 * words  # two where an output block has channels of two input blocks
    assert words < sum(conv.words_read * conv.groups for conv in convs if conv.window) < 2 * words


def test_input_of_a_channel_multiplier_is_written_with_its_channels_repeated() -> None:
    compiled = depthwise((14, 14, 5), "n16", (3, 3), multiplier=4)
    assert all(conv.window for conv in convs_of(compiled))
    image, dram = generator("image").integers(-128, 128, (1, 14, 14, 5)).astype(np.int8), compiled.dram.copy()
    compiled.write_input(dram, 0, image)
    np.testing.assert_array_equal(compiled.read_tensor(dram, 0, "x"), image)


def test_windows_and_passes_have_the_same_weights() -> None:
    rng = generator("diagonal")
    network = RandomNetwork(rng, rng.integers(-128, 128, (7, 7, 20)).astype(np.int8))
    network.depthwise((3, 2))
    graph = read_tflite(network.finish())
    context = Context(graph, 16)
    context.layouts[graph.inputs[0]] = (7, 7, 20)
    (layer,) = lower(graph.nodes[0], context)
    assert isinstance(layer, GroupedLayer) and layer.one_to_one and layer.kernels is not None
    np.testing.assert_array_equal(diagonal(layer.kernels), layer.weights)


def test_few_pixels_with_a_channel_multiplier_take_passes() -> None:
    """Weights of copies and windows would take longer than the taps."""
    rng = generator("few")
    network = RandomNetwork(rng, rng.integers(-128, 128, (2, 2, 16)).astype(np.int8))
    network.pool("max", (1, 1))
    network.depthwise((1, 2), multiplier=2)
    assert_right(network, CONFIGS["n16"])
    assert not any(conv.window for conv in convs_of(compile_network(network.finish(), CONFIGS["n16"])))


def test_depthwise_window_larger_than_the_weight_buffer() -> None:
    """Then the dense form, cut in pieces, does it."""
    rng = generator("large window")
    network = RandomNetwork(rng, rng.integers(-128, 128, (9, 9, 6)).astype(np.int8))
    network.depthwise((6, 6))
    assert_litert_agrees(network, assert_right(network, CONFIGS["n4_small"]))


def test_fully_connected_on_every_pixel() -> None:
    """[1, pixels, channels]: a 1 x 1 convolution, and judged as one."""
    rng = generator("pixels")
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 11, 20), np.int8, 0.05, 3)
    w = b.add_tensor("w", (9, 20), np.int8, 0.01, 0, data=rng.integers(-127, 128, (9, 20)).astype(np.int8))
    k = b.add_tensor("k", (9,), np.int32, 0.0005, 0, data=rng.integers(-99, 99, 9).astype(np.int32))
    y = b.add_tensor("y", (1, 11, 9), np.int8, 0.1, -4)
    b.fully_connected(x, w, k, y, keep_dims=True)
    model, config = b.finish([x], [y]), CONFIGS["n16"]
    compiled = compile_network(model, config)
    dram, image = compiled.dram.copy(), rng.integers(-128, 128, (1, 11, 20)).astype(np.int8)
    compiled.write_input(dram, 0, image)
    assert Machine(config).run(dram, *compiled.programs[0]).stop is None
    runtime = Runtime(model, read_tflite(model))
    runtime.run({"x": image})
    assert np.array_equal(compiled.read_tensor(dram, 0, "y"), runtime.tensor("y"))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("op", ["conv", "depthwise"])
def test_pad_before_a_convolution_costs_no_layer(config: str, op: str) -> None:
    rng = generator("fused", config, op)
    network = start(rng, most=9)
    network.pad(pair(rng, 0, 4), pair(rng, 0, 4))
    if op == "conv":
        network.conv(10, (3, 3), stride=(2, 2), padding="VALID")
    else:
        network.depthwise((3, 3), stride=(2, 2), padding="VALID")
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))
    compiled = compile_network(network.finish(), CONFIGS[config])
    assert len(compiled.layers) == 1 and compiled.fused == {"pad1": compiled.layers[0].name}


def test_pad_that_others_need_stays() -> None:
    rng = generator("kept")
    network = start(rng, most=9)
    network.pad((1, 1), (1, 1))
    to = (network.scale, network.zero_point)
    network.concat([[partial(network.conv, 4, (1, 1), padding="VALID", to=to)]], keep=True)
    assert_right(network, CONFIGS["n16"])
    compiled = compile_network(network.finish(), CONFIGS["n16"])
    assert [layer.op for layer in compiled.layers] == ["PAD", "CONV_2D", "CONCATENATION"]
