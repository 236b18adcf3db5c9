"""A network as the compiler sees it: tensors with their quantisation, nodes in order of execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """name: unique in its graph. scales, zero_points: one value, or one per index of `axis`; empty when the
    tensor is not quantised. data: contents of a constant, of that shape and dtype, or None. unsigned: it was
    uint8 in the file and is int8 here, 128 less."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int = 0
    data: NDArray | None = None
    unsigned: bool = False

    @property
    def scale(self) -> float:
        """The scale of a tensor that has exactly one."""
        return float(self.scales[0])

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor that has exactly one scale."""
        return int(self.zero_points[0])


@dataclass(frozen=True)
class Node:
    """One operator. inputs, outputs: tensor names, None for an optional input that is absent."""

    op: str
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.outputs[0]


@dataclass(frozen=True)
class Origin:
    """How an activation lies in a model file that is not NHWC int8.

    name: the tensor there that holds the integers, empty if there is none. shape, dtype: there. image: the
    (channels, rows, columns) that the values are, when there are any; a flattened tensor keeps those it had,
    because flattening NCHW and NHWC orders the values differently.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    image: tuple[int, int, int] | None = None

    @property
    def ir_shape(self) -> tuple[int, ...]:
        """Shape in the graph: [1, rows, columns, channels], or as in the file. Five dimensions are an image,
        too, with its channels in groups."""
        if len(self.shape) not in (4, 5) or self.image is None:
            return self.shape
        channels, rows, columns = self.image
        return (1, rows, columns, channels)

    def to_ir(self, value: NDArray) -> NDArray[np.int8]:
        """The file's values (of its shape and dtype) as the graph has them: int8, channels last."""
        signed = value if self.dtype == np.int8 else (value ^ 0x80).view(np.int8)
        if self.image is not None:
            signed = signed.reshape(self.image).transpose(1, 2, 0)
        return np.ascontiguousarray(signed).reshape(self.ir_shape)

    def from_ir(self, value: NDArray[np.int8]) -> NDArray:
        """The inverse of `to_ir`."""
        if self.image is not None:
            channels, rows, columns = self.image
            value = value.reshape(rows, columns, channels).transpose(2, 0, 1)
        signed = np.ascontiguousarray(value).reshape(self.shape)
        return signed if self.dtype == np.int8 else signed.view(np.uint8) ^ 0x80


CONTRACTS = ("tflite", "tflite-single", "fp32")


@dataclass(frozen=True)
class Graph:
    """tensors by name; inputs and outputs are tensor names; nodes in an order that can be executed.

    contract: whose arithmetic the network was made for, one of CONTRACTS. delegated: contract fp32 of a
    .tflite file, the nodes (by name) that XNNPACK executes; the others are TFLite's, as in contract tflite.
    None for a network that is ONNX Runtime's.
    origins: by tensor name, for networks whose file has another layout or type. host: what the host does
    before the inputs and after the outputs, in words for the user.
    """

    tensors: dict[str, Tensor]
    nodes: list[Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    contract: str = "tflite"
    origins: dict[str, Origin] = field(default_factory=dict)
    host: tuple[str, ...] = ()
    delegated: frozenset[str] | None = None
