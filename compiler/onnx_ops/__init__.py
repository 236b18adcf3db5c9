"""The ONNX operators that the graph can express, one function each.

A float node between DequantizeLinear and QuantizeLinear and the QOperator node that says the same meet in
one function, which returns a Pending: the float node leaves it for its QuantizeLinear, the QOperator node
stores it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from compiler.onnx_build import Builder
from compiler.onnx_ops import binary, function, move, pool, resize, weights
from compiler.onnx_values import Function, Pending, Quantisation, Stored

# Nodes that move or pick values: they commute with quantising.
MOVES = frozenset("MaxPool Reshape Resize Flatten Squeeze Unsqueeze Slice Transpose".split())


def convert_operator(node: Any, b: Builder) -> None:
    """Add what the node means to the builder. Raises UnsupportedError, or ValueError with the reason."""
    if node.op_type in function.FUNCTIONS and function.function(node, b):
        return
    value = b.value(node, 0) if node.op_type in MOVES else None
    if isinstance(value, Function):
        b.values[node.output[0]] = Pending(node.op_type, partial(_emit_moved, node, b, value))
    else:
        OPERATORS[node.op_type](node, b)


def _emit_moved(
    node: Any, b: Builder, source: Function, name: str, q: Quantisation, ends: tuple[float, float]
) -> None:
    """MOVES of a function's real values: quantised first, because that changes neither order nor place."""
    if ends != (-inf, inf):
        raise ValueError(f"a Relu or Clip after {node.op_type} is not supported here")
    table = f"{name}/table"
    b.table(node, source, table, q)
    b.origins[table] = replace(b.origins[table], name="")
    b.values[table] = Stored(table, real=False)
    moved = type(node)()
    moved.CopyFrom(node)
    moved.input[0], moved.output[0] = table, name
    OPERATORS[node.op_type](moved, b)


OPERATORS: dict[str, Callable[[Any, Builder], None]] = dict.fromkeys(
    function.FUNCTIONS, function.no_function
) | {
    "Conv": weights.conv,
    "QLinearConv": weights.qlinear_conv,
    "MatMul": weights.matmul,
    "QLinearMatMul": weights.qlinear_matmul,
    "Gemm": weights.gemm,
    "QGemm": weights.qgemm,
    "Add": binary.binary,
    "Sub": binary.binary,
    "Mul": binary.binary,
    "QLinearAdd": binary.qlinear_binary,
    "QLinearMul": binary.qlinear_binary,
    "Concat": binary.concat,
    "QLinearConcat": binary.qlinear_concat,
    "MaxPool": pool.max_pool,
    "AveragePool": pool.average_pool,
    "QLinearAveragePool": pool.qlinear_average_pool,
    "GlobalAveragePool": pool.global_average_pool,
    "QLinearGlobalAveragePool": pool.qlinear_average_pool,
    "ReduceMean": pool.reduce_mean,
    "Reshape": move.reshape,
    "Flatten": move.reshape,
    "Squeeze": move.reshape,
    "Unsqueeze": move.reshape,
    "Transpose": move.transpose,
    "Pad": move.pad,
    "Slice": move.slice_,
    "Split": move.split,
    "Resize": resize.resize,
    "ConvTranspose": weights.conv_transpose,
    "Identity": move.identity,
    "Dropout": move.identity,
    "QLinearSigmoid": function.qlinear_function,
    "QLinearLeakyRelu": function.qlinear_function,
}
