"""The inputs of an .onnx file as a user sees them, and a float network quantised before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from compiler.errors import CompileError
from compiler.ir import Graph, Node, Origin, Tensor
from compiler.onnx_quantise import quantised
from tb.chip.inputs import Values

CALIBRATION = 4  # seeded random inputs, when the user gives none
_NONE: NDArray = np.zeros(0)


def parse(model: bytes) -> Any:
    """The ModelProto. Raises CompileError for what is no .onnx file."""
    try:
        parsed = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's own exceptions differ between its implementations
        raise CompileError(f"not an .onnx file, or a truncated one: {error}".replace("\n", " ")) from error
    if not parsed.graph.node:
        raise CompileError("not an .onnx file, or an empty one: it has no nodes")
    return parsed


def border(parsed: Any, core: Graph | None = None) -> Graph:
    """The inputs as the file has them. core: the network's graph, once it is quantised; it tells what the
    inputs become (a QuantizeLinear node for each float one) and which of them have their channels last.

    Raises CompileError for an input that is not one image.
    """
    constants = {initializer.name for initializer in parsed.graph.initializer}
    quantises = {
        node.input[0]: node.output[0] for node in parsed.graph.node if node.op_type == "QuantizeLinear"
    }
    held = {origin.name: origin for origin in core.origins.values()} if core else {}
    tensors: dict[str, Tensor] = dict(core.tensors) if core else {}
    nodes: list[Node] = []
    origins: dict[str, Origin] = {}
    for info in parsed.graph.input:
        if info.name in constants:
            continue
        dtype, shape = _type(info)
        integers = quantises.get(info.name, info.name)
        image = held[integers].image if integers in held else shape[1:] if len(shape) == 4 else None
        origins[info.name] = Origin(info.name, shape, dtype, image)
        if dtype == np.float32 and integers in tensors:
            nodes.append(Node("QuantizeLinear", (info.name,), (integers,)))
        unsigned = dtype == np.uint8
        kind = np.dtype(np.int8) if unsigned else dtype
        tensors[info.name] = Tensor(
            info.name, shape, kind, _NONE.astype(np.float32), _NONE.astype(np.int64), unsigned=unsigned
        )
    return Graph(tensors, nodes, tuple(origins), (), "fp32", origins)


def _type(info: Any) -> tuple[np.dtype, tuple[int, ...]]:
    kind = info.type.tensor_type
    sizes = [dimension.dim_value for dimension in kind.shape.dim]
    if len(sizes) < 2 or sizes[0] not in (0, 1) or min(sizes[1:]) < 1:
        raise CompileError(
            f"input {info.name!r} has shape {sizes}; one image, every size but the first fixed, is needed"
        )
    return np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)), (1, *sizes[1:])


def calibrated(model: bytes, face: Graph, samples: Sequence[Values]) -> bytes:
    """A float network after static quantisation. face: its border; samples: as read_inputs gives them."""
    shaped = [
        {name: value.reshape(face.tensors[name].shape) for name, value in sample.items()}
        for sample in samples
    ]
    return quantised(model, shaped)
