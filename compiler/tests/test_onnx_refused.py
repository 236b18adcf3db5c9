"""What read_onnx refuses, and how it says so: damaged files, float networks, what the core cannot express."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from compiler.errors import CompileError, UnsupportedError
from compiler.onnx import read_onnx
from compiler.tests.onnx_nodes import FRONT, network, node, scales


def refused(model: bytes) -> str:
    with pytest.raises(CompileError) as caught:
        read_onnx(model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


LAST = [node("QuantizeLinear", "v t z", "y")]


def test_damaged_files() -> None:
    whole = network([*FRONT, node("Relu", "xr", "v"), *LAST], scales())
    for model in (b"", b"hello, world", whole[: len(whole) // 2], whole[:-1]):
        assert ".onnx" in refused(model)


def test_float_network() -> None:
    assert "not quantised" in refused(network([node("Relu", "x", "y")], {}, out_dtype=np.float32))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((2, 4, 6, 5), "one image"), ((1, 4, "rows", 5), "every size but the first"), ((), "fixed")],
)
def test_shapes_of_the_input(shape: tuple[Any, ...], reason: str) -> None:
    assert reason in refused(network([*FRONT, node("Relu", "xr", "v"), *LAST], scales(), shape=shape))


def test_any_batch_is_one_image() -> None:
    model = network([*FRONT, node("Relu", "xr", "v"), *LAST], scales(), shape=("batch", 4, 6, 5))  # type: ignore[arg-type]
    assert read_onnx(model).tensors["xq"].shape == (1, 6, 5, 4)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("LRN", "xr", "v", size=3), *LAST], "LRN 'v': this operator is not supported; supported:"),
        ([node("LSTM", "xr k k", "v"), *LAST], "LSTM 'v': this operator is not supported"),
        ([node("ConvTranspose", "xr k", "v"), *LAST], "must be a quantised constant"),
        ([node("MatMul", "xr xr", "v"), *LAST], "must be a quantised constant"),
        ([node("Conv", "xr k", "v"), *LAST], "must be a quantised constant"),
        ([node("Div", "k xr", "v"), *LAST], "only a function of one quantised tensor"),
        ([node("Relu", "xr", "y")], "Relu 'y': its result is a float32 output"),
        ([node("GlobalAveragePool", "x", "v"), *LAST], "its input 'x' is not quantised"),
        ([node("GlobalAveragePool", "xr", "a"), node("Sigmoid", "a", "v"), *LAST], "is never quantised"),
        ([node("Softmax", "xr", "p"), node("Relu", "p", "y")], "follows Softmax, which only the host"),
        ([node("Concat", "xr xr", "v", axis=0), *LAST], "axis 0"),
        ([node("AveragePool", "xr", "v", kernel_shape=[9, 9]), *LAST], "larger than its input"),
        ([node("MaxPool", "xr", "v", kernel_shape=[2]), *LAST], "only 2-D pooling"),
        ([node("MaxPool", "xr", "v", kernel_shape=[2, 2], dilations=[2, 2]), *LAST], "dilations are [2, 2]"),
        ([node("ReduceMean", "xr", "v", axes=[1]), *LAST], "axes are [1]"),
        ([node("Transpose", "xr", "v", perm=[0, 1, 3, 2]), *LAST], "only from NCHW to NHWC"),
        ([node("Reshape", "xr square", "v"), *LAST], "rearranges an image"),
        ([node("Relu", "missing", "v"), *LAST], "is not defined before it"),
        ([node("DequantizeLinear", "xq t z", "w"), node("Relu", "w", "v"), *LAST], "another scale"),
        ([node("Relu", "xr", "v"), node("QuantizeLinear", "v t z16", "y")], "int16"),
        ([node("Relu", "xr", "v"), node("QuantizeLinear", "v nan z", "y")], "not positive and finite"),
    ],
)  # fmt: skip
def test_what_cannot_be_expressed(nodes: list[Any], reason: str) -> None:
    constants = scales() | {
        "k": np.ones((6, 4, 3, 3), np.float32),
        "square": np.array([1, 6, 4, 5], np.int64),
        "z16": np.array(0, np.int16),
        "nan": np.array(np.nan, np.float32),
    }
    assert reason in refused(network([*FRONT, *nodes], constants))


def test_a_refusal_names_node_operator_and_reason() -> None:
    named = helper.make_node("LRN", ["xr"], ["v"], "normalise", size=3)
    with pytest.raises(UnsupportedError) as caught:
        read_onnx(network([*FRONT, named, *LAST], scales()))
    error = caught.value
    assert (error.node, error.operator) == ("normalise", "LRN")
    assert {"Conv", "QLinearConv", "Softmax", "QuantizeLinear"} <= set(error.supported)
