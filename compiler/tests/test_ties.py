"""Differences from ONNX Runtime's float32 are proven value by value; what lies at no tie is not excused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.interpret import Values, run_node
from compiler.ir import Graph, Node
from compiler.onnx import read_onnx
from compiler.tests.onnx_networks import run_onnx
from compiler.tests.onnx_nodes import FRONT, Constants, network, node, scales
from compiler.ties import near_tie, proven
from models.tests.litert import SEED

SIZE = 256


def layer(nodes: list[Any], constants: Constants, **arguments: Any) -> tuple[Graph, Node]:
    graph = read_onnx(network([*FRONT, *nodes], constants, shape=(1, 1, SIZE, SIZE), **arguments))
    return graph, graph.nodes[-1]


def averages(include: int = 0, zero: int = 5, dtype: type = np.int8) -> tuple[Graph, Node, Values]:
    """One scale for input and output: a tie in one of four windows of 2 x 2."""
    pool = node("AveragePool", "xr", "a", kernel_shape=[2, 2], pads=[1, 1, 0, 0], count_include_pad=include)
    nodes = [pool, node("QuantizeLinear", "a s z", "y")]
    graph, last = layer(nodes, scales(zero, dtype), out_dtype=dtype)
    x = np.random.default_rng(SEED).integers(-128, 128, (1, SIZE, SIZE, 1)).astype(np.int8)
    return graph, last, {"xq": x}


def pairs(operator: str, dtype: type = np.int8) -> tuple[Graph, Node, Values]:
    """All pairs of values; scales whose ratios make ties, and a few that float32 misses."""
    values = np.arange(256, dtype=np.uint8)
    k = np.tile(values if dtype == np.uint8 else values.view(np.int8), (SIZE, 1))[None, None]
    constants = scales(0, dtype) | {
        "k": k, "s": np.array(0.039, np.float32), "u": np.array(0.0635, np.float32),
        "t": np.array(0.0404 if operator != "Mul" else 0.1981, np.float32),
        "z": np.array(14 if dtype == np.int8 else 142, dtype), "zk": np.array(52, dtype),
        "zy": np.array(-21 if dtype == np.int8 else 107, dtype),
    }  # fmt: skip
    if operator == "Sub":
        constants |= {"t": np.array(0.0127, np.float32), "s": np.array(0.00635, np.float32)}
    nodes = [
        node("DequantizeLinear", "k u zk", "kr"),
        node(operator, "xr kr", "m"),
        node("QuantizeLinear", "m t zy", "y"),
    ]
    graph, last = layer(nodes, constants, out_dtype=dtype)
    x = np.tile(values.view(np.int8), (SIZE, 1)).T[None, :, :, None]
    return graph, last, {"xq": np.ascontiguousarray(x)}


CASES: dict[str, Callable[[], tuple[Graph, Node, Values]]] = {
    "average": averages,
    "average with padding": lambda: averages(1, -100),
    "average of uint8": lambda: averages(0, 133, np.uint8),
    **{f"{op} of int8": partial(pairs, op, np.int8) for op in ("Add", "Sub", "Mul")},
    **{f"{op} of uint8": partial(pairs, op, np.uint8) for op in ("Add", "Mul")},
}


def results(graph: Graph, last: Node, values: Values) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    return (run_node(graph, last, values, exact=False), run_node(graph, last, values, exact=True))


@pytest.mark.parametrize("case", CASES)
def test_every_difference_is_proven(case: str) -> None:
    graph, last, values = CASES[case]()
    ours, theirs = results(graph, last, values)
    differ = ours != theirs
    assert np.array_equal(proven(graph, last, values, ours), differ)
    if case.startswith("average"):
        assert differ.any()


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_value_is_not_excused(case: str) -> None:
    """The twins: every value one off, up or down; no value of them is the core's rule."""
    graph, last, values = CASES[case]()
    ours, _ = results(graph, last, values)
    for step in (-1, 1):
        wrong = np.clip(ours.astype(int) + step, -128, 127).astype(np.int8)
        assert not proven(graph, last, values, wrong)[wrong != ours].any()


@pytest.mark.parametrize("case", CASES)
def test_the_bound_is_narrow(case: str) -> None:
    """A tie a thousandth of a level away from where it is proves nothing: only real ones are excused."""
    graph, last, values = CASES[case]()
    ours, theirs = results(graph, last, values)
    tie = (ours.astype(np.float64) + theirs) / 2
    differ = ours != theirs
    for away in (-1e-3, 1e-3):
        assert not near_tie(graph, last, values, tie + away)[differ].any()
    # Of all values that the two agree about, next to none lies so near to the tie above it.
    inside = np.abs(ours.astype(int)) < 127
    assert near_tie(graph, last, values, ours.astype(np.float64) + 0.5)[~differ & inside].mean() < 0.15


def test_other_operators_prove_nothing() -> None:
    pool = node("MaxPool", "xr", "a", kernel_shape=[2, 2])
    graph, last = layer([pool, node("QuantizeLinear", "a s z", "y")], scales())
    x = np.zeros((1, SIZE, SIZE, 1), np.int8)
    found = np.ones((1, SIZE - 1, SIZE - 1, 1), np.int8)
    assert not proven(graph, last, {"xq": x}, found).any()


def test_a_mean_in_float() -> None:
    """ReduceMean has no quantised form in the runtime: its own values are the judge, ties the only excuse."""
    channels = 4000
    nodes = [node("ReduceMean", "xr", "a", axes=[2, 3]), node("QuantizeLinear", "a t z", "y")]
    shape = (1, channels, 4, 4)
    constants = scales(5) | {"t": np.array(0.0155, np.float32)}
    model = network([*FRONT, *nodes], constants, shape=shape)
    graph = read_onnx(model)
    (last,) = graph.nodes
    feeds = {"x": np.random.default_rng(SEED).normal(0, 1.5, shape).astype(np.float32)}
    found = run_onnx(model, feeds, ["xq", "y"])
    values = {"xq": graph.origins["xq"].to_ir(found["xq"])}
    theirs = graph.origins["y"].to_ir(found["y"])
    ours = run_node(graph, last, values, exact=False)
    differ = ours != theirs
    assert differ.any() and np.array_equal(proven(graph, last, values, ours, theirs), differ)
    wrong = np.clip(ours.astype(int) + 1, -128, 127).astype(np.int8)
    assert not proven(graph, last, values, wrong, theirs).any()
    # The twin: a runtime that were off by one everywhere.
    assert proven(graph, last, values, ours, wrong).mean() < 0.1


def products(operator: str, weights: type = np.int8, zero: int = 5) -> tuple[bytes, Graph, Node]:
    """A layer with weights and, for int8, a Relu behind it that the output's type does not make, as symmetric
    quantisation has it. Scales make every other sum a tie."""
    rng = np.random.default_rng(SEED)
    shape, wanted = ((1, 8, 24, 24), (16, 8, 3, 3)) if operator == "Conv" else ((1, 64), (4000, 64))
    low, high = (-9, 10) if weights == np.int8 else (119, 138)
    constants = scales(zero) | {
        "w": rng.integers(low, high, wanted).astype(weights),
        "sw": np.array(0.047 / 2 / 0.031, np.float32),
        "zw": np.array(0 if weights == np.int8 else 128, weights),
    }
    attributes = {"pads": [1, 1, 1, 1]} if operator == "Conv" else {"transB": 1}
    nodes = [
        *FRONT,
        node("DequantizeLinear", "w sw zw", "wr"),
        node(operator, "xr wr", "a", **attributes),
        node("Relu" if weights == np.int8 else "Identity", "a", "b"),
        node("QuantizeLinear", "b t z", "y"),
    ]
    if weights == np.uint8:
        nodes = [*nodes[:-2], node("QuantizeLinear", "a t z", "y")]
    model = network(nodes, constants, shape=shape)
    graph = read_onnx(model)
    return model, graph, graph.nodes[-1]


@pytest.mark.parametrize("operator", ["Conv", "Gemm"])
@pytest.mark.parametrize("weights", [np.int8, np.uint8])
def test_products_that_the_runtime_has_in_float(operator: str, weights: type) -> None:
    model, graph, last = products(operator, weights)
    assert last.options["in_float"]
    x = graph.origins[graph.inputs[0]]
    feeds = {"x": np.random.default_rng(SEED).normal(0, 1, x.shape).astype(np.float32)}
    found = run_onnx(model, feeds, ["xq", "y"])
    values, theirs = {"xq": x.to_ir(found["xq"])}, graph.origins["y"].to_ir(found["y"])
    ours = run_node(graph, last, values, exact=False)
    differ = ours != theirs
    assert differ.any() and np.array_equal(proven(graph, last, values, ours, theirs), differ)
    wrong = np.clip(ours.astype(int) + 1, -128, 127).astype(np.int8)
    assert not proven(graph, last, values, wrong, theirs)[wrong != ours].any()
    # The twin: a runtime that were off by one everywhere. Ties are proven, and there are many here; no more.
    near = proven(graph, last, values, ours, wrong)[ours < 127]
    assert 0.02 < near.mean() < 0.3


@pytest.mark.parametrize("zero", [-128, 5])
def test_a_relu_that_the_type_makes_is_left_in_integers(zero: int) -> None:
    """The twin: nothing excuses a layer that the runtime has in integers."""
    _, graph, last = products("Conv", zero=zero)
    assert last.options["in_float"] == (zero != -128)
    ours = np.zeros(graph.tensors["y"].shape, np.int8)
    if zero == -128:
        x = np.zeros(graph.tensors["xq"].shape, np.int8)
        assert not proven(graph, last, {"xq": x}, ours, ours + np.int8(1)).any()


@pytest.mark.parametrize("operator", ["Add", "Mul"])
def test_element_wise_with_a_relu_in_float(operator: str) -> None:
    """Equal to the runtime's float32, whose differences from the core are proven."""
    _, last, _ = pairs(operator)
    assert not last.options["in_float"]
    relu = [
        node("DequantizeLinear", "k u zk", "kr"),
        node(operator, "xr kr", "m"),
        node("Relu", "m", "r"),
        node("QuantizeLinear", "r t zy", "y"),
    ]
    values_of = np.arange(256, dtype=np.uint8).view(np.int8)
    constants = scales(0) | {
        "k": np.tile(values_of, (SIZE, 1))[None, None], "zk": np.array(52, np.int8),
        "s": np.array(0.039, np.float32), "u": np.array(0.0635, np.float32),
        "t": np.array(0.0404 if operator == "Add" else 0.1981, np.float32), "z": np.array(14, np.int8),
        "zy": np.array(-21, np.int8),
    }  # fmt: skip
    model = network([*FRONT, *relu], constants, shape=(1, 1, SIZE, SIZE))
    graph = read_onnx(model)
    (last,) = graph.nodes
    feeds = {"x": np.random.default_rng(SEED).normal(0, 3, (1, 1, SIZE, SIZE)).astype(np.float32)}
    found = run_onnx(model, feeds, ["xq", "y"])
    values, theirs = {"xq": graph.origins["xq"].to_ir(found["xq"])}, graph.origins["y"].to_ir(found["y"])
    assert np.array_equal(run_node(graph, last, values, exact=True), theirs)
    ours = run_node(graph, last, values, exact=False)
    assert np.array_equal(proven(graph, last, values, ours, theirs), ours != theirs)
    assert last.options["in_float"]
