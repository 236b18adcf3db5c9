"""MAX_POOL_2D and AVERAGE_POOL_2D.

The average of uint8 tensors rounds a tie up, that of int8 tensors away from zero. POOL does the latter; a sum
that post multiplies by 1 / count, rounded up, does the former.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.ir import Node
from compiler.layer import Geometry, PoolLayer, blocks_of, pack_params
from compiler.ops.context import Context
from models.conv import tflite_padding
from models.isa import PoolKind

# With sums of up to 255 * count and a multiplier of 1 / count rounded up to 2^-31, the error stays below the
# distance of a sum from the next tie.
EXACT_COUNT = 2048


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
    context.check_window(node, stride, kernel)
    top, bottom, left, right = tflite_padding(options["padding"], (in_h, in_w), kernel, stride)
    out_h = (in_h + top + bottom - kernel[0]) // stride[0] + 1
    out_w = (in_w + left + right - kernel[1]) // stride[1] + 1
    if min(out_h, out_w) < 1:
        raise context.fail(node, f"the window {kernel[0]} x {kernel[1]} is larger than its input")
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (out_h, out_w, channels)
    cb = blocks_of(channels, context.n)
    post: dict[str, Any] = {"kind": kind}
    count = kernel[0] * kernel[1]
    if kind is PoolKind.AVERAGE and source.unsigned and count > 1:
        if any((top, bottom, left, right)) or count >= EXACT_COUNT:
            raise context.fail(
                node, f"a uint8 average needs windows without padding, of less than {EXACT_COUNT} values"
            )
        unit = np.ones(channels, dtype=np.int64)
        params = pack_params(128 * count * unit, -(-(2**31) // count) * unit, 0 * unit, context.n)
        post = {"kind": PoolKind.SUM, "params": params, "zero_point": -128}
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=source.name,
        target=target.name,
        geometry=Geometry(in_h, in_w, cb, out_h, out_w, cb, kernel=kernel, stride=stride, pad=(top, left)),
        act_min=act_min,
        act_max=act_max,
        **post,
    )
