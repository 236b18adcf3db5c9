"""QDQ networks as PyTorch exports them: every tensor equals ONNX Runtime's, or is proven to lie at a tie."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest

from compiler.network import compile_network, read_network
from compiler.onnx_bias import with_integer_biases
from compiler.tests.onnx_networks import run_onnx
from compiler.tests.test_onnx_layers import machine
from compiler.tests.torch_networks import random_torch_network
from compiler.ties import proven
from models.config import Config
from models.tests.litert import SEED

NETWORKS = int(os.environ.get("ONNX_NETWORKS", "12"))


@pytest.mark.parametrize("number", range(NETWORKS))
def test_random_torch_networks(number: int) -> None:
    network = random_torch_network(np.random.default_rng([SEED, number]))
    parsed, count = with_integer_biases(onnx.load_model_from_string(network.model(network.last)))
    model = parsed.SerializeToString()
    feeds = {"x": network.rng.normal(0, 1, network.sample.shape).astype(np.float32)}
    compiled, ours, theirs = machine(model, feeds, Config(), optimise=False)
    graph = compiled.graph
    tainted: set[str] = set()
    assert count >= 3
    for node in graph.nodes:
        if any(name in tainted for name in node.inputs):
            tainted.add(node.name)
            continue
        if node.name not in theirs:
            continue
        differ = ours[node.name] != theirs[node.name]
        assert not np.any(differ & ~proven(graph, node, ours, ours[node.name], theirs[node.name])), (
            f"{number} {node.op}"
        )
        if differ.any():
            tainted.add(node.name)
    assert len(tainted) < len(theirs)


def test_a_float_bias_becomes_what_the_reader_makes_of_it() -> None:
    """The same integers with and without the step, and ONNX Runtime's own result hardly moves."""
    network = random_torch_network(np.random.default_rng([SEED, 1]))
    before = network.model(network.last)
    parsed, count = with_integer_biases(onnx.load_model_from_string(before))
    after = parsed.SerializeToString()
    biases = []
    for model in (before, after):
        graph = read_network(model)
        layers = [n for n in graph.nodes if n.op in ("CONV_2D", "FULLY_CONNECTED")]
        biases.append([graph.tensors[str(n.inputs[2])].data for n in layers])
    assert count == len(biases[0]) == len(biases[1])
    for one, other in zip(*biases, strict=True):
        np.testing.assert_array_equal(one, other)
    feeds = {"x": network.sample}
    one, other = (run_onnx(model, feeds, [network.last])[network.last] for model in (before, after))
    assert np.abs(one - other).max() < 0.1 * np.ptp(one)
    assert with_integer_biases(parsed)[1] == 0


def test_the_program_is_the_same_either_way() -> None:
    network = random_torch_network(np.random.default_rng([SEED, 2]))
    model = network.model(network.last)
    integers = with_integer_biases(onnx.load_model_from_string(model))[0].SerializeToString()
    float_biases, integer_biases = (compile_network(given, Config()).dram for given in (model, integers))
    np.testing.assert_array_equal(float_biases, integer_biases)
