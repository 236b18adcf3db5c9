"""STRIDED_SLICE and SLICE of an image with constant bounds."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node, Tensor
from compiler.layer import Layer
from compiler.ops.context import Context
from compiler.ops.copy import channel_copy, check_same_scale, window_copy


def lower_strided(node: Node, context: Context) -> Layer:
    """STRIDED_SLICE: begin and end masks, negative bounds; steps must be positive, no axis may vanish."""
    source, target = tensors_of(node, context)
    begin, end, steps = (context.integers(node, name).tolist() for name in node.inputs[1:4])
    options = node.options
    if not len(begin) == len(end) == len(steps) <= len(source.shape):
        raise context.fail(
            node, f"begin {begin}, end {end} and strides {steps} do not fit {list(source.shape)}"
        )
    for name in ("ellipsisMask", "newAxisMask", "shrinkAxisMask"):
        if options.get(name):
            raise context.fail(node, f"{name} is {options[name]}; only 0 is supported")
    if options.get("offset"):
        raise context.fail(node, "offset is set; ends must be positions, not lengths")
    if min(steps) < 1:
        raise context.fail(node, f"strides are {steps}; only positive ones are supported")
    ranges = []
    for axis, size in enumerate(source.shape):
        if axis >= len(begin):  # x[:, 1:4] says nothing of the axes behind
            ranges.append(range(size))
            continue
        first = None if options["beginMask"] >> axis & 1 else begin[axis]
        last = None if options["endMask"] >> axis & 1 else end[axis]
        ranges.append(range(*slice(first, last, steps[axis]).indices(size)))
    return cut(node, context, source, target, ranges)


def lower_slice(node: Node, context: Context) -> Layer:
    """SLICE: first and length per axis, -1 to the end."""
    source, target = tensors_of(node, context)
    begin, lengths = (context.integers(node, name).tolist() for name in node.inputs[1:3])
    ranges = [
        range(first, size if length == -1 else first + length)
        for first, length, size in zip(begin, lengths, source.shape, strict=True)
    ]
    return cut(node, context, source, target, ranges)


def tensors_of(node: Node, context: Context) -> tuple[Tensor, Tensor]:
    """Input and output, checked."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    check_same_scale(node, context, source, target)
    if source.shape[-1] != context.layouts[source.name][2]:
        raise context.fail(node, f"{source.name!r} is a flattened image, which cannot be cut")
    return source, target


def cut(node: Node, context: Context, source: Tensor, target: Tensor, ranges: list[range]) -> Layer:
    """The layer; ranges: what is kept of each axis of the source."""
    if len(ranges) > 4 or any(len(kept) == 0 for kept in ranges) or len(ranges[0]) != 1:
        raise context.fail(
            node, f"{list(source.shape)} to {list(target.shape)}: nothing is left, or no image"
        )
    rows, columns, _ = context.layouts[source.name]
    kept = [range(1)] * (4 - len(ranges)) + ranges
    size = (len(kept[1]), len(kept[2]))
    first, stride = (kept[1].start, kept[2].start), (kept[1].step, kept[2].step)
    if len(kept[3]) == source.shape[-1] and kept[3].step == 1:
        return window_copy(node, context, source, target, size, first, stride, 0)
    taken = np.array([(0, channel) for channel in kept[3]])
    return channel_copy(node, context, [source], target, taken, size, first, stride)
