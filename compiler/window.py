"""Where the input of a piece of a layer lies: windows, padding, and windows cut into parts."""

from __future__ import annotations

from dataclasses import dataclass

from compiler.layer import Geometry, Pair


@dataclass(frozen=True)
class Piece:
    """Part of a window: kernel rows [ky, ky+kh), columns [kx, kx+kw), input-channel blocks [c, c+cb)."""

    ky: int
    kh: int
    kx: int
    kw: int
    c: int
    cb: int


@dataclass(frozen=True)
class Span:
    """Where the input of output rows (or columns) lies along one axis.

    first, count: input rows to load, every `step`-th, at least one; before, after: rows of padding around
    them; stride, dilation: in loaded rows; skip: loaded rows before the first tap's.
    """

    first: int
    count: int
    step: int
    before: int
    after: int
    stride: int
    dilation: int
    skip: int = 0

    @property
    def size(self) -> int:
        return self.before + self.count + self.after


def input_span(geometry: Geometry, axis: int, first: int, count: int, k: int, taps: int) -> Span:
    """Input that `count` output rows (axis 0) or columns (1) from `first` need for taps [k, k+taps)."""
    size = (geometry.in_h, geometry.in_w)[axis]
    stride, dilation, pad = geometry.stride[axis], geometry.dilation[axis], geometry.pad[axis]
    begin = first * stride - pad + k * dilation
    if taps == 1 and stride > 1:
        # Single rows a stride apart: do not load what lies between.
        lowest = max(-(begin // stride), 0)
        highest = min((size - 1 - begin) // stride, count - 1)
        if lowest <= highest:
            return Span(
                begin + lowest * stride, highest - lowest + 1, stride, lowest, count - 1 - highest, 1, 1
            )
    # A LOAD needs a row of the tensor, even when all that the taps see is padding.
    end = max(begin + (count - 1) * stride + (taps - 1) * dilation + 1, 1)
    start = min(begin, size - 1)
    low, high = max(start, 0), min(end, size)
    return Span(low, high - low, 1, low - start, end - high, stride, dilation, begin - start)


def input_size(geometry: Geometry, rows: int, columns: int, piece: Piece) -> Pair:
    """(rows, columns) of the largest input of all tiles of that size, padding included."""

    def largest(axis: int, total: int, size: int, k: int, taps: int) -> int:
        starts = range(0, total, size)
        return max(input_span(geometry, axis, o, min(size, total - o), k, taps).size for o in starts)

    height = largest(0, geometry.out_h, rows, piece.ky, piece.kh)
    return height, largest(1, geometry.out_w, columns, piece.kx, piece.kw)


def taps_inside(geometry: Geometry, axis: int) -> list[int]:
    """For each output row (axis 0) or column (1), the kernel's rows or columns that are not padding."""
    size, outputs = ((geometry.in_h, geometry.out_h), (geometry.in_w, geometry.out_w))[axis]
    kernel, pad = geometry.kernel[axis], geometry.pad[axis]
    starts = [at * geometry.stride[axis] - pad for at in range(outputs)]
    return [max(min(start + kernel, size) - max(start, 0), 0) for start in starts]


def balanced(total: int, most: int) -> int:
    """Size of equal parts of `total`, none larger than `most`."""
    parts = -(-total // most)
    return -(-total // parts)


def cut_window(geometry: Geometry, words: int) -> tuple[Piece, ...]:
    """The window as pieces of at most `words` (kernel tap, channel block) pairs, in the weights' order."""
    (kh, kw), cb = geometry.kernel, geometry.cb
    if kw * cb <= words:
        step = balanced(kh, words // (kw * cb))
        return tuple(Piece(ky, min(step, kh - ky), 0, kw, 0, cb) for ky in range(0, kh, step))
    taps = [(ky, kx) for ky in range(kh) for kx in range(kw)]
    if cb <= words:
        step = balanced(kw, words // cb)
        return tuple(
            Piece(ky, 1, kx, min(step, kw - kx), 0, cb) for ky in range(kh) for kx in range(0, kw, step)
        )
    step = balanced(cb, words)
    return tuple(Piece(ky, 1, kx, 1, c, min(step, cb - c)) for ky, kx in taps for c in range(0, cb, step))
