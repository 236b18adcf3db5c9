"""MEAN over rows and columns: a sum over the whole image that is requantised like a convolution."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node
from compiler.layer import Geometry, PoolLayer, blocks_of, pack_params
from compiler.ops.context import Arithmetic, Context
from models.isa import PoolKind
from models.ort import average_multiplier
from models.pool import mean_multiplier
from models.xnnpack import fit_mean


def lower(node: Node, context: Context) -> PoolLayer:
    """Axes must be 1 and 2; keep_dims either way."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    rows, columns, channels = context.layout(node, source.name)
    axes = context.constant(node, node.inputs[1], np.int32).reshape(-1)
    if sorted(axis % 4 for axis in axes.tolist()) != [1, 2]:
        raise context.fail(node, f"axes are {axes.tolist()}; only [1, 2], rows and columns, is supported")
    context.check_kernel(node, (rows, columns))
    count = rows * columns
    arithmetic = context.arithmetic(node)
    rounding, apart = arithmetic.rounding, 0
    try:
        if arithmetic is Arithmetic.XNNPACK:
            fit = fit_mean(
                count,
                (source.scale, target.scale),
                (source.zero_point, target.zero_point),
                unsigned=target.unsigned,
            )
            multiplier, shift, rounding, apart = fit.multiplier, fit.shift, fit.rounding, fit.sums_apart
        elif arithmetic is Arithmetic.ONNX_RUNTIME:
            word = average_multiplier(source.scale, target.scale, count)
            multiplier, shift = int(context.check_word(node, word)), 0
        else:
            multiplier, shift = mean_multiplier(source.scale, target.scale, count)
    except ValueError as error:
        raise context.fail(node, str(error)) from error
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (1, 1, channels)
    cb = blocks_of(channels, context.n)
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=source.name,
        target=target.name,
        geometry=Geometry(rows, columns, cb, 1, 1, cb, kernel=(rows, columns)),
        zero_point=target.zero_point,
        act_min=act_min,
        act_max=act_max,
        rounding=rounding,
        sums_apart=apart,
        params=pack_params(np.full(channels, -count * source.zero_point), multiplier, shift, context.n),
        kind=PoolKind.SUM,
    )
