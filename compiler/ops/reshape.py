"""RESHAPE and its relatives: only another view of the same values, so they cost nothing."""

from __future__ import annotations

from math import prod

from compiler.ir import Node
from compiler.layer import Alias, Layout
from compiler.ops.context import Context


def lower(node: Node, context: Context) -> Alias:
    """Flattening to [1, values], dimensions of one that come or go, anything that leaves DRAM as it is."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    layout, n = context.layouts[source.name], context.n
    flattened = target.shape == (1, prod(layout))
    # As an image when the shape says so, else what lies in DRAM, under a flat shape.
    shape = target.shape if len(target.shape) > 1 else (1, *target.shape)
    image: Layout | None = None
    if len(shape) <= 4 and shape[0] == 1:
        image = ((1, 1) + shape[1:])[-3:]  # type: ignore[assignment]
    elif len(target.shape) <= 3:
        image = ((1, 1) + target.shape)[-3:]  # type: ignore[assignment]
    packed = image is not None and (image[2] == layout[2] or (image[2] % n == 0 and layout[2] % n == 0))
    if image is not None and packed and prod(image) == prod(layout):
        context.layouts[target.name] = image
    elif flattened:
        context.layouts[target.name] = layout
    else:
        raise context.fail(
            node,
            f"{list(source.shape)} to {list(target.shape)} moves channels; only flattening to [1, values], "
            f"changing dimensions of one, or channel counts that are multiples of {n} is supported",
        )
    return Alias(source.name, target.name)


def lower_transpose(node: Node, context: Context) -> Alias:
    """TRANSPOSE that only moves dimensions of one."""
    source = context.activation(node, node.inputs[0])
    order = context.integers(node, node.inputs[1]).tolist()
    moved = [axis for axis in order if source.shape[axis] != 1]
    if moved != sorted(moved):
        raise context.fail(
            node, f"order {order} of {list(source.shape)} moves values; only dimensions of one can move"
        )
    return lower(node, context)
