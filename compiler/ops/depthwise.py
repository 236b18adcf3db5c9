"""DEPTHWISE_CONV_2D: a grouped convolution with one input channel per group."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node
from compiler.layer import ConvLayer, GroupedLayer
from compiler.ops.context import Context
from compiler.ops.conv import grouped_layer, window_of


def lower(node: Node, context: Context) -> ConvLayer | GroupedLayer:
    """Any kernel, stride, dilation, padding and multiplier; weights [1, kh, kw, O], scales on axis 3."""
    source = context.activation(node, node.inputs[0])
    weights, scales = context.weights(node, node.inputs[1], channel_axis=3)
    channels = context.layout(node, source.name)[2]
    if weights.ndim != 4 or weights.shape[0] != 1 or weights.shape[3] % channels:
        raise context.fail(node, f"weights {list(weights.shape)} do not fit {channels} input channels")
    # Output channel o belongs to input channel o // multiplier. Some files say it is 0: trust the shapes.
    outputs = weights.shape[3]
    first = np.arange(outputs) // (outputs // channels)
    per_output = weights[0].transpose(2, 0, 1)[..., None]
    window = window_of(node, context, (weights.shape[1], weights.shape[2]))
    return grouped_layer(node, context, per_output, first, scales, **window)
