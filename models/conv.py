"""Convolution: int8 in, int32 accumulators out."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Pair = tuple[int, int]
Padding = tuple[int, int, int, int]


def conv2d(
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
    *,
    stride: Pair = (1, 1),
    dilation: Pair = (1, 1),
    padding: Padding = (0, 0, 0, 0),
    x_zp: int = 0,
    w_zp: int = 0,
    groups: int = 1,
) -> NDArray[np.int32]:
    """Sum of (x - x_zp) * (w - w_zp) over the window, plus bias; padding taps hold x_zp and so add nothing.

    x: int8 [H, W, C]. w: int8 [O, kh, kw, C / groups]. bias: int32 [O]. stride, dilation: (rows, columns), at
    least 1. padding: rows and columns (top, bottom, left, right). x_zp, w_zp: int8; w_zp is 0 except in uint8
    models. groups: output channel o sees the input channels of group o // (O / groups); groups = C is a
    depthwise convolution.
    Returns int32 [OH, OW, O], wrapped as the hardware's accumulators wrap. Raises ValueError for other
    dtypes, shapes that do not fit, and an input smaller than the window.
    Source: TFLite reference_integer_ops::ConvPerChannel and DepthwiseConvPerChannel, ONNX QLinearConv.
    """
    if (x.dtype, w.dtype, bias.dtype) != (np.int8, np.int8, np.int32):
        raise ValueError(f"expected x int8, w int8, bias int32, got {x.dtype}, {w.dtype}, {bias.dtype}")
    outputs, kh, kw, channels = w.shape
    if x.ndim != 3 or x.shape[2] != channels * groups or outputs % groups or bias.shape != (outputs,):
        raise ValueError(f"x {x.shape}, w {w.shape} and bias {bias.shape} do not belong together")
    span = _span((kh, kw), dilation)
    top, bottom, left, right = padding
    padded = (x.shape[0] + top + bottom, x.shape[1] + left + right)
    if padded[0] < span[0] or padded[1] < span[1]:
        raise ValueError(f"padded input {padded} is smaller than the window {span}")
    centred, weights = x.astype(np.float64) - x_zp, w.astype(np.float64) - w_zp
    sums = window_sums(centred, weights, stride=stride, dilation=dilation, padding=padding, groups=groups)
    return (sums.astype(np.int64) + bias).astype(np.int32)


def _span(kernel: Pair, dilation: Pair) -> Pair:
    """Rows and columns from a window's first tap to its last."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def window_sums(
    x: NDArray[np.float64],
    w: NDArray[np.float64],
    *,
    stride: Pair,
    dilation: Pair,
    padding: Padding,
    groups: int,
) -> NDArray[np.float64]:
    """Sum of x * w over each window, [OH, OW, O]; padding adds nothing. x: [H, W, C]; the rest as `conv2d`.

    Of integers of nine bits it is exact: their magnitudes add up to less than 2^53 below 2^37 taps.
    """
    outputs, kh, kw, channels = w.shape
    span = _span((kh, kw), dilation)
    top, bottom, left, right = padding
    centred = np.pad(x, ((top, bottom), (left, right), (0, 0)))
    windows = sliding_window_view(centred, span, axis=(0, 1))
    taps = windows[:: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    rows, columns = taps.shape[:2]
    if groups == 1:
        patches = taps.transpose(0, 1, 3, 4, 2).reshape(rows * columns, kh * kw * channels)
        sums = patches @ w.reshape(outputs, -1).T
    else:
        split = taps.reshape(rows, columns, groups, channels, kh, kw)
        grouped = split.transpose(2, 0, 1, 4, 5, 3).reshape(groups, rows * columns, kh * kw * channels)
        products = grouped @ w.reshape(groups, outputs // groups, -1).transpose(0, 2, 1)
        sums = products.transpose(1, 0, 2).reshape(rows * columns, outputs)
    return sums.reshape(rows, columns, outputs)


def tflite_padding(kind: str, size: Pair, kernel: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Padding:
    """(top, bottom, left, right) for TFLite's padding kinds.

    kind: SAME or VALID. size: input (rows, columns). SAME makes ceil(size / stride) outputs; an odd amount
    puts the extra row or column at the end. Raises ValueError for another kind.
    """
    if kind == "VALID":
        return 0, 0, 0, 0
    if kind != "SAME":
        raise ValueError(f"unknown padding {kind!r}; expected SAME or VALID")
    ends: list[int] = []
    for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
        total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        ends += [total // 2, total - total // 2]
    return ends[0], ends[1], ends[2], ends[3]
