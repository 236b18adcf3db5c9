"""Contract tflite against a second runtime: TensorFlow Lite Micro, from its own wheel, which rounds twice.

It requantises a fully connected layer in integers, as the core does and LiteRT's reference kernel does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tflite_micro.python.tflite_micro.runtime import Interpreter

from compiler.tflite_build import TfliteBuilder
from models.quantize import Rounding
from models.tests import test_conv_litert as conv
from models.tests import test_fully_connected_litert as dense
from models.tests.litert import Verdict, assert_caught, generator, judge

ARENA = 16 << 20  # bytes


def run(model: bytes, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """The output of a model of one input and output."""
    interpreter = Interpreter.from_bytes(model, arena_size=ARENA)
    interpreter.set_input(x, 0)
    interpreter.invoke()
    return interpreter.get_output(0)


def tflm_conv(case: conv.Case) -> NDArray[np.int8]:
    b = TfliteBuilder()
    # A scale per channel always: of one for all, TFLM takes the first for every channel as well.
    scales = np.broadcast_to(case.w_scale, len(case.w))
    x = b.add_tensor("x", (1, *case.x.shape), np.int8, case.x_scale, case.x_zp)
    w = b.add_tensor("w", case.w.shape, np.int8, scales, data=case.w)
    bias = b.add_tensor("b", case.bias.shape, np.int32, np.float32(case.x_scale) * scales, data=case.bias)
    y = b.add_tensor("y", (1, *case.accumulators().shape), np.int8, case.y_scale, case.y_zp)
    window: dict[str, Any] = {"stride": case.stride, "dilation": case.dilation, "padding": case.kind}
    b.conv2d(x, w, bias, y, activation=case.activation, **window)
    return run(b.finish([x], [y]), case.x[np.newaxis])[0]


def tflm_dense(case: dense.Case) -> NDArray[np.int8]:
    b = TfliteBuilder()
    x = b.add_tensor("x", case.x.shape, np.int8, case.x_scale, case.x_zp)
    w = b.add_tensor("w", case.w.shape, np.int8, case.w_scale, data=case.w)
    scale = np.float32(case.x_scale) * case.w_scale
    bias = b.add_tensor("b", case.bias.shape, np.int32, scale, data=case.bias)
    y = b.add_tensor("y", (len(case.x), len(case.w)), np.int8, case.y_scale, case.y_zp)
    b.fully_connected(x, w, bias, y, activation=case.activation)
    return run(b.finish([x], [y]), case.x)


def convolutions(name: str, mode: Rounding) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = conv.draw(rng)
        if case.kind != "EXPLICIT":
            yield case.finish(case.accumulators(), mode), tflm_conv(case)


def dense_layers(name: str, model: Callable[[dense.Case], NDArray[np.int8]]) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        case = dense.draw(rng)
        yield model(case), tflm_dense(case)


def test_convolution_matches_tflm() -> None:
    judge("conv2d, mode 0 (TFLM)", convolutions("tflm conv", Rounding.DOUBLE))


def test_fully_connected_matches_tflm() -> None:
    judge("fully connected, mode 0 (TFLM)", dense_layers("tflm fc", dense.Case.hardware))


def test_other_roundings_are_caught() -> None:
    """Were the wheel built with TFLITE_SINGLE_ROUNDING, this would be the wrong judge."""
    assert_caught("conv2d", convolutions("tflm single", Rounding.SINGLE))
    assert_caught("fully connected", dense_layers("tflm litert", dense.Case.like_litert))
