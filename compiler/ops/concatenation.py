"""CONCATENATION along channels, rows or columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.ir import Node, Tensor
from compiler.layer import Layer, Scatter
from compiler.ops.context import Context
from compiler.ops.copy import channel_copy, check_same_scale, window_copy


def lower(node: Node, context: Context) -> Layer | list[Layer]:
    """Images one beside the other in the channels; flat tensors [1, values] likewise. Along rows or columns,
    a copy of each."""
    target = context.activation(node, node.outputs[0])
    sources = [context.activation(node, name) for name in node.inputs]
    rank = len(target.shape)
    axis = node.options.get("axis", rank - 1) % rank
    if node.options.get("fusedActivationFunction", "NONE") != "NONE":
        raise context.fail(node, "a fused activation is not supported")
    if rank == 4 and axis in (1, 2):
        return _side_by_side(node, context, sources, target, axis)
    if axis != rank - 1:
        raise context.fail(node, f"axis {axis} of {list(target.shape)}; rows, columns or channels only")
    layouts = [context.layouts[source.name] for source in sources]
    for source, layout in zip(sources, layouts, strict=True):
        check_same_scale(node, context, source, target)
        if source.shape[-1] != layout[2]:
            raise context.fail(node, f"{source.name!r} is a flattened image; its channels must stay apart")
        if layout[:2] != layouts[0][:2]:
            raise context.fail(node, "inputs have different rows or columns")
    taken = [(number, channel) for number, layout in enumerate(layouts) for channel in range(layout[2])]
    return channel_copy(node, context, sources, target, np.array(taken))


def _side_by_side(
    node: Node, context: Context, sources: list[Tensor], target: Tensor, axis: int
) -> list[Layer]:
    """axis: 1 for images one below the other, 2 for one right of the other."""
    layers: list[Layer] = []
    at = [0, 0]
    for source in sources:
        check_same_scale(node, context, source, target)
        rows, columns, channels = context.layout(node, source.name)
        across = (columns, channels) if axis == 1 else (rows, channels)
        if across != tuple(target.shape[i] for i in (1, 2, 3) if i != axis):
            raise context.fail(
                node, f"{source.name!r} is {list(source.shape)}; it does not fit beside the others"
            )
        copy = window_copy(node, context, source, target, (rows, columns), (0, 0), (1, 1), 0)
        layers.append(replace(copy, scatter=Scatter((1, 1), ((at[0], at[1]),), target.shape[2])))
        at[axis - 1] += (rows, columns)[axis - 1]
    context.layouts[target.name] = (target.shape[1], target.shape[2], target.shape[3])
    return layers
