"""MAX_POOL_2D and AVERAGE_POOL_2D."""

from __future__ import annotations

from compiler.ir import Node
from compiler.layer import Geometry, PoolLayer, blocks_of
from compiler.ops.context import Context
from models.conv import tflite_padding
from models.isa import PoolKind


def lower_max(node: Node, context: Context) -> PoolLayer:
    """Largest value of each window; padding never wins."""
    return _lower(node, context, PoolKind.MAX)


def lower_average(node: Node, context: Context) -> PoolLayer:
    """Average over the taps inside the tensor."""
    return _lower(node, context, PoolKind.AVERAGE)


def _lower(node: Node, context: Context, kind: PoolKind) -> PoolLayer:
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    if (source.scale, source.zero_point) != (target.scale, target.zero_point):
        raise context.fail(node, "input and output must share scale and zero point")
    in_h, in_w, channels = context.layout(node, source.name)
    options = node.options
    kernel = (options["filterHeight"], options["filterWidth"])
    stride = (options["strideH"], options["strideW"])
    context.check_kernel(node, kernel)
    top, bottom, left, right = tflite_padding(options["padding"], (in_h, in_w), kernel, stride)
    out_h = (in_h + top + bottom - kernel[0]) // stride[0] + 1
    out_w = (in_w + left + right - kernel[1]) // stride[1] + 1
    if min(out_h, out_w) < 1:
        raise context.fail(node, f"the window {kernel[0]} x {kernel[1]} is larger than its input")
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (out_h, out_w, channels)
    cb = blocks_of(channels, context.n)
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=source.name,
        target=target.name,
        geometry=Geometry(in_h, in_w, cb, out_h, out_w, cb, kernel=kernel, stride=stride, pad=(top, left)),
        act_min=act_min,
        act_max=act_max,
        kind=kind,
    )
