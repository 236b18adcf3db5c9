"""Small ONNX networks written node by node, and their tensors against ONNX Runtime's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from compiler.interpret import interpret
from compiler.ir import Graph
from compiler.onnx import read_onnx
from compiler.tests.onnx_networks import run_onnx
from models.tests.litert import SEED

Constants = dict[str, NDArray]


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


def conv_constants(groups: int = 1) -> Constants:
    """A 3 x 3 convolution of 4 channels to 6: weights w, their scales ws and zero points wz, bias b."""
    rng = np.random.default_rng(1)
    return {
        "w": rng.integers(-127, 128, (6, 4 // groups, 3, 3), dtype=np.int8),
        "ws": rng.uniform(0.002, 0.01, 6).astype(np.float32),
        "wz": np.zeros(6, np.int8),
        "b": rng.normal(0, 0.5, 6).astype(np.float32),
    }


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
    """What its nodes do, in order."""
    return [n.op for n in graph.nodes]
