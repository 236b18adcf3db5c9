"""PAD in front of a convolution becomes the convolution's own padding: LOAD fills it in, nothing is copied.

Keras pads like this before every convolution with stride 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compiler.ir import Graph, Node

WINDOWS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Option of a convolution: ((top, bottom), (left, right)), in addition to its own padding.
BORDER = "border"


@dataclass(frozen=True)
class Fused:
    """graph: without the pads; pads: the tensors that are never made, and the operators that took them in."""

    graph: Graph
    pads: dict[str, str]


def fuse_pads(graph: Graph) -> Fused:
    """Take in every PAD with the zero point whose only user is a convolution without padding of its own."""
    users: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            if name is not None:
                users.setdefault(name, []).append(node)
    pads = {}
    for node in graph.nodes:
        followers = users.get(node.name, [])
        if (
            node.op == "PAD"
            and len(followers) == 1
            and node.name not in graph.outputs
            and _suits(graph, node)
        ):
            after = followers[0]
            if after.op in WINDOWS and after.inputs[0] == node.name and after.options["padding"] == "VALID":
                pads[node.name] = node
    nodes = []
    for node in graph.nodes:
        if node.name in pads:
            continue
        pad = pads.get(str(node.inputs[0])) if node.inputs else None
        if pad is not None:
            rows, columns = _amounts(graph, pad)[1:3]
            node = replace(
                node,
                inputs=(pad.inputs[0], *node.inputs[1:]),
                options={**node.options, BORDER: (rows, columns)},
            )
        nodes.append(node)
    return Fused(replace(graph, nodes=nodes), {name: users[name][0].name for name in pads})


def _suits(graph: Graph, pad: Node) -> bool:
    """Only rows and columns of a computed image; what is left is the operator's to refuse."""
    source, target = graph.tensors[str(pad.inputs[0])], graph.tensors[pad.name]
    amounts = graph.tensors[str(pad.inputs[1])].data
    if amounts is None or amounts.shape != (4, 2) or amounts.min() < 0 or np.any(amounts[[0, 3]]):
        return False
    return bool(
        np.array_equal(source.scales, target.scales)
        and np.array_equal(source.zero_points, target.zero_points)
    )


def _amounts(graph: Graph, pad: Node) -> list[tuple[int, int]]:
    data = graph.tensors[str(pad.inputs[1])].data
    assert data is not None
    return [(int(before), int(after)) for before, after in data]
