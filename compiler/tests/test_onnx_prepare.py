"""Float networks with what the quantiser does not know: chains of functions, slopes per channel, pools."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest

from compiler.errors import UnsupportedError
from compiler.onnx import read_onnx
from compiler.onnx_prepare import functions, named, rewritten
from compiler.onnx_quantise import quantised
from compiler.tests.onnx_networks import FloatNetwork, run_onnx
from compiler.tests.test_onnx_layers import machine
from models.config import Config
from models.tests.litert import SEED


def scalar(network: FloatNetwork, value: float) -> str:
    return network.constant(np.array([value], np.float32))


def hard_swish(network: FloatNetwork) -> None:
    """As Paddle writes it: x * clip(x + 3, 0, 6) / 6."""
    x = network.last
    network.add("Add", x, scalar(network, 3))
    network.add("Clip", network.last, network.constant(np.float32(0)), network.constant(np.float32(6)))
    network.add("Mul", x, network.last)
    network.add("Div", network.last, scalar(network, 6))


def learnt_affine(network: FloatNetwork) -> None:
    network.add("Mul", network.last, scalar(network, 1.3))
    network.add("Add", network.last, scalar(network, -0.2))
    hard_swish(network)
    network.add("Mul", network.last, scalar(network, 0.7))


def squeeze(network: FloatNetwork) -> None:
    """Squeeze and excitation with a hard sigmoid."""
    trunk, shape = network.last, network.shape
    network.pool("GlobalAveragePool")
    network.conv(4, (1, 1))
    network.add("Relu")
    network.conv(shape[1], (1, 1))
    network.add("HardSigmoid", alpha=0.2, beta=0.5)
    network.add("Mul", trunk, network.last)
    network.shape = shape


def slopes(network: FloatNetwork) -> None:
    network.add("PRelu", network.last, network.weights(network.shape[1], 1, 1))


def pooled(network: FloatNetwork) -> None:
    learnt_affine(network)
    network.pool("AveragePool", kernel_shape=[2, 2])


def response(network: FloatNetwork) -> None:
    network.add("LRN", network.last, size=3, alpha=0.3, beta=0.6, bias=1.5)


MIDDLES: dict[str, tuple[Callable[[FloatNetwork], None], list[str]]] = {
    "hard swish": (hard_swish, ["TABLE"]),
    "learnt affine": (learnt_affine, ["TABLE"]),
    "squeeze": (squeeze, ["MEAN", "CONV_2D", "CONV_2D", "TABLE", "MUL"]),
    "slopes": (slopes, ["TABLE", "TABLE", "MUL", "ADD"]),
    "response": (response, ["TABLE", "CONV_2D", "TABLE", "MUL"]),
    "pooled": (pooled, ["TABLE", "TABLE", "AVERAGE_POOL_2D"]),
}


def grown(name: str) -> FloatNetwork:
    rng = np.random.default_rng([SEED, *name.encode()])
    network = FloatNetwork(rng, (3, 10, 9))
    network.conv(8, (3, 3), pads=[1, 1, 1, 1])
    MIDDLES[name][0](network)
    network.conv(5, (1, 1))
    return network


@pytest.mark.parametrize("name", MIDDLES)
def test_every_tensor_equals_the_runtime(name: str) -> None:
    network = grown(name)
    samples = [{"x": network.rng.normal(0, 1, network.input_shape).astype(np.float32)} for _ in range(3)]
    model = quantised(network.model().SerializeToString(), samples)
    found = [node.op for node in read_onnx(model).nodes]
    assert found == ["CONV_2D", *MIDDLES[name][1], "CONV_2D"]
    _, ours, theirs = machine(model, samples[0], Config(), optimise=False)
    for tensor, value in theirs.items():
        np.testing.assert_array_equal(ours[tensor], value)


@pytest.mark.parametrize("name", MIDDLES)
def test_the_function_stays_what_it_was(name: str) -> None:
    """Rewritten, the float network gives what it gave; quantised, nearly."""
    network = grown(name)
    model = network.model()
    feeds = {"x": network.rng.normal(0, 1, network.input_shape).astype(np.float32)}
    last = network.last
    before = run_onnx(model.SerializeToString(), feeds, [last])[last]
    after = run_onnx(rewritten(model).SerializeToString(), feeds, [last])[last]
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)
    integers = run_onnx(quantised(network.model().SerializeToString(), [feeds]), feeds, [last])[last]
    assert np.abs(integers - before).max() < 0.08 * np.ptp(before)


def test_clamps_stay_with_their_convolution() -> None:
    """A Relu that post can clamp is no table; a chain of more than one tensor is none."""
    network = FloatNetwork(np.random.default_rng(1), (3, 8, 8))
    network.conv(4, (3, 3))
    network.add("Relu")
    trunk = network.last
    network.add("Sigmoid")
    network.add("Mul", trunk, network.last)
    network.conv(4, (1, 1))
    silu = network.last
    network.conv(4, (1, 1))
    network.add("Add", network.last, silu)
    chosen = functions(named(onnx.ModelProto.FromString(network.model().SerializeToString())))
    assert sorted(name.rstrip("0123456789") for name in chosen) == ["mul", "sigmoid"]


def test_what_nothing_can_be_made_of_is_refused() -> None:
    """Said before anything is calibrated."""
    network = FloatNetwork(np.random.default_rng(1), (3, 8, 8))
    network.conv(4, (3, 3))
    network.add("LpNormalization", axis=1)
    with pytest.raises(UnsupportedError) as caught:
        quantised(network.model().SerializeToString(), [])
    assert caught.value.operator == "LpNormalization" and "supported: Abs, Add" in str(caught.value)
