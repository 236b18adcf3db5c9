"""Tables as operators, and uint8 networks: compiler and reference machine against LiteRT."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import OpResolverType

from compiler.tests.test_errors import refused
from compiler.tests.test_network import generator
from compiler.tests.test_ops_copy import assert_same
from compiler.tflite_build import TfliteBuilder

EVERY_VALUE = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def scale(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.float32(rng.uniform(low, high)))


@pytest.mark.parametrize("trial", range(8))
@pytest.mark.parametrize(
    "op", "ABS EXP GELU GELU_TANH LOG PRELU QUANTIZE RELU_0_TO_1 RELU_N1_TO_1 RSQRT SQRT".split()
)
def test_every_entry(op: str, trial: int) -> None:
    rng = generator("table", op, trial)
    b = TfliteBuilder()
    shape = EVERY_VALUE.shape
    # LiteRT does not run a root of what may be negative.
    zero = -128 if op in ("RSQRT", "SQRT") else int(rng.integers(-128, 128))
    x = b.add_tensor("x", shape, np.int8, scale(rng, 0.005, 0.1), zero)
    y = b.add_tensor("y", shape, np.int8, scale(rng, 0.005, 0.1), int(rng.integers(-128, 128)))
    if op == "PRELU":
        slope = np.full((1, 1, 1), rng.integers(-128, 128), np.int8)
        zero = int(rng.integers(-20, 20))
        b.prelu(x, b.add_tensor("slope", (1, 1, 1), np.int8, scale(rng, 0.001, 0.01), zero, data=slope), y)
    elif op == "QUANTIZE":
        b.quantize(x, y)
    elif op.startswith("GELU"):
        b.gelu(x, y, approximate=op != "GELU")
    else:
        b.unary(op, x, y)
    assert_same(b.finish([x], [y]), EVERY_VALUE.view(np.int8))


def test_prelu_with_a_slope_per_channel_is_refused() -> None:
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 3), np.int8, 0.1) for name in "xy")
    slopes = b.add_tensor("slopes", (1, 1, 3), np.int8, 0.01, data=np.ones((1, 1, 3), np.int8))
    b.prelu(x, slopes, y)
    assert "one per channel is not supported" in refused(b.finish([x], [y]))


UNSIGNED = (
    "conv",
    "depthwise",
    "dense",
    "average",
    "max",
    "mean",
    "concat",
    "pad",
    "logistic",
    "tanh",
    "relu",
)


@pytest.mark.parametrize("trial", range(4))
@pytest.mark.parametrize("op", UNSIGNED)
def test_uint8_operator(op: str, trial: int) -> None:
    """The same tensors less 128; averages round a tie up, unlike those of int8."""
    rng = generator("uint8", op, trial)
    b, shape = TfliteBuilder(), (1, 8, 8, 6)
    x_scale, w_scale = scale(rng, 0.01, 0.1), scale(rng, 0.002, 0.02)
    zero, other = (int(z) for z in rng.integers(0, 256, 2))
    x = b.add_tensor("x", shape, np.uint8, x_scale, zero)

    def result(size: tuple[int, ...], factor: float = 1.3, **fixed: Any) -> int:
        given = {"scale": x_scale * factor, "zero_point": other, **fixed}
        return b.add_tensor("y", size, np.uint8, given["scale"], given["zero_point"])

    def weights(size: tuple[int, ...], outputs: int) -> tuple[int, int]:
        data = rng.integers(1, 256, size).astype(np.uint8)
        bias = rng.integers(-5000, 5000, outputs).astype(np.int32)
        w = b.add_tensor("w", size, np.uint8, w_scale, 128, data=data)
        return w, b.add_tensor("k", (outputs,), np.int32, x_scale * w_scale, 0, data=bias)

    if op == "conv":
        y = result((1, 8, 8, 10), w_scale * 700)
        b.conv2d(x, *weights((10, 3, 3, 6), 10), y)
    elif op == "depthwise":
        y = result(shape, w_scale * 300)
        b.depthwise_conv2d(x, *weights((1, 3, 3, 6), 6), y)
    elif op == "average":
        y = result((1, 4, 2, 6), 1, zero_point=zero)
        b.average_pool(x, y, kernel=(2, 4))
    elif op == "max":
        y = result((1, 4, 4, 6), 1, zero_point=zero)
        b.max_pool(x, y, kernel=(2, 2))
    elif op == "mean":
        y = result((1, 1, 1, 6))
        b.mean(x, y)
    elif op == "concat":
        y = result((1, 8, 8, 12), 1, zero_point=zero)
        b.concatenation([x, x], y)
    elif op == "pad":
        y = result((1, 9, 11, 6), 1, zero_point=zero)
        b.pad(x, y, [(0, 0), (1, 0), (2, 1), (0, 0)])
    elif op == "dense":
        # LiteRT requantises this one in float: few enough values that all agree.
        flat = b.add_tensor("flat", (1, 384), np.uint8, x_scale, zero)
        b.reshape(x, flat)
        y = result((1, 10), w_scale * 1500)
        b.fully_connected(flat, *weights((10, 384), 10), y)
    else:
        fixed = {"logistic": (1 / 256, 0), "tanh": (1 / 128, 128)}.get(op, (x_scale * 1.3, other))
        y = result(shape, scale=fixed[0], zero_point=fixed[1])
        getattr(b, op)(x, y)
    assert_same(b.finish([x], [y]), rng.integers(0, 256, shape).astype(np.uint8))


def test_uint8_average_with_padding_is_refused() -> None:
    """There the number of values differs from window to window, and with it what rounds a tie up."""
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 5, 5, 3), np.uint8, 0.1, 9)
    y = b.add_tensor("y", (1, 3, 3, 3), np.uint8, 0.1, 9)
    b.average_pool(x, y, kernel=(2, 2), padding="SAME")
    assert "uint8 average" in refused(b.finish([x], [y]))


@pytest.mark.parametrize("zero", [0, 3, 127, 200, 255])
@pytest.mark.parametrize("op", ["conv", "depthwise"])
def test_uint8_weights_with_any_zero_point(op: str, zero: int) -> None:
    """Less their zero point the weights need nine bits: the sum of two layers' weights."""
    rng = generator("uint8 weights", op, zero)
    b, shape = TfliteBuilder(), (1, 7, 6, 5)
    x = b.add_tensor("x", shape, np.uint8, 0.05, 100)
    data = rng.integers(0, 255, (5, 3, 3, 5) if op == "conv" else (1, 3, 3, 5)).astype(np.uint8)
    w = b.add_tensor("w", data.shape, np.uint8, 0.01, zero, data=data)
    bias = rng.integers(-5000, 5000, 5).astype(np.int32)
    k = b.add_tensor("k", (5,), np.int32, 0.05 * 0.01, 0, data=bias)
    y = b.add_tensor("y", shape, np.uint8, 1.9 if op == "conv" else 0.7, 90)
    (b.conv2d if op == "conv" else b.depthwise_conv2d)(x, w, k, y)
    assert_same(b.finish([x], [y]), rng.integers(0, 256, shape).astype(np.uint8))


def test_a_weight_of_255_is_refused() -> None:
    """Two int8 add up to 254 at most."""
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 1), np.uint8, 0.1, 100) for name in "xy")
    w = b.add_tensor("w", (1, 1, 1, 1), np.uint8, 0.1, 0, data=np.full((1, 1, 1, 1), 255, np.uint8))
    b.conv2d(x, w, b.add_tensor("k", (1,), np.int32, 0.01, data=np.zeros(1, np.int32)), y)
    assert "CONV_2D 'y': weights less their zero point reach 255" in refused(b.finish([x], [y]))


@pytest.mark.parametrize("trial", range(8))
def test_elu(trial: int) -> None:
    """LiteRT has no reference kernel of it; the optimised one is the judge."""
    rng = generator("elu", trial)
    b = TfliteBuilder()
    x, y = (
        b.add_tensor(name, EVERY_VALUE.shape, np.int8, scale(rng, 0.005, 0.1), int(rng.integers(-128, 128)))
        for name in "xy"
    )
    b.unary("ELU", x, y)
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    assert_same(b.finish([x], [y]), EVERY_VALUE.view(np.int8), resolver=resolver)


def test_neg_of_integers_that_mean_something_else_is_refused() -> None:
    """LiteRT's kernel does not look at the quantisation."""
    b = TfliteBuilder()
    x = b.add_tensor("x", EVERY_VALUE.shape, np.int8, 0.1, 0)
    y = b.add_tensor("y", EVERY_VALUE.shape, np.int8, 0.1, 0)
    b.unary("NEG", x, y)
    assert_same(b.finish([x], [y]), EVERY_VALUE.view(np.int8))
    z = b.add_tensor("z", EVERY_VALUE.shape, np.int8, 0.1, 1)
    b.unary("NEG", y, z)
    assert "NEG 'z': LiteRT negates the integers" in refused(b.finish([x], [z]))
