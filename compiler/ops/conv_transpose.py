"""CONV_TRANSPOSE whose stride is its kernel: a 1 x 1 convolution for each place of the kernel."""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import Node
from compiler.layer import Layer, Scatter
from compiler.ops.context import Context
from compiler.ops.conv import conv_layer


def lower(node: Node, context: Context) -> list[Layer]:
    """Weights [O, kh, kw, C]; the results of the layers lie between one another."""
    source = context.activation(node, node.inputs[0])
    weights, scales = context.weights(node, node.inputs[1])
    rows, columns, channels = context.layout(node, source.name)
    outputs, high, wide, depth = weights.shape
    if depth != channels:
        raise context.fail(node, f"weights {list(weights.shape)} do not fit {channels} input channels")
    size = (rows, columns)
    layers: list[Layer] = []
    for dy in range(high):
        for dx in range(wide):
            part = weights[:, dy : dy + 1, dx : dx + 1]
            layer = conv_layer(node, context, part, scales, in_size=size, out_size=size)
            layers.append(replace(layer, scatter=Scatter((high, wide), ((dy, dx),), columns * wide)))
    context.layouts[node.outputs[0]] = (rows * high, columns * wide, outputs)
    return layers
