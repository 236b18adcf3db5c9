"""Contract tflite-single against Arm's TOSA reference model, whose RESCALE rounds once.

No wheel of TensorFlow Lite has TFLITE_SINGLE_ROUNDING. TOSA's SINGLE_ROUND is the same sentence:
(value * multiplier + 2^(shift - 1)) >> shift. Its DOUBLE_ROUND is mode 0, and judged here, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.elementwise import LEFT_SHIFT, Elementwise
from models.quantize import (
    INT32_MAX,
    INT32_MIN,
    Rounding,
    activation_range,
    effective_scale,
    quantize_multiplier,
    requantize,
)
from models.tests import test_conv_litert as conv
from models.tests import test_depthwise_litert as depthwise
from models.tests import test_elementwise_litert as element
from models.tests import test_fully_connected_litert as dense
from models.tests.litert import Verdict, assert_caught, generator, judge
from models.tests.tosa import SHIFT_MAX, SHIFT_MIN, Network, Unpredictable

SINGLE, DOUBLE = Rounding.SINGLE, Rounding.DOUBLE
Pair = tuple[int, int]


def numbers(rng: np.random.Generator) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """(sums [rows, C], multiplier [C], shift to the right [C]) for which TOSA has a result: every shift, the
    ends of the range, and many ties."""
    channels = 256
    shift = np.resize(np.arange(SHIFT_MIN, SHIFT_MAX + 1), channels)
    multiplier = rng.integers(2**30, 2**31, channels)
    few_bits = rng.random(channels) < 0.3
    multiplier[few_bits] = multiplier[few_bits] >> 28 << 28
    # A sum has as many bits as it is shifted by, a result 32.
    pairs = list(zip(multiplier.tolist(), shift.tolist(), strict=True))
    most = [min(2 ** (t - 1) - 1, ((2**32 - 1) * 2 ** (t - 1) - 1) // m, INT32_MAX) for m, t in pairs]
    high, low = np.array(most), np.maximum(-np.array(most) - 1, INT32_MIN)
    low = np.where(high < INT32_MAX, -high, low)
    acc = rng.integers(low, high, (2048, channels), endpoint=True)
    acc[0], acc[1] = high, low
    near = rng.integers(-40, 40, (512, channels))
    acc[2:514] = near.clip(low, high)
    return acc.astype(np.int32), multiplier, shift


def requantised(name: str, ours: Rounding, theirs: Rounding = SINGLE) -> Iterator[Verdict]:
    rng = generator(name)
    while True:
        acc, multiplier, shift = numbers(rng)
        network = Network(acc)
        result = network.rescale(network.inputs[0], multiplier, shift, theirs, np.int32)
        yield requantize(acc, multiplier, 31 - shift, ours), network.run(result)


def finish(network: Network, sums: str, case: Any, mode: Rounding) -> NDArray[np.int8]:
    """The sums' way to int8."""
    multiplier, shift = quantize_multiplier(effective_scale(case.x_scale, case.w_scale, case.y_scale))
    scaled = network.rescale(sums, multiplier, 31 - shift, mode, np.int8, (0, case.y_zp))
    ends = activation_range(case.activation, case.y_scale, case.y_zp)
    return network.run(network.clamp(scaled, *ends))[0]


def fitted(
    x: NDArray[np.int8], first: Pair, kernel: Pair, stride: Pair, dilation: Pair, out: Pair
) -> tuple[NDArray[np.int8], list[int]]:
    """x [1, H, W, C] without what no window sees, and its padding: TOSA wants windows to end at the border.
    Raises Unpredictable where all that they see is padding."""
    padding = []
    for axis in (0, 1):
        end = (out[axis] - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1 - first[axis]
        if end < 1:
            raise Unpredictable("an input without rows or columns")
        x = x[:, :end] if axis == 0 else x[:, :, :end]
        padding += [first[axis], end - x.shape[axis + 1]]
    return np.ascontiguousarray(x), padding


def convolution(case: conv.Case, mode: Rounding) -> NDArray[np.int8]:
    out, kernel = case.accumulators().shape[:2], case.w.shape[1:3]
    first = case.padding[0], case.padding[2]
    x, padding = fitted(case.x[np.newaxis], first, kernel, case.stride, case.dilation, out)
    network = Network(x)
    window = out, padding, case.stride, case.dilation
    sums = network.conv("CONV2D", network.inputs[0], case.w, case.bias, case.x_zp, *window)
    return finish(network, sums, case, mode)


def depthwise_convolution(case: depthwise.Case, mode: Rounding) -> NDArray[np.int8]:
    (height, width, channels), kernel = case.x.shape, case.w.shape[:2]
    out = case.model().shape[:2]
    top, _, left, _ = depthwise.tflite_padding(case.kind, (height, width), kernel, case.stride, case.dilation)
    x, padding = fitted(case.x[np.newaxis], (top, left), kernel, case.stride, case.dilation, out)
    network = Network(x)
    w = case.w.reshape(*kernel, channels, -1)
    window = out, padding, case.stride, case.dilation
    sums = network.conv("DEPTHWISE_CONV2D", network.inputs[0], w, case.bias, case.x_zp, *window)
    return finish(network, sums, case, mode)


def fully_connected(case: dense.Case, mode: Rounding) -> NDArray[np.int8]:
    rows, _ = case.x.shape
    network = Network(case.x[np.newaxis, :, np.newaxis])
    w = case.w[:, np.newaxis, np.newaxis]
    window = (rows, 1), (0, 0, 0, 0), (1, 1), (1, 1)
    sums = network.conv("CONV2D", network.inputs[0], w, case.bias, case.x_zp, *window)
    return finish(network, sums, case, mode).reshape(rows, -1)


def joined(case: element.Case, mode: Rounding) -> NDArray[np.int8]:
    """ADD, SUB and MUL as TFLite has them: operands at 2^20 of a common scale, rescaled, joined, rescaled."""
    network, record = Network(case.x1, np.broadcast_to(case.x2, case.x1.shape).copy()), case.record()
    product = case.kind == Elementwise.MUL
    one, left = np.array([2**30]), np.array([30 if product else 30 - LEFT_SHIFT])
    a = network.rescale(network.inputs[0], one, left, mode, np.int32, (record.zp1, 0))
    b = network.rescale(network.inputs[1], one, left, mode, np.int32, (record.zp2, 0))
    if not product:
        a = network.rescale(a, np.array([record.m1]), np.array([31 - record.s1]), mode, np.int32)
        b = network.rescale(b, np.array([record.m2]), np.array([31 - record.s2]), mode, np.int32)
    both, shift = network.combine(case.kind.name, a, b), np.array([31 - record.s_out])
    scaled = network.rescale(both, np.array([record.m_out]), shift, mode, np.int8, (0, record.out_zp))
    return network.run(network.clamp(scaled, record.out_min, record.out_max))


OPERATORS: dict[str, tuple[Callable, Callable, Callable]] = {
    "conv2d": (conv.draw, lambda case, mode: case.finish(case.accumulators(), mode), convolution),
    "depthwise conv2d": (depthwise.draw, depthwise.Case.model, depthwise_convolution),
    "fully connected": (dense.draw, dense.Case.hardware, fully_connected),
    **{
        kind.name.lower(): (partial(element.draw, kind=kind), element.Case.model, joined)
        for kind in element.KINDS
    },
}


def layers(operator: str, name: str, ours: Rounding, theirs: Rounding = SINGLE) -> Iterator[Verdict]:
    rng = generator(name)
    draw, model, tosa = OPERATORS[operator]
    while True:
        case = draw(rng)
        try:
            expected = tosa(case, theirs)
        except Unpredictable:
            continue  # a hundredth: multipliers above one, sums of all 32 bits, windows of padding
        yield model(case, ours), expected


@pytest.mark.parametrize("mode", [SINGLE, DOUBLE])
def test_requantise_matches_tosa(mode: Rounding) -> None:
    judge(f"requantise, mode {mode:d} (TOSA)", requantised(f"tosa {mode}", mode, mode))


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator_matches_tosa(operator: str) -> None:
    judge(f"{operator}, mode 1 (TOSA)", layers(operator, f"tosa {operator}", SINGLE))


def test_other_roundings_of_a_sum_are_caught() -> None:
    assert_caught("requantise", requantised("tosa double for single", DOUBLE))
    assert_caught("requantise", requantised("tosa single for double", SINGLE, DOUBLE))


@pytest.mark.parametrize("operator", OPERATORS)
def test_other_rounding_of_an_operator_is_caught(operator: str) -> None:
    assert_caught(operator, layers(operator, f"tosa wrong {operator}", DOUBLE))


def test_what_tosa_leaves_open_is_no_result() -> None:
    network = Network(np.array([[INT32_MIN]], np.int32))
    result = network.rescale(network.inputs[0], np.array([2**30]), np.array([SHIFT_MIN]), SINGLE, np.int32)
    with pytest.raises(Unpredictable):
        network.run(result)
