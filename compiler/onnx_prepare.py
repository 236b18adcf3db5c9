"""A float .onnx network made ready for the quantiser: what it does not know, said in what it knows.

Sums of two become Adds, batch normalisation is taken into a convolution or becomes one, a PRelu with a slope
per channel becomes the sum of a Relu and a scaled minimum, a local response normalisation becomes squares, a
convolution that adds neighbouring channels, a power and a product. Element-wise chains of one tensor with
scalars (hard swish in four nodes, a learnt scale and offset) are left in float: they become one table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter

from compiler.onnx_ops.function import FUNCTIONS

LEAST_OPSET = 13  # the first with a scale per channel
OPSET = 17
CLAMPS = ("Relu", "Clip")
# Operators whose result post can clamp.
CLAMPED = ("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "AveragePool", "GlobalAveragePool", "ConvTranspose")


def at_opset(parsed: Any) -> Any:
    """Sum of two as Add, and an opset that the quantiser knows."""
    for node in parsed.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    opset = max(
        (entry.version for entry in parsed.opset_import if entry.domain in ("", "ai.onnx")), default=0
    )
    return version_converter.convert_version(parsed, OPSET) if opset < LEAST_OPSET else parsed


def rewritten(parsed: Any) -> Any:
    """With the operators that the quantiser or the core has, after ONNX Runtime has folded what it can."""
    constants = {i.name: numpy_helper.to_array(i) for i in parsed.graph.initializer}
    nodes: list[Any] = []
    for node in parsed.graph.node:
        parameters = [constants[name] for name in node.input[1:] if name in constants]
        if node.op_type == "BatchNormalization" and len(parameters) == 4:
            nodes.append(_normalisation(parsed.graph, node, parameters))
        elif node.op_type == "PRelu" and parameters and parameters[0].size > 1:
            nodes += _slopes(parsed.graph, node, parameters[0])
        elif node.op_type == "LRN" and (channels := _channels(parsed, node.input[0])):
            nodes += _response(parsed.graph, node, channels)
        else:
            nodes.append(node)
    del parsed.graph.node[:]
    parsed.graph.node.extend(nodes)
    return parsed


def _constant(graph: Any, name: str, value: NDArray) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
    return name


def _normalisation(graph: Any, node: Any, parameters: list[NDArray]) -> Any:
    """What is left of batch normalisation, where no convolution comes before it, as a depthwise one."""
    scale, bias, mean, variance = (value.astype(np.float64) for value in parameters)
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    weights = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
    name = node.output[0]
    w = _constant(graph, f"{name}/weights", weights.reshape(-1, 1, 1, 1))
    b = _constant(graph, f"{name}/bias", bias - mean * weights)
    return helper.make_node("Conv", [node.input[0], w, b], [name], node.name, group=len(weights))


def _slopes(graph: Any, node: Any, slopes: NDArray) -> list[Any]:
    """max(x, 0) + slope * min(x, 0): two tables, a product with a vector, a sum."""
    x, y = node.input[0], node.output[0]
    zero = _constant(graph, f"{y}/zero", np.zeros(()))
    slope = _constant(graph, f"{y}/slope", slopes)
    names = [f"{y}/{part}" for part in ("above", "below", "scaled")]
    return [
        helper.make_node("Max", [x, zero], [names[0]], names[0]),
        helper.make_node("Min", [x, zero], [names[1]], names[1]),
        helper.make_node("Mul", [names[1], slope], [names[2]], names[2]),
        helper.make_node("Add", [names[0], names[2]], [y], node.name or y),
    ]


def _channels(parsed: Any, name: str) -> int:
    """Of a tensor [1, C, H, W]; 0 if ONNX cannot tell."""
    graph = onnx.shape_inference.infer_shapes(parsed).graph
    for info in (*graph.value_info, *graph.input):
        sizes = info.type.tensor_type.shape.dim
        if info.name == name and len(sizes) == 4:
            return int(sizes[1].dim_value)
    return 0


def _response(graph: Any, node: Any, channels: int) -> list[Any]:
    """x * (bias + alpha / size * sum of x^2 over `size` channels) ^ -beta: tables, a convolution that adds, a
    product."""
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    size, x, y = attributes["size"], node.input[0], node.output[0]
    distance = np.subtract.outer(np.arange(channels), np.arange(channels))  # from a channel to those it adds
    near = (distance <= (size - 1) // 2) & (-distance <= size // 2)
    scalars = {
        "weights": near[:, :, None, None],
        "scale": attributes.get("alpha", 1e-4) / size,
        "bias": attributes.get("bias", 1.0),
        "power": -attributes.get("beta", 0.75),
    }
    w, scale, bias, power = (_constant(graph, f"{y}/{name}", value) for name, value in scalars.items())
    steps = [("Mul", x, x), ("Conv", "", w), ("Mul", "", scale), ("Add", "", bias), ("Pow", "", power)]
    nodes, last = [], ""
    for number, (operator, first, second) in enumerate(steps):
        out = f"{y}/{number}"
        nodes.append(helper.make_node(operator, [first or last, second], [out], out))
        last = out
    return [*nodes, helper.make_node("Mul", [x, last], [y], node.name or y)]


def named(parsed: Any) -> Any:
    """Every node with a name of its own: the quantiser is told by names what to leave alone."""
    taken: set[str] = set()
    for number, node in enumerate(parsed.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}/{number}"
        taken.add(node.name)
    return parsed


def functions(parsed: Any) -> list[str]:
    """Names of the nodes that a table can hold, one by one or as a chain, and that lead to another node."""
    graph = parsed.graph
    constants = {i.name: int(np.prod(i.dims)) for i in graph.initializer}
    outputs = {info.name for info in graph.output}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    makers = {name: node for node in graph.node for name in node.output}
    roots: dict[str, str] = {}
    chosen: list[Any] = []
    for node in graph.node:
        inputs = [name for name in node.input if name]
        tensors = {roots.get(name, name) for name in inputs if name not in constants}
        scalars = all(constants.get(name, 1) == 1 for name in inputs)
        if node.op_type not in FUNCTIONS or len(tensors) != 1 or not scalars:
            continue
        maker = makers.get(node.input[0])
        clamp = node.op_type in CLAMPS and maker is not None and maker.op_type in CLAMPED
        if clamp and maker not in chosen and len(readers[node.input[0]]) == 1:
            continue
        roots[node.output[0]] = tensors.pop()
        chosen.append(node)
    # The last node is the quantiser's where nothing else would quantise its result: at the end of the
    # network, and in front of a pool, which takes what it gets.
    pooled = {node.input[0] for node in graph.node if node.op_type == "AveragePool"}
    return [node.name for node in chosen if node.output[0] not in outputs | pooled]
