"""Drops the integers by which a converter computes shapes at run time: here every shape is known.

Keras' Flatten and Reshape become SHAPE, STRIDED_SLICE and PACK in front of a RESHAPE. The file has the shape
of the RESHAPE's output, so that nothing needs their result.
"""

from __future__ import annotations

from dataclasses import replace

from compiler.ir import Graph, Node

# The input of an operator that is a shape.
SHAPE_INPUTS = {"RESHAPE": 1}


def without_shapes(graph: Graph) -> Graph:
    """The graph without operators that only lead to a shape."""
    needed = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        made = [graph.tensors[name] for name in node.outputs]
        integers = all(tensor.dtype.kind == "i" and not len(tensor.scales) for tensor in made)
        if integers and not needed.intersection(node.outputs):
            continue
        kept.append(node)
        shape = SHAPE_INPUTS.get(node.op)
        needed.update(name for place, name in enumerate(node.inputs) if name is not None and place != shape)
    return replace(graph, nodes=kept[::-1])
