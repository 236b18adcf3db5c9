"""ADD, SUB and MUL of two tensors of one shape."""

from __future__ import annotations

from compiler.ir import Node
from compiler.layer import Geometry, Partner, PoolLayer, blocks_of
from compiler.ops.context import Context
from models.elementwise import Elementwise, tflite_element
from models.isa import PoolKind

_KINDS = {"ADD": Elementwise.ADD, "SUB": Elementwise.SUB, "MUL": Elementwise.MUL}


def lower(node: Node, context: Context) -> PoolLayer:
    """The first operand goes through pool, a maximum of one pixel; the second meets it in post."""
    first, second = (context.activation(node, name) for name in node.inputs[:2])
    target = context.activation(node, node.outputs[0])
    rows, columns, channels = context.layouts[first.name]
    if context.layouts[second.name] != context.layouts[first.name]:
        raise context.fail(
            node, f"inputs {list(first.shape)} and {list(second.shape)}; both must have one shape"
        )
    context.layouts[target.name] = (rows, columns, channels)
    cb = blocks_of(channels, context.n)
    try:
        record = tflite_element(
            _KINDS[node.op],
            (first.scale, second.scale, target.scale),
            (first.zero_point, second.zero_point, target.zero_point),
            context.clamp(node, target),
        )
    except ValueError as error:
        raise context.fail(node, str(error)) from error
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=first.name,
        target=target.name,
        geometry=Geometry(rows, columns, cb, rows, columns, cb, kernel=(1, 1)),
        kind=PoolKind.MAX,
        partner=Partner(second.name, _KINDS[node.op], record),
    )
