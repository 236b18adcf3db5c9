"""An .onnx file parsed, and what is wrong with the file itself, said before anything reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compiler.errors import CompileError


def parse(model: bytes) -> Any:
    """The ModelProto of one file, with nodes, outputs and readable constants. Raises CompileError."""
    try:
        parsed = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's own exceptions differ between its implementations
        raise CompileError(f"not an .onnx file, or a truncated one: {error}") from error
    graph = parsed.graph
    if not graph.node:
        raise CompileError("not an .onnx file, or an empty one: it has no nodes")
    if not graph.output:
        raise CompileError("the .onnx file has no outputs: nobody asks for what it computes")
    if any(isinstance(name, bytes) for name in _names(parsed)):
        raise CompileError("damaged .onnx file: a name in it is not UTF-8")
    if not any(entry.domain in ("", "ai.onnx") for entry in parsed.opset_import):
        raise CompileError("damaged .onnx file: it names no version of ONNX's operators (opset_import)")
    for initializer in graph.initializer:
        _check_constant(f"initializer {initializer.name!r}", initializer)
    for node in graph.node:
        if node.op_type == "Constant":
            _check_constant_node(node)
    return parsed


def _names(parsed: Any) -> Iterator[Any]:
    """str, or bytes where protobuf cannot decode them."""
    graph = parsed.graph
    yield from (entry.domain for entry in parsed.opset_import)
    yield from (one.name for one in (*graph.input, *graph.output, *graph.value_info, *graph.initializer))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def element_type(info: Any) -> np.dtype:
    """numpy's type of a tensor input or output. Raises CompileError for what is no tensor."""
    kind = info.type.tensor_type.elem_type
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(kind))
    except (KeyError, ValueError, TypeError) as error:
        raise CompileError(f"{info.name!r} is no tensor of a known type (element type {kind})") from error


def _check_constant_node(node: Any) -> None:
    name = f"Constant {node.name or (node.output[0] if node.output else '')!r}"
    if len(node.attribute) != 1 or len(node.output) != 1:
        raise CompileError(f"damaged .onnx file: {name} has no value")
    if node.attribute[0].name == "value":
        _check_constant(name, node.attribute[0].t)


def _check_constant(name: str, tensor: Any) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise CompileError(
            f"{name} lies in another file; save the model as one file "
            "(onnx.save_model(..., save_as_external_data=False))"
        )
    if any(size < 0 for size in tensor.dims):
        raise CompileError(f"damaged .onnx file: {name} has the shape {list(tensor.dims)}")
    try:
        numpy_helper.to_array(tensor)
    except Exception as error:  # of numpy, or a type that ONNX does not know
        raise CompileError(f"damaged .onnx file: {name} cannot be read: {error}") from error
