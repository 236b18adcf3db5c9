"""ADD, SUB and MUL with a constant, or with one pixel that meets a whole image, against LiteRT."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.tests.test_errors import refused
from compiler.tests.test_network import generator
from compiler.tests.test_ops_copy import assert_same
from compiler.tflite_build import TfliteBuilder

SHAPE = (1, 6, 5, 11)


@pytest.mark.parametrize("shape", [SHAPE, (1, 1, 1, 11), (11,), (1, 6, 1, 11)])
@pytest.mark.parametrize("op", ["add", "sub", "mul"])
@pytest.mark.parametrize("first", [False, True])
def test_constant(op: str, shape: tuple[int, ...], first: bool) -> None:
    """A tensor, a vector per channel, a row; on either side, but for the subtrahend."""
    rng = generator("constant", op, len(shape) + first)
    b = TfliteBuilder()
    x = b.add_tensor("x", SHAPE, np.int8, 0.04, 3)
    k = b.add_tensor("k", shape, np.int8, 0.03, -7, data=rng.integers(-128, 128, shape).astype(np.int8))
    y = b.add_tensor("y", SHAPE, np.int8, 0.05 if op != "mul" else 0.1, 9)
    getattr(b, op)(*((k, x) if first else (x, k)), y, activation="RELU")
    model = b.finish([x], [y])
    if first and op == "sub":
        assert "'k' is a constant; only the second operand may be one" in refused(model)
    else:
        assert_same(model, rng.integers(-128, 128, SHAPE).astype(np.int8))


@pytest.mark.parametrize("first", [False, True])
def test_one_pixel(first: bool) -> None:
    """Squeeze and excitation: a mean that scales the image it comes from."""
    rng = generator("pixel", "mul", int(first))
    b = TfliteBuilder()
    x = b.add_tensor("x", SHAPE, np.int8, 0.04, 3)
    m = b.add_tensor("m", (1, 1, 1, 11), np.int8, 0.02, 1)
    y = b.add_tensor("y", SHAPE, np.int8, 0.05, 9)
    b.mean(x, m)
    b.mul(*((m, x) if first else (x, m)), y)
    assert_same(b.finish([x], [y]), rng.integers(-128, 128, SHAPE).astype(np.int8))


def test_a_row_that_is_computed_is_refused() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    row = b.add_tensor("row", (1, 1, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 4, 4, 2), np.int8, 0.1)
    b.max_pool(x, row, kernel=(4, 1))
    b.add(x, row, y)
    assert "both must have one shape, or the second one pixel" in refused(b.finish([x], [y]))
