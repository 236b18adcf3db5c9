"""What cannot be compiled is refused in one line that names it."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.errors import CompileError, UnsupportedError
from compiler.network import compile_network
from compiler.ops import SUPPORTED
from compiler.tests.random_networks import RandomNetwork
from compiler.tflite_build import TfliteBuilder
from models.config import Config

CONFIG = Config(n=4)


def network(*shape: int) -> RandomNetwork:
    rng = np.random.default_rng(3)
    return RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8))


def refused(model: bytes, config: Config = CONFIG) -> str:
    with pytest.raises(CompileError) as caught:
        compile_network(model, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_operator_names_node_and_what_is_supported() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("chances", (1, 4, 4, 2), np.int8, 1 / 256, -128)
    b.softmax(x, y)
    with pytest.raises(UnsupportedError) as caught:
        compile_network(b.finish([x], [y]), CONFIG)
    error = caught.value
    assert (error.node, error.operator, error.supported) == ("chances", "SOFTMAX", SUPPORTED)
    assert str(error).startswith("SOFTMAX 'chances': this operator is not supported; supported: ABS, ")


@pytest.mark.parametrize("model", [b"", b"hello, world", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_not_a_tflite_file(model: bytes) -> None:
    assert ".tflite" in refused(model)


def test_float_network() -> None:
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 1), np.float32) for name in "xy")
    b.logistic(x, y)
    assert refused(b.finish([x], [y])) == (
        "input 'x' is float32 with 0 scales; int8 with one scale is needed"
    )


def test_more_than_one_image_in_a_tensor() -> None:
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (2, 2, 2, 1), np.int8, 0.1) for name in "xy")
    b.max_pool(x, y, kernel=(1, 1))
    assert "[2, 2, 2, 1]" in refused(b.finish([x], [y]))


def test_weights_with_a_zero_point() -> None:
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 1), np.int8, 0.1) for name in "xy")
    w = b.add_tensor("w", (1, 1, 1, 1), np.int8, 0.1, 5, data=np.ones((1, 1, 1, 1), np.int8))
    k = b.add_tensor("k", (1,), np.int32, 0.01, data=np.zeros(1, np.int32))
    b.conv2d(x, w, k, y)
    assert refused(b.finish([x], [y])) == ("CONV_2D 'y': weights 'w' are int8 with a zero point other than 0")


def test_unknown_fused_activation() -> None:
    grown = network(4, 4, 2)
    b = grown.builder
    y = b.add_tensor("y", (1, 2, 2, 2), np.int8, grown.scale, grown.zero_point)
    b.max_pool(grown.input, y, kernel=(2, 2), activation="TANH")
    assert "unknown activation 'TANH'" in refused(b.finish([grown.input], [y]))


def test_pool_that_changes_the_scale() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 2, 2, 2), np.int8, 0.2)
    b.max_pool(x, y, kernel=(2, 2))
    assert "share scale" in refused(b.finish([x], [y]))


def test_mean_over_other_axes() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 4, 4, 1), np.int8, 0.1)
    b.mean(x, y, axes=(3,))
    assert "axes are [3]" in refused(b.finish([x], [y]))


def test_reshape_that_moves_channels() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 4, 2, 4), np.int8, 0.1)
    b.reshape(x, y)
    assert "[1, 4, 4, 2] to [1, 4, 2, 4]" in refused(b.finish([x], [y]))


def test_pooling_window_larger_than_the_buffers() -> None:
    grown = network(30, 30, 2)
    grown.mean()
    message = refused(grown.finish(), Config(n=4, act_words=512))
    assert message.startswith("MEAN 'mean1': one window of it does not fit the buffers (activation 512")


def test_kernel_larger_than_its_field() -> None:
    grown = network(1, 300, 1)
    grown.pool("max", (1, 256))
    assert "at most 255" in refused(grown.finish())


def test_images_must_be_positive() -> None:
    grown = network(4, 4, 1)
    grown.pool("max", (2, 2))
    with pytest.raises(ValueError, match="images is 0"):
        compile_network(grown.finish(), CONFIG, images=0)


def test_wrong_inputs_and_names_are_refused() -> None:
    grown = network(4, 4, 1)
    grown.pool("max", (2, 2))
    compiled = compile_network(grown.finish(), CONFIG)
    dram = compiled.dram.copy()
    with pytest.raises(ValueError, match="uint8"):
        compiled.write_input(dram, 0, np.zeros((4, 4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"\[5, 4, 1\]"):
        compiled.write_input(dram, 0, np.zeros((5, 4, 1), np.int8))
    with pytest.raises(KeyError, match="max1"):
        compiled.read_tensor(dram, 0, "nothing")
    with pytest.raises(IndexError, match="image 1"):
        compiled.read_tensor(dram, 1, "x")
