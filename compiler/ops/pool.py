"""MAX_POOL_2D and AVERAGE_POOL_2D.

Contract tflite: the average of uint8 tensors rounds a tie up, that of int8 tensors away from zero. POOL does
the latter; a sum that post multiplies by 1 / count, rounded up, does the former. Contract fp32: a sum that is
requantised in one rounding (models/ort.py:average_pool_once).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.ir import Node, Tensor
from compiler.layer import Geometry, PoolLayer, blocks_of, pack_params
from compiler.ops.context import Arithmetic, Context
from compiler.window import taps_inside
from models.isa import PoolKind
from models.ort import average_multiplier
from models.quantize import Rounding

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
    fp32_average = kind is PoolKind.AVERAGE and context.arithmetic(node) is Arithmetic.ONNX_RUNTIME
    if not fp32_average and (source.scale, source.zero_point) != (target.scale, target.zero_point):
        raise context.fail(node, "input and output must share scale and zero point")
    in_h, in_w, channels = context.layout(node, source.name)
    options = node.options
    kernel = (options["filterHeight"], options["filterWidth"])
    stride = (options["strideH"], options["strideW"])
    context.check_kernel(node, kernel)
    context.check_window(node, stride, kernel)
    top, bottom, left, right = context.padding(node, (in_h, in_w), kernel)
    out_h = (in_h + top + bottom - kernel[0]) // stride[0] + 1
    out_w = (in_w + left + right - kernel[1]) // stride[1] + 1
    if min(out_h, out_w) < 1:
        raise context.fail(node, f"the window {kernel[0]} x {kernel[1]} is larger than its input")
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (out_h, out_w, channels)
    cb = blocks_of(channels, context.n)
    post: dict[str, Any] = {"kind": kind}
    count = kernel[0] * kernel[1]
    geometry = Geometry(in_h, in_w, cb, out_h, out_w, cb, kernel=kernel, stride=stride, pad=(top, left))
    if fp32_average:
        post = _average_once(node, context, source, target, geometry, channels)
    elif kind is PoolKind.AVERAGE and source.unsigned and count > 1:
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
        geometry=geometry,
        act_min=act_min,
        act_max=act_max,
        **post,
    )


def _average_once(
    node: Node, context: Context, source: Tensor, target: Tensor, geometry: Geometry, channels: int
) -> dict[str, Any]:
    """The fields of a sum whose multiplier holds the scales and the number of taps."""
    include = bool(node.options.get("include_padding", False))
    counts = {geometry.kernel[0] * geometry.kernel[1]}
    if not include:
        high, wide = (set(taps_inside(geometry, axis)) for axis in (0, 1))
        counts = {rows * columns for rows in high for columns in wide}
    if 0 in counts:
        raise context.fail(node, "a window sees nothing but padding, which does not count")
    # Where scales and zero points agree, a tie must go to the even level, not to the even distance from the
    # zero point: the zero point stays in the sum.
    shared = (source.scale, source.zero_point) == (target.scale, target.zero_point)
    centre = 0 if shared else source.zero_point
    unit = np.ones(channels, dtype=np.int64)
    records = []
    for count in sorted(counts):
        word = context.check_word(node, average_multiplier(source.scale, target.scale, count))
        records.append(pack_params(-centre * count * unit, int(word) * unit, 0 * unit, context.n))
    return {
        "kind": PoolKind.SUM,
        "params": np.concatenate(records),
        "counts": tuple(sorted(counts)) if len(counts) > 1 else (),
        "zero_point": 0 if shared else target.zero_point,
        "pad_value": source.zero_point,
        "padding_counts": include,
        "rounding": Rounding.FP32,
    }
