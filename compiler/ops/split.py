"""SPLIT and SPLIT_V: one slice per output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from compiler.ir import Node
from compiler.layer import Layer
from compiler.ops.context import Context
from compiler.ops.slices import cut, tensors_of


def lower_equal(node: Node, context: Context) -> list[Layer]:
    """SPLIT: the axis comes first, the parts have one size."""
    return _lower(node, context, str(node.inputs[1]), context.integers(node, node.inputs[0]))


def lower_sizes(node: Node, context: Context) -> list[Layer]:
    """SPLIT_V: parts of any sizes, one of them perhaps -1, the rest; the outputs have them, too."""
    axes, wanted = context.integers(node, node.inputs[2]), context.integers(node, node.inputs[1]).tolist()
    shapes = [context.graph.tensors[name].shape for name in node.outputs]
    found = [shape[int(axes[0])] for shape in shapes]
    if len(wanted) != len(found) or any(w not in (-1, f) for w, f in zip(wanted, found, strict=True)):
        raise context.fail(node, f"parts of {wanted}, but the outputs have {found} there")
    return _lower(node, context, str(node.inputs[0]), axes)


def _lower(node: Node, context: Context, source: str, axes: np.ndarray) -> list[Layer]:
    axis = int(axes[0]) % len(context.graph.tensors[source].shape)
    layers, first = [], 0
    for name in node.outputs:
        # Each output as if it were an operator of its own.
        one = replace(node, inputs=(source,), outputs=(name,))
        before, after = tensors_of(one, context)
        ranges = [range(size) for size in before.shape]
        ranges[axis] = range(first, first + after.shape[axis])
        first += after.shape[axis]
        layers.append(cut(one, context, before, after, ranges))
    return layers
