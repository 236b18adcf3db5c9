"""CONV_2D."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compiler.ir import Node
from compiler.layer import ConvLayer, Geometry, Pair, blocks_of, pack_params, pack_weights
from compiler.ops.context import Context
from models.conv import tflite_padding
from models.quantize import effective_scale, quantize_multiplier


def lower(node: Node, context: Context) -> ConvLayer:
    """A convolution of any kernel, stride, dilation and padding, one scale per tensor or output channel."""
    source = context.activation(node, node.inputs[0])
    weights, scales = context.weights(node, node.inputs[1])
    in_h, in_w, channels = context.layout(node, source.name)
    if weights.ndim != 4 or weights.shape[3] != channels:
        raise context.fail(node, f"weights {list(weights.shape)} do not fit {channels} input channels")
    options = node.options
    kernel = (weights.shape[1], weights.shape[2])
    stride = (options["strideH"], options["strideW"])
    dilation = (options["dilationHFactor"], options["dilationWFactor"])
    top, bottom, left, right = tflite_padding(options["padding"], (in_h, in_w), kernel, stride, dilation)
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    out_h = (in_h + top + bottom - span[0]) // stride[0] + 1
    out_w = (in_w + left + right - span[1]) // stride[1] + 1
    if min(out_h, out_w) < 1:
        raise context.fail(node, f"the window {span[0]} x {span[1]} is larger than its input {in_h} x {in_w}")
    return conv_layer(
        node, context, weights, scales, (in_h, in_w), (out_h, out_w), stride, dilation, (top, left)
    )


def conv_layer(
    node: Node,
    context: Context,
    weights: NDArray[np.int8],
    scales: NDArray[np.float32],
    in_size: Pair,
    out_size: Pair,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    pad: Pair = (0, 0),
) -> ConvLayer:
    """The layer for weights int8 [O, kh, kw, C]; a fully connected layer comes here, too."""
    n = context.n
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    outputs, kh, kw, channels = weights.shape
    context.check_kernel(node, (kh, kw))
    bias = context.bias(node, outputs)
    try:
        real = np.broadcast_to(effective_scale(source.scale, scales, target.scale), outputs)
        multiplier, shift = quantize_multiplier(real)
    except ValueError as error:
        raise context.fail(node, str(error)) from error
    # Padding holds the zero point, so every tap of every pixel is off by it: one constant per channel.
    folded = bias - source.zero_point * weights.astype(np.int64).sum(axis=(1, 2, 3))
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (*out_size, outputs)
    return ConvLayer(
        name=node.name,
        op=node.op,
        macs=out_size[0] * out_size[1] * weights.size,
        source=source.name,
        target=target.name,
        geometry=Geometry(
            *in_size,
            blocks_of(channels, n),
            *out_size,
            blocks_of(outputs, n),
            kernel=(kh, kw),
            stride=stride,
            dilation=dilation,
            pad=pad,
        ),
        pad_value=source.zero_point,
        zero_point=target.zero_point,
        act_min=act_min,
        act_max=act_max,
        params=pack_params(folded, multiplier, shift, n),
        weights=pack_weights(weights, n),
    )
