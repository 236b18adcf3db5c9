"""Layers into fewer or faster layers, with the same result to the last bit.

fuse_joins   a convolution whose only use is an element-wise operator makes that operator's result itself:
             post joins the two operands, and the tensor between them is never stored.
fold_input   the few channels of a picture leave most of the array idle. Where a convolution is the only user
             of a network input, the host writes that input with a kernel row folded into the channels: 7
             pixels of 3 channels fill 21 of 32 rows instead of 7 times 3 of 16.

Fold, and Repeat for compiler/repeat.py, say how the host writes such an input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from compiler.layer import ConvLayer, Layer, Layout, Partner, PoolLayer, SelectLayer, blocks_of
from models.elementwise import Elementwise


@dataclass(frozen=True)
class Fold:
    """How a folded input lies in DRAM: pixel (y, ox) holds, for each kernel column kx, the channels of
    pixel (y, ox * stride + kx * dilation - left), or the zero point outside the picture."""

    columns: int
    kernel: int
    stride: int
    dilation: int
    left: int

    def _taps(self) -> NDArray[np.int64]:
        """The picture's column behind each pixel and kernel column: [columns, kernel]."""
        first = np.arange(self.columns)[:, None] * self.stride - self.left
        return first + np.arange(self.kernel) * self.dilation

    def undo(self, folded: NDArray[np.int8], width: int) -> NDArray[np.int8]:
        """[H, columns, kernel * C] -> int8 [H, W, C]. Columns that no tap reads come out 0."""
        x = self._taps()
        inside = (x >= 0) & (x < width)
        taps = folded.reshape(len(folded), self.columns, self.kernel, -1)
        picture = np.zeros((len(folded), width, taps.shape[-1]), np.int8)
        picture[:, x[inside]] = taps[:, inside]
        return picture

    def apply(self, picture: NDArray[np.int8], zero_point: int) -> NDArray[np.int8]:
        """int8 [H, W, C] -> [H, columns, kernel * C]."""
        height, width, channels = picture.shape
        x = self._taps()
        inside = (x >= 0) & (x < width)
        taps = picture[:, np.where(inside, x, 0)]
        taps[:, ~inside] = zero_point
        return taps.reshape(height, self.columns, self.kernel * channels)


@dataclass(frozen=True)
class Repeat:
    """How a network input lies in DRAM whose channels are repeated: channel i is channel seen[i]."""

    seen: tuple[int, ...]

    def apply(self, picture: NDArray[np.int8], zero_point: int) -> NDArray[np.int8]:
        """int8 [H, W, C] -> [H, W, len(seen)]."""
        return picture[..., list(self.seen)]

    def undo(self, repeated: NDArray[np.int8], width: int) -> NDArray[np.int8]:
        """[H, W, len(seen)] -> int8 [H, W, C]. Every channel is seen."""
        _, first = np.unique(self.seen, return_index=True)
        return repeated[..., first]


def uses(layers: Iterable[Layer]) -> Counter[str]:
    """How many layers read each tensor."""
    found: Counter[str] = Counter()
    for layer in layers:
        found.update(layer.sources if isinstance(layer, SelectLayer) else (layer.source,))
        if layer.partner is not None and layer.partner.source is not None:
            found[layer.partner.source] += 1
    return found


def fuse_joins(layers: list[Layer], kept: Iterable[str]) -> tuple[list[Layer], dict[str, str]]:
    """Take in every element-wise layer that a convolution can do. kept: tensors that must be stored.

    Returns the layers, and the tensors that are never made with the names of the layers that took them in.
    """
    count, keep = uses(layers), set(kept)
    made = {layer.target: layer for layer in layers}
    gone: dict[str, str] = {}
    result: list[Layer] = []
    for layer in layers:
        operands = _operands(layer)
        for own, other in (operands, operands[::-1]) if operands else ():
            if own is None:
                continue
            conv = made.get(own)
            assert layer.partner is not None
            if own == other or count[own] > 1 or own in keep or own in gone:
                continue
            if type(conv) is not ConvLayer or conv.partner or conv.table is not None or conv.scatter:
                continue
            if conv.rounding is not layer.rounding:
                continue  # a command has one rounding mode
            if own != layer.source and layer.partner.kind is Elementwise.SUB:
                continue  # the difference has an order
            partner = _swapped(layer.partner, layer.source) if own != layer.source else layer.partner
            layer = replace(
                conv, name=layer.name, op=f"{conv.op}+{layer.op}", target=layer.target, partner=partner
            )
            gone[own] = layer.name
            break
        result.append(layer)
    return [layer for layer in result if layer.target not in gone], gone


def _operands(layer: Layer) -> tuple[str | None, str | None] | None:
    """(source, partner) of a layer that does nothing but join two tensors; None for what is no tensor, or
    one that no convolution of the layer's shape makes."""
    if type(layer) is not PoolLayer or layer.partner is None or layer.table is not None:
        return None
    return layer.source, None if layer.partner.broadcast else layer.partner.source


def _swapped(partner: Partner, source: str) -> Partner:
    """The same operator with its operands exchanged; `source` is now the second."""
    r = partner.record
    record = replace(r, zp1=r.zp2, zp2=r.zp1, s1=r.s2, s2=r.s1, m1=r.m2, m2=r.m1)
    return replace(partner, source=source, record=record)


def fold_input(layer: Layer, layout: Layout, n: int) -> tuple[ConvLayer, Fold, Layout] | None:
    """The layer on a folded input, the fold, and the input's new layout; None where folding saves no pass.

    layout: of the layer's source, a network input that no other layer reads.
    """
    if type(layer) is not ConvLayer or layer.rest is not None:
        return None
    g, channels = layer.geometry, layout[2]
    kernel = g.kernel[1]
    blocks = blocks_of(kernel * channels, n)
    if kernel == 1 or blocks >= kernel * g.cb:
        return None
    # [groups, kh, kw, cb, out, in] -> [groups, kh, out, kw * channels]
    rows = layer.weights.transpose(0, 1, 4, 2, 3, 5).reshape(g.groups, g.kernel[0], n, kernel, g.cb * n)
    flat = np.zeros((g.groups, g.kernel[0], n, blocks * n), np.int8)
    flat[..., : kernel * channels] = rows[..., :channels].reshape(g.groups, g.kernel[0], n, -1)
    weights = flat.reshape(g.groups, g.kernel[0], n, blocks, n).transpose(0, 1, 3, 2, 4)[:, :, None]
    geometry = replace(
        g,
        in_w=g.out_w,
        cb=blocks,
        kernel=(g.kernel[0], 1),
        stride=(g.stride[0], 1),
        dilation=(g.dilation[0], 1),
        pad=(g.pad[0], 0),
    )
    fold = Fold(g.out_w, kernel, g.stride[1], g.dilation[1], g.pad[1])
    folded = replace(layer, geometry=geometry, weights=np.ascontiguousarray(weights))
    return folded, fold, (layout[0], g.out_w, kernel * channels)
