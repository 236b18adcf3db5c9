"""ADD, SUB and MUL against LiteRT's reference kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.tflite_build import TfliteBuilder
from models.elementwise import (
    RECORD_BYTES,
    Element,
    Elementwise,
    element,
    fp32_element,
    pairs_apart,
    tflite_element,
)
from models.quantize import INT32_MIN, Rounding, activation_range
from models.tests.litert import Verdict, assert_caught, generator, judge, run

KINDS = (Elementwise.ADD, Elementwise.SUB, Elementwise.MUL)


@dataclass
class Case:
    """Two tensors [1, H, W, C], or a vector [C] as the second, and their quantisation."""

    kind: Elementwise
    x1: NDArray[np.int8]
    x2: NDArray[np.int8]
    scales: tuple[float, float, float]
    zero_points: tuple[int, int, int]
    activation: str
    constant: bool

    def record(self) -> Element:
        bounds = activation_range(self.activation, self.scales[2], self.zero_points[2])
        return tflite_element(self.kind, self.scales, self.zero_points, bounds)

    def model(self, mode: Rounding = Rounding.DOUBLE) -> NDArray[np.int8]:
        return element(self.x1, self.x2, self.kind, self.record(), mode)

    def litert(self) -> NDArray[np.int8]:
        b = TfliteBuilder()
        data = self.x2 if self.constant else None
        s, z = self.scales, self.zero_points
        x1 = b.add_tensor("x1", self.x1.shape, np.int8, s[0], z[0])
        x2 = b.add_tensor("x2", self.x2.shape, np.int8, s[1], z[1], data=data)
        y = b.add_tensor("y", np.broadcast_shapes(self.x1.shape, self.x2.shape), np.int8, s[2], z[2])
        add = {Elementwise.ADD: b.add, Elementwise.SUB: b.sub, Elementwise.MUL: b.mul}[self.kind]
        add(x1, x2, y, activation=self.activation)
        if self.constant:
            return run(b.finish([x1], [y]), self.x1)[0]
        return run(b.finish([x1, x2], [y]), self.x1, self.x2)[0]


def draw(rng: np.random.Generator, kind: Elementwise) -> Case:
    """Random scales, or ratios with few bits: then ties are frequent, and so are the modes' differences."""
    shape = (1, *(int(n) for n in rng.integers(1, 40, 3)))
    s1, s2 = np.exp(rng.uniform(np.log(0.001), np.log(0.5), 2)).tolist()
    if rng.random() < 0.3:
        s1, s2 = (int(n) / 64.0 for n in rng.integers(1, 33, 2))
        ratio = float(2.0 ** rng.integers(-2, 4))
    else:
        ratio = float(8 ** rng.uniform(-1, 1))
    s_out = s1 * s2 * 32 * ratio if kind == Elementwise.MUL else max(s1, s2) * ratio
    constant = bool(rng.random() < 0.4)
    return Case(
        kind=kind,
        x1=rng.integers(-128, 128, shape, dtype=np.int8),
        x2=rng.integers(-128, 128, (shape[-1],) if constant else shape, dtype=np.int8),
        scales=tuple(float(np.float32(s)) for s in (s1, s2, s_out)),  # type: ignore[arg-type]
        zero_points=tuple(int(z) for z in rng.integers(-128, 128, 3)),  # type: ignore[arg-type]
        activation=str(rng.choice(["NONE", "RELU", "RELU6", "RELU_N1_TO_1"], p=[0.7, 0.1, 0.1, 0.1])),
        constant=constant,
    )


def verdicts(name: str, kind: Elementwise, model: Callable[[Case], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = draw(rng, kind)
        yield model(case), case.litert()


@pytest.mark.parametrize("kind", KINDS)
def test_element_matches_litert(kind: Elementwise) -> None:
    judge(f"{kind.name}, mode 0", verdicts(kind.name, kind, Case.model))


@pytest.mark.parametrize("kind", KINDS)
def test_other_modes_are_caught(kind: Elementwise) -> None:
    single = verdicts(f"{kind.name} single", kind, lambda case: case.model(Rounding.SINGLE))
    assert_caught(f"{kind.name}, mode 1 for mode 0", single, 1_000_000)

    def fp32(case: Case) -> NDArray[np.int8]:
        bounds = activation_range(case.activation, case.scales[2], case.zero_points[2])
        record = fp32_element(case.kind, case.scales, case.zero_points, bounds)
        return element(case.x1, case.x2, case.kind, record, Rounding.FP32)

    assert_caught(f"{kind.name}, mode 2 for mode 0", verdicts(f"{kind.name} fp32", kind, fp32))


@pytest.mark.parametrize("kind", KINDS)
def test_swapped_zero_points_are_caught(kind: Elementwise) -> None:
    def swapped(case: Case) -> NDArray[np.int8]:
        record = case.record()
        record = replace(record, zp1=record.zp2, zp2=record.zp1)
        return element(case.x1, case.x2, case.kind, record, Rounding.DOUBLE)

    assert_caught(kind.name, verdicts(f"{kind.name} swapped", kind, swapped))


def test_subtraction_is_not_the_sum_with_a_negated_multiplier() -> None:
    """A tie in the scaling of x2 rounds up: the multiplier's sign shows where the sum is a tie, too."""
    scales = (1.0, (2**21 - 1) / 2**21, 2.0)
    record = tflite_element(Elementwise.SUB, scales, (0, 0, 0))
    everything = np.arange(-128, 128).astype(np.int8)
    x1, x2 = (v.reshape(1, 1, 1, -1) for v in (np.repeat(everything, 256), np.tile(everything, 256)))
    case = Case(Elementwise.SUB, x1, x2, scales, (0, 0, 0), "NONE", False)
    negated = element(x1, x2, Elementwise.ADD, replace(record, m2=-record.m2), Rounding.DOUBLE)
    theirs = case.litert()
    np.testing.assert_array_equal(case.model(), theirs)
    assert np.count_nonzero(negated != theirs) > 0


def test_fp32_rounds_the_real_value_once() -> None:
    """Every pair of values, scales with few bits: the exact result fits a double."""
    x1, x2 = np.meshgrid(*[np.arange(-128, 128).astype(np.int8)] * 2)
    for kind, scales in (
        (Elementwise.ADD, (0.5, 0.375, 1.0)),
        (Elementwise.SUB, (1.0, 3.0, 8.0)),
        (Elementwise.MUL, (0.25, 0.5, 4.0)),
        (Elementwise.ADD, (2.0**20, 1.0, 2.0**16)),
        (Elementwise.ADD, (2.0**-40, 2.0**-42, 1.0)),
    ):
        zp1, zp2, out_zp = -7, 5, 3
        r1, r2 = (x1.astype(float) - zp1) * scales[0], (x2.astype(float) - zp2) * scales[1]
        real = {Elementwise.ADD: r1 + r2, Elementwise.SUB: r1 - r2, Elementwise.MUL: r1 * r2}[kind] / scales[
            2
        ]
        expected = np.clip(np.rint(real + out_zp), -100, 101)
        record = fp32_element(kind, scales, (zp1, zp2, out_zp), (-100, 101))
        np.testing.assert_array_equal(element(x1, x2, kind, record, Rounding.FP32), expected)


def test_record_layout() -> None:
    record = Element(-1, 2, -3, -4, 5, -6, 7, -8, m1=1, m2=-2, m_out=INT32_MIN)
    assert record.encode() == bytes.fromhex("ff02fdfc05fa07f801000000feffffff00000080")
    assert len(record.encode()) == RECORD_BYTES


def test_what_has_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="too far above"):
        tflite_element(Elementwise.ADD, (1.0, 0.5, 2.0**-20), (0, 0, 0))
    with pytest.raises(ValueError, match="too far above"):
        fp32_element(Elementwise.SUB, (1.0, 0.5, 2.0**-32), (0, 0, 0))
    x, record = np.zeros(1, np.int8), Element(0, 0, 0)
    with pytest.raises(ValueError, match="kind must be"):
        element(x, x, Elementwise.NONE, record, Rounding.DOUBLE)
    with pytest.raises(ValueError, match="expected int8"):
        element(x, x.astype(np.int32), Elementwise.ADD, record, Rounding.DOUBLE)
    with pytest.raises(ValueError, match="ADD or MUL"):
        pairs_apart(Elementwise.SUB, (1.0, 1.0, 1.0), record)
    with pytest.raises(ValueError, match="FP32 shift"):
        element(x, x, Elementwise.ADD, replace(record, s_out=63), Rounding.FP32)
