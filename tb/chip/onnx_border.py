"""The inputs of an .onnx file as a user sees them, and a float network quantised before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compiler.errors import CompileError
from compiler.ir import Graph, Node, Origin, Tensor
from compiler.onnx_file import element_type
from compiler.onnx_quantise import quantised
from scripts.tools import UserError
from tb.chip.inputs import Values, read_array
from tb.chip.png import read_png

CALIBRATION = 4  # seeded random inputs, when the user gives none
_NONE: NDArray = np.zeros(0)


def with_sizes(parsed: Any, source: Path | None) -> Any:
    """The network with the sizes that its file leaves open taken from the user's INPUT, a .npy array or a
    .png image (of a folder: the first). As it is when the file has them all, or INPUT cannot tell.

    Raises UserError when INPUT has another size than the file where that is fixed.
    """
    constants = {initializer.name for initializer in parsed.graph.initializer}
    inputs = [info for info in parsed.graph.input if info.name not in constants]
    sizes = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim] if len(inputs) == 1 else []
    if source is None or len(sizes) < 2 or min(sizes[1:]) > 0:
        return parsed
    given = _size_of(source, sizes)
    if given is None:
        return parsed
    if any(size > 0 and size != new for size, new in zip(sizes[1:], given, strict=True)):
        names = [size if size > 0 else "any" for size in sizes[1:]]
        raise UserError(f"INPUT={source}: an image is {list(given)}; input {inputs[0].name!r} is {names}")
    fixed = onnx.ModelProto()
    fixed.CopyFrom(parsed)
    info = next(info for info in fixed.graph.input if info.name == inputs[0].name)
    for dimension, size in zip(info.type.tensor_type.shape.dim, (1, *given), strict=True):
        dimension.dim_value = size
    for info in fixed.graph.output:
        # What the file says of them may still hold the names of open sizes.
        info.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    return fixed


def _size_of(source: Path, sizes: Sequence[int]) -> tuple[int, ...] | None:
    """Sizes of one image without the leading 1."""
    if source.is_dir():
        files = sorted(file for file in source.iterdir() if file.suffix.lower() in (".npy", ".png"))
        source = files[0] if files else source
    if not source.is_file():
        return None
    if source.suffix.lower() == ".png":
        rows, columns, channels = read_png(source).shape
        if len(sizes) != 4:
            return None
        return (rows, columns, channels) if sizes[3] == channels else (channels, rows, columns)
    if source.suffix.lower() != ".npy":
        return None
    try:
        shape = read_array(source).shape
    except UserError:
        return None  # read_inputs says what is wrong with it
    count = len(sizes) - 1
    return shape[-count:] if len(shape) in (count, count + 1) else None


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
            f"input {info.name!r} has shape {sizes}; one image, every size but the first fixed, is needed "
            "(an INPUT that is a .npy array or a .png image fixes them)"
        )
    dtype = element_type(info)
    if dtype not in (np.float32, np.int8, np.uint8):
        raise CompileError(f"input {info.name!r} is {dtype}; float32, int8 or uint8 is needed")
    return dtype, (1, *sizes[1:])


def calibrated(model: bytes, face: Graph, samples: Sequence[Values]) -> bytes:
    """A float network after static quantisation. face: its border; samples: as read_inputs gives them."""
    shaped = [
        {name: value.reshape(face.tensors[name].shape) for name, value in sample.items()}
        for sample in samples
    ]
    return quantised(model, shaped)
