"""Files that contradict themselves: one line that names node and reason, whatever the damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from compiler.errors import CompileError
from compiler.host import pack, split
from compiler.network import compile_network
from compiler.tests.random_networks import RandomNetwork
from compiler.tests.test_errors import CONFIG, refused
from compiler.tflite import read_tflite
from compiler.tflite_build import TfliteBuilder

Edit = Callable[[Any, Any], None]


def convolution(edit: Edit) -> bytes:
    """A convolution of 5 x 7 pixels to 9 channels after an edit of the schema's model and its one subgraph.

    Tensors: x, conv1 (the output), weights and bias.
    """
    rng = np.random.default_rng(4)
    network = RandomNetwork(rng, rng.integers(-128, 128, (5, 7, 6)).astype(np.int8))
    network.conv(9, (3, 3))
    parsed: Any = schema.ModelT.InitFromPackedBuf(network.finish(), 0)
    edit(parsed, parsed.subgraphs[0])
    return pack(parsed)


def tensor(graph: Any, name: str) -> Any:
    return next(t for t in graph.tensors if t.name == name.encode())


def shape(name: str, *sizes: int) -> Edit:
    def edit(_: Any, graph: Any) -> None:
        tensor(graph, name).shape = list(sizes)

    return edit


def short_bias(parsed: Any, graph: Any) -> None:
    bias = tensor(graph, "conv1/b")
    bias.shape = [8]
    parsed.buffers[bias.buffer].data = np.zeros(32, np.uint8)


def no_weights(parsed: Any, graph: Any) -> None:
    weights = tensor(graph, "conv1/w")
    weights.shape = [9, 3, 3, 0]
    parsed.buffers[weights.buffer].data = []


def four_bits(_: Any, graph: Any) -> None:
    tensor(graph, "conv1/w").type = schema.TensorType.INT4


def option(name: str, value: int) -> Edit:
    def edit(_: Any, graph: Any) -> None:
        setattr(graph.operators[0].builtinOptions, name, value)

    return edit


def no_text(_: Any, graph: Any) -> None:
    tensor(graph, "conv1/w").name = b"w\xff"


def no_outputs(_: Any, graph: Any) -> None:
    graph.outputs = []


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (short_bias, "CONV_2D 'conv1': bias 'conv1/b' is [8]; [9] is needed"),
        (no_weights, "nothing computes its input 'conv1/w'"),
        (four_bits, "tensor 'conv1/w' has type INT4"),
        (option("padding", 9), "CONV_2D 'conv1': unknown padding 'unknown 9'"),
        (option("strideH", 0), "stride [0, 1] and dilation [1, 1] must be at least 1"),
        (shape("conv1", 1, 7, 5, 9), "output is [1, 7, 5, 9], expected [1, 5, 7, 9]"),
        (shape("conv1", 1, 5, 7, 8), "output is [1, 5, 7, 8], expected [1, 5, 7, 9]"),
        (shape("conv1", 1, 5, 9, 7), "output is [1, 5, 9, 7], expected [1, 5, 7, 9]"),
        (no_text, "the name of tensor 1 is no text"),
        (no_outputs, "the .tflite file has no outputs"),
    ],
)
def test_what_contradicts_itself(edit: Edit, reason: str) -> None:
    assert reason in refused(convolution(edit))


def test_the_same_network_without_damage_compiles() -> None:
    assert compile_network(convolution(lambda *_: None), CONFIG).layers


def test_an_input_that_is_named_twice_is_one() -> None:
    def edit(_: Any, graph: Any) -> None:
        graph.inputs = [*graph.inputs, *graph.inputs]

    assert read_tflite(convolution(edit)).inputs == ("x",)


def test_activations_of_16_bits() -> None:
    def edit(_: Any, graph: Any) -> None:
        for name in ("x", "conv1"):
            tensor(graph, name).type = schema.TensorType.INT16

    with pytest.raises(CompileError, match="activations are int16; the core has int8 and uint8"):
        split(convolution(edit))


def test_parts_of_a_split_that_are_not_its_outputs() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 8), np.int8, 0.1)
    ys = [b.add_tensor(f"y{size}", (1, 4, 4, size), np.int8, 0.1) for size in (3, 5)]
    b.split(x, ys, [4, 4], axis=3)
    assert "parts of [4, 4], but the outputs have [3, 5] there" in refused(b.finish([x], ys))


def test_a_constant_that_is_the_larger_operand() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 1, 1, 3), np.int8, 0.1)
    k = b.add_tensor("k", (1, 4, 4, 3), np.int8, 0.1, data=np.ones((1, 4, 4, 3), np.int8))
    y = b.add_tensor("y", (1, 4, 4, 3), np.int8, 0.1)
    b.add(x, k, y)
    assert "must not be the larger operand" in refused(b.finish([x], [y]))
