"""ONNX networks compiled and run on the reference machine give what ONNX Runtime gives, bit for bit."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.errors import CompileError, UnsupportedError
from compiler.interpret import run_node
from compiler.ir import Graph
from compiler.network import Compiled, compile_network, read_network
from compiler.tests.onnx_networks import STYLES, quantised, random_network, run_onnx
from compiler.tests.onnx_nodes import FRONT, conv_constants, network, node, scales
from compiler.tests.random_networks import CONFIGS, RandomNetwork
from models.config import Config
from models.machine import Machine
from models.tests.litert import SEED

# Random networks per style and family.
NETWORKS = int(os.environ.get("ONNX_NETWORKS", "4"))
# Float32 in the runtime, one rounding in the core (docs/operators.md).
ROUNDED_ONCE = ("ADD", "SUB", "MUL", "AVERAGE_POOL_2D")

# Pooling windows cannot be cut: the smallest buffers do not hold a whole image, the next not always.
ROOMY = [config for name, config in CONFIGS.items() if name != "n4_tiny"]

Values = dict[str, NDArray[np.int8]]


def machine(
    model: bytes, feeds: dict[str, NDArray], config: Config, optimise: bool = True
) -> tuple[Compiled, Values, Values]:
    """(compiled, tensors of the machine, tensors of ONNX Runtime), of those that both have."""
    graph = read_network(model)
    compiled = compile_network(graph, config, optimise=optimise)
    origins = {name: origin for name, origin in graph.origins.items() if origin.name}
    theirs = run_onnx(model, feeds, [origin.name for origin in origins.values()])
    runtime = {name: origin.to_ir(theirs[origin.name]) for name, origin in origins.items()}
    dram = compiled.dram.copy()
    dram[compiled.image_base :] = np.random.default_rng(1).integers(0, 256, dram.size - compiled.image_base)
    for name in compiled.inputs:
        compiled.write_input(dram, 0, runtime[name], name)
    trace = Machine(config).run(dram, *compiled.programs[0])
    assert trace.stop is None and trace.in_program_order
    ours = {name: compiled.read_tensor(dram, 0, name) for name in compiled.tensors}
    return compiled, ours | {name: runtime[name] for name in compiled.inputs}, runtime


def own_differences(graph: Graph, ours: Values) -> dict[str, int]:
    """Values by tensor that ONNX Runtime's arithmetic makes otherwise of the machine's own inputs."""
    values, found = dict(ours), {}
    for layer in graph.nodes:
        expected = run_node(graph, layer, values, exact=True)
        if layer.name in ours:
            apart = np.abs(expected.astype(int) - ours[layer.name])
            if apart.any():
                assert layer.op in ROUNDED_ONCE and apart.max() == 1, f"{layer.op} {layer.name!r}"
                found[layer.name] = int(np.count_nonzero(apart))
        else:
            values[layer.name] = expected
    return found


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("exact_only", [True, False])
def test_random_networks(style: str, exact_only: bool) -> None:
    """Of the exact operators every value; behind a sum rounded once, every layer on its own inputs."""
    compared = 0
    for number in range(NETWORKS):
        rng = np.random.default_rng([SEED, number, *style.encode(), exact_only])
        grown = random_network(rng, exact_only=exact_only)
        model = quantised(grown, style)
        feeds = {"x": rng.normal(0, 1, grown.input_shape).astype(np.float32)}
        config = ROOMY[number % len(ROOMY)]
        try:
            compiled, ours, theirs = machine(model, feeds, config, optimise=bool(number % 2))
        except CompileError as error:
            # The quantiser has left an operator in float32.
            assert "quantised" in str(error) or "one window of it does not fit" in str(error), error
            continue
        own = own_differences(compiled.graph, ours)
        wrong = {name for name, value in theirs.items() if name in ours and np.any(value != ours[name])}
        assert not own or not exact_only, own
        assert own or not wrong, f"network {number}, SEED={SEED}: {wrong}"
        for layer in compiled.layers:
            joined = layer.op.rpartition("+")[2] in ("ADD", "MUL")
            assert not joined or layer.pairs_apart or layer.target not in own
        compared += 1
    assert compared >= NETWORKS // 2


def agrees(
    nodes: list[Any], constants: dict[str, NDArray], config: str = "n4_small", **arguments: Any
) -> Compiled:
    """A network after FRONT: every value equals ONNX Runtime's."""
    model = network([*FRONT, *nodes], constants, **arguments)
    shape = arguments.get("shape", (1, 4, 6, 5))
    feeds = {"x": np.random.default_rng(SEED).normal(0, 1.5, shape).astype(np.float32)}
    compiled, ours, theirs = machine(model, feeds, CONFIGS[config])
    compared = [name for name in theirs if name in ours]
    assert "y" in compared
    for name in compared:
        np.testing.assert_array_equal(ours[name], theirs[name])
    return compiled


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("config", ["n4_small", "n16"])
def test_weights_of_nine_bits(groups: int, config: str) -> None:
    """uint8 weights with a zero point far from 128: the array sees them as a sum of two int8 weights."""
    rng = np.random.default_rng(5)
    constants = scales(7, np.uint8) | conv_constants(groups)
    constants["w"] = rng.integers(0, 256, (6, 4 // groups, 3, 3), dtype=np.uint8)
    constants |= {"ws": np.array(0.004, np.float32), "wz": np.array(33, np.uint8)}
    nodes = [node("QLinearConv", "xq s z w ws wz t z", "y", group=groups, pads=[1, 1, 1, 1])]
    agrees(nodes, constants, config, out_dtype=np.uint8)


@pytest.mark.parametrize("include", [0, 1])
def test_padded_average(include: int) -> None:
    """Without the padding, a multiplier for each number of taps. Scales without ties between them."""
    pool = node("AveragePool", "xr", "a", kernel_shape=[3, 2], pads=[1, 1, 2, 0], count_include_pad=include)
    scale = {"t": np.array(0.0471337, np.float32)}
    compiled = agrees([pool, node("QuantizeLinear", "a t z", "y")], scales(-9) | scale)
    assert [layer.op for layer in compiled.layers] == ["AVERAGE_POOL_2D"]


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (), (4, 6, 5), (1, 4, 6, 1)])
@pytest.mark.parametrize("names", ["xr kr", "kr xr"])
def test_constant_operands(shape: tuple[int, ...], names: str) -> None:
    """On either side: one value, one per channel, one per pixel, one per row."""
    k = np.random.default_rng(2).integers(-128, 128, shape, dtype=np.int8)
    nodes = [
        node("DequantizeLinear", "k u z", "kr"),
        node("Mul", names, "m"),
        node("QuantizeLinear", "m t z", "y"),
    ]
    agrees(nodes, scales(3) | {"k": k})


def test_a_pixel_meets_an_image() -> None:
    """The gate of squeeze and excitation."""
    nodes = [
        node("GlobalAveragePool", "xr", "g"),
        node("QuantizeLinear", "g t z", "gq"),
        node("DequantizeLinear", "gq t z", "gr"),
        node("Mul", "gr xr", "m"),
        node("QuantizeLinear", "m u z", "y"),
    ]
    agrees(nodes, scales(3))


def test_wrong_weights_are_caught() -> None:
    """The twin: one weight of the compiled network is another."""
    nodes = [node("QLinearConv", "xq s z w s z t z", "y")]
    constants = scales() | {"w": conv_constants()["w"]}
    model = network([*FRONT, *nodes], constants)
    feeds = {"x": np.random.default_rng(1).normal(0, 1.5, (1, 4, 6, 5)).astype(np.float32)}
    graph = read_network(model)
    name = str(graph.nodes[0].inputs[1])
    held = graph.tensors[name].data
    assert held is not None
    held = held.copy()
    held[0, 0, 0, 0] ^= 64
    spoilt = replace(graph, tensors=graph.tensors | {name: replace(graph.tensors[name], data=held)})
    _, ours, _ = machine(model, feeds, CONFIGS["n16"])
    assert not own_differences(graph, ours)
    with pytest.raises(AssertionError, match="CONV_2D 'y'"):
        own_differences(spoilt, ours)


def test_tflite_in_single_rounding() -> None:
    """The contract travels into every command, and changes values."""
    rng = np.random.default_rng(3)
    grown = RandomNetwork(rng, rng.integers(-128, 128, (12, 12, 16)).astype(np.int8))
    grown.conv(64, (3, 3))
    graph = read_network(grown.finish())
    config, results = CONFIGS["n16"], []
    for contract in ("tflite", "tflite-single"):
        compiled = compile_network(replace(graph, contract=contract), config)
        dram = compiled.dram.copy()
        compiled.write_input(dram, 0, grown.values["x"])
        Machine(config).run(dram, *compiled.programs[0])
        results.append(compiled.read_tensor(dram, 0, compiled.outputs[0]).astype(int))
    apart = np.abs(results[0] - results[1])
    assert 0 < np.count_nonzero(apart) < 0.02 * apart.size and apart.max() == 1


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        (
            [node("AveragePool", "xr", "v", kernel_shape=[2, 2], pads=[2, 0, 0, 0])],
            "a window sees nothing but padding",
        ),
        ([node("Sub", "kr xr", "v")], "is a constant; only the second operand may be one"),
        (
            [
                node("MaxPool", "xr", "m", kernel_shape=[6, 1]),
                node("QuantizeLinear", "m s z", "mq"),
                node("DequantizeLinear", "mq s z", "mr"),
                node("Mul", "xr mr", "v"),
            ],
            "both must have one shape, or the second one pixel",
        ),
    ],
)
def test_what_cannot_be_lowered(nodes: list[Any], reason: str) -> None:
    """What the reader can express and the core cannot do names its node."""
    model = network(
        [*FRONT, node("DequantizeLinear", "k u z", "kr"), *nodes, node("QuantizeLinear", "v t z", "y")],
        scales() | {"k": np.ones((1, 4, 1, 1), np.int8)},
    )
    with pytest.raises(UnsupportedError) as caught:
        compile_network(model, CONFIGS["n16"])
    assert reason in caught.value.reason and caught.value.node == "y"


def test_ratio_of_scales_that_is_no_float32() -> None:
    constants = scales() | {"w": np.ones((2, 4, 1, 1), np.int8), "t": np.array(1e-42, np.float32)}
    constants["s"] = np.array(1e3, np.float32)
    model = network([*FRONT, node("QLinearConv", "xq s z w s z t z", "y")], constants)
    with pytest.raises(UnsupportedError, match="no float32"):
        compile_network(model, CONFIGS["n16"])
