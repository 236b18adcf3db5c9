"""Layers that copy values and change none: part of a tensor, a tensor with a border, channels rearranged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from compiler.ir import Node, Tensor
from compiler.layer import (
    Geometry,
    Layer,
    Layout,
    Pair,
    PoolLayer,
    Selected,
    SelectLayer,
    blocks_of,
    pack_params,
)
from compiler.ops.context import Context
from models.isa import PoolKind


def check_same_scale(node: Node, context: Context, source: Tensor, target: Tensor) -> None:
    """A copy cannot change what the values mean."""
    if (source.scale, source.zero_point) != (target.scale, target.zero_point):
        raise context.fail(node, "input and output must share scale and zero point")


def window_copy(
    node: Node,
    context: Context,
    source: Tensor,
    target: Tensor,
    size: Pair,
    first: Pair,
    stride: Pair,
    border: int,
) -> PoolLayer:
    """Rows and columns from `first` (negative: before the tensor) on, every stride-th, `size` of them.

    border: int8 value outside the tensor. A maximum over windows of one pixel, which is that pixel.
    """
    rows, columns, channels = context.layouts[source.name]
    context.layouts[target.name] = (*size, channels)
    cb = blocks_of(channels, context.n)
    pad = (-first[0], -first[1])
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=source.name,
        target=target.name,
        geometry=Geometry(rows, columns, cb, *size, cb, kernel=(1, 1), stride=stride, pad=pad),
        pad_value=border,
        kind=PoolKind.MAX,
        padding_counts=True,
    )


def channel_copy(
    node: Node,
    context: Context,
    sources: Sequence[Tensor],
    target: Tensor,
    taken: NDArray[np.integer],
    size: Pair | None = None,
    first: Pair = (0, 0),
    stride: Pair = (1, 1),
) -> Layer:
    """taken: [channels of the target, 2], the number of the source and the channel in it of each.

    size, first, stride: as in window_copy, default all pixels. All sources share rows and columns.
    """
    layouts = [context.layouts[source.name] for source in sources]
    layer = select_layer(
        node.name,
        node.op,
        [source.name for source in sources],
        layouts,
        target.name,
        taken,
        context.n,
        size or layouts[0][:2],
        first,
        stride,
    )
    context.layouts[target.name] = (layer.geometry.out_h, layer.geometry.out_w, len(taken))
    return layer


def select_layer(
    name: str,
    op: str,
    sources: Sequence[str],
    layouts: Sequence[Layout],
    target: str,
    taken: NDArray[np.integer],
    n: int,
    size: Pair,
    first: Pair = (0, 0),
    stride: Pair = (1, 1),
) -> SelectLayer:
    """channel_copy() between tensors by name; layouts: of the sources."""
    rows, columns, channels = layouts[0]
    geometry = Geometry(
        rows,
        columns,
        blocks_of(channels, n),
        *size,
        blocks_of(len(taken), n),
        kernel=(1, 1),
        stride=stride,
        pad=(-first[0], -first[1]),
    )
    # 1.0 as the requantiser has it: twice the sum times 2^30, a half.
    identity = pack_params(np.zeros(n), np.full(n, 2**30), np.ones(n), n)
    return SelectLayer(
        name=name,
        op=op,
        macs=0,
        source=sources[0],
        target=target,
        geometry=geometry,
        params=identity,
        sources=tuple(sources),
        sizes=tuple(blocks_of(layout[2], n) for layout in layouts),
        parts=tuple(_parts(taken[start : start + n], n) for start in range(0, len(taken), n)),
    )


def _parts(taken: NDArray[np.integer], n: int) -> tuple[Selected, ...]:
    """What one output block is made of: runs of neighbouring input blocks of each source."""
    parts = []
    for source in dict.fromkeys(taken[:, 0].tolist()):
        outputs = np.flatnonzero(taken[:, 0] == source)
        channels = taken[outputs, 1]
        first, last = int(channels.min()) // n, int(channels.max()) // n
        weights = np.zeros((last - first + 1, n, n), dtype=np.int8)
        weights[channels // n - first, outputs, channels % n] = 1
        parts.append(Selected(source, first, weights))
    return tuple(parts)
