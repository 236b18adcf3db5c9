"""Operators that move values without computing: they need no new scale."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from compiler.onnx_build import Builder
from models.ort import quantize


def reshape(node: Any, b: Builder) -> None:
    """Flattening, dimensions of one that come and go, channels in groups and back."""
    x, real = b.stored(node)
    origin, attributes = b.origins[x], b.attributes(node)
    shape = _new_shape(node, b, origin.shape, attributes)
    if prod(shape) != prod(origin.shape) or shape[0] != 1:
        raise ValueError(f"{list(origin.shape)} to {list(shape)} does not keep one image")
    image = origin.image
    if len(shape) == 4 and image not in (None, shape[1:]):
        raise ValueError(f"{list(origin.shape)} to {list(shape)} rearranges an image")
    grouped = len(shape) == 5 and image is not None and image == (shape[1] * shape[2], *shape[3:])
    if len(shape) not in (2, 4) and not grouped:
        raise ValueError(
            f"{list(origin.shape)} to {list(shape)}; 2 or 4 dimensions, or an image's channels in groups, "
            "are supported"
        )
    if len(shape) == 4 and image is None and shape[2:] != (1, 1):
        raise ValueError(f"{list(origin.shape)} to {list(shape)} makes an image of a vector")
    b.move(node, "RESHAPE", shape, image=image)


def transpose(node: Any, b: Builder) -> None:
    """NCHW to NHWC and back: here the values lie in NHWC already. Groups of channels: a permutation."""
    x, _ = b.stored(node)
    origin, perm = b.origins[x], list(b.attributes(node).get("perm", ()))
    if perm == [0, 2, 1, 3, 4] and len(origin.shape) == 5:
        _, groups, per_group, rows, columns = origin.shape
        order = np.arange(groups * per_group).reshape(groups, per_group).T.reshape(-1)
        shape = (1, per_group, groups, rows, columns)
        b.move(node, "PERMUTE_CHANNELS", shape, image=origin.image, options={"order": order.tolist()})
        return
    if perm == [0, 2, 3, 1] and len(origin.shape) == 4 and origin.image is not None:
        channels, rows, columns = origin.image
        b.move(node, "RESHAPE", (1, rows, columns, channels), channels_last=True)
        return
    if perm == [0, 3, 1, 2] and len(origin.shape) == 4:
        # An input that nothing has read yet was taken for NCHW; its Transpose says that it is NHWC.
        unread = x in b.inputs.values() and not any(x in earlier.inputs for earlier in b.nodes)
        if origin.image is None or unread:
            b.add(x, origin.shape, b.parameters(x), in_file=bool(origin.name), channels_last=True)
            _, rows, columns, channels = origin.shape
            b.move(node, "RESHAPE", (1, channels, rows, columns))
            return
    raise ValueError(
        f"{list(origin.shape)} by {perm}; only from NCHW to NHWC and back, and groups of channels with their "
        "members, is supported"
    )


def _new_shape(node: Any, b: Builder, old: tuple[int, ...], attributes: dict[str, Any]) -> tuple[int, ...]:
    if node.op_type == "Flatten":
        axis = int(attributes.get("axis", 1)) % (len(old) + 1)
        return prod(old[:axis]), prod(old[axis:])
    if node.op_type in ("Squeeze", "Unsqueeze"):
        axes = b.array(node, 1).tolist() if b.has(node, 1) else list(attributes.get("axes", ()))
        if node.op_type == "Squeeze":
            gone = {a % len(old) for a in axes} or {i for i, size in enumerate(old) if size == 1 and i}
            return tuple(size for i, size in enumerate(old) if i not in gone)
        rank = len(old) + len(axes)
        sizes = iter(old)
        return tuple(1 if i in {a % rank for a in axes} else next(sizes) for i in range(rank))
    wanted = [int(n) for n in b.array(node, 1).reshape(-1)]
    if not attributes.get("allowzero", 0):
        wanted = [old[i] if n == 0 else n for i, n in enumerate(wanted)]
    if -1 in wanted:
        wanted[wanted.index(-1)] = prod(old) // max(1, -prod(wanted))
    return tuple(wanted)


def pad(node: Any, b: Builder) -> None:
    x, real = b.stored(node)
    attributes = b.attributes(node)
    pads = [int(n) for n in (b.array(node, 1) if b.has(node, 1) else attributes.get("pads", ()))]
    value = b.number(node, 2) if b.has(node, 2) else float(attributes.get("value", 0.0))
    zero = 0 if real else int(b.parameters(x).zero_points[0])
    if attributes.get("mode", b"constant") != b"constant":
        raise ValueError(f"mode is {attributes['mode'].decode()!r}; only constant is supported")
    channels, rows, columns = b.image(x)
    if b.has(node, 3):
        spread = [0] * 8
        for number, axis in enumerate(b.array(node, 3).tolist()):
            spread[axis % 4], spread[axis % 4 + 4] = pads[number], pads[number + len(pads) // 2]
        pads = spread
    if len(pads) != 8 or any(pads[i] for i in (0, 1, 4, 5)) or min(pads) < 0:
        raise ValueError(f"pads are {pads}; only rows and columns of an image can be padded")
    top, left, bottom, right = pads[2], pads[3], pads[6], pads[7]
    shape = (1, channels, rows + top + bottom, columns + left + right)
    amounts = np.array([(0, 0), (top, bottom), (left, right), (0, 0)], dtype=np.int32)
    paddings = b.indices(f"{node.output[0]}/paddings", amounts)
    if value == zero:
        b.move(node, "PAD", shape, extra=(paddings,))
        return
    q = b.parameters(x)
    level = np.array([value], np.float32 if real else q.dtype)
    if real:
        level = quantize(level, float(q.scales[0]), int(q.zero_points[0]), q.dtype.type)
    signed = level if q.dtype == np.int8 else (level ^ 0x80).view(np.int8)
    shift = 0 if q.dtype == np.int8 else 128
    border = b.constant(f"{node.output[0]}/border", signed, q.scales, q.zero_points - shift)
    b.move(node, "PADV2", shape, extra=(paddings, border))


def slice_(node: Any, b: Builder) -> None:
    x, _ = b.stored(node)
    shape = _axes(b, x)
    starts, ends = (b.array(node, i).reshape(-1).tolist() for i in (1, 2))
    axes = b.array(node, 3).reshape(-1).tolist() if b.has(node, 3) else list(range(len(starts)))
    steps = b.array(node, 4).reshape(-1).tolist() if b.has(node, 4) else [1] * len(starts)
    if len({len(starts), len(ends), len(axes), len(steps)}) > 1:
        raise ValueError(f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes, {len(steps)} steps")
    if min(steps) < 1:
        raise ValueError(f"of {list(shape)} with steps {steps}; only positive steps are supported")
    ranges = [range(size) for size in shape]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        ranges[axis] = range(shape[axis])[slice(start, end, step)]
    if any(len(r) == 0 for r in ranges) or len(ranges[0]) != 1:
        raise ValueError(f"nothing is left of {list(shape)}")
    _cut(node, b, node.output[0], ranges)


def split(node: Any, b: Builder) -> None:
    """A slice for each output."""
    x, _ = b.stored(node)
    attributes, shape = b.attributes(node), _axes(b, x)
    axis, count = int(attributes.get("axis", 0)) % len(shape), len(node.output)
    if b.has(node, 1):
        sizes = [int(size) for size in b.array(node, 1)]
    elif "split" in attributes:
        sizes = [int(size) for size in attributes["split"]]
    else:
        part = -(-shape[axis] // count)
        sizes = [min(part, shape[axis] - part * number) for number in range(count)]
    if axis == 0 or min(sizes) < 1 or sum(sizes) != shape[axis] or len(sizes) != count:
        raise ValueError(f"{list(shape)} into {sizes} along axis {axis}; parts of one image are supported")
    first = 0
    for name, size in zip(node.output, sizes, strict=True):
        ranges = [range(n) for n in shape]
        ranges[axis] = range(first, first + size)
        first += size
        one = type(node)()
        one.CopyFrom(node)
        one.output[:] = [name]
        _cut(one, b, name, ranges)


def _axes(b: Builder, x: str) -> tuple[int, ...]:
    """The shape of what can be cut: images, and tensors whose values lie as in the file."""
    origin = b.origins[x]
    if len(origin.shape) == 4:
        return (1, *b.image(x))
    if origin.image is not None and origin.image[1:] != (1, 1):
        raise ValueError(f"{x!r} is a flattened image: its values lie in another order here")
    return origin.shape


def _cut(node: Any, b: Builder, name: str, ranges: list[range]) -> None:
    """A STRIDED_SLICE that keeps these ranges of the axes."""
    kept = [ranges[i] for i in (0, 2, 3, 1)] if len(ranges) == 4 else ranges
    bounds = {
        "begin": [r.start for r in kept],
        "end": [r[-1] + 1 for r in kept],
        "strides": [r.step for r in kept],
    }
    extra = tuple(b.indices(f"{name}/{bound}", np.array(v)) for bound, v in bounds.items())
    options = {"beginMask": 0, "endMask": 0}
    b.move(node, "STRIDED_SLICE", tuple(len(r) for r in ranges), extra=extra, options=options)


def identity(node: Any, b: Builder) -> None:
    b.values[node.output[0]] = b.value(node, 0)
