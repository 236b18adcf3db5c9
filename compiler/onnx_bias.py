"""Float biases of quantised layers as the integers that they are on the core.

PyTorch's exporter leaves a bias in float32 between quantised inputs and weights. ONNX Runtime then computes
the whole layer in float32; with an int32 bias at x_scale * w_scale it computes in integers, as the core does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

LAYERS = ("Conv", "ConvTranspose", "Gemm")


def with_integer_biases(parsed: Any) -> tuple[Any, int]:
    """(a ModelProto whose float32 biases are DequantizeLinear of int32, how many were not).

    A bias is left alone unless input and weights of its layer are both dequantised with constant scales. It
    is rounded half to even, as compiler/onnx.py does.
    """
    result = type(parsed)()
    result.CopyFrom(parsed)
    graph, count = result.graph, 0
    constants = _constants(graph)
    makers = {name: node for node in graph.node for name in node.output}
    nodes: list[Any] = []
    for node in graph.node:
        bias = constants.get(node.input[2]) if node.op_type in LAYERS and len(node.input) > 2 else None
        x_scale, w_scale = (_scale(makers.get(name), constants) for name in (*node.input[:2], "", "")[:2])
        if bias is not None and bias.dtype == np.float32 and x_scale is not None and w_scale is not None:
            if bias.ndim > 1 and bias.size == bias.shape[-1]:
                bias = bias.reshape(-1)  # a Gemm's, of one row
            scale = np.broadcast_to(x_scale * w_scale, np.broadcast_shapes(w_scale.shape, bias.shape))
            levels = np.rint(bias / scale.astype(np.float64)).clip(-(2**31), 2**31 - 1).astype(np.int32)
            name = f"{node.output[0]}/bias"
            parts = {
                f"{name}/levels": levels,
                f"{name}/scale": scale if scale.size > 1 else scale.reshape(()),
            }
            graph.initializer.extend(numpy_helper.from_array(np.array(v), key) for key, v in parts.items())
            nodes.append(helper.make_node("DequantizeLinear", list(parts), [name], name, axis=0))
            node.input[2] = name
            count += 1
        nodes.append(node)
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    return result, count


def _constants(graph: Any) -> dict[str, NDArray]:
    found = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def _scale(node: Any, constants: dict[str, NDArray]) -> NDArray | None:
    """Of a DequantizeLinear node."""
    if node is None or node.op_type != "DequantizeLinear":
        return None
    return constants.get(node.input[1]) if len(node.input) > 1 else None
