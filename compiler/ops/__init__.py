"""One file per operator: what a node of the network asks of the core.

A file has `lower(node, context)`, which returns a layer, or an Alias when there is nothing to compute. A new
operator costs a file and a line in OPERATORS.
"""

from __future__ import annotations

from collections.abc import Callable

from compiler.errors import UnsupportedError
from compiler.ir import Node
from compiler.layer import Alias, Layer
from compiler.ops import conv, element, elementwise, fully_connected, mean, pool, reshape
from compiler.ops.context import Context

OPERATORS: dict[str, Callable[[Node, Context], Layer | Alias]] = {
    "CONV_2D": conv.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pool.lower_max,
    "AVERAGE_POOL_2D": pool.lower_average,
    "MEAN": mean.lower,
    "RESHAPE": reshape.lower,
    "ADD": element.lower,
    "SUB": element.lower,
    "MUL": element.lower,
    "LOGISTIC": elementwise.lower,
    "TANH": elementwise.lower,
    "RELU": elementwise.lower,
    "RELU6": elementwise.lower,
    "RELU_N1_TO_1": elementwise.lower,
    "LEAKY_RELU": elementwise.lower,
    "HARD_SWISH": elementwise.lower,
}


def lower(node: Node, context: Context) -> Layer | Alias:
    """The layer that executes a node. Raises UnsupportedError, naming what there is."""
    if node.op not in OPERATORS:
        raise UnsupportedError(node.name, node.op, "this operator is not supported", OPERATORS)
    return OPERATORS[node.op](node, context)
