"""RESHAPE: only another view of the same values, so it costs nothing."""

from __future__ import annotations

from math import prod

from compiler.ir import Node
from compiler.layer import Alias
from compiler.ops.context import Context


def lower(node: Node, context: Context) -> Alias:
    """Flattening to [1, values], or adding and dropping dimensions of one."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    layout = context.layouts[source.name]
    flattened = target.shape == (1, prod(layout))
    same_values = [size for size in target.shape if size != 1] == [size for size in layout if size != 1]
    if not (flattened or (same_values and target.shape[-1] == layout[-1])):
        raise context.fail(
            node,
            f"{list(source.shape)} to {list(target.shape)}; only flattening to [1, values] or changing "
            "dimensions of one is supported",
        )
    # As an image again when the shape says so, else what lies in DRAM, under a flat shape.
    is_image = len(target.shape) == 4 and target.shape[0] == 1
    context.layouts[target.name] = (target.shape[1], target.shape[2], target.shape[3]) if is_image else layout
    return Alias(source.name, target.name)
