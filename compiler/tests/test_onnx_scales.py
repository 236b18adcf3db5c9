"""Networks that are quantised here equal ONNX Runtime in sums and averages, too, value for value."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from compiler import onnx_scales
from compiler.network import compile_network, read_network
from compiler.onnx_quantise import quantised
from compiler.onnx_scales import SCALE_BITS, on_grid, short_scale
from compiler.tests.onnx_networks import FloatNetwork
from compiler.tests.test_onnx_layers import machine
from models.config import Config
from models.elementwise import Elementwise, fp32_element, pairs_apart
from models.tests.litert import SEED


def grown(seed: int) -> FloatNetwork:
    """Residual sums in a row, averages with and without padding, a concatenation behind one."""
    rng = np.random.default_rng([SEED, seed])
    network = FloatNetwork(rng, (3, 12, 10))
    network.conv(8, (3, 3), pads=[1, 1, 1, 1])
    for _ in range(3):
        trunk = network.last
        network.conv(8, (3, 3), pads=[1, 1, 1, 1])
        network.add("Add", network.last, trunk)
        if rng.random() < 0.5:
            network.add("Relu")
    trunk = network.last
    network.pool("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    network.add("Concat", network.last, trunk, axis=1)
    network.shape = (1, 16, 12, 10)
    network.pool("AveragePool", kernel_shape=[2, 2], strides=[2, 2], count_include_pad=1)
    network.conv(5, (1, 1))
    return network


def quantise(network: FloatNetwork) -> bytes:
    samples = [{"x": network.rng.normal(0, 1, network.input_shape).astype(np.float32)} for _ in range(3)]
    return quantised(network.model().SerializeToString(), samples)


def apart(model: bytes, network: FloatNetwork) -> tuple[int, int]:
    """(pairs of values that some layer computes otherwise than the runtime, values that differ)."""
    compiled = compile_network(read_network(model), Config())
    feeds = {"x": network.rng.normal(0, 1, network.input_shape).astype(np.float32)}
    _, ours, theirs = machine(model, feeds, Config(), optimise=False)
    differ = sum(int(np.count_nonzero(ours[name] != value)) for name, value in theirs.items())
    return sum(layer.pairs_apart for layer in compiled.layers), differ


@pytest.mark.parametrize("seed", range(6))
def test_nothing_differs(seed: int) -> None:
    network = grown(seed)
    assert apart(quantise(network), network) == (0, 0)


def test_the_quantisers_own_scales_would_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: without the step, values differ in the same networks."""
    monkeypatch.setattr("compiler.onnx_quantise.with_exact_scales", lambda parsed: parsed)
    networks = [grown(seed) for seed in range(3)]
    assert sum(apart(quantise(network), network)[1] for network in networks) > 0


def test_biases_keep_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their integers follow the scale of the sums."""
    moved = onnx.load_model_from_string(quantise(grown(1)))
    monkeypatch.setattr("compiler.onnx_quantise.with_exact_scales", lambda parsed: parsed)
    first = onnx.load_model_from_string(quantise(grown(1)))
    real = []
    for model in (moved, first):
        held = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
        inputs = [n.input for n in model.graph.node if n.op_type == "DequantizeLinear"]
        real.append(
            {i[0]: held[i[0]] * held[i[1]] for i in inputs if i[0] in held and held[i[0]].dtype == np.int32}
        )
        steps = {i[0]: held[i[1]] for i in inputs if i[0] in real[-1]}
    assert real[0].keys() == real[1].keys() and real[0]
    for name, value in real[0].items():
        assert np.all(np.abs(value - real[1][name]) <= 1.01 * steps[name])


def test_scales_grow_by_next_to_nothing() -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(300):
        y = float(short_scale(rng.uniform(0.01, 0.2)))
        a, b = (float(np.float32(y * 2 ** rng.uniform(-5, 2))) for _ in range(2))
        assert 1 <= float(short_scale(a)) / a < 1 + 2.0 ** (1 - SCALE_BITS)
        found, other = on_grid(a, b, y), on_grid(b, a, y)
        assert found is not None and other is not None and 1 - 1e-6 <= float(found) / a < 1.006
        zeros = (int(rng.integers(-128, 128)), int(rng.integers(-128, 128)), int(rng.integers(-128, 128)))
        record = fp32_element(Elementwise.ADD, (found, other, y), zeros)
        assert pairs_apart(Elementwise.ADD, (found, other, y), record) == 0


def test_a_grid_too_fine_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: five bits more than a float32 has."""
    monkeypatch.setattr(onnx_scales, "SIGNIFICAND", 29)
    with pytest.raises(AssertionError):
        test_scales_grow_by_next_to_nothing()
