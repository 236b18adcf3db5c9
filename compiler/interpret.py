"""Runs a graph that came from ONNX on the operator models, tensor by tensor: the judge of what each layer did
with the inputs that it had.

exact: element-wise operators and averages as ONNX Runtime computes them in float32 (models/ort.py); else as
the core does, in one rounding.
"""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from compiler.ir import Graph, Node, Origin, Tensor
from models import ort
from models.activation import apply_table
from models.conv import conv2d, window_sums
from models.elementwise import Element, Elementwise, element, fit_fp32_element, fp32_element
from models.fully_connected import fully_connected
from models.pool import max_pool
from models.quantize import Rounding, clamp, fp32_multiplier, requantize

Values = dict[str, NDArray[np.int8]]


def interpret(graph: Graph, inputs: Values, *, exact: bool) -> Values:
    """Every activation of the graph by name, int8 in the graph's layout."""
    values = dict(inputs)
    for node in graph.nodes:
        values[node.name] = run_node(graph, node, values, exact=exact)
    return values


def run_node(graph: Graph, node: Node, values: Values, *, exact: bool) -> NDArray[np.int8]:
    """One node's output; values: of its inputs, at least."""
    result = _run(graph, node, values, exact)
    assert result.dtype == np.int8
    return result.reshape(graph.tensors[node.name].shape)


def _run(graph: Graph, node: Node, values: Values, exact: bool) -> NDArray[np.int8]:
    source, target = graph.tensors[str(node.inputs[0])], graph.tensors[node.name]
    options = node.options
    match node.op:
        case "RESIZE_NEAREST":
            high, wide = options["factors"]
            return values[source.name].repeat(high, axis=1).repeat(wide, axis=2)
        case "CONV_TRANSPOSE":
            return _transposed(graph, node, values[source.name], source, target)
        case "CONV_2D" | "FULLY_CONNECTED":
            return _weighted(graph, node, values[source.name], source, target)
        case "ADD" | "SUB" | "MUL":
            return _elementwise(graph, node, values, target, exact)
        case "TABLE":
            return apply_table(values[source.name], options["table"])
        case "RESHAPE":
            return values[source.name]
        case "CONCATENATION":
            return np.concatenate([values[str(name)] for name in node.inputs], axis=options["axis"])
        case "MAX_POOL_2D":
            window = {"stride": (options["strideH"], options["strideW"]), "padding": options["pads"]}
            return max_pool(values[source.name][0], _kernel(node), **window)
        case "AVERAGE_POOL_2D":
            return _average(graph, node, values[source.name][0], source, target, exact)
        case "MEAN":
            x = values[source.name][0]
            total = x.sum(axis=(0, 1), dtype=np.int32) - np.int32(x.shape[0] * x.shape[1] * source.zero_point)
            word = ort.average_multiplier(source.scale, target.scale, x.shape[0] * x.shape[1])
            return clamp(requantize(total, word, 0, Rounding.FP32), target.zero_point, *options["clamp"])
        case "PAD" | "PADV2":
            amounts = graph.tensors[str(node.inputs[1])].data
            border = graph.tensors[str(node.inputs[2])].data if node.op == "PADV2" else source.zero_point
            assert amounts is not None and border is not None
            return np.pad(values[source.name], amounts, constant_values=np.asarray(border).item())
        case "PERMUTE_CHANNELS":
            return values[source.name][..., options["order"]]
        case "STRIDED_SLICE":
            begin, end, steps = (graph.tensors[str(name)].data for name in node.inputs[1:])
            assert begin is not None and end is not None and steps is not None
            return values[source.name][tuple(map(slice, begin, end, steps))]
    raise AssertionError(f"no model for {node.op}")


def _kernel(node: Node) -> tuple[int, int]:
    return node.options["filterHeight"], node.options["filterWidth"]


def _weighted(
    graph: Graph, node: Node, x: NDArray[np.int8], source: Tensor, target: Tensor
) -> NDArray[np.int8]:
    weights = graph.tensors[str(node.inputs[1])]
    assert weights.data is not None
    bias = np.zeros(len(weights.data), np.int32)
    if node.inputs[2] is not None:
        held = graph.tensors[node.inputs[2]].data
        assert held is not None
        bias = held
    zero, w_zero = source.zero_point, int(weights.zero_points[0])
    assert np.all(weights.zero_points == w_zero)
    if node.op == "CONV_2D":
        options = node.options
        acc = conv2d(
            x[0], weights.data, bias, stride=(options["strideH"], options["strideW"]),
            dilation=(options["dilationHFactor"], options["dilationWFactor"]), padding=options["pads"],
            x_zp=zero, w_zp=w_zero, groups=options["groups"],
        )  # fmt: skip
    else:
        centred = np.int32(x.astype(np.int32).sum() - x.size * zero)
        acc = fully_connected(x, weights.data, bias, x_zp=zero) - np.int32(w_zero) * centred
    word = fp32_multiplier(source.scale, weights.scales, target.scale)
    return clamp(requantize(acc, word, 0, Rounding.FP32), target.zero_point, *node.options["clamp"])


def weighted_sums(
    graph: Graph, node: Node, x: NDArray[np.int8], *, absolute: bool = False
) -> NDArray[np.float64]:
    """Sums of a CONV_2D or FULLY_CONNECTED without bias, [rows, columns, O] or [O]; absolute: of the
    products' magnitudes."""
    source, weights = graph.tensors[str(node.inputs[0])], graph.tensors[str(node.inputs[1])]
    assert weights.data is not None
    w = (weights.data - weights.zero_points.reshape(-1, *[1] * (weights.data.ndim - 1))).astype(np.float64)
    a = x.astype(np.float64) - source.zero_point
    if absolute:
        w, a = np.abs(w), np.abs(a)
    if node.op == "FULLY_CONNECTED":
        return w @ a.reshape(-1)
    options = node.options
    return window_sums(
        a[0], w, stride=(options["strideH"], options["strideW"]),
        dilation=(options["dilationHFactor"], options["dilationWFactor"]), padding=options["pads"],
        groups=options["groups"],
    )  # fmt: skip


def transposed_sums(
    graph: Graph, node: Node, x: NDArray[np.int8], *, absolute: bool = False
) -> NDArray[np.int64]:
    """Sums of a CONV_TRANSPOSE without bias, [rows, columns, O]; absolute: of the products' magnitudes."""
    source, weights = graph.tensors[str(node.inputs[0])], graph.tensors[str(node.inputs[1])]
    assert weights.data is not None
    w = (weights.data - weights.zero_points.reshape(-1, 1, 1, 1)).astype(np.float64)
    a = x[0].astype(np.float64) - source.zero_point
    if absolute:
        w, a = np.abs(w), np.abs(a)
    rows, columns, _ = a.shape
    outputs, high, wide, _ = w.shape
    # float64 is exact: its sums stay far below 2^53.
    total = np.einsum("hwc,oyxc->hywxo", a, w, optimize=True)
    return total.reshape(rows * high, columns * wide, outputs).astype(np.int64)


def _transposed(
    graph: Graph, node: Node, x: NDArray[np.int8], source: Tensor, target: Tensor
) -> NDArray[np.int8]:
    weights = graph.tensors[str(node.inputs[1])]
    acc = transposed_sums(graph, node, x)
    if node.inputs[2] is not None:
        acc = acc + levels({}, graph.tensors[node.inputs[2]])
    word = fp32_multiplier(source.scale, weights.scales, target.scale)
    scaled = requantize(acc.astype(np.int32), word, 0, Rounding.FP32)
    return clamp(scaled, target.zero_point, *node.options["clamp"])


def _shift(origin: Origin) -> int:
    return 128 if origin.dtype == np.uint8 else 0


def operands(graph: Graph, node: Node) -> tuple[Tensor, Tensor]:
    """Of an ADD, SUB or MUL, in the order in which the compiler hands them to the core: a constant, or one
    pixel that meets an image, second."""
    first, second = (graph.tensors[str(name)] for name in node.inputs)
    smaller = first.data is not None or prod(first.shape) < prod(second.shape)
    if node.op != "SUB" and second.data is None and smaller:
        return second, first
    return first, second


def element_record(graph: Graph, node: Node) -> Element:
    """What the compiler gives post for an ADD, SUB or MUL of contract fp32."""
    kind, (first, second), target = Elementwise[node.op], operands(graph, node), graph.tensors[node.name]
    scales = (first.scale, second.scale, target.scale)
    zeros = (first.zero_point, second.zero_point, target.zero_point)
    record = fp32_element(kind, scales, zeros, node.options["clamp"])
    if kind == Elementwise.SUB or node.options.get("in_float", False):
        return record
    return fit_fp32_element(kind, scales, record, unsigned=target.unsigned)


def levels(values: Values, tensor: Tensor) -> NDArray[np.int8]:
    """A computed tensor's, or a constant's."""
    return values[tensor.name] if tensor.data is None else tensor.data


def _elementwise(graph: Graph, node: Node, values: Values, target: Tensor, exact: bool) -> NDArray[np.int8]:
    kind = Elementwise[node.op]
    tensors = [graph.tensors[str(name)] for name in node.inputs]
    x1, x2 = (levels(values, t) for t in tensors)
    scales = (tensors[0].scale, tensors[1].scale, target.scale)
    zeros = (tensors[0].zero_point, tensors[1].zero_point, target.zero_point)
    low, high = node.options["clamp"]
    if exact and (kind == Elementwise.SUB or node.options.get("in_float", False)):
        # ONNX Runtime has no quantised difference.
        function = {Elementwise.ADD: np.add, Elementwise.SUB: np.subtract, Elementwise.MUL: np.multiply}[kind]
        real = function(ort.dequantize(x1, scales[0], zeros[0]), ort.dequantize(x2, scales[1], zeros[1]))
        return ort.quantize(real, scales[2], zeros[2], np.int8).clip(low, high)
    if not exact:
        first, second = operands(graph, node)
        record = element_record(graph, node)
        return element(levels(values, first), levels(values, second), kind, record, Rounding.FP32)
    shift = _shift(graph.origins[target.name])
    a, b = (x if shift == 0 else x.view(np.uint8) ^ 0x80 for x in (x1, x2))
    shifted = (zeros[0] + shift, zeros[1] + shift, zeros[2] + shift)
    if kind == Elementwise.MUL:
        result = ort.qlinear_mul(a, b, scales, shifted)
    else:
        result = ort.qlinear_add(a, b, scales, shifted, b_first=a.size < b.size)
    return np.clip(result if shift == 0 else (result ^ 0x80).view(np.int8), low, high).astype(np.int8)


def _average(
    graph: Graph, node: Node, x: NDArray[np.int8], source: Tensor, target: Tensor, exact: bool
) -> NDArray[np.int8]:
    options, shift = node.options, _shift(graph.origins[target.name])
    arguments = {
        "stride": (options["strideH"], options["strideW"]),
        "padding": options["pads"],
        "include_padding": options["include_padding"],
        "scales": (source.scale, target.scale),
    }
    zeros = (source.zero_point, target.zero_point)
    if not exact:
        result = ort.average_pool_once(x, _kernel(node), zero_points=zeros, **arguments)
    else:
        shifted = (zeros[0] + shift, zeros[1] + shift)
        typed = x if shift == 0 else x.view(np.uint8) ^ 0x80
        real = ort.average_pool(typed, _kernel(node), zero_points=shifted, **arguments)
        result = real if shift == 0 else (real ^ 0x80).view(np.int8)
    return np.clip(result, *options["clamp"]).astype(np.int8)
