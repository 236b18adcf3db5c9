"""A layer: one pass over a tensor that the core can make, with its constants in the core's formats."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.config import PARAM_WORDS
from models.elementwise import Element, Elementwise
from models.isa import PoolKind
from models.quantize import Rounding

Layout = tuple[int, int, int]  # rows, columns, channels of a tensor in DRAM, channels not padded
Pair = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """A window that walks over an input. Pairs are (rows, columns); cb: input-channel blocks; groups: output
    channel blocks. pad: (top, left); what the last window needs at the bottom and right follows."""

    in_h: int
    in_w: int
    cb: int
    out_h: int
    out_w: int
    groups: int
    kernel: Pair
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    pad: Pair = (0, 0)


@dataclass(frozen=True)
class Partner:
    """A second operand, which post takes from the residual buffer beside the layer's own result.

    source: a tensor laid out like the layer's target; None for a constant, which is `data`, int8 [rows,
    columns, channels padded to n]. broadcast: the operand is one pixel that meets every pixel of the target.
    pairs_apart: of all pairs of values, those that the runtime of the contract computes otherwise.
    """

    source: str | None
    kind: Elementwise
    record: Element
    data: NDArray[np.int8] | None = None
    broadcast: bool = False
    pairs_apart: int = 0


@dataclass(frozen=True)
class Scatter:
    """Results that do not fill the target one by one: pixel (y, x) goes to (y * factors[0] + dy,
    x * factors[1] + dx) for each (dy, dx) of offsets. columns: of the target."""

    factors: Pair
    offsets: tuple[Pair, ...]
    columns: int


@dataclass(frozen=True, kw_only=True)
class Layer:
    """source, target: tensor names. pad_value: int8 in padding taps. params: uint8 [groups, 9, n] records, or
    None when post bypasses the requantiser. table: int8 [256] or None. rounding: of params and partner.
    scatter: where the results go when they do not fill the target; then there is no partner."""

    name: str
    op: str
    macs: int
    source: str
    target: str
    geometry: Geometry
    pad_value: int = 0
    zero_point: int = 0
    act_min: int = -128
    act_max: int = 127
    params: NDArray[np.uint8] | None = None
    table: NDArray[np.int8] | None = None
    partner: Partner | None = None
    rounding: Rounding = Rounding.DOUBLE
    scatter: Scatter | None = None


@dataclass(frozen=True, kw_only=True)
class ConvLayer(Layer):
    """weights: int8 [groups, kh, kw, cb, n, n], the order in which conv uses them. rest: what weights beyond
    int8 lack, of the same shape; both add up in the accumulators."""

    weights: NDArray[np.int8]
    rest: NDArray[np.int8] | None = None


@dataclass(frozen=True, kw_only=True)
class PoolLayer(Layer):
    """padding_counts: padding is a value like any other (PAD), not something that a window leaves out.
    sums_apart: of a mean, the sums of all that can occur which the runtime rounds otherwise.
    counts: where the multiplier depends on how many taps of a window are no padding, those numbers; params
    then holds the records of all groups for each of them, in this order."""

    kind: PoolKind
    padding_counts: bool = False
    sums_apart: int = 0
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupedLayer(Layer):
    """A convolution whose output blocks see only some of the input blocks: depthwise and grouped.

    Output block g sees input blocks [starts[g], starts[g] + depth); starts never falls.
    weights: int8 [groups, kh, kw, depth, n, n]. Where every output channel sees one input channel only, seen
    says which, int64 [output channels], and kernels are the taps, int8 [groups, n, kh, kw].
    """

    weights: NDArray[np.int8]
    starts: tuple[int, ...]
    depth: int
    kernels: NDArray[np.int8] | None = None
    seen: NDArray[np.int64] | None = None

    @property
    def one_to_one(self) -> bool:
        """Output channel i sees input channel i and no other."""
        return self.seen is not None and np.array_equal(self.seen, np.arange(len(self.seen)))

    def dense(self) -> ConvLayer:
        """The same with a weight of 0 for every input block that is not seen."""
        groups, kh, kw, depth, n, _ = self.weights.shape
        weights = np.zeros((groups, kh, kw, self.geometry.cb, n, n), dtype=np.int8)
        for group, start in enumerate(self.starts):
            weights[group, :, :, start : start + depth] = self.weights[group]
        shared = {f.name: getattr(self, f.name) for f in fields(Layer)}
        return ConvLayer(**shared, weights=weights)


@dataclass(frozen=True)
class Selected:
    """Blocks [first, first + blocks) of tensor number `source`, times weights of 0 and 1, [blocks, n, n]."""

    source: int
    first: int
    weights: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class SelectLayer(Layer):
    """Channels of one or more tensors in a new order: nothing but copies (CONCATENATION, slices of channels).

    sources: tensor names, sizes: channel blocks of each. parts: of each output block, what is added up.
    All tensors share the geometry's rows and columns.
    """

    sources: tuple[str, ...]
    sizes: tuple[int, ...]
    parts: tuple[tuple[Selected, ...], ...]


@dataclass(frozen=True)
class Alias:
    """A tensor that is another one under a different shape: no work."""

    source: str
    target: str


def blocks_of(channels: int, n: int) -> int:
    """Words that hold `channels` channels."""
    return -(-channels // n)


def pack_weights(weights: NDArray[np.int8], n: int) -> NDArray[np.int8]:
    """int8 [O, kh, kw, C] -> [groups, kh, kw, cb, n, n], padded with zeros."""
    outputs, kh, kw, channels = weights.shape
    groups, cb = blocks_of(outputs, n), blocks_of(channels, n)
    padded = np.zeros((groups * n, kh, kw, cb * n), dtype=np.int8)
    padded[:outputs, :, :, :channels] = weights
    return np.ascontiguousarray(padded.reshape(groups, n, kh, kw, cb, n).transpose(0, 2, 3, 4, 1, 5))


def pack_params(bias: ArrayLike, multiplier: ArrayLike, shift: ArrayLike, n: int) -> NDArray[np.uint8]:
    """Parameter records uint8 [groups, 9, n] from values per output channel.

    bias is taken modulo 2^32. A padding channel has bias 0 and multiplier 0: its output is the zero point.
    """
    wide = np.asarray(bias, dtype=np.int64)
    groups = blocks_of(wide.size, n)

    def padded(values: ArrayLike, dtype: str) -> NDArray[np.uint8]:
        out = np.zeros(groups * n, dtype=np.int64)
        out[: wide.size] = values
        return out.astype(dtype).view(np.uint8).reshape(groups, -1)

    record = np.concatenate([padded(wide, "<i4"), padded(multiplier, "<i4"), padded(shift, "i1")], axis=1)
    return record.reshape(groups, PARAM_WORDS, n)
