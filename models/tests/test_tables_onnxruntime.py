"""Tables, QuantizeLinear and DequantizeLinear against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.activation import INPUTS
from models.ort import dequantize, leaky_relu, quantize, sigmoid, table
from models.tests.litert import JUDGED, SEED, Tally, Verdict, assert_caught, generator, judge, judged
from models.tests.onnxruntime_ops import as_int8, as_type, draw_scale, draw_type, run_node


@dataclass
class Case:
    """One table; zero points in the network's type."""

    dtype: np.dtype
    scales: tuple[np.float32, np.float32]
    zero_points: tuple[int, int]
    alpha: float

    def model(self, operator: str) -> NDArray[np.int8]:
        function = {
            "QLinearSigmoid": sigmoid,
            "QLinearLeakyRelu": leaky_relu(self.alpha),
            "QLinearConcat": lambda x: x,
        }[operator]
        entries = table(function, self.scales, self.zero_points, self.dtype.type)
        # In the order of the int8 values that INPUTS has.
        return as_int8(entries[as_type(INPUTS, self.dtype).view(np.uint8)])

    def runtime(self, operator: str) -> NDArray[np.int8]:
        x, y = (
            [(f"{name}s", scale), (f"{name}z", np.array(zero, dtype=self.dtype))]
            for name, scale, zero in zip("xy", self.scales, self.zero_points, strict=True)
        )
        feeds = {"x": as_type(INPUTS, self.dtype)}
        if operator == "QLinearConcat":
            return as_int8(run_node(operator, [*y, ("x", None), *x], feeds, axis=0))
        attributes: dict[str, Any] = {"alpha": self.alpha} if operator == "QLinearLeakyRelu" else {}
        return as_int8(run_node(operator, [("x", None), *x, *y], feeds, **attributes))


def draw(rng: np.random.Generator, operator: str) -> Case:
    dtype, shift = draw_type(rng)
    scale = draw_scale(rng)
    out = np.float32(1 / 256 if operator == "QLinearSigmoid" else scale * 8 ** rng.uniform(-1, 1))
    zero_points = (int(rng.integers(-128, 128)) + shift, int(rng.integers(-128, 128)) + shift)
    return Case(dtype, (scale, out), zero_points, float(np.float32(rng.uniform(0, 1.5))))


BATCH = 16


def verdicts(name: str, operator: str, model: Callable[[Case], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        cases = [draw(rng, operator) for _ in range(BATCH)]
        ours = np.concatenate([model(case) for case in cases])
        yield ours, np.concatenate([case.runtime(operator) for case in cases])


@pytest.mark.parametrize("operator", ["QLinearSigmoid", "QLinearLeakyRelu", "QLinearConcat"])
def test_table_matches_onnxruntime(operator: str) -> None:
    judge(f"{operator} as a table", verdicts(operator, operator, partial(Case.model, operator=operator)))


@pytest.mark.parametrize("operator", ["QLinearSigmoid", "QLinearLeakyRelu", "QLinearConcat"])
def test_one_wrong_entry_is_caught(operator: str) -> None:
    def off_by_one(case: Case) -> NDArray[np.int8]:
        entries = case.model(operator).copy()
        entries[17] += 1 if entries[17] < 0 else -1
        return entries

    assert_caught(operator, verdicts(f"{operator} wrong", operator, off_by_one))


def values(name: str, few_bits: bool) -> Iterator[tuple[NDArray[np.float32], np.float32, int, np.dtype]]:
    """(float32 values, scale, zero point, type): random, or in quarters of the scale so that ties abound."""
    rng = generator(name)
    while True:
        dtype, shift = draw_type(rng)
        scale = draw_scale(rng)
        spread = rng.normal(0, 60, 100_000) if not few_bits else rng.integers(-600, 600, 100_000) / 4
        x = (spread * scale).astype(np.float32)
        x[:6] = [0.0, -0.0, 1e30, -1e30, np.inf, -np.inf]
        yield x, scale, int(rng.integers(-128, 128)) + shift, dtype


@pytest.mark.parametrize("few_bits", [False, True])
def test_quantize_linear_matches_onnxruntime(few_bits: bool) -> None:
    def compared() -> Iterator[Verdict]:
        for x, scale, zero, dtype in values(f"quantize {few_bits}", few_bits):
            constants: list[tuple[str, Any]] = [("s", scale), ("z", np.array(zero, dtype=dtype))]
            theirs = run_node("QuantizeLinear", [("x", None), *constants], {"x": x}, domain="", output=dtype)
            yield as_int8(quantize(x, scale, zero, dtype.type)), as_int8(theirs)

    judge(f"QuantizeLinear{', ties' if few_bits else ''}", compared())


def test_quantize_half_away_is_caught() -> None:
    def compared() -> Iterator[Verdict]:
        for x, scale, zero, dtype in values("quantize away", True):
            constants: list[tuple[str, Any]] = [("s", scale), ("z", np.array(zero, dtype=dtype))]
            theirs = run_node("QuantizeLinear", [("x", None), *constants], {"x": x}, domain="", output=dtype)
            limits = np.iinfo(dtype)
            level = np.clip(x / scale, -1000, 1000)
            away = np.trunc(level + np.copysign(0.5, level)) + zero
            yield as_int8(np.clip(away, limits.min, limits.max).astype(dtype)), as_int8(theirs)

    assert_caught("QuantizeLinear", compared())


def test_dequantize_linear_matches_onnxruntime() -> None:
    """float32 results, compared bit by bit."""
    rng, tally = generator("dequantize"), Tally("DequantizeLinear")
    while tally.values < JUDGED:
        dtype, shift = draw_type(rng)
        scale, zero = draw_scale(rng, 1e-6, 100.0), int(rng.integers(-128, 128)) + shift
        x = as_type(rng.integers(-128, 128, 50_000, dtype=np.int8), dtype)
        constants: list[tuple[str, Any]] = [("s", scale), ("z", np.array(zero, dtype=dtype))]
        theirs = run_node(
            "DequantizeLinear", [("x", None), *constants], {"x": x}, domain="", output=np.float32
        )
        tally.values += x.size
        tally.mismatches += int(np.count_nonzero(dequantize(x, scale, zero) != theirs))
    judged.append(tally)
    assert tally.mismatches == 0, f"{tally.mismatches} of {tally.values} differ, SEED={SEED}"
