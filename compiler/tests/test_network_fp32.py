"""Random networks in every contract: compiler and reference machine against the operator models, and LiteRT's
default path with every tensor exposed."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.errors import CompileError, UnsupportedError
from compiler.host import exposed
from compiler.ir import CONTRACTS
from compiler.network import compile_network
from compiler.tests.deep_networks import deep_network
from compiler.tests.random_networks import CONFIGS, start
from compiler.tests.run import assert_right
from compiler.tests.test_network import generator
from compiler.tests.test_ops_copy import assert_same
from compiler.tflite import read_contract
from compiler.tflite_build import TfliteBuilder
from models.tests.litert import run_default


@pytest.mark.parametrize("trial", range(20))
def test_deep_network_matches_litert_default_path(trial: int) -> None:
    """Every tensor; and the network as it is ends in the same outputs as with every tensor exposed."""
    rng = generator("deep fp32", trial)
    network = deep_network(rng, contract="fp32")
    assert_right(network, CONFIGS["n16"])
    model, x = network.finish(), network.values["x"][None]
    found, taken = run_default(exposed(model), x)
    plain, plainly_taken = run_default(model, x)
    assert taken == plainly_taken and np.array_equal(plain[0], found[0])
    graph = read_contract(model, "fp32")
    made = [name for node in graph.nodes for name in node.outputs]
    outputs = [*graph.outputs, *(name for name in made if name not in graph.outputs)]
    for name, theirs in zip(outputs, found, strict=True):
        assert np.array_equal(theirs.reshape(-1), network.values[name].reshape(-1)), name


@pytest.mark.parametrize("config", ["n4_small", "n16_small"])
@pytest.mark.parametrize("contract", CONTRACTS)
def test_operators_in_small_buffers(config: str, contract: str) -> None:
    for trial in range(3):
        network = start(generator("small", config, contract, trial), most=8, contract=contract)
        channels = network.x.shape[2]
        network.conv(channels, (3, 3), activation="RELU6")
        network.join("add", "x")
        network.depthwise((3, 3), multiplier=2, activation="RELU")
        for table in ("quantize", "leaky_relu", "relu", "hard_swish"):
            network.table(table)
        network.pool("max", (2, 2), padding="SAME", activation="RELU6")
        network.pool("average", (2, 2), stride=(1, 1), padding="SAME")
        before = next(reversed(network.values))
        network.conv(2 * channels, (1, 1))
        network.join(("sub", "mul", "add")[trial], before, "RELU")
        network.table("logistic")
        network.mean()
        assert_right(network, CONFIGS[config])


def layer(bias_scale: float | None, axis: int, zero: int = 0) -> bytes:
    """A depthwise layer that lacks something in its file."""
    rng = generator("left")
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 5, 5, 3), np.int8, 0.1, 3)
    data = rng.integers(-127, 128, (1, 3, 3, 3)).astype(np.int8)
    w = b.add_tensor("w", data.shape, np.int8, 0.01, zero, data=data, quantized_dimension=axis)
    k = b.add_tensor("k", (3,), np.int32, bias_scale, data=np.arange(3, dtype=np.int32) * 1000)
    y = b.add_tensor("y", (1, 5, 5, 3), np.int8, 1.0, 0)
    b.depthwise_conv2d(x, w, k, y)
    return b.finish([x], [y])


@pytest.mark.parametrize("axis", [0, 3])
def test_a_bias_without_a_scale_is_tflites(axis: int) -> None:
    """XNNPACK wants the scale, TFLite's other kernels round otherwise: contract tflite has the layer."""
    model = layer(None, axis)
    with pytest.raises(UnsupportedError, match="XNNPACK leaves it .* CONTRACT=tflite") as caught:
        compile_network(read_contract(model, "fp32"), CONFIGS["n16"])
    assert caught.value.operator == "DEPTHWISE_CONV_2D"
    x = np.random.default_rng(1).integers(-128, 128, (1, 5, 5, 3)).astype(np.int8)
    assert_same(model, x)


@pytest.mark.parametrize("contract", ["tflite", "fp32"])
def test_a_depthwise_layer_whose_axis_was_left_out(contract: str) -> None:
    """quantized_dimension 0 and one scale: nothing is missing."""
    model = layer(0.001, 0)
    x = np.random.default_rng(2).integers(-128, 128, (1, 5, 5, 3)).astype(np.int8)
    assert_same(model, x, contract=contract)


def test_a_network_that_the_default_path_refuses() -> None:
    """Scales per channel, but one for the bias: LiteRT's own delegate fails."""
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    w = b.add_tensor("w", (2, 1, 1, 2), np.int8, [0.1, 0.2], data=np.ones((2, 1, 1, 2), np.int8))
    k = b.add_tensor("k", (2,), np.int32, 0.01, data=np.zeros(2, np.int32))
    y = b.add_tensor("y", (1, 4, 4, 2), np.int8, 0.1)
    b.conv2d(x, w, k, y)
    with pytest.raises(CompileError, match="LiteRT's default path refuses the network"):
        read_contract(b.finish([x], [y]), "fp32")


def test_a_sum_that_xnnpack_takes_is_not_joined_with_what_it_leaves() -> None:
    """A command has one rounding mode: the average is TFLite's, the sum XNNPACK's."""
    network = start(generator("modes"), contract="fp32")
    network.pool("average", (1, 2), stride=(1, 1), padding="SAME")
    network.join("add", "x")
    assert_right(network, CONFIGS["n16"])


@pytest.mark.parametrize("activation", ["NONE", "RELU", "RELU6"])
@pytest.mark.parametrize("op", ["add", "sub", "mul"])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_a_tensor_with_itself(op: str, activation: str, dtype: type) -> None:
    """XNNPACK makes a square of x * x: a table, which rounds otherwise than a product."""
    rng, shift = generator("itself", op, activation, dtype), 128 * (dtype is np.uint8)
    values: np.ndarray = np.arange(256, dtype=np.uint8).view(dtype).reshape(1, 16, 16, 1)
    for scales in ((0.125, 0.5), (0.05, 0.31), (0.25, 1.5)):
        b = TfliteBuilder()
        x, y = (
            b.add_tensor(name, values.shape, dtype, scale, int(rng.integers(-40, 40)) + shift)
            for name, scale in zip("xy", scales, strict=True)
        )
        getattr(b, op)(x, x, y, activation=activation)
        assert_same(b.finish([x], [y]), values, contract="fp32")


@pytest.mark.parametrize("trial", range(4))
def test_silu(trial: int) -> None:
    """x * sigmoid(x), as converters write it."""
    network = start(generator("silu", trial), contract="fp32")
    network.conv(12, (3, 3))
    before = next(reversed(network.values))
    network.table("logistic")
    network.join("mul", before)
    assert_same(network.finish(), network.values["x"][None], contract="fp32")
    assert_right(network, CONFIGS["n16"])


@pytest.mark.parametrize(
    "op", ["conv", "depthwise", "dense", "add", "mul", "mean", "max", "average", "logistic"]
)
def test_uint8_operator_on_the_default_path(op: str) -> None:
    rng = generator("uint8 fp32", op)
    for _ in range(3):
        b, shape = TfliteBuilder(), (1, 7, 6, 5)
        zeros = [int(z) for z in rng.integers(0, 256, 3)]
        x = b.add_tensor("x", shape, np.uint8, 0.05, zeros[0])
        weights = {"conv": (8, 3, 3, 5), "depthwise": (1, 3, 3, 5), "dense": (9, 210)}.get(op)
        if weights:
            outputs = weights[3] if op == "depthwise" else weights[0]
            data = rng.integers(0, 255, weights).astype(np.uint8)
            w = b.add_tensor("w", weights, np.uint8, 0.01, zeros[1], data=data)
            bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
            k = b.add_tensor("k", (outputs,), np.int32, 0.05 * 0.01, data=bias)
            y_shape = (1, outputs) if op == "dense" else (*shape[:3], outputs)
            y = b.add_tensor("y", y_shape, np.uint8, 4.0 if op == "dense" else 1.1, zeros[2])
            if op == "dense":
                flat = b.add_tensor("flat", (1, 210), np.uint8, 0.05, zeros[0])
                b.reshape(x, flat)
                b.fully_connected(flat, w, k, y, activation="RELU6")
            else:
                (b.conv2d if op == "conv" else b.depthwise_conv2d)(x, w, k, y, activation="RELU")
        elif op == "mean":
            y = b.add_tensor("y", (1, 1, 1, 5), np.uint8, 0.043, zeros[2])
            b.mean(x, y)
        elif op in ("max", "average"):
            y = b.add_tensor("y", (1, 3, 3, 5), np.uint8, 0.05, zeros[0])
            (b.max_pool if op == "max" else b.average_pool)(x, y, kernel=(2, 2))
        elif op == "logistic":
            y = b.add_tensor("y", shape, np.uint8, 1 / 256, 0)
            b.logistic(x, y)
        else:
            y = b.add_tensor("y", shape, np.uint8, 0.5, zeros[2])
            getattr(b, op)(x, x, y, activation="RELU")
        assert_same(b.finish([x], [y]), rng.integers(0, 256, shape).astype(np.uint8), contract="fp32")
