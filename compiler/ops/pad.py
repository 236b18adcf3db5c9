"""PAD and PADV2: rows and columns of a constant around an image."""

from __future__ import annotations

import numpy as np

from compiler.ir import Node
from compiler.layer import Layer
from compiler.ops.context import Context
from compiler.ops.copy import check_same_scale, window_copy


def lower(node: Node, context: Context) -> Layer:
    """PAD pads with the zero point, PADV2 with its third input."""
    source = context.activation(node, node.inputs[0])
    target = context.activation(node, node.outputs[0])
    check_same_scale(node, context, source, target)
    rows, columns, _ = context.layout(node, source.name)
    amounts = context.integers(node, node.inputs[1]).reshape(-1, 2)
    if len(amounts) != 4 or amounts.min() < 0 or amounts[[0, 3]].any():
        raise context.fail(node, f"paddings are {amounts.tolist()}; only rows and columns can be padded")
    border = source.zero_point
    if len(node.inputs) > 2:
        value = context.tensor(node, node.inputs[2])
        if value.data is None or value.dtype != np.int8:
            raise context.fail(
                node, f"tensor {value.name!r}, the padding's value, must be a constant of int8"
            )
        check_same_scale(node, context, value, target)
        border = int(value.data.reshape(-1)[0])
    (top, bottom), (left, right) = amounts[1].tolist(), amounts[2].tolist()
    size = (top + rows + bottom, left + columns + right)
    return window_copy(node, context, source, target, size, (-top, -left), (1, 1), border)
