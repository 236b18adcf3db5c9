"""Why a value of the core may differ from ONNX Runtime's: the proof, value by value.

Averages and element-wise operators are float32 in the runtime; the core rounds the real value once
(docs/adr/0003). Both round something close to the real value, so they can only differ where a tie lies
within the error of their roundings. `near_tie` computes the real value in float64 (whose own error is 2^-28
of the bounds here) and adds up what every float32 operation of the runtime, and every rounded constant of
the core, can be off by. A difference anywhere else has another reason.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from compiler.interpret import (
    Values,
    element_record,
    levels,
    operands,
    run_node,
    transposed_sums,
    weighted_sums,
)
from compiler.ir import Graph, Node
from models.elementwise import Elementwise

ROUNDED_ONCE = ("ADD", "SUB", "MUL", "AVERAGE_POOL_2D")
UNIT = 2.0**-24  # the relative error of one float32 rounding
# Products of (1 + UNIT) and what float64 itself adds.
SLACK = 1 + 2.0**-10

Real = NDArray[np.float64]


def proven(
    graph: Graph,
    node: Node,
    values: Values,
    found: NDArray[np.int8],
    runtime: NDArray[np.int8] | None = None,
) -> NDArray[np.bool_]:
    """Where `found`, the core's result, is right although the runtime's arithmetic gives its neighbour.

    values: of the node's inputs, at least. runtime: what the runtime itself has made of them, if it had the
    same; else its float model says it, which of the operators `in_float` only element-wise ones have. True
    where the core's integer rule gives `found`, the runtime gives the next value up or down, and the real
    value lies so close to the tie between them that float32 can miss it.
    """
    if node.op not in ROUNDED_ONCE and not node.options.get("in_float", False):
        return np.zeros(found.shape, dtype=bool)
    ours = run_node(graph, node, values, exact=False).astype(np.float64)
    theirs = (run_node(graph, node, values, exact=True) if runtime is None else runtime).astype(np.float64)
    neighbours = (found == ours) & (np.abs(ours - theirs) == 1)
    return neighbours & near_tie(graph, node, values, (ours + theirs) / 2)


def near_tie(graph: Graph, node: Node, values: Values, tie: Real) -> NDArray[np.bool_]:
    """Whether the real result lies within reach of `tie`, in levels of the output, of the output's shape."""
    bounds = _BOUNDS.get(node.op, _elementwise)
    real, reach = bounds(graph, node, values)
    shape = graph.tensors[node.name].shape
    return (np.abs(real.reshape(shape) - tie) <= SLACK * reach.reshape(shape)).astype(bool)


def _average(graph: Graph, node: Node, values: Values) -> tuple[Real, Real]:
    """(real result in levels, largest error of runtime and core together), [OH, OW, C]."""
    source, target = graph.tensors[str(node.inputs[0])], graph.tensors[node.name]
    options = node.options
    kernel = (options["filterHeight"], options["filterWidth"])
    top, bottom, left, right = options["pads"]
    border = ((top, bottom), (left, right), (0, 0))
    x = values[source.name][0].astype(np.float64)
    step = (slice(None, None, options["strideH"]), slice(None, None, options["strideW"]))

    def windows(image: Real, outside: float) -> Real:
        padded = np.pad(image, border, constant_values=outside)
        return sliding_window_view(padded, kernel, axis=(0, 1))[step].sum(axis=(3, 4))

    count = windows(np.ones_like(x), float(options["include_padding"]))
    ratio = source.scale / (target.scale * count)
    taps = kernel[0] * kernel[1]
    real = windows(x - source.zero_point, 0.0) * ratio + target.zero_point
    # The runtime: a product per tap, taps - 1 sums, two quotients, the zero point.
    shift = 128 if target.unsigned else 0
    runtime = (taps + 2) * windows(np.abs(x - source.zero_point), 0.0) * ratio + np.abs(real + shift)
    # The core: two roundings in the multiplier, the sum to float32, the product. Its sum may hold the zero
    # point.
    core = 4 * windows(np.maximum(np.abs(x), np.abs(x - source.zero_point)), 128.0) * ratio
    return real, UNIT * (runtime + core)


def _mean(graph: Graph, node: Node, values: Values) -> tuple[Real, Real]:
    """As _average, one value per channel; whatever the order of the runtime's sums."""
    source, target = graph.tensors[str(node.inputs[0])], graph.tensors[node.name]
    x = values[source.name][0].astype(np.float64) - source.zero_point
    count = x.shape[0] * x.shape[1]
    ratio = source.scale / (target.scale * count)
    real = x.sum(axis=(0, 1)) * ratio
    # A product per value, count - 1 sums, two quotients; the core's multiplier, sum and product.
    reach = (count + 2 + 4) * np.abs(x).sum(axis=(0, 1)) * ratio
    return real + target.zero_point, UNIT * reach


def _weighted(graph: Graph, node: Node, values: Values) -> tuple[Real, Real]:
    """Of an operator with weights, as _average; whatever the order of the runtime's sums."""
    source, weights = (graph.tensors[str(name)] for name in node.inputs[:2])
    target, x = graph.tensors[node.name], values[source.name]
    scales = source.scale * weights.scales.astype(np.float64)
    sums = transposed_sums if node.op == "CONV_TRANSPOSE" else weighted_sums
    total = sums(graph, node, x).astype(np.float64)
    size = sums(graph, node, x, absolute=True).astype(np.float64)
    if node.inputs[2] is not None:
        bias = levels(values, graph.tensors[node.inputs[2]]).astype(np.float64)
        total, size = total + bias, size + np.abs(bias)
    # Two values and a product per tap, the sums, the quotient; the core's multiplier, sum and product.
    assert weights.data is not None
    depth = x.shape[-1] if node.op == "CONV_TRANSPOSE" else weights.data[0].size
    reach = UNIT * (depth + 3 + 2 + 4) * size * (scales / target.scale)
    return total * (scales / target.scale) + target.zero_point, reach


def _elementwise(graph: Graph, node: Node, values: Values) -> tuple[Real, Real]:
    """As _average, of the output's shape."""
    kind, tensors, target = Elementwise[node.op], operands(graph, node), graph.tensors[node.name]
    record, shift = element_record(graph, node), 128 if target.unsigned else 0
    x = [levels(values, tensor).astype(np.float64) for tensor in tensors]
    centred = [a - tensor.zero_point for a, tensor in zip(x, tensors, strict=True)]
    top = abs(target.zero_point + shift)
    if kind == Elementwise.MUL:
        product = centred[0] * centred[1]
        real = product * (tensors[0].scale * tensors[1].scale / target.scale)
        core = product * float(np.int32(record.m_out).view(np.float32))
        # The runtime: two roundings in the ratio, the product, the zero point. The core: the product.
        reach = UNIT * (4 * np.abs(real) + top + np.abs(core)) + np.abs(core - real)
        return real + target.zero_point, reach
    ratios = [tensor.scale / target.scale for tensor in tensors]
    sign = 1 if kind == Elementwise.ADD else -1
    real = centred[0] * ratios[0] + sign * (centred[1] * ratios[1])
    core = (centred[0] * record.m1 + sign * (centred[1] * record.m2)) * 2.0**-record.s_out
    terms = np.abs(centred[0]) * ratios[0] + np.abs(centred[1]) * ratios[1]
    if kind == Elementwise.SUB or node.options.get("in_float", False):
        # The runtime: two products, their difference, the quotient.
        reach = terms + 2 * np.abs(real)
    else:
        # The runtime: two ratios; the fixed part, of a product, a fused step and the zero point; two fused
        # steps, each off by what it results in.
        zeros = sum(abs(t.zero_point + shift) * ratio for t, ratio in zip(tensors, ratios, strict=True))
        raw = sum(np.abs(a + shift) * ratio for a, ratio in zip(x, ratios, strict=True))
        reach = terms + 4 * zeros + raw + np.abs(real) + 3 * top
    return real + target.zero_point, UNIT * reach + np.abs(core - real)


_BOUNDS: dict[str, Callable[[Graph, Node, Values], tuple[Real, Real]]] = {
    "AVERAGE_POOL_2D": _average,
    "MEAN": _mean,
    **dict.fromkeys(("CONV_2D", "CONV_TRANSPOSE", "FULLY_CONNECTED"), _weighted),
}
