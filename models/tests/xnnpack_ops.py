"""Random operators of one node for LiteRT's default path, int8 or uint8: what the file holds, and the models.

Everything is int8 here; `Kind` turns it into what the file has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.tests.litert import Verdict, generator, run, run_default

Int8Array = NDArray[np.int8]
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")


@dataclass(frozen=True)
class Kind:
    """The type of a file's tensors."""

    unsigned: bool

    @property
    def dtype(self) -> type:
        return np.uint8 if self.unsigned else np.int8

    @property
    def shift(self) -> int:
        return 128 if self.unsigned else 0

    def to(self, x: Int8Array) -> NDArray:
        return x.view(np.uint8) ^ 0x80 if self.unsigned else x

    def back(self, x: NDArray) -> Int8Array:
        return (x ^ 0x80).view(np.int8) if self.unsigned else x


@dataclass
class Judged:
    """A file of one operator under construction. inputs: the values that it is run with."""

    kind: Kind
    builder: TfliteBuilder = field(default_factory=TfliteBuilder)
    numbers: list[int] = field(default_factory=list)
    inputs: list[NDArray] = field(default_factory=list)

    def given(self, x: Int8Array, scale: float, zero_point: int) -> int:
        """An input."""
        number = self.tensor(x.shape, scale, zero_point)
        self.numbers.append(number)
        self.inputs.append(self.kind.to(x))
        return number

    def tensor(self, shape: tuple[int, ...], scale: float, zero_point: int) -> int:
        name = f"t{len(self.numbers)}"
        return self.builder.add_tensor(name, shape, self.kind.dtype, scale, zero_point + self.kind.shift)

    def constant(self, x: Int8Array, scale: Any, zero_point: int = 0, **more: Any) -> int:
        return self.builder.add_tensor(
            "k", x.shape, self.kind.dtype, scale, zero_point + self.kind.shift, data=self.kind.to(x), **more
        )

    def run(self, *ys: int, taken: bool | None = True) -> Int8Array:
        """LiteRT's outputs, stacked where there are several. taken: XNNPACK must, or must not, have computed
        all of them."""
        results, found = run_default(self.builder.finish(self.numbers, ys), *self.inputs)
        if taken is not None:
            wanted = len(ys) if taken else 0
            assert len(found) == wanted, f"XNNPACK has taken the operators {sorted(found)} of {len(ys)}"
        return self.kind.back(np.stack(results) if len(ys) > 1 else results[0])

    def run_reference(self, y: int) -> Int8Array:
        """The output by LiteRT's reference kernels."""
        return self.kind.back(run(self.builder.finish(self.numbers, [y]), *self.inputs)[0])


def draw_scale(rng: np.random.Generator, low: float = 0.001, high: float = 0.5) -> float:
    """Random, or with few bits: then ties are frequent."""
    if rng.random() < 0.3:
        return float(2.0 ** rng.integers(-6, -1) * rng.integers(1, 9))
    return float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))


def draw_zero(rng: np.random.Generator) -> int:
    return int(rng.integers(-128, 128))


def draw_kind(rng: np.random.Generator) -> Kind:
    return Kind(bool(rng.random() < 0.4))


def verdicts(
    name: str, draw: Callable[[np.random.Generator], Any], model: Callable[[Any], Int8Array]
) -> Iterator[Verdict]:
    """Pairs of (what a model says of a case, what its `litert` says)."""
    rng = generator(name)
    while True:
        case = draw(rng)
        yield model(case), case.litert()
