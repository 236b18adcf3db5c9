"""RESIZE_NEAREST: every pixel again and again, by whole factors."""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import Node
from compiler.layer import Layer, Scatter
from compiler.ops.context import Context
from compiler.ops.copy import check_same_scale, window_copy


def lower(node: Node, context: Context) -> Layer:
    """One copy on the way through pool, stored once for each place."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    check_same_scale(node, context, source, target)
    rows, columns, channels = context.layout(node, source.name)
    high, wide = node.options["factors"]
    layer = window_copy(node, context, source, target, (rows, columns), (0, 0), (1, 1), 0)
    context.layouts[target.name] = (rows * high, columns * wide, channels)
    offsets = tuple((dy, dx) for dy in range(high) for dx in range(wide))
    return replace(layer, scatter=Scatter((high, wide), offsets, columns * wide))
