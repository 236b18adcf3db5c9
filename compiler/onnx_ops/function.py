"""Element-wise functions of one tensor, which become tables, and the clamps of Relu and Clip."""

from __future__ import annotations

from math import inf
from typing import Any

from numpy.typing import NDArray
from onnx import helper

from compiler.onnx_build import Builder
from compiler.onnx_values import Constant, Function, Pending, Stored

# Nodes that a table can hold: of one tensor, with scalars as the other inputs.
FUNCTIONS = frozenset(
    "Abs Add Celu Clip Div Elu Erf Exp Gelu HardSigmoid HardSwish LeakyRelu Log Max Min Mish Mul Neg PRelu "
    "Pow QuickGelu Reciprocal Relu Selu Sigmoid Softplus Softsign Sqrt Sub Swish Tanh ThresholdedRelu".split()
)


def function(node: Any, b: Builder) -> bool:
    """Try to read an element-wise node as a function of one tensor, or as the clamp of the node before."""
    first = b.value(node, 0)
    if isinstance(first, Pending):
        if node.op_type not in ("Relu", "Clip"):
            raise ValueError(f"its input is the float32 result of {first.operator}, which is never quantised")
        b.values[node.output[0]] = first.clamped(*_clip_ends(node, b))
        return True
    tensors: set[str] = set()
    chain: list[Any] = []
    constants: dict[str, NDArray] = {}
    renamed: dict[str, str] = {}
    for index, name in enumerate(node.input):
        if not name:
            continue
        value = b.value(node, index)
        if isinstance(value, Stored) and value.real:
            tensors.add(value.tensor)
            renamed[name] = f"{value.tensor}/real"
        elif isinstance(value, Function):
            tensors.add(value.tensor)
            chain += [n for n in value.nodes if n not in chain]
            constants |= value.constants
        elif isinstance(value, Constant) and value.data.size == 1:
            if value.quantisation is None:
                constants[name] = value.data
            else:
                q = value.quantisation
                zero = q.zero_points.astype(q.dtype)
                parts = {"levels": value.data, "scale": q.scales.reshape(()), "zero": zero.reshape(())}
                constants |= {f"{name}/{part}": data for part, data in parts.items()}
                chain.append(helper.make_node("DequantizeLinear", [f"{name}/{p}" for p in parts], [name]))
        else:
            return False
    if len(tensors) != 1:
        return False
    copy = type(node)()
    copy.CopyFrom(node)
    copy.input[:] = [renamed.get(name, name) for name in node.input]
    tensor = tensors.pop()
    b.values[node.output[0]] = Function(tensor, f"{tensor}/real", node.output[0], (*chain, copy), constants)
    return True


def _clip_ends(node: Any, b: Builder) -> tuple[float, float]:
    if node.op_type == "Relu":
        return 0.0, inf
    attributes = b.attributes(node)
    low = b.number(node, 1) if b.has(node, 1) else attributes.get("min", -inf)
    high = b.number(node, 2) if b.has(node, 2) else attributes.get("max", inf)
    return float(low), float(high)


def no_function(node: Any, b: Builder) -> None:
    raise ValueError("only a function of one quantised tensor, with scalars beside it, is supported")


def qlinear_function(node: Any, b: Builder) -> None:
    """QLinearSigmoid and QLinearLeakyRelu: the float node between its two quantisations."""
    x = b.integers(node, b.value(node, 0), node.input[0], b.quantisation(node, 1, b.value(node, 0))).tensor
    function = helper.make_node(node.op_type.removeprefix("QLinear"), ["x"], ["y"])
    function.attribute.extend(node.attribute)
    b.store(node, Function(x, "x", "y", (function,), {}), node.output[0], b.quantisation(node, 3))
