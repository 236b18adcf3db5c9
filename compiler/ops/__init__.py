"""One file per operator: what a node of the network asks of the core.

A file has `lower(node, context)`, which returns a layer, a list of them for several outputs, or an Alias when
there is nothing to compute. A new operator costs a file and a line in OPERATORS.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.errors import UnsupportedError
from compiler.ir import Node
from compiler.layer import Alias, Layer
from compiler.ops import (
    concatenation,
    conv,
    conv_transpose,
    depthwise,
    element,
    elementwise,
    fully_connected,
    mean,
    pad,
    permute,
    pool,
    reshape,
    resize,
    slices,
    split,
)
from compiler.ops.context import Context

OPERATORS: dict[str, Callable[[Node, Context], Layer | Alias | list[Layer]]] = {
    "CONV_2D": conv.lower,
    "DEPTHWISE_CONV_2D": depthwise.lower,
    "FULLY_CONNECTED": fully_connected.lower,
    "MAX_POOL_2D": pool.lower_max,
    "AVERAGE_POOL_2D": pool.lower_average,
    "MEAN": mean.lower,
    "CONCATENATION": concatenation.lower,
    "PAD": pad.lower,
    "PADV2": pad.lower,
    "CONV_TRANSPOSE": conv_transpose.lower,
    "RESIZE_NEAREST": resize.lower,
    "PERMUTE_CHANNELS": permute.lower,
    "STRIDED_SLICE": slices.lower_strided,
    "SLICE": slices.lower_slice,
    "SPLIT": split.lower_equal,
    "SPLIT_V": split.lower_sizes,
    "RESHAPE": reshape.lower,
    "SQUEEZE": reshape.lower,
    "EXPAND_DIMS": reshape.lower,
    "TRANSPOSE": reshape.lower_transpose,
    **dict.fromkeys(elementwise.TABLES, elementwise.lower),
    "ADD": element.lower,
    "SUB": element.lower,
    "MUL": element.lower,
}

# Made by the ONNX reader alone: no .tflite file can ask for them.
ONNX_ONLY = {"CONV_TRANSPOSE", "PERMUTE_CHANNELS", "RESIZE_NEAREST", "TABLE"}
SUPPORTED = sorted(OPERATORS.keys() - ONNX_ONLY)

# TFLite's optimised kernels of these round as no mode of the core does. The default path uses them where
# XNNPACK leaves such an operator.
OPTIMISED_OTHERWISE = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MEAN", "QUANTIZE")


def lower(node: Node, context: Context) -> list[Layer | Alias]:
    """The layers that execute a node, one per output. Raises UnsupportedError, naming what there is."""
    if node.op not in OPERATORS:
        raise UnsupportedError(node.name, node.op, "this operator is not supported", SUPPORTED)
    for name in node.inputs:
        tensor = None if name is None else context.graph.tensors[name]
        if tensor and tensor.data is None and tensor.dtype == np.int8 and tensor.name not in context.layouts:
            raise UnsupportedError(node.name, node.op, f"nothing computes its input {tensor.name!r}")
    try:
        lowered = OPERATORS[node.op](node, context)
    except (IndexError, KeyError) as error:
        # Every operator takes inputs by number and options by name.
        raise UnsupportedError(node.name, node.op, f"the file lacks an input or option ({error})") from error
    except (ValueError, ArithmeticError) as error:
        # Of a damaged file: shapes that contradict each other, sizes of zero.
        raise UnsupportedError(node.name, node.op, f"the file contradicts itself ({error})") from error
    # Last: what is wrong with the node itself is the better reason.
    delegated = context.graph.delegated
    if delegated is not None and node.name not in delegated and node.op in OPTIMISED_OTHERWISE:
        raise UnsupportedError(
            node.name,
            node.op,
            "XNNPACK leaves it to a kernel of TFLite's whose rounding the core does not have; are all scales "
            "in the file, also the bias's? CONTRACT=tflite runs it",
        )
    return [*lowered] if isinstance(lowered, list) else [lowered]
