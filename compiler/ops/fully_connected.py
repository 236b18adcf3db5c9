"""FULLY_CONNECTED: a convolution whose window is the whole input."""

from __future__ import annotations

from compiler.ir import Node
from compiler.layer import ConvLayer
from compiler.ops.context import Context
from compiler.ops.conv import conv_layer


def lower(node: Node, context: Context) -> ConvLayer:
    """One pixel of output channels. The input may be a flattened image: DRAM still holds it with its channels
    padded, so the weights are put in the image's order and not the other way round."""
    source = context.activation(node, node.inputs[0])
    weights, scales = context.weights(node, node.inputs[1])
    rows, columns, channels = context.layouts[source.name]
    if weights.ndim != 2 or weights.shape[1] != rows * columns * channels:
        raise context.fail(
            node, f"weights {list(weights.shape)} do not fit an input of {rows * columns * channels} values"
        )
    if context.graph.tensors[node.outputs[0]].shape != (1, weights.shape[0]):
        raise context.fail(node, "only one row of outputs, [1, channels], is supported")
    image = weights.reshape(-1, rows, columns, channels)
    return conv_layer(node, context, image, scales, (rows, columns), (1, 1))
