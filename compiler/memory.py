"""Where everything lies in DRAM.

    constants (weights, parameter records, tables) | programs | image areas

An image area holds every activation tensor of one image, inputs and outputs included; no two tensors share
memory, so that each can be read after the run. Everything starts at a multiple of a burst; areas at a page.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compiler.errors import CompileError
from compiler.layer import Layout, blocks_of
from compiler.optimise import Fold, Repeat
from models.config import Config
from models.isa import PAGE

DRAM_MAX = 1 << 31


@dataclass(frozen=True)
class Placement:
    """offset: bytes from the start of the image area. shape: the tensor's own; layout: in DRAM, which for a
    folded input is another."""

    offset: int
    shape: tuple[int, ...]
    layout: Layout
    fold: Fold | Repeat | None = None


def align(value: int, to: int) -> int:
    """The next multiple of `to`."""
    return -(-value // to) * to


@dataclass
class Memory:
    """Collects constants and tensors; their addresses are final as soon as they are added.

    between: offsets of tensors within a layer, which the network does not know.
    """

    config: Config
    constants: list[NDArray[np.uint8]] = field(default_factory=list)
    tensors: dict[str, Placement] = field(default_factory=dict)
    between: dict[str, int] = field(default_factory=dict)
    constant_bytes: int = 0
    area_bytes: int = 0

    def _grain(self) -> int:
        return min(self.config.max_burst * self.config.n, PAGE)

    def add_constant(self, data: NDArray) -> int:
        """Byte address of a copy of data."""
        raw = np.frombuffer(np.ascontiguousarray(data).tobytes(), dtype=np.uint8)
        address = self.constant_bytes
        size = align(raw.size, self._grain())
        self.constants.append(np.pad(raw, (0, size - raw.size)))
        self.constant_bytes += size
        return address

    def add_tensor(
        self, name: str, shape: tuple[int, ...], layout: Layout, fold: Fold | Repeat | None = None
    ) -> None:
        self.tensors[name] = Placement(self._add_words(name, layout), shape, layout, fold)

    def add_between(self, name: str, layout: Layout) -> None:
        """A tensor that a layer makes for itself."""
        self.between[name] = self._add_words(name, layout)

    def offset(self, name: str) -> int:
        """Bytes from the start of the image area to a tensor."""
        return self.between[name] if name in self.between else self.tensors[name].offset

    def _add_words(self, name: str, layout: Layout) -> int:
        """Room for a tensor; returns its offset."""
        if self.area_bytes > DRAM_MAX:
            raise CompileError(f"the tensors up to {name!r} take more than {DRAM_MAX >> 30} GiB of DRAM")
        rows, columns, channels = layout
        offset = self.area_bytes
        size = rows * columns * blocks_of(channels, self.config.n) * self.config.n
        self.area_bytes = align(offset + size, self._grain())
        return offset

    def add_alias(self, name: str, source: str, shape: tuple[int, ...], layout: Layout) -> None:
        """A tensor that is another one under another shape."""
        self.tensors[name] = Placement(self.tensors[source].offset, shape, layout)
