"""Activation tables against LiteRT's reference kernels, every entry of every table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import OpResolverType

from compiler.tflite_build import TfliteBuilder
from models.activation import (
    INPUTS,
    Table,
    abs_table,
    apply_table,
    elu_table,
    exp_table,
    float_table,
    gelu_table,
    hard_swish_table,
    leaky_relu_table,
    log_table,
    neg_table,
    prelu_table,
    relu_table,
    requantize_table,
    rsqrt_table,
    sigmoid_table,
    sqrt_table,
    tanh_table,
)
from models.quantize import Rounding
from models.tests.litert import Verdict, assert_caught, generator, judge, run

# Operators in one model: building and loading a file costs more than running it.
BATCH = 64

Model = Callable[..., Table]


def draw(rng: np.random.Generator, operator: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(scales and zero points, further arguments of the operator)."""
    x_scale = np.exp(rng.uniform(np.log(0.001), np.log(0.5)))
    y_scale = x_scale * (1.0 if rng.random() < 0.1 else 8 ** rng.uniform(-1, 1))
    quantisation: dict[str, Any] = {
        "x_scale": float(np.float32(x_scale)),
        "x_zp": int(rng.integers(-128, 128)),
        "y_scale": float(np.float32(y_scale)),
        "y_zp": int(rng.integers(-128, 128)),
    }
    if operator == "logistic":
        quantisation |= {"y_scale": 1 / 256, "y_zp": -128}
    if operator == "tanh":
        quantisation |= {"y_scale": 1 / 128, "y_zp": 0}
    if operator == "leaky_relu":
        return quantisation, {"alpha": float(np.float32(rng.uniform(0, 1.5)))}
    if operator == "gelu":
        return quantisation, {"approximate": bool(rng.integers(2))}
    if operator == "prelu":
        scale = float(np.float32(np.exp(rng.uniform(np.log(0.0005), np.log(0.01)))))
        return quantisation, {"slope": int(rng.integers(-128, 128)), "slope_scale": scale}
    if operator == "NEG":
        return quantisation | {"x_zp": 0, "y_zp": 0, "y_scale": quantisation["x_scale"]}, {}
    if operator in ROOTS:
        # The largest value within the output's range, or a little outside.
        root = (255 * x_scale) ** 0.5 if operator == "SQRT" else x_scale**-0.5
        scale = float(np.float32(root / rng.uniform(50, 400)))
        return quantisation | {"x_zp": -128, "y_scale": scale}, {}
    return quantisation, {}


def verdicts(name: str, operator: str, model: Model) -> Iterator[Verdict]:
    """Pairs of (tables by the model, tables by LiteRT), BATCH tables a pair."""
    rng = generator(name)
    while True:
        drawn = [draw(rng, operator) for _ in range(BATCH)]
        b = TfliteBuilder()
        xs = [b.add_tensor("x", (256,), np.int8, q["x_scale"], q["x_zp"]) for q, _ in drawn]
        ys = [b.add_tensor("y", (256,), np.int8, q["y_scale"], q["y_zp"]) for q, _ in drawn]
        for x, y, (_, arguments) in zip(xs, ys, drawn, strict=True):
            if operator == "prelu":
                data = np.array([arguments["slope"]], np.int8)
                b.prelu(x, b.add_tensor("slope", (1,), np.int8, arguments["slope_scale"], data=data), y)
            elif operator.isupper():
                b.unary(operator, x, y)
            else:
                getattr(b, operator)(x, y, **arguments)
        # Of ELU LiteRT has no reference kernel.
        resolver = OpResolverType.BUILTIN_REF
        if operator == "ELU":
            resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        theirs = run(b.finish(xs, ys), *[INPUTS] * BATCH, resolver=resolver)
        ours = [model(**quantisation, **arguments) for quantisation, arguments in drawn]
        yield np.stack(ours), np.stack(theirs)


def relu6_table(**quantisation: Any) -> Table:
    return relu_table(**quantisation, activation="RELU6")


TABLES: dict[str, Model] = {
    "logistic": sigmoid_table,
    "tanh": tanh_table,
    "leaky_relu": leaky_relu_table,
    "hard_swish": hard_swish_table,
    "relu": relu_table,
    "relu6": relu6_table,
    "quantize": requantize_table,
    "gelu": gelu_table,
    "prelu": prelu_table,
    "ABS": abs_table,
    "ELU": elu_table,
    "EXP": exp_table,
    "LOG": log_table,
    "NEG": neg_table,
    "RELU_0_TO_1": partial(relu_table, activation="RELU_0_TO_1"),
    "RSQRT": rsqrt_table,
    "SQRT": sqrt_table,
}
# LiteRT does not run a root of what may be negative.
ROOTS = ("RSQRT", "SQRT")


@pytest.mark.parametrize("operator", TABLES)
def test_table_matches_litert(operator: str) -> None:
    judge(f"{operator} table", verdicts(operator, operator, TABLES[operator]))


@pytest.mark.parametrize("operator", TABLES)
def test_one_wrong_entry_is_caught(operator: str) -> None:
    """One step too far in one entry of each table."""

    def off_by_one(**arguments: Any) -> Table:
        table = TABLES[operator](**arguments).copy()
        table[17] += 1 if table[17] < 0 else -1
        return table

    assert_caught(f"{operator} table", verdicts(f"{operator} wrong", operator, off_by_one))


@pytest.mark.parametrize("operator", ["quantize", "relu", "leaky_relu", "prelu", "ABS"])
def test_single_rounding_is_caught(operator: str) -> None:
    """Contract tflite-single has other tables."""
    single = partial(TABLES[operator], mode=Rounding.SINGLE)
    assert_caught(f"{operator} table", verdicts(f"{operator} single", operator, single))


def test_real_hard_swish_is_caught() -> None:
    """TFLite's fixed point is not the real function."""

    def real(**quantisation: Any) -> Table:
        return float_table(lambda v: v * np.clip(v + 3, 0, 6) / 6, **quantisation)

    assert_caught("hard swish table", verdicts("hard swish real", "hard_swish", real))


def test_hard_swish_refuses_what_it_cannot_represent() -> None:
    for x_scale, y_scale in ((1.0, 1 / 256), (0.01, 100.0), (1e-8, 1e-8)):
        with pytest.raises(ValueError, match="hard swish cannot represent"):
            hard_swish_table(x_scale, 0, y_scale, 0)


def test_apply_table_indexes_by_bit_pattern() -> None:
    x = np.array([[-128, -1], [0, 127]], dtype=np.int8)
    identity = requantize_table(1.0, 0, 1.0, 0)
    assert identity.view(np.uint8).tolist() == list(range(256))
    np.testing.assert_array_equal(apply_table(x, identity), x)
