"""CONV_2D, dense or grouped, and what every operator with weights shares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.fuse import BORDER
from compiler.ir import Node
from compiler.layer import ConvLayer, Geometry, GroupedLayer, Pair, blocks_of, pack_params, pack_weights
from compiler.ops.context import Context


def lower(node: Node, context: Context) -> ConvLayer | GroupedLayer:
    """A convolution of any kernel, stride, dilation and padding, one scale per tensor or output channel.

    Weights with fewer channels than the input make it a grouped one.
    """
    source = context.activation(node, node.inputs[0])
    weights, scales = context.weights(node, node.inputs[1])
    channels = context.layout(node, source.name)[2]
    if weights.ndim != 4 or channels % weights.shape[3]:
        raise context.fail(node, f"weights {list(weights.shape)} do not fit {channels} input channels")
    groups = channels // weights.shape[3]
    if weights.shape[0] % groups:
        raise context.fail(node, f"{weights.shape[0]} output channels do not divide into {groups} groups")
    window = window_of(node, context, (weights.shape[1], weights.shape[2]))
    if groups == 1:
        return conv_layer(node, context, weights, scales, **window)
    per_group = weights.shape[0] // groups
    first = np.arange(weights.shape[0]) // per_group * weights.shape[3]
    return grouped_layer(node, context, weights, first, scales, **window)


def window_of(node: Node, context: Context, kernel: Pair) -> dict[str, Any]:
    """in_size, out_size, stride, dilation and pad of a convolution by its options."""
    in_h, in_w, _ = context.layout(node, str(node.inputs[0]))
    options = node.options
    stride = (options["strideH"], options["strideW"])
    dilation = (options["dilationHFactor"], options["dilationWFactor"])
    context.check_window(node, stride, dilation)
    top, bottom, left, right = context.padding(node, (in_h, in_w), kernel, dilation)
    if BORDER in options:
        (top, bottom), (left, right) = options[BORDER]
    span = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    out_h = (in_h + top + bottom - span[0]) // stride[0] + 1
    out_w = (in_w + left + right - span[1]) // stride[1] + 1
    if min(out_h, out_w) < 1:
        raise context.fail(node, f"the window {span[0]} x {span[1]} is larger than its input {in_h} x {in_w}")
    return {
        "in_size": (in_h, in_w),
        "out_size": (out_h, out_w),
        "stride": stride,
        "dilation": dilation,
        "pad": (top, left),
    }


def conv_layer(
    node: Node,
    context: Context,
    weights: NDArray[np.int16],
    scales: NDArray[np.float32],
    in_size: Pair,
    out_size: Pair,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    pad: Pair = (0, 0),
) -> ConvLayer:
    """The layer for weights [O, kh, kw, C], [-255, 254]; a fully connected layer comes here, too.

    Weights minus a zero point may need nine bits; they become the sum of two layers' weights then.
    """
    if weights.max(initial=0) > 2 * 127:
        raise context.fail(
            node, "weights less their zero point reach 255; the core adds up two int8, at most 254"
        )
    cb = blocks_of(weights.shape[3], context.n)
    geometry = _geometry(context.n, weights, cb, in_size, out_size, stride, dilation, pad)
    shared = _shared(node, context, weights, scales, geometry)
    near = weights.clip(-128, 127)
    rest = pack_weights((weights - near).astype(np.int8), context.n) if np.any(near != weights) else None
    return ConvLayer(**shared, weights=pack_weights(near.astype(np.int8), context.n), rest=rest)


def grouped_layer(
    node: Node,
    context: Context,
    weights: NDArray[np.int16],
    first: NDArray[np.integer],
    scales: NDArray[np.float32],
    in_size: Pair,
    out_size: Pair,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    pad: Pair = (0, 0),
) -> ConvLayer | GroupedLayer:
    """Output channel o sees input channels [first[o], first[o] + C) through its weights [O, kh, kw, C].

    first: never falls. Weights within a block that do not belong to a channel's group are 0.
    """
    n = context.n
    if weights.min() < -128 or weights.max() > 127:
        return _dense_layer(node, context, weights, first, scales, in_size, out_size, stride, dilation, pad)
    outputs, kh, kw, channels = weights.shape
    cb = blocks_of(context.layout(node, str(node.inputs[0]))[2], n)
    blocks = [first[start : start + n] for start in range(0, outputs, n)]
    depth = max(int(block[-1] + channels - 1) // n - int(block[0]) // n + 1 for block in blocks)
    starts = [min(int(block[0]) // n, cb - depth) for block in blocks]
    packed = np.zeros((len(blocks), kh, kw, depth * n, n), dtype=np.int8)
    for output in range(outputs):
        at = int(first[output]) - starts[output // n] * n
        packed[output // n, :, :, at : at + channels, output % n] = weights[output]
    packed = packed.reshape(len(blocks), kh, kw, depth, n, n).swapaxes(4, 5)
    geometry = _geometry(n, weights, cb, in_size, out_size, stride, dilation, pad)
    shared = _shared(node, context, weights, scales, geometry)
    kernels = None
    if channels == 1:
        taps = np.zeros((len(blocks) * n, kh, kw), dtype=np.int8)
        taps[:outputs] = weights[..., 0]
        kernels = taps.reshape(len(blocks), n, kh, kw)
    return GroupedLayer(
        **shared,
        weights=np.ascontiguousarray(packed),
        starts=tuple(starts),
        depth=depth,
        kernels=kernels,
        seen=first.astype(np.int64) if channels == 1 else None,
    )


def _dense_layer(
    node: Node,
    context: Context,
    weights: NDArray[np.int16],
    first: NDArray[np.integer],
    scales: NDArray[np.float32],
    *window: Pair,
) -> ConvLayer:
    """A grouped convolution as a dense one: weights of nine bits are only known there."""
    channels = context.layout(node, str(node.inputs[0]))[2]
    wide = np.zeros((*weights.shape[:3], channels), dtype=np.int16)
    for output, start in enumerate(first):
        wide[output, :, :, start : start + weights.shape[3]] = weights[output]
    layer = conv_layer(node, context, wide, scales, *window)
    return replace(layer, macs=layer.macs * weights.shape[3] // channels)


def _geometry(
    n: int,
    weights: NDArray[np.int16],
    cb: int,
    in_size: Pair,
    out_size: Pair,
    stride: Pair,
    dilation: Pair,
    pad: Pair,
) -> Geometry:
    return Geometry(
        *in_size,
        cb,
        *out_size,
        blocks_of(weights.shape[0], n),
        kernel=(weights.shape[1], weights.shape[2]),
        stride=stride,
        dilation=dilation,
        pad=pad,
    )


def _shared(
    node: Node, context: Context, weights: NDArray[np.int16], scales: NDArray[np.float32], geometry: Geometry
) -> dict[str, Any]:
    """The fields that layers with weights [O, kh, kw, C] have in common."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    outputs = weights.shape[0]
    context.check_kernel(node, geometry.kernel)
    bias = context.bias(node, outputs)
    unsigned = context.tensor(node, node.inputs[1]).unsigned
    multiplier, shift = context.multiplier(node, source.scale, scales, target.scale, outputs, unsigned)
    # Padding holds the zero point, so every tap of every pixel is off by it: one constant per channel.
    folded = bias - source.zero_point * weights.astype(np.int64).sum(axis=(1, 2, 3))
    act_min, act_max = context.clamp(node, target)
    context.layouts[target.name] = (geometry.out_h, geometry.out_w, outputs)
    return {
        "name": node.name,
        "op": node.op,
        "macs": geometry.out_h * geometry.out_w * weights.size,
        "source": source.name,
        "target": target.name,
        "geometry": geometry,
        "pad_value": source.zero_point,
        "zero_point": target.zero_point,
        "act_min": act_min,
        "act_max": act_max,
        "params": pack_params(folded, multiplier, shift, context.n),
        "rounding": context.rounding(node),
    }
