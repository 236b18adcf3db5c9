"""Conv, MatMul and Gemm, as float nodes and as QOperator nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.onnx_build import Builder
from compiler.onnx_values import Constant, Pending, Quantisation, read_window


def conv(node: Any, b: Builder) -> None:
    x, weights = b.activation(node, 0), _real_constant(node, b, 1)
    b.values[node.output[0]] = _pending_conv(node, b, x, weights, 2)


def qlinear_conv(node: Any, b: Builder) -> None:
    x = b.integers(node, b.value(node, 0), node.input[0], b.quantisation(node, 1, b.value(node, 0))).tensor
    weights = Constant(b.array(node, 3), b.quantisation(node, 4))
    b.store(node, _pending_conv(node, b, x, weights, 8), node.output[0], b.quantisation(node, 6))


def _pending_conv(node: Any, b: Builder, x: str, weights: Constant, bias_input: int) -> Pending:
    attributes = b.attributes(node)
    data, groups = weights.data, int(attributes.get("group", 1))
    channels, rows, columns = b.image(x)
    if data.ndim != 4:
        raise ValueError(f"weights are {list(data.shape)}; only 2-D convolutions are supported")
    outputs, per_group, kh, kw = data.shape
    if per_group * groups != channels or outputs % groups:
        raise ValueError(f"weights {list(data.shape)} in {groups} groups do not fit {channels} channels")
    window = read_window(attributes, (kh, kw), (rows, columns))
    bias = _bias(node, b, bias_input, x, weights, outputs)

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, (1, outputs, *window.output((rows, columns))), q)
        w = _weights(node, b, weights, data.transpose(0, 2, 3, 1), axis=0)
        options = window.options() | {"groups": groups} | b.fused(node, [x], tensor, q, ends)
        options["in_float"] |= _of_other_types(node, b, x, weights)
        b.node("CONV_2D", (x, w, bias), name, **options)

    return Pending(node.op_type, emit)


def conv_transpose(node: Any, b: Builder) -> None:
    """Where stride and kernel are the same, no two pixels meet. The runtime has it in float32 only."""
    x, weights = b.activation(node, 0), _real_constant(node, b, 1)
    attributes, data = b.attributes(node), weights.data
    channels, rows, columns = b.image(x)
    if data.ndim != 4 or data.shape[0] != channels or int(attributes.get("group", 1)) != 1:
        raise ValueError(f"weights {list(data.shape)}; only 2-D ones in one group are supported")
    outputs, high, wide = data.shape[1:]
    plain = {"strides": [1, 1], "dilations": [1, 1], "pads": [0] * 4, "output_padding": [0, 0]}
    found = {name: list(attributes.get(name, default)) for name, default in plain.items()}
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or "output_shape" in attributes:
        raise ValueError("auto_pad and output_shape are not supported")
    if found != plain | {"strides": [high, wide]}:
        words = ", ".join(f"{name} {value}" for name, value in found.items())
        raise ValueError(f"{words}; only strides that are the kernel, {[high, wide]}, are supported")
    bias = _bias(node, b, 2, x, weights, outputs)

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, (1, outputs, rows * high, columns * wide), q)
        w = _weights(node, b, weights, data.transpose(1, 2, 3, 0), axis=1)
        b.node("CONV_TRANSPOSE", (x, w, bias), name, in_float=True, clamp=b.clamp(tensor, q, ends))

    b.values[node.output[0]] = Pending(node.op_type, emit)


def matmul(node: Any, b: Builder) -> None:
    b.values[node.output[0]] = _pending_product(
        node, b, b.activation(node, 0), _real_constant(node, b, 1), None, transposed=False
    )


def gemm(node: Any, b: Builder) -> None:
    transposed = _gemm_transposed(node, b)
    b.values[node.output[0]] = _pending_product(
        node, b, b.activation(node, 0), _real_constant(node, b, 1), 2, transposed
    )


def qlinear_matmul(node: Any, b: Builder, bias_input: int | None = None, transposed: bool = False) -> None:
    x = b.integers(node, b.value(node, 0), node.input[0], b.quantisation(node, 1, b.value(node, 0))).tensor
    weights = Constant(b.array(node, 3), b.quantisation(node, 4))
    pending = _pending_product(node, b, x, weights, bias_input, transposed)
    last = 6 if bias_input is None else 7
    if not b.has(node, last):
        raise ValueError("its result is float32; it is never quantised")
    b.store(node, pending, node.output[0], b.quantisation(node, last))


def qgemm(node: Any, b: Builder) -> None:
    qlinear_matmul(node, b, bias_input=6, transposed=_gemm_transposed(node, b))


def _gemm_transposed(node: Any, b: Builder) -> bool:
    attributes = b.attributes(node)
    if (
        attributes.get("alpha", 1.0) != 1.0
        or attributes.get("beta", 1.0) != 1.0
        or attributes.get("transA", 0)
    ):
        raise ValueError("alpha and beta must be 1, transA 0")
    return bool(attributes.get("transB", 0))


def _pending_product(
    node: Any, b: Builder, x: str, weights: Constant, bias_input: int | None, transposed: bool
) -> Pending:
    """x [1, K] times a constant: [O, K] if transposed, else [K, O]."""
    origin = b.origins[x]
    if weights.data.ndim != 2 or len(origin.shape) != 2:
        raise ValueError(
            f"{list(origin.shape)} times {list(weights.data.shape)}; [1, K] by a constant matrix only"
        )
    data = weights.data if transposed else weights.data.T
    outputs, inputs = data.shape
    if origin.shape[1] != inputs:
        raise ValueError(f"{list(origin.shape)} times {list(weights.data.shape)} does not fit")
    if origin.image is not None:
        # The columns in the order in which the graph has the flattened image.
        data = data.reshape(outputs, *origin.image).transpose(0, 2, 3, 1).reshape(outputs, inputs)
    has_bias = bias_input is not None and b.has(node, bias_input)
    bias = _bias(node, b, bias_input or 0, x, weights, outputs) if has_bias else None

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, (1, outputs), q)
        w = _weights(node, b, weights, data, axis=0 if transposed else 1)
        options = b.fused(node, [x], tensor, q, ends)
        options["in_float"] |= _of_other_types(node, b, x, weights)
        b.node("FULLY_CONNECTED", (x, w, bias), name, **options)

    return Pending(node.op_type, emit)


def _of_other_types(node: Any, b: Builder, x: str, weights: Constant) -> bool:
    """Whether types keep ONNX Runtime from integers: int8 activations need int8 weights."""
    types = (b.origins[x].dtype, weights.data.dtype)
    return not node.op_type.startswith("Q") and types == (np.int8, np.uint8)


def _real_constant(node: Any, b: Builder, index: int) -> Constant:
    value = b.value(node, index)
    if not isinstance(value, Constant) or value.quantisation is None or not value.real:
        raise ValueError(f"{node.input[index]!r} must be a quantised constant, not an activation or float32")
    return value


def _weights(node: Any, b: Builder, weights: Constant, data: NDArray, axis: int) -> str:
    """The constant tensor of int8 weights with outputs first; axis: of the outputs in the file."""
    q = weights.quantisation
    assert q is not None
    if data.dtype not in (np.int8, np.uint8):
        raise ValueError(f"weights are {data.dtype}; int8 or uint8 is needed")
    # QOperator nodes have no axis: a scale per output it is.
    if q.scales.size > 1 and (q.scales.size != data.shape[0] or weights.real and q.axis % data.ndim != axis):
        raise ValueError(f"weights have {q.scales.size} scales along axis {q.axis}; one per output is needed")
    shift = 0 if data.dtype == np.int8 else 128
    signed = np.ascontiguousarray(data if shift == 0 else (data ^ 0x80).view(np.int8))
    return b.constant(node.input[1 if weights.real else 3], signed, q.scales, q.zero_points - shift)


def _bias(node: Any, b: Builder, index: int, x: str, weights: Constant, outputs: int) -> str | None:
    """int32 bias at x_scale * w_scale; a float32 or otherwise scaled one is rounded to it, half to even."""
    if not b.has(node, index):
        return None
    value = b.value(node, index)
    assert weights.quantisation is not None
    scales = np.float32(b.tensors[x].scale) * weights.quantisation.scales
    if not isinstance(value, Constant):
        raise ValueError(f"bias {node.input[index]!r} must be constant")
    data = value.data
    if data.size not in (1, outputs):
        raise ValueError(f"bias {node.input[index]!r} is {list(data.shape)}; one value per output is needed")
    if value.quantisation is not None:
        q = value.quantisation
        if np.any(q.zero_points != 0) or data.dtype != np.int32:
            raise ValueError(f"bias {node.input[index]!r} is {data.dtype}; int32 with zero point 0 is needed")
        # Within one per cent ONNX Runtime takes the integers as they are, and so does this.
        if not np.allclose(q.scales, scales, rtol=0.01, atol=0):
            data = data * q.scales.astype(np.float64)
    if data.dtype != np.int32:
        data = np.rint(data / scales.astype(np.float64))
        data = np.clip(data, -(2**31), 2**31 - 1).astype(np.int32)
    spread = np.ascontiguousarray(np.broadcast_to(data.reshape(-1), outputs))
    return b.constant(node.input[index], spread, scales, np.zeros(scales.shape))
