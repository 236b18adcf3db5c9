"""Networks through the compiler and the reference machine, against the operator models and LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.network import compile_network
from compiler.tests.random_networks import CONFIGS, RandomNetwork, start
from compiler.tests.run import assert_right, run_machine
from models.isa import Conv, Load
from models.machine import Machine
from models.tests.litert import SEED
from models.tests.litert import run as litert

ACTIVATIONS = ("NONE", "RELU", "RELU6")


def generator(*name: object) -> np.random.Generator:
    return np.random.default_rng([SEED, *"".join(map(str, name)).encode()])


def pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def assert_litert_agrees(network: RandomNetwork, output: np.ndarray) -> None:
    expected = litert(network.finish(), network.values["x"][None])[0]
    assert np.array_equal(output.reshape(expected.shape), expected)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(12))
def test_convolution_of_any_shape(config: str, trial: int) -> None:
    rng = generator("conv", config, trial)
    network = start(rng, most=9)
    kernel = pair(rng, 1, 5)
    stride = pair(rng, 1, 4)
    dilation = (1, 1) if max(stride) > 1 else pair(rng, 1, 3)
    height, width, _ = network.x.shape
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    padding = "VALID" if rng.integers(2) and span[0] <= height and span[1] <= width else "SAME"
    network.conv(
        int(rng.integers(1, 40)),
        kernel,
        stride=stride,
        dilation=dilation,
        padding=padding,
        activation=str(rng.choice(ACTIVATIONS)),
    )
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(4))
def test_pooling_of_any_shape(config: str, trial: int) -> None:
    rng = generator("pool", config, trial)
    for kind in ("max", "average"):
        network = start(rng)
        kernel = pair(rng, 1, 5)
        stride = pair(rng, 1, 4)
        padding = str(rng.choice(["SAME", "VALID"]))
        network.pool(kind, kernel, stride=stride, padding=padding, activation=str(rng.choice(ACTIVATIONS)))
        assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("op", ["logistic", "relu", "leaky_relu", "hard_swish"])
def test_activation_as_an_operator(config: str, op: str) -> None:
    network = start(generator("table", config, op))
    network.table(op)
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("op", ["add", "sub", "mul"])
def test_two_tensors_into_one(config: str, op: str) -> None:
    """After a convolution, with its input: the residual block."""
    rng = generator("join", config, op)
    for _ in range(4):
        network = start(rng)
        network.conv(network.x.shape[2], (3, 3))
        network.join(op, "x", activation=str(rng.choice(ACTIVATIONS)))
        assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
def test_mean_over_rows_and_columns(config: str) -> None:
    network = start(generator("mean", config), most=8, channels=60)
    network.mean()
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("flatten", [True, False])
def test_fully_connected_on_an_image(config: str, flatten: bool) -> None:
    """LiteRT's reference kernel requantises this operator in float: it may differ by one, rarely."""
    network = start(generator("dense", config, flatten), most=8, channels=40)
    if flatten:
        network.flatten()
    else:
        network.pool("max", network.x.shape[:2])
        network.flatten()
    network.dense(int(network.rng.integers(2, 50)))
    output = assert_right(network, CONFIGS[config])
    expected = litert(network.finish(), network.values["x"][None])[0]
    assert np.abs(output.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(3))
def test_several_layers(config: str, trial: int) -> None:
    rng = generator("layers", config, trial)
    network = start(rng, most=14, channels=4)
    network.conv(int(rng.integers(3, 20)), (3, 3), activation="RELU")
    network.pool("max", (2, 2), padding="SAME")
    network.table("hard_swish")
    network.conv(int(rng.integers(3, 40)), (3, 3), stride=(2, 2), activation="RELU6")
    network.table("leaky_relu")
    network.conv(int(rng.integers(3, 24)), (1, 1))
    network.pool("average", (3, 3), stride=(1, 1), padding="SAME")
    if trial == 0:
        network.mean()
    else:
        network.flatten()
        network.dense(10)
    assert_right(network, CONFIGS[config])


def test_reduction_larger_than_the_weight_buffer_is_split() -> None:
    """The sums stay in the accumulators between commands."""
    rng, config = generator("split"), CONFIGS["n4_small"]
    network = RandomNetwork(rng, rng.integers(-128, 128, (6, 6, 40)).astype(np.int8))
    network.conv(6, (3, 3))
    assert_right(network, config)
    _, trace, _ = run_machine(network, config)
    assert any(isinstance(c, Conv) and not c.drain for c in trace.commands)


@pytest.mark.parametrize("shape", [(6, 6, 8), (3, 3, 70), (1, 1, 2000), (2, 20, 6)])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_window_larger_than_the_activation_buffer_is_loaded_in_pieces(
    shape: tuple[int, int, int], padding: str
) -> None:
    rng, config = generator("pieces", shape, padding), CONFIGS["n4_tiny"]
    network = RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8))
    network.conv(5, shape[:2], padding=padding)
    assert_litert_agrees(network, assert_right(network, config, optimise=False))
    compiled = compile_network(network.finish(), config, optimise=False)
    assert compiled.layers[0].tiling.own_input


def test_next_layers_weights_do_not_wait_for_this_layers_outputs() -> None:
    rng = generator("ahead")
    network = start(rng, most=8)
    network.conv(16, (3, 3))
    network.conv(16, (3, 3))
    compiled, trace, _ = run_machine(network, CONFIGS["n16"])
    second = [trace.commands[i] for i in compiled.layers[1].commands]
    loads = [command for command in second if isinstance(command, Load)]
    assert [load.wait_store for load in loads][:3] == [False, False, True]


def test_every_image_has_its_own_tensors_and_program() -> None:
    rng, config = generator("images"), CONFIGS["n16_small"]
    network = start(rng, most=8)
    network.conv(18, (3, 3), activation="RELU")
    network.pool("max", (2, 2))
    compiled = compile_network(network.finish(), config, images=3)
    dram = compiled.dram.copy()
    images = [rng.integers(-128, 128, network.values["x"].shape).astype(np.int8) for _ in range(3)]
    for index, image in enumerate(images):
        compiled.write_input(dram, index, image)
    for program in reversed(compiled.programs):
        assert Machine(config).run(dram, *program).stop is None
    for index, image in enumerate(images):
        expected = litert(network.finish(), image[None])[0]
        assert np.array_equal(compiled.read_tensor(dram, index, compiled.outputs[0]), expected)


def test_layer_table_covers_every_command() -> None:
    network = start(generator("table of layers"))
    network.conv(18, (3, 3))
    network.mean()
    compiled, trace, _ = run_machine(network, CONFIGS["n16_small"])
    for layer in compiled.layers:
        commands = [trace.commands[i] for i in layer.commands]
        assert all(command.layer == layer.index for command in commands)
        assert [command.stamp for command in commands] == [False] * (len(commands) - 1) + [True]
    ranges = [layer.commands for layer in compiled.layers]
    assert ranges[0].start == 0 and ranges[0].stop == ranges[1].start
    assert ranges[1].stop == len(trace.commands) - 1
    height, width, channels = network.values["x"].shape
    assert compiled.layers[0].macs == height * width * channels * 9 * 18
