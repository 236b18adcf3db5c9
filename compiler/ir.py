"""A network as the compiler sees it: tensors with their quantisation, nodes in order of execution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tensor:
    """name: unique in its graph. scales, zero_points: one value, or one per index of `axis`; empty when the
    tensor is not quantised. data: contents of a constant, of that shape and dtype, or None."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    scales: NDArray[np.float32]
    zero_points: NDArray[np.int64]
    axis: int = 0
    data: NDArray | None = None

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
class Graph:
    """tensors by name; inputs and outputs are tensor names; nodes in an order that can be executed."""

    tensors: dict[str, Tensor]
    nodes: list[Node]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
