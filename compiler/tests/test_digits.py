"""The digits network, end to end: every tensor of some test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.ir import Graph, Node
from compiler.network import Compiled, compile_network
from compiler.tflite import read_tflite
from models.config import Config
from models.conv import conv2d, tflite_padding
from models.fully_connected import fully_connected
from models.machine import Machine
from models.pool import average_pool, max_pool
from models.quantize import (
    Rounding,
    activation_range,
    clamp,
    effective_scale,
    quantize_multiplier,
    requantize,
)
from models.tests.litert import run as litert

DIGITS = Path(__file__).parents[2] / "nets" / "digits"
IMAGES = 8


@pytest.fixture(scope="module")
def model() -> bytes:
    return (DIGITS / "digits.tflite").read_bytes()


@pytest.fixture(scope="module")
def images() -> NDArray[np.int8]:
    """int8 [IMAGES, 28, 28, 1], as the network's input quantises a byte: scale 1/255, zero point -128."""
    raw = np.load(DIGITS / "test_images.npz")["images"][:IMAGES]
    return (raw.astype(np.int16) - 128).astype(np.int8)[..., None]


def operator_models(graph: Graph, x: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    """Every tensor of the network, [H, W, C], by the operator models alone."""
    values = {graph.inputs[0]: x}
    for node in graph.nodes:
        source = values[str(node.inputs[0])]
        if node.op == "RESHAPE":
            values[node.name] = source
        elif node.op in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
            kernel = (node.options["filterHeight"], node.options["filterWidth"])
            stride = (node.options["strideH"], node.options["strideW"])
            padding = tflite_padding(node.options["padding"], source.shape[:2], kernel, stride)
            pool = max_pool if node.op == "MAX_POOL_2D" else average_pool
            values[node.name] = pool(source, kernel, stride=stride, padding=padding)
        else:
            values[node.name] = _weighted(graph, node, source)
    return values


def _weighted(graph: Graph, node: Node, source: NDArray[np.int8]) -> NDArray[np.int8]:
    x, w, k = (graph.tensors[str(name)] for name in node.inputs)
    y = graph.tensors[node.name]
    assert w.data is not None and k.data is not None
    if node.op == "CONV_2D":
        stride = (node.options["strideH"], node.options["strideW"])
        dilation = (node.options["dilationHFactor"], node.options["dilationWFactor"])
        padding = tflite_padding(
            node.options["padding"], source.shape[:2], w.data.shape[1:3], stride, dilation
        )
        acc = conv2d(
            source, w.data, k.data, stride=stride, dilation=dilation, padding=padding, x_zp=x.zero_point
        )
    else:
        acc = fully_connected(source.reshape(-1), w.data, k.data, x_zp=x.zero_point)
    multiplier, shift = quantize_multiplier(effective_scale(x.scale, w.scales, y.scale))
    low, high = activation_range(node.options["fusedActivationFunction"], y.scale, y.zero_point)
    return clamp(requantize(acc, multiplier, shift, Rounding.DOUBLE), y.zero_point, low, high)


@pytest.mark.parametrize("n", [4, 16])
def test_every_tensor_of_every_image(model: bytes, images: NDArray[np.int8], n: int) -> None:
    config, graph = Config(n=n), read_tflite(model)
    compiled, dram = _run(model, config, images)
    compared = 0
    for index, image in enumerate(images):
        for name, expected in operator_models(graph, image).items():
            got = compiled.read_tensor(dram, index, name)
            assert np.array_equal(got.reshape(expected.shape), expected), f"image {index}, {name}"
            compared += expected.size
    assert compared > IMAGES * 12_000


def test_answers_of_litert(model: bytes, images: NDArray[np.int8]) -> None:
    """LiteRT requantises the last layer in float (docs/numerics.md): its scores may differ by one."""
    config = Config()
    compiled, dram = _run(model, config, images)
    for index, image in enumerate(images):
        scores = compiled.read_tensor(dram, index, compiled.outputs[0])
        expected = litert(model, image[None])[0]
        assert np.abs(scores.astype(int) - expected).max() <= 1
        assert scores.argmax() == expected.argmax()


def test_macs_of_the_layer_table(model: bytes) -> None:
    layers = compile_network(model, Config()).layers
    assert sum(layer.macs for layer in layers) == 2_118_208
    assert [layer.op for layer in layers].count("CONV_2D") >= 2


def _run(model: bytes, config: Config, images: NDArray[np.int8]) -> tuple[Compiled, NDArray[np.uint8]]:
    compiled = compile_network(model, config, images=len(images))
    dram = compiled.dram.copy()
    for index, image in enumerate(images):
        compiled.write_input(dram, index, image)
    for program in compiled.programs:
        trace = Machine(config).run(dram, *program)
        assert trace.stop is None and trace.in_program_order
    return compiled, dram
