"""ONNX networks read into the graph and run on the models give what ONNX Runtime gives, bit for bit."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from compiler.errors import CompileError, UnsupportedError
from compiler.interpret import interpret
from compiler.ir import Graph, Origin
from compiler.onnx import read_onnx
from compiler.tests.onnx_networks import STYLES, quantised, random_network, run_onnx
from models.tests.litert import SEED

Constants = dict[str, NDArray]

# Random networks per style and family.
NETWORKS = int(os.environ.get("ONNX_NETWORKS", "8"))


def differences(model: bytes, feeds: dict[str, NDArray], *, exact: bool) -> tuple[Graph, dict[str, int]]:
    """(graph, values that differ from ONNX Runtime by tensor), of every tensor that both have."""
    graph = read_onnx(model)
    origins = {name: origin for name, origin in graph.origins.items() if origin.name}
    theirs = run_onnx(model, feeds, [origin.name for origin in origins.values()])
    inputs = {name: origins[name].to_ir(theirs[origins[name].name]) for name in graph.inputs}
    ours = interpret(graph, inputs, exact=exact)
    return graph, {
        name: int(np.count_nonzero(origin.from_ir(ours[name]) != theirs[origin.name]))
        for name, origin in origins.items()
    }


def network(
    nodes: list[Any], constants: Constants, shape: tuple[int, ...] = (1, 4, 6, 5), *, opset: int = 17,
    dtype: type = np.float32, output: str = "y", out_dtype: type = np.int8,
) -> bytes:  # fmt: skip
    """A model of these nodes from "x" to `output`."""

    def info(name: str, kind: type, size: Any) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(kind)), size)

    graph = helper.make_graph(
        nodes,
        "hand",
        [info("x", dtype, shape)],
        [info(output, out_dtype, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    """inputs: names between blanks, "-" for one that is absent."""
    names = ["" if name == "-" else name for name in inputs.split()]
    domain = "com.microsoft" if operator.startswith("Q") and operator not in ("QuantizeLinear",) else ""
    return helper.make_node(operator, names, [output], domain=domain, **attributes)


def scales(zero: int = 0, dtype: type = np.int8) -> Constants:
    """Scales s, t, u of activations with zero points z."""
    small = {name: np.array(value, np.float32) for name, value in (("s", 0.031), ("t", 0.047), ("u", 0.02))}
    return small | {"z": np.array(zero, dtype)}


FRONT = [node("QuantizeLinear", "x s z", "xq"), node("DequantizeLinear", "xq s z", "xr")]


def agrees(nodes: list[Any], constants: Constants, *, exact: bool = True, **arguments: Any) -> Graph:
    """Three random inputs through a network that starts with FRONT."""
    model = network(nodes, constants, **arguments)
    rng = np.random.default_rng(SEED)
    shape = arguments.get("shape", (1, 4, 6, 5))
    for _ in range(3):
        feeds = {"x": rng.normal(0, 1.5, shape).astype(np.float32)}
        graph, wrong = differences(model, feeds, exact=exact)
        assert not any(wrong.values()), wrong
    return graph


def ops(graph: Graph) -> list[str]:
    return [n.op for n in graph.nodes]


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


def conv_constants(groups: int = 1) -> Constants:
    rng = np.random.default_rng(1)
    return {
        "w": rng.integers(-127, 128, (6, 4 // groups, 3, 3), dtype=np.int8),
        "ws": rng.uniform(0.002, 0.01, 6).astype(np.float32),
        "wz": np.zeros(6, np.int8),
        "b": rng.normal(0, 0.5, 6).astype(np.float32),
    }


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


# --- refusals -----------------------------------------------------------------------------------------------


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
