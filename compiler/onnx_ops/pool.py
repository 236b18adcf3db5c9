"""Maximum, average, and the mean over rows and columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.onnx_build import Builder
from compiler.onnx_values import Pending, Quantisation, Window, read_window


def max_pool(node: Any, b: Builder) -> None:
    x, real = b.stored(node)
    attributes = b.attributes(node)
    if len(node.output) > 1 and node.output[1]:
        raise ValueError("its second output, the indices, is not supported")
    window = _pool_window(b, x, attributes)
    if window.dilation != (1, 1):
        raise ValueError(f"dilations are {list(window.dilation)}; only 1 is supported")
    shape = (1, *b.image(x))
    result = (1, shape[1], *window.output((shape[2], shape[3])))
    b.move(node, "MAX_POOL_2D", result, options=window.options())


def average_pool(node: Any, b: Builder) -> None:
    b.values[node.output[0]] = _pending_average(node, b, b.activation(node, 0))


def qlinear_average_pool(node: Any, b: Builder) -> None:
    x = b.integers(node, b.value(node, 0), node.input[0], b.quantisation(node, 1, b.value(node, 0))).tensor
    if b.attributes(node).get("channels_last", 0):
        raise ValueError("channels_last is not supported")
    pending = (_pending_mean if "Global" in node.op_type else _pending_average)(node, b, x)
    b.store(node, pending, node.output[0], b.quantisation(node, 3))


def global_average_pool(node: Any, b: Builder) -> None:
    b.values[node.output[0]] = _pending_mean(node, b, b.activation(node, 0))


def reduce_mean(node: Any, b: Builder) -> None:
    x, attributes = b.activation(node, 0), b.attributes(node)
    axes = b.array(node, 1).tolist() if b.has(node, 1) else list(attributes.get("axes", ()))
    if sorted(a % 4 for a in axes) != [2, 3]:
        raise ValueError(f"axes are {axes}; only rows and columns, [2, 3], are supported")
    # The runtime has no quantised one: it adds up in float32, in an order of its own.
    b.values[node.output[0]] = _pending_mean(
        node, b, x, keep=bool(attributes.get("keepdims", 1)), in_float=True
    )


def _pending_average(node: Any, b: Builder, x: str) -> Pending:
    attributes = b.attributes(node)
    window = _pool_window(b, x, attributes)
    if window.dilation != (1, 1):
        raise ValueError(f"dilations are {list(window.dilation)}; only 1 is supported")
    channels, rows, columns = b.image(x)
    include = bool(attributes.get("count_include_pad", 0))
    if window.kernel == (rows, columns) and not any(window.padding):
        return _pending_mean(node, b, x)
    if include and attributes.get("ceil_mode", 0):
        raise ValueError("ceil_mode with count_include_pad is not supported")

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, (1, channels, *window.output((rows, columns))), q)
        options = window.options() | {"include_padding": include} | b.fused(node, [x], tensor, q, ends)
        b.node("AVERAGE_POOL_2D", (x,), name, **options)

    return Pending(node.op_type, emit)


def _pending_mean(node: Any, b: Builder, x: str, keep: bool = True, in_float: bool = False) -> Pending:
    shape = (1, *b.image(x))

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, (1, shape[1], 1, 1) if keep else (1, shape[1]), q)
        axes = b.indices(f"{name}/axes", np.array([1, 2]))
        options = {"keepDims": keep} | b.fused(node, [x], tensor, q, ends)
        options["in_float"] |= in_float
        b.node("MEAN", (x, axes), name, **options)

    return Pending(node.op_type, emit)


def _pool_window(b: Builder, x: str, attributes: dict[str, Any]) -> Window:
    (_, rows, columns), kernel = b.image(x), attributes["kernel_shape"]
    if len(kernel) != 2:
        raise ValueError(f"kernel {list(kernel)}; only 2-D pooling is supported")
    return read_window(attributes, (int(kernel[0]), int(kernel[1])), (rows, columns))
