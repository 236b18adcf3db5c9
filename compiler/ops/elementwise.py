"""Activations as operators of their own: each is a table of 256 bytes, looked up on the way through post."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node, Tensor
from compiler.layer import Geometry, PoolLayer, blocks_of
from compiler.ops.context import Context
from models import activation
from models.isa import PoolKind

TABLES = (
    "ABS",
    "EXP",
    "GELU",
    "HARD_SWISH",
    "LEAKY_RELU",
    "LOGISTIC",
    "PRELU",
    "QUANTIZE",
    "RELU",
    "RELU6",
    "RELU_N1_TO_1",
    "TABLE",
    "TANH",
)


def lower(node: Node, context: Context) -> PoolLayer:
    """A maximum over windows of one pixel, followed by the table."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    rows, columns, channels = context.layouts[source.name]
    context.layouts[target.name] = (rows, columns, channels)
    cb = blocks_of(channels, context.n)
    try:
        table = _table(node, context, source, target)
    except ValueError as error:
        raise context.fail(node, str(error)) from error
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
    match node.op:
        case "LOGISTIC":
            return activation.sigmoid_table(*scales)
        case "TABLE":
            return node.options["table"]
        case "TANH":
            return activation.tanh_table(*scales)
        case "LEAKY_RELU":
            return activation.leaky_relu_table(*scales, alpha=node.options["alpha"])
        case "PRELU":
            slopes = context.tensor(node, node.inputs[1])
            if (
                slopes.data is None
                or slopes.dtype != np.int8
                or slopes.data.size != 1
                or len(slopes.scales) != 1
            ):
                raise context.fail(
                    node, "slopes must be one constant of int8; one per channel is not supported"
                )
            slope = int(slopes.data.reshape(-1)[0]) - slopes.zero_point
            return activation.prelu_table(*scales, slope=slope, slope_scale=slopes.scale)
        case "GELU":
            return activation.gelu_table(*scales, approximate=bool(node.options.get("approximate")))
        case "EXP":
            return activation.exp_table(*scales)
        case "ABS":
            return activation.abs_table(*scales)
        case "QUANTIZE":
            return activation.requantize_table(*scales)
        case "HARD_SWISH":
            return activation.hard_swish_table(*scales)
        case _:
            return activation.relu_table(*scales, activation=node.op)
