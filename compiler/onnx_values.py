"""What a name in an ONNX graph stands for while it is read, and the shapes of windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.conv import Padding, Pair


@dataclass(frozen=True)
class Quantisation:
    """Scale(s) and zero point(s) as in the file; axis: of a value per channel; dtype: of the integers."""

    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    dtype: np.dtype
    axis: int = 0

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Quantisation)
            and self.dtype == other.dtype
            and np.array_equal(self.scales, other.scales)
            and np.array_equal(self.zero_points, other.zero_points)
        )


@dataclass(frozen=True)
class Stored:
    """A tensor of the graph: its integers, or (real) the values that DequantizeLinear makes of them."""

    tensor: str
    real: bool


@dataclass(frozen=True)
class Constant:
    """data as in the file; quantisation: None for plain values; real: dequantised (data stay integers)."""

    data: NDArray
    quantisation: Quantisation | None = None
    real: bool = False


@dataclass(frozen=True)
class Pending:
    """The real result of a node that is not quantised yet.

    emit(name, quantisation, clamp): adds the node to the graph once its output is known; clamp is the range
    of a Relu or Clip between the two, in real numbers.
    """

    operator: str
    emit: Callable[[str, Quantisation, tuple[float, float]], None]
    clamp: tuple[float, float] = (-inf, inf)

    def clamped(self, low: float, high: float) -> Pending:
        """With a Relu or Clip behind it; where low is above high, everything becomes high, as in ONNX."""
        bottom, top = (min(max(end, low), high) for end in self.clamp)
        return replace(self, clamp=(bottom, top))


@dataclass(frozen=True)
class Function:
    """A real function of one tensor: element-wise nodes that lead from the real value `source` to `name`."""

    tensor: str
    source: str
    name: str
    nodes: tuple[Any, ...]
    constants: dict[str, NDArray]


@dataclass(frozen=True)
class Input:
    """A graph input; float32 until a QuantizeLinear, or integers until a node says their scale."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype


@dataclass(frozen=True)
class Hosted:
    """What the host computes after the last tensor of the graph. tensors: what it needs."""

    tensors: tuple[str, ...]
    operator: str


Value = Stored | Constant | Pending | Function | Input | Hosted


@dataclass(frozen=True)
class Window:
    """A kernel that slides over an image. padding: (top, bottom, left, right)."""

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Padding

    def output(self, size: Pair) -> Pair:
        """Rows and columns of the result."""
        top, bottom, left, right = self.padding
        padded = (size[0] + top + bottom, size[1] + left + right)
        rows, columns = (
            (n - (k - 1) * d - 1) // s + 1
            for n, k, s, d in zip(padded, self.kernel, self.stride, self.dilation, strict=True)
        )
        return rows, columns

    def options(self) -> dict[str, Any]:
        """As the graph's nodes carry it: names of the TFLite schema, padding spelt out."""
        return {
            "filterHeight": self.kernel[0],
            "filterWidth": self.kernel[1],
            "strideH": self.stride[0],
            "strideW": self.stride[1],
            "dilationHFactor": self.dilation[0],
            "dilationWFactor": self.dilation[1],
            "padding": "EXPLICIT",
            "pads": self.padding,
        }


def read_window(attributes: dict[str, Any], kernel: Pair, size: Pair) -> Window:
    """The window of a Conv or a pool. Raises ValueError, saying what about it cannot be had."""
    stride = _pair(attributes.get("strides", (1, 1)), "strides")
    dilation = _pair(attributes.get("dilations", (1, 1)), "dilations")
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    if auto in ("NOTSET", "VALID"):
        pads = tuple(attributes.get("pads", (0, 0, 0, 0))) if auto == "NOTSET" else (0, 0, 0, 0)
        if len(pads) != 4 or min(pads) < 0:
            raise ValueError(f"pads are {list(pads)}; four that are not negative are needed")
        padding: Padding = (pads[0], pads[2], pads[1], pads[3])
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        ends: list[int] = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
            small, large = total // 2, total - total // 2
            ends += [small, large] if auto == "SAME_UPPER" else [large, small]
        padding = (ends[0], ends[1], ends[2], ends[3])
    else:
        raise ValueError(f"auto_pad is {auto!r}")
    if attributes.get("ceil_mode", 0):
        padding = _ceil_padding(padding, kernel, stride, dilation, size)
    window = Window(kernel, stride, dilation, padding)
    if min(window.output(size)) < 1:
        raise ValueError(
            f"the window {kernel[0]} x {kernel[1]} is larger than its input {size[0]} x {size[1]}"
        )
    return window


def _ceil_padding(padding: Padding, kernel: Pair, stride: Pair, dilation: Pair, size: Pair) -> Padding:
    """Padding that makes ceil_mode's outputs: the last window may hang over, but must start inside."""
    ends = list(padding)
    for axis, (n, k, s, d) in enumerate(zip(size, kernel, stride, dilation, strict=True)):
        before, after = ends[2 * axis], ends[2 * axis + 1]
        span = (k - 1) * d + 1
        outputs = -(-(n + before + after - span) // s) + 1
        if (outputs - 1) * s >= n + before:
            outputs -= 1
        ends[2 * axis + 1] = max(0, (outputs - 1) * s + span - n - before)
    return ends[0], ends[1], ends[2], ends[3]


def _pair(value: Any, name: str) -> Pair:
    if len(value) != 2:
        raise ValueError(f"{name} are {list(value)}; only two dimensions are supported")
    return int(value[0]), int(value[1])
