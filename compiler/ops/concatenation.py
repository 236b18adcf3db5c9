"""CONCATENATION along channels."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node
from compiler.layer import Layer
from compiler.ops.context import Context
from compiler.ops.copy import channel_copy, check_same_scale


def lower(node: Node, context: Context) -> Layer:
    """Images one beside the other in the channels; flat tensors [1, values] likewise."""
    target = context.activation(node, node.outputs[0])
    sources = [context.activation(node, name) for name in node.inputs]
    rank = len(target.shape)
    if node.options.get("axis", rank - 1) % rank != rank - 1:
        raise context.fail(node, f"axis {node.options['axis']}; only the last, channels, is supported")
    if node.options.get("fusedActivationFunction", "NONE") != "NONE":
        raise context.fail(node, "a fused activation is not supported")
    layouts = [context.layouts[source.name] for source in sources]
    for source, layout in zip(sources, layouts, strict=True):
        check_same_scale(node, context, source, target)
        if source.shape[-1] != layout[2]:
            raise context.fail(node, f"{source.name!r} is a flattened image; its channels must stay apart")
        if layout[:2] != layouts[0][:2]:
            raise context.fail(node, "inputs have different rows or columns")
    taken = [(number, channel) for number, layout in enumerate(layouts) for channel in range(layout[2])]
    return channel_copy(node, context, sources, target, np.array(taken))
