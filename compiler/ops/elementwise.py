"""Activations as operators of their own: each is a table of 256 bytes, looked up on the way through post."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.ir import Node, Tensor
from compiler.layer import Geometry, PoolLayer, blocks_of
from compiler.ops.context import Arithmetic, Context
from models import activation, xnnpack
from models.isa import PoolKind
from models.quantize import Rounding

Scales = tuple[float, int, float, int]  # scale and zero point of input and output

TABLES = (
    "ABS",
    "ELU",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOG",
    "LOGISTIC",
    "NEG",
    "PRELU",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "RELU_0_TO_1",
    "RELU_N1_TO_1",
    "RSQRT",
    "SQRT",
    "TABLE",
    "TANH",
)


def lower(node: Node, context: Context) -> PoolLayer:
    """An activation, or any other function of one tensor."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    try:
        table = _table(node, context, source, target)
    except ValueError as error:
        raise context.fail(node, str(error)) from error
    return table_layer(node, context, source, target, table)


def table_layer(
    node: Node, context: Context, source: Tensor, target: Tensor, table: activation.Table
) -> PoolLayer:
    """A maximum over windows of one pixel, followed by the table."""
    rows, columns, channels = context.layouts[source.name]
    context.layouts[target.name] = (rows, columns, channels)
    cb = blocks_of(channels, context.n)
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=source.name,
        target=target.name,
        geometry=Geometry(rows, columns, cb, rows, columns, cb, kernel=(1, 1)),
        table=table,
        kind=PoolKind.MAX,
    )


def _table(node: Node, context: Context, source: Tensor, target: Tensor) -> activation.Table:
    scales = (source.scale, source.zero_point, target.scale, target.zero_point)
    if context.arithmetic(node) is Arithmetic.XNNPACK:
        return _xnnpack_table(node, scales, target.unsigned)
    mode = Rounding.SINGLE if context.arithmetic(node) is Arithmetic.TFLITE_SINGLE else Rounding.DOUBLE
    match node.op:
        case "TABLE":
            return node.options["table"]
        case "LEAKY_RELU":
            return activation.leaky_relu_table(*scales, alpha=node.options["alpha"], mode=mode)
        case "PRELU":
            return _prelu_table(node, context, scales, mode)
        case "GELU":
            return activation.gelu_table(*scales, approximate=bool(node.options.get("approximate")))
        case "RELU" | "RELU6" | "RELU_0_TO_1" | "RELU_N1_TO_1":
            return activation.relu_table(*scales, activation=node.op, mode=mode)
        case "ABS" | "QUANTIZE" | "RSQRT":
            return _ROUNDED[node.op](*scales, mode=mode)
        case _:
            return _PLAIN[node.op](*scales)


_ROUNDED: dict[str, Callable[..., activation.Table]] = {
    "ABS": activation.abs_table,
    "QUANTIZE": activation.requantize_table,
    "RSQRT": activation.rsqrt_table,
}
_PLAIN: dict[str, Callable[[float, int, float, int], activation.Table]] = {
    "ELU": activation.elu_table,
    "EXP": activation.exp_table,
    "HARD_SWISH": activation.hard_swish_table,
    "LOG": activation.log_table,
    "LOGISTIC": activation.sigmoid_table,
    "NEG": activation.neg_table,
    "SQRT": activation.sqrt_table,
    "TANH": activation.tanh_table,
}


def _prelu_table(node: Node, context: Context, scales: Scales, mode: Rounding) -> activation.Table:
    slopes = context.tensor(node, node.inputs[1])
    if slopes.data is None or slopes.dtype != np.int8 or slopes.data.size != 1 or len(slopes.scales) != 1:
        raise context.fail(node, "slopes must be one constant of int8; one per channel is not supported")
    slope = int(slopes.data.reshape(-1)[0]) - slopes.zero_point
    return activation.prelu_table(*scales, slope=slope, slope_scale=slopes.scale, mode=mode)


def _xnnpack_table(node: Node, scales: Scales, unsigned: bool) -> activation.Table:
    match node.op:
        case "LOGISTIC":
            return xnnpack.float_table(xnnpack.sigmoid, *scales, unsigned=unsigned)
        case "TANH":
            return xnnpack.float_table(xnnpack.tanh, *scales, unsigned=unsigned)
        case "ELU":
            return xnnpack.float_table(xnnpack.elu, *scales, unsigned=unsigned)
        case "LEAKY_RELU":
            return xnnpack.leaky_relu_table(*scales, alpha=node.options["alpha"])
        case "QUANTIZE":
            return xnnpack.requantize_table(*scales)
    raise ValueError("XNNPACK takes it in this LiteRT, and how it computes it is not known")
