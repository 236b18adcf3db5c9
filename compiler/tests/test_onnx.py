"""ONNX networks read into the graph and run on the models give what ONNX Runtime gives, bit for bit."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from compiler.errors import UnsupportedError
from compiler.interpret import interpret
from compiler.ir import Origin
from compiler.onnx import read_onnx
from compiler.tests.onnx_networks import STYLES, quantised, random_network, run_onnx
from compiler.tests.onnx_nodes import FRONT, agrees, conv_constants, differences, network, node, ops, scales
from models.tests.litert import SEED

# Random networks per style and family.
NETWORKS = int(os.environ.get("ONNX_NETWORKS", "8"))

# --- random networks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("exact_only", [True, False])
def test_random_networks_match_onnxruntime(style: str, exact_only: bool) -> None:
    """Only convolutions, products, max pools, tables: the core's arithmetic. Anything: the float models."""
    compared = 0
    for number in range(NETWORKS):
        rng = np.random.default_rng([SEED, number, *style.encode(), exact_only])
        grown = random_network(rng, exact_only=exact_only)
        model = quantised(grown, style)
        feeds = {"x": rng.normal(0, 1, grown.input_shape).astype(np.float32)}
        try:
            _, wrong = differences(model, feeds, exact=not exact_only)
        except UnsupportedError as error:
            # The quantiser has left an operator in float32: the reader must say so.
            assert "quantised" in error.reason, error
            continue
        assert not any(wrong.values()), f"network {number}, SEED={SEED}: {wrong}"
        compared += 1
    assert compared >= NETWORKS // 2


def test_wrong_arithmetic_is_caught() -> None:
    """A weight changed by one must show."""
    rng = np.random.default_rng(SEED)
    grown = random_network(rng, exact_only=True)
    model = onnx.load_model_from_string(quantised(grown, "qdq int8"))
    right = model.SerializeToString()
    weights = next(
        i for i in model.graph.initializer if i.data_type == onnx.TensorProto.INT8 and len(i.dims) == 4
    )
    data = numpy_helper.to_array(weights).copy()
    data.reshape(-1)[0] += 1 if data.reshape(-1)[0] < 127 else -1
    weights.CopyFrom(numpy_helper.from_array(data, weights.name))
    feeds = {"x": rng.normal(0, 1, grown.input_shape).astype(np.float32)}
    graph, wrong = differences(right, feeds, exact=False)
    changed = read_onnx(model.SerializeToString())
    origin = changed.origins[changed.inputs[0]]
    first = {changed.inputs[0]: origin.to_ir(run_onnx(right, feeds, [origin.name])[origin.name])}
    assert not any(wrong.values())
    assert any(
        np.any(value != interpret(graph, first, exact=False)[name])
        for name, value in interpret(changed, first, exact=False).items()
    )


# --- forms that exporters write -----------------------------------------------------------------------------


def test_weights_quantised_in_the_file_and_symmetric_relu() -> None:
    """PyTorch's form: float weights that the file quantises, and a Relu whose output has zero point 0."""
    constants = scales() | conv_constants()
    constants["w"] = constants["w"].astype(np.float32) * constants["ws"].reshape(-1, 1, 1, 1)
    del constants["b"]
    graph = agrees(
        [
            *FRONT,
            node("QuantizeLinear", "w ws wz", "wq", axis=0),
            node("DequantizeLinear", "wq ws wz", "wr", axis=0),
            node("Conv", "xr wr", "c", pads=[1, 0, 1, 2]),
            node("Relu", "c", "r"),
            node("QuantizeLinear", "r t z", "y"),
        ],
        constants,
    )
    assert ops(graph) == ["CONV_2D"] and graph.nodes[0].options["clamp"] == (0, 127)


def test_float_bias_is_rounded_to_the_accumulator() -> None:
    constants = scales() | conv_constants()
    nodes = [
        *FRONT,
        node("DequantizeLinear", "w ws wz", "wr", axis=0),
        node("Conv", "xr wr b", "c"),
        node("QuantizeLinear", "c t z", "y"),
    ]
    graph = read_onnx(network(nodes, constants))
    expected = np.rint(constants["b"] / (np.float32(0.031) * constants["ws"]).astype(np.float64))
    np.testing.assert_array_equal(graph.tensors[str(graph.nodes[0].inputs[2])].data, expected)


def test_silu_and_gelu_in_float_are_one_table() -> None:
    constants = scales(-3) | {
        "half": np.array(0.5, np.float32),
        "one": np.array(1, np.float32),
        "root": np.array(2**-0.5, np.float32),
    }
    silu = [node("Sigmoid", "xr", "g"), node("Mul", "xr g", "f"), node("QuantizeLinear", "f t z", "y")]
    gelu = [
        node("Mul", "xr root", "a"), node("Erf", "a", "e"), node("Add", "e one", "p"),
        node("Mul", "xr p", "m"), node("Mul", "m half", "f"), node("QuantizeLinear", "f t z", "y"),
    ]  # fmt: skip
    for nodes in (silu, gelu):
        assert ops(agrees([*FRONT, *nodes], constants)) == ["TABLE"]


def test_quantised_scalar_and_requantise_are_tables() -> None:
    constants = scales(5) | {"k": np.array(77, np.int8)}
    nodes = [
        node("DequantizeLinear", "k u z", "kr"),
        *FRONT,
        node("Mul", "xr kr", "m"),
        node("QuantizeLinear", "m t z", "q"),
        node("DequantizeLinear", "q t z", "qr"),
        node("QuantizeLinear", "qr u z", "y"),
    ]
    assert ops(agrees(nodes, constants)) == ["TABLE", "TABLE"]


def test_a_scalar_of_four_dimensions_is_a_scalar() -> None:
    nodes = [node("Mul", "xr k", "m"), node("QuantizeLinear", "m t z", "y")]
    graph = agrees([*FRONT, *nodes], scales(5) | {"k": np.full((1, 1, 1, 1), 0.7, np.float32)})
    assert graph.nodes[0].options["table"].shape == (256,)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_moved_values(dtype: type) -> None:
    constants = scales(7, dtype) | {
        "pads": np.array([0, 0, 1, 2, 0, 0, 3, 0], np.int64),
        "none": np.array(0, np.float32),
        "starts": np.array([1, -6], np.int64),
        "ends": np.array([9, 100], np.int64),
        "axes": np.array([2, 3], np.int64),
        "steps": np.array([2, 1], np.int64),
        "flat": np.array([0, -1], np.int64),
        "w": np.random.default_rng(2).integers(-100, 100, (32, 5)).astype(np.int8),
        "wz": np.zeros((), np.int8),
    }
    nodes = [
        *FRONT,
        node("Pad", "xr pads none", "p"), node("QuantizeLinear", "p s z", "pq"),
        node("DequantizeLinear", "pq s z", "pr"), node("Slice", "pr starts ends axes steps", "l"),
        node("QuantizeLinear", "l s z", "lq"), node("DequantizeLinear", "lq s z", "lr"),
        node("MaxPool", "lr", "m", kernel_shape=[3, 3], strides=[2, 1], ceil_mode=1),
        node("QuantizeLinear", "m s z", "mq"), node("DequantizeLinear", "mq s z", "mr"),
        node("Reshape", "mr flat", "f"), node("QuantizeLinear", "f s z", "fq"),
        node("DequantizeLinear", "fq s z", "fr"), node("DequantizeLinear", "w u wz", "wr"),
        node("MatMul", "fr wr", "d"), node("QuantizeLinear", "d t z", "y"),
    ]  # fmt: skip
    graph = agrees(nodes, constants, exact=False, out_dtype=dtype, shape=(1, 4, 6, 5))
    assert ops(graph) == ["PAD", "STRIDED_SLICE", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED"]


def test_transposes_at_the_border_cost_nothing() -> None:
    """As converters from TensorFlow write them: NHWC outside, NCHW inside."""
    constants = scales(-5) | conv_constants()
    nodes = [
        *FRONT,
        node("Transpose", "xr", "n", perm=[0, 3, 1, 2]),
        node("DequantizeLinear", "w ws wz", "wr", axis=0),
        node("Conv", "n wr", "c", auto_pad="SAME_LOWER", strides=[2, 1]),
        node("QuantizeLinear", "c t z", "q"),
        node("DequantizeLinear", "q t z", "r"),
        node("Transpose", "r", "h", perm=[0, 2, 3, 1]),
        node("QuantizeLinear", "h t z", "y"),
    ]
    graph = agrees(nodes, constants, exact=False, shape=(1, 6, 5, 4))
    assert ops(graph) == ["RESHAPE", "CONV_2D", "RESHAPE"]
    assert graph.tensors["xq"].shape == (1, 6, 5, 4)


def test_average_over_the_whole_image_is_a_mean() -> None:
    pool = node("AveragePool", "xr", "a", kernel_shape=[6, 5])
    graph = agrees([*FRONT, pool, node("QuantizeLinear", "a t z", "y")], scales(-9), exact=False)
    assert ops(graph) == ["MEAN"]


def test_vector_per_channel_on_either_side() -> None:
    """Also on uint8: the order of the runtime's float additions depends on the side."""
    constants = scales(100, np.uint8) | {"k": np.array([1, 90, 200, 255], np.uint8).reshape(1, 4, 1, 1)}
    for names in ("xr kr", "kr xr"):
        for operator in ("Add", "Mul"):
            nodes = [
                node("DequantizeLinear", "k u z", "kr"),
                *FRONT,
                node(operator, names, "m"),
                node("QuantizeLinear", "m t z", "y"),
            ]
            assert ops(agrees(nodes, constants, out_dtype=np.uint8)) == [operator.upper()]


def test_quantised_input_and_output() -> None:
    """A network whose file has integers at its border: nothing is left for the host."""
    constants = scales(11) | {"k": np.ones((1, 4, 1, 1), np.int8)}
    inputs = "x s z k u z t z"
    model = network([node("QLinearAdd", inputs, "y")], constants, dtype=np.int8)
    x = np.arange(-60, 60, dtype=np.int8).reshape(1, 4, 6, 5)
    graph, wrong = differences(model, {"x": x}, exact=True)
    assert not any(wrong.values()) and graph.host == () and graph.inputs == ("x",)


def test_softmax_and_argmax_are_the_hosts() -> None:
    constants = scales() | {"flat": np.array([1, -1], np.int64)}
    nodes = [
        *FRONT,
        node("MaxPool", "xr", "m", kernel_shape=[2, 2]),
        node("QuantizeLinear", "m s z", "mq"),
        node("DequantizeLinear", "mq s z", "mr"),
        node("Reshape", "mr flat", "f"),
        node("Softmax", "f", "soft"),
        node("ArgMax", "soft", "y"),
    ]
    graph = read_onnx(network(nodes, constants, out_dtype=np.int64))
    assert graph.outputs == ("f",) and graph.contract == "fp32"
    assert graph.host == ("QuantizeLinear at the input", "Softmax 'soft'", "ArgMax 'y'")


def test_origin_translates_there_and_back() -> None:
    rng = np.random.default_rng(3)
    for dtype in (np.int8, np.uint8):
        image = rng.integers(0, 256, (1, 3, 4, 5)).astype(dtype)
        origin = Origin("t", image.shape, np.dtype(dtype), (3, 4, 5))
        assert origin.ir_shape == (1, 4, 5, 3)
        np.testing.assert_array_equal(origin.from_ir(origin.to_ir(image)), image)
        flat = Origin("f", (1, 60), np.dtype(dtype), (3, 4, 5))
        np.testing.assert_array_equal(flat.to_ir(image.reshape(1, 60)), origin.to_ir(image).reshape(1, 60))
        np.testing.assert_array_equal(flat.from_ir(flat.to_ir(image.reshape(1, 60))), image.reshape(1, 60))
