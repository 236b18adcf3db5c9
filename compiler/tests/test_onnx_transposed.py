"""Transposed convolutions of networks that are quantised here equal ONNX Runtime in any order of its sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from compiler import onnx_transposed
from compiler.onnx_transposed import EXACT, Scales, exact_scales
from compiler.tests.onnx_networks import FloatNetwork
from compiler.tests.test_onnx_scales import apart, quantise
from models.ort import quantize
from models.quantize import Rounding, clamp, fp32_multiplier, requantize
from models.tests.litert import SEED


def transposed(network: FloatNetwork, outputs: int, kernel: tuple[int, int], bias: bool) -> None:
    channels, rows, columns = network.shape[1:]
    w = network.weights(channels, outputs, *kernel, spread=channels**-0.5)
    inputs = [network.last, w, *([network.weights(outputs, spread=0.2)] if bias else [])]
    network.add("ConvTranspose", *inputs, strides=list(kernel), kernel_shape=list(kernel))
    network.shape = (1, outputs, rows * kernel[0], columns * kernel[1])


def grown(seed: int) -> FloatNetwork:
    rng = np.random.default_rng([SEED, seed])
    network = FloatNetwork(rng, (3, 10, 9))
    network.conv(int(rng.integers(4, 40)), (3, 3), pads=[1, 1, 1, 1])
    if rng.random() < 0.5:
        network.add("Relu")
    for _ in range(2):
        transposed(network, int(rng.integers(1, 20)), (2, int(rng.integers(1, 4))), bool(rng.random() < 0.5))
        network.add("Relu")
    return network


@pytest.mark.parametrize("seed", range(4))
def test_nothing_differs(seed: int) -> None:
    network = grown(seed)
    assert apart(quantise(network), network) == (0, 0)


def test_weights_keep_their_values() -> None:
    """Within half a step of theirs and half of the quantiser's."""
    network = grown(1)
    real = {i.name: numpy_helper.to_array(i) for i in network.constants}
    model = onnx.load_model_from_string(quantise(network))
    held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    made = {name: node for node in model.graph.node for name in node.output}
    layers = [node for node in model.graph.node if node.op_type == "ConvTranspose"]
    assert len(layers) == 2
    for node in layers:
        name, scale = made[node.input[1]].input[:2]
        steps = held[scale].reshape(1, -1, 1, 1)
        error = held[name] * steps - real[name.removesuffix("_quantized")]
        assert np.all(np.abs(error) <= 1.01 * steps) and np.any(error)


Layer = tuple[Scales, NDArray[np.int8], NDArray[np.float64] | None]


def layer(rng: np.random.Generator) -> Layer:
    channels, outputs = int(rng.integers(1, 65)), int(rng.integers(1, 9))
    w = rng.normal(0, 30, (channels, outputs, 2, 2)).clip(-127, 127).astype(np.int8)
    x, y = (np.float32(np.exp(rng.uniform(np.log(0.003), np.log(0.3)))) for _ in range(2))
    w_scale = np.exp(rng.uniform(np.log(0.001), np.log(0.02), outputs)).astype(np.float32)
    y = np.float32(x * w_scale.mean() * rng.uniform(30, 200))
    bias = rng.normal(0, 50 * y, outputs) if rng.random() < 0.5 else None
    return Scales(x, w_scale, y), w, bias


def differing(rng: np.random.Generator, scales: Scales, w: NDArray[np.int8], bias: Any) -> int:
    """Values that the runtime, adding in a random order in float32, and the core make otherwise."""
    channels, outputs = w.shape[:2]
    levels = rng.integers(0, 256, (500, channels))
    levels[rng.random(levels.shape) < 0.3] = 255
    found = 0
    for o in range(outputs):
        terms = (levels * scales.x).astype(np.float32) * (w[:, o, 0, 0] * scales.w[o]).astype(np.float32)
        units = np.int64(0) if bias is None else np.int64(np.rint(bias[o] / (scales.x * scales.w[o])))
        order = rng.permutation(channels)
        real = np.cumsum(terms[:, order], axis=1, dtype=np.float32)[:, -1]
        real += np.float32(units) * (scales.x * scales.w[o])
        sums = (levels @ w[:, o, 0, 0].astype(np.int64) + units).astype(np.int32)
        word = fp32_multiplier(scales.x, scales.w[o], scales.y)
        ours = clamp(requantize(sums, word, 0, Rounding.FP32), 3)
        found += int(np.count_nonzero(ours != quantize(real, float(scales.y), 3, np.int8)))
    return found


def count(seed: int, layers: int = 60) -> tuple[int, int]:
    """(values that differ with the scales found here, with those before)."""
    rng = np.random.default_rng([SEED, seed])
    after = before = 0
    for _ in range(layers):
        scales, w, bias = layer(rng)
        found = exact_scales(scales, w, bias, 255)
        assert found is not None
        after += differing(rng, *found, bias)
        before += differing(rng, scales, w, bias)
    return after, before


def test_float32_rounds_nothing() -> None:
    """And without that it does: the twin."""
    after, before = count(1, 200)
    assert after == 0 < before


def test_sums_beyond_float32_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_transposed, "EXACT", EXACT << 7)
    monkeypatch.setattr(onnx_transposed, "ODD", range(1, 1024, 2))
    assert count(2)[0] > 0


def test_quotients_that_are_not_tried_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_transposed, "_same_levels", lambda scales, bound: True)
    monkeypatch.setattr(onnx_transposed, "OUTPUT_ODD", range(1, 4096, 2))
    assert count(3)[0] > 0


def test_scales_grow_little() -> None:
    """By a tenth at most on average, and never by half: that is what rounding levels may cost."""
    rng = np.random.default_rng(SEED)
    growth = []
    for _ in range(100):
        scales, w, bias = layer(rng)
        found = exact_scales(scales, w, bias, 255)
        assert found is not None
        near, levels = found
        ratios = np.array([near.x / scales.x, (near.w / scales.w).mean(), near.y / scales.y])
        assert np.all(ratios >= 1 - 1e-6) and np.all(ratios < 1.5), ratios
        growth.append(ratios)
        step = near.w.reshape(1, -1, 1, 1)
        assert np.all(np.abs(levels * step - w * scales.w.reshape(1, -1, 1, 1)) <= 0.51 * step)
    assert np.all(np.mean(growth, axis=0) < 1.1), np.mean(growth, axis=0)
