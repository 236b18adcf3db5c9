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
    target = context.activation(node, node.outputs[0])
    if weights.ndim == 2 and weights.shape[1] == channels and rows * columns > 1:
        # Every pixel by itself, its channels last: [1, pixels, channels].
        if target.shape[-1] != weights.shape[0] or source.shape[-1] != channels:
            raise context.fail(node, f"{list(source.shape)} to {list(target.shape)} is not one row per pixel")
        pixel = weights.reshape(-1, 1, 1, channels)
        return conv_layer(node, context, pixel, scales, (rows, columns), (rows, columns))
    if weights.ndim != 2 or weights.shape[1] != rows * columns * channels:
        raise context.fail(
            node, f"weights {list(weights.shape)} do not fit an input of {rows * columns * channels} values"
        )
    if target.shape[-1] != weights.shape[0] or target.shape[:-1] != (1,) * (len(target.shape) - 1):
        raise context.fail(
            node, f"the output {list(target.shape)} is not one row of {weights.shape[0]} channels"
        )
    image = weights.reshape(-1, rows, columns, channels)
    return conv_layer(node, context, image, scales, (rows, columns), (1, 1))
