"""What a runtime says of the tensors that the RTL has made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Judged:
    """A tensor over all images, against the runtime. own: values in which its layer differs on the inputs
    that it had. excused: another operator's difference, which is known, explains this tensor's."""

    values: int = 0
    mismatches: int = 0
    largest: int | float = 0
    own: int = 0
    excused: bool = False

    def add(self, ours: NDArray, theirs: NDArray) -> None:
        """One image's values."""
        wide = np.float64 if ours.dtype.kind == "f" else np.int64
        difference = np.abs(ours.astype(wide) - theirs.astype(wide)).reshape(-1)
        self.values += difference.size
        self.mismatches += int(np.count_nonzero(difference))
        self.largest = max(self.largest, difference.max(initial=0).item())


@dataclass
class Verdict:
    """tensors: by name. outputs: the network's, per image, from the RTL. unexplained: values in which the
    runtime differs from what its own arithmetic, as modelled, makes. notes: what a reader must know."""

    tensors: dict[str, Judged] = field(default_factory=dict)
    outputs: dict[str, list[NDArray]] = field(default_factory=dict)
    unexplained: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def failures(self) -> int:
        judged = sum(j.mismatches for j in self.tensors.values() if not j.excused)
        return judged + self.unexplained

    @property
    def values(self) -> int:
        return sum(judged.values for judged in self.tensors.values())

    @property
    def mismatches(self) -> int:
        return sum(judged.mismatches for judged in self.tensors.values())

    @property
    def largest(self) -> int | float:
        return max((judged.largest for judged in self.tensors.values()), default=0)
