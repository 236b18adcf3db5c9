"""PERMUTE_CHANNELS: the channel shuffle of grouped networks."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node
from compiler.layer import Layer
from compiler.ops.context import Context
from compiler.ops.copy import channel_copy


def lower(node: Node, context: Context) -> Layer:
    """order: for each channel of the output, the channel of the input."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    context.layout(node, source.name)
    taken = np.array([(0, channel) for channel in node.options["order"]])
    return channel_copy(node, context, [source], target, taken)
