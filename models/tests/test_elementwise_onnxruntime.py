"""QLinearAdd and QLinearMul against ONNX Runtime: the float model exactly, the core's form by its share.

Scales come in two families. Random ones: the two sides never meet a tie. Scales with few significant bits,
ratios like 1/2 or 3/4: ties everywhere, and there the core's single rounding and the runtime's float sums
part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.elementwise import Elementwise, element, fit_fp32_element, fp32_element, pairs_apart
from models.ort import qlinear_add, qlinear_mul
from models.quantize import Rounding
from models.tests.litert import Verdict, assert_caught, generator, judge
from models.tests.onnxruntime_ops import (
    UInt8,
    as_int8,
    as_type,
    draw_scale,
    draw_type,
    measure,
    run_node,
)

Scales = tuple[np.float32, np.float32, np.float32]


@dataclass
class Case:
    """Two tensors in NCHW, int8 here; `dtype` is the network's type, in which zero_points are given."""

    kind: Elementwise
    a: NDArray[np.int8]
    b: NDArray[np.int8]
    dtype: np.dtype
    scales: Scales
    zero_points: tuple[int, int, int]

    def exact(self) -> NDArray[np.int8]:
        a, b = as_type(self.a, self.dtype), as_type(self.b, self.dtype)
        if self.kind == Elementwise.MUL:
            return as_int8(qlinear_mul(a, b, self.scales, self.zero_points))
        return as_int8(qlinear_add(a, b, self.scales, self.zero_points, b_first=self.a.size < self.b.size))

    def core(self, tie_after_zero_point: bool = True) -> NDArray[np.int8]:
        shift = 128 if self.dtype == UInt8 else 0
        zero_points = tuple(z - shift for z in self.zero_points)
        record = fp32_element(self.kind, self.scales, zero_points)  # type: ignore[arg-type]
        return element(
            self.a, self.b, self.kind, record, Rounding.FP32, tie_after_zero_point=tie_after_zero_point
        )

    def fitted(self) -> NDArray[np.int8]:
        unsigned = self.dtype == UInt8
        zero_points = tuple(z - 128 * unsigned for z in self.zero_points)
        record = fp32_element(self.kind, self.scales, zero_points)  # type: ignore[arg-type]
        ways = {"unsigned": unsigned, "tie_after_zero_point": True}
        best = fit_fp32_element(self.kind, self.scales, record, **ways)
        before = pairs_apart(self.kind, self.scales, record, **ways)
        assert pairs_apart(self.kind, self.scales, best, **ways) < before or best == record
        return element(self.a, self.b, self.kind, best, Rounding.FP32, tie_after_zero_point=True)

    def runtime(self) -> NDArray[np.int8]:
        inputs: list[tuple[str, Any]] = []
        for name, scale, zero in zip("aby", self.scales, self.zero_points, strict=True):
            inputs += [(name, None)] if name != "y" else []
            inputs += [(f"{name}s", scale), (f"{name}z", np.array(zero, dtype=self.dtype))]
        feeds = {"a": as_type(self.a, self.dtype), "b": as_type(self.b, self.dtype)}
        return as_int8(
            run_node("QLinearMul" if self.kind == Elementwise.MUL else "QLinearAdd", inputs, feeds)
        )


def draw(rng: np.random.Generator, kind: Elementwise, few_bits: bool) -> Case:
    dtype, shift = draw_type(rng)
    if few_bits:
        unit = draw_scale(rng) if rng.random() < 0.5 else np.float32(1 / 64)
        s_a, s_b = (np.float32(int(n)) * unit for n in rng.integers(1, 9, 2))
        ratio = float(2.0 ** rng.integers(-1, 3))
    else:
        s_a, s_b = draw_scale(rng), draw_scale(rng)
        ratio = float(4 ** rng.uniform(-1, 1))
    s_y = np.float32(s_a * s_b * 32 * ratio if kind == Elementwise.MUL else max(s_a, s_b) * ratio)
    shape = (1, *(int(n) for n in rng.integers([1, 1, 1], [24, 30, 30])))
    # A vector per channel, one value, or a whole tensor; on either side.
    small = (shape, shape, (1, shape[1], 1, 1), (1, 1, 1, 1))[rng.integers(4)]
    a, b = (rng.integers(-128, 128, s, dtype=np.int8) for s in (shape, small))
    if rng.random() < 0.5:
        a, b = b, a
    zero_points = tuple(int(z) + shift for z in rng.integers(-128, 128, 3))
    return Case(kind, a, b, dtype, (s_a, s_b, s_y), zero_points)  # type: ignore[arg-type]


def verdicts(
    name: str, kind: Elementwise, model: Callable[[Case], NDArray[np.int8]], *, few_bits: float = 0.5
) -> Iterator[Verdict]:
    """few_bits: share of cases whose scales have few bits."""
    rng = generator(name)
    while True:
        case = draw(rng, kind, bool(rng.random() < few_bits))
        yield model(case), case.runtime()


@pytest.mark.parametrize("kind", [Elementwise.ADD, Elementwise.MUL])
def test_float_model_matches_onnxruntime(kind: Elementwise) -> None:
    judge(f"QLinear{kind.name.title()}, float model", verdicts(f"q{kind.name}", kind, Case.exact))


@pytest.mark.parametrize("kind", [Elementwise.ADD, Elementwise.MUL])
@pytest.mark.parametrize("tie_after", [False, True])
@pytest.mark.parametrize(("scales", "few_bits", "share"), [("random scales", 0, 1e-5), ("ties", 1, 0.06)])
def test_core_form(kind: Elementwise, tie_after: bool, scales: str, few_bits: float, share: float) -> None:
    where = "core" if tie_after else "tie before zp"
    name = f"QLinear{kind.name.title()}, {where}, {scales}"
    model = partial(Case.core, tie_after_zero_point=tie_after)
    measure(name, verdicts(name, kind, model, few_bits=few_bits), share)


@pytest.mark.parametrize("kind", [Elementwise.ADD, Elementwise.MUL])
def test_core_form_fitted(kind: Elementwise) -> None:
    name = f"QLinear{kind.name.title()}, core fitted, random scales"
    measure(name, verdicts(name, kind, Case.fitted, few_bits=0), 1e-5)


@pytest.mark.parametrize("kind", [Elementwise.ADD, Elementwise.MUL])
def test_all_pairs_of_a_layer_can_be_compared(kind: Elementwise) -> None:
    """pairs_apart says what a comparison with ONNX Runtime of all pairs says, for both places of a tie."""
    rng, exact = generator(f"pairs {kind.name}"), 0
    x1, x2 = np.meshgrid(*[np.arange(-128, 128).astype(np.int8)] * 2, indexing="ij")
    for number in range(40):
        # The core's own ties leave next to nothing apart in a product.
        after = number % 2 == 0
        drawn = draw(rng, kind, few_bits=number % 4 < 2)
        case = replace(drawn, a=x1.reshape(1, 1, 256, 256), b=x2.reshape(1, 1, 256, 256))
        unsigned = case.dtype == UInt8
        zero_points = tuple(z - 128 * unsigned for z in case.zero_points)
        record = fp32_element(kind, case.scales, zero_points)  # type: ignore[arg-type]
        options = {"unsigned": unsigned, "tie_after_zero_point": after}
        apart = pairs_apart(kind, case.scales, record, **options)
        assert apart == np.count_nonzero(case.core(after) != case.runtime())
        exact += apart == 0
    assert 10 < exact < 40


def test_order_of_the_float_additions_is_seen() -> None:
    def other_order(case: Case) -> NDArray[np.int8]:
        a, b = as_type(case.a, case.dtype), as_type(case.b, case.dtype)
        return as_int8(qlinear_add(a, b, case.scales, case.zero_points, b_first=case.a.size >= case.b.size))

    wrong = verdicts("order", Elementwise.ADD, other_order, few_bits=1)
    assert_caught("QLinearAdd, other order", wrong, 2_000_000)


def test_zero_point_after_the_rounding_is_seen() -> None:
    before = partial(Case.core, tie_after_zero_point=False)
    assert_caught("QLinearMul", verdicts("mul core", Elementwise.MUL, before, few_bits=1), 2_000_000)
