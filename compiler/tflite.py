"""Reads a .tflite file into the compiler's graph. Quantised uint8 tensors become int8, 128 less."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compiler.delegate import delegated
from compiler.errors import CompileError
from compiler.ir import Graph, Node, Tensor

# More than any network has in one tensor: a damaged file.
VALUES_MAX = 1 << 28


def _names(cls: type) -> dict[int, str]:
    return {value: name for name, value in vars(cls).items() if isinstance(value, int)}


_OPERATORS = _names(schema.BuiltinOperator)
_TENSOR_TYPES = _names(schema.TensorType)
_ENUM_OPTIONS = {
    "padding": _names(schema.Padding),
    "fusedActivationFunction": _names(schema.ActivationFunctionType),
}
_DTYPES: dict[int, np.dtype] = {
    schema.TensorType.INT8: np.dtype(np.int8),
    schema.TensorType.UINT8: np.dtype(np.uint8),
    schema.TensorType.INT16: np.dtype(np.int16),
    schema.TensorType.INT32: np.dtype(np.int32),
    schema.TensorType.INT64: np.dtype(np.int64),
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.BOOL: np.dtype(np.bool_),
}


def read_contract(model: bytes, contract: str) -> Graph:
    """The network in a .tflite file, in the arithmetic of a contract (compiler/ir.py:CONTRACTS).

    Contract fp32 is LiteRT's default path, which is asked what it hands to XNNPACK: a damaged file may end
    the process. Raises CompileError.
    """
    graph = replace(read_tflite(model), contract=contract)
    if contract != "fp32":
        return graph
    taken = frozenset(graph.nodes[number].name for number in delegated(model))
    return replace(graph, delegated=taken)


def read_tflite(model: bytes) -> Graph:
    """The network in a .tflite file, in contract tflite. Raises CompileError when it is not one network."""
    if len(model) < 8 or model[4:8] != b"TFL3":
        raise CompileError("not a .tflite file: the identifier TFL3 is missing at byte 4")
    try:
        return _graph(schema.ModelT.InitFromPackedBuf(model, 0))
    except CompileError:
        raise
    except Exception as error:  # a reader of offsets fails with whatever the damage leads to
        raise CompileError(f"damaged .tflite file: {error}".replace("\n", " ")) from error


def _graph(parsed: Any) -> Graph:
    if len(parsed.subgraphs) != 1:
        raise CompileError(f"the .tflite file has {len(parsed.subgraphs)} subgraphs; one is supported")
    graph = parsed.subgraphs[0]
    names = _unique_names(graph.tensors)
    tensors = {
        name: _tensor(name, tensor, parsed.buffers) for name, tensor in zip(names, graph.tensors, strict=True)
    }
    nodes = []
    for operator in graph.operators:
        code = parsed.operatorCodes[operator.opcodeIndex]
        if not len(operator.inputs) or not len(operator.outputs):
            raise CompileError("an operator of the .tflite file has no inputs or no outputs")
        nodes.append(
            Node(
                op=_operator_name(code),
                inputs=tuple(names[i] if i >= 0 else None for i in operator.inputs),
                outputs=tuple(names[i] for i in operator.outputs),
                options=_options(operator.builtinOptions),
            )
        )
    if not len(graph.outputs):
        raise CompileError("the .tflite file has no outputs: nobody asks for what it computes")
    # A file may name one twice; it is one all the same.
    inputs, outputs = (tuple(dict.fromkeys(names[i] for i in part)) for part in (graph.inputs, graph.outputs))
    return Graph(tensors, nodes, inputs, outputs)


def _operator_name(code: Any) -> str:
    value = max(code.builtinCode, code.deprecatedBuiltinCode)
    if value == schema.BuiltinOperator.CUSTOM:
        return f"CUSTOM {(code.customCode or b'without a name').decode('utf-8', 'replace')}"
    return _OPERATORS.get(value, f"OPERATOR_{value}")


def _unique_names(tensors: list[Any]) -> list[str]:
    names: list[str] = []
    for index, tensor in enumerate(tensors):
        try:
            name = (tensor.name or b"").decode()
        except UnicodeDecodeError as error:  # LiteRT has no use for it either
            raise CompileError(f"damaged .tflite file: the name of tensor {index} is no text") from error
        names.append(name if name and name not in names else f"{name}#{index}")
    return names


def _tensor(name: str, tensor: Any, buffers: list[Any]) -> Tensor:
    if tensor.type not in _DTYPES:
        kind = _TENSOR_TYPES.get(tensor.type, tensor.type)
        raise CompileError(f"tensor {name!r} has type {kind}, which no operator here takes")
    dtype = _DTYPES[tensor.type]
    shape = tuple(int(size) for size in ([] if tensor.shape is None else tensor.shape))
    if any(size < 0 for size in shape) or prod(shape) > VALUES_MAX:
        raise CompileError(f"tensor {name!r} has the shape {list(shape)}")
    quantization = tensor.quantization
    scales = zero_points = None
    axis = 0
    if quantization is not None and quantization.scale is not None:
        scales, zero_points = quantization.scale, quantization.zeroPoint
        axis = int(quantization.quantizedDimension)
    data = None
    contents = buffers[tensor.buffer].data
    if contents is not None and len(contents):
        raw = np.asarray(contents, dtype=np.uint8)
        if raw.size != int(np.prod(shape)) * dtype.itemsize:
            raise CompileError(f"tensor {name!r}: {raw.size} bytes do not make {dtype}{list(shape)}")
        data = raw.view(dtype).reshape(shape)
    scale_array = np.array([] if scales is None else scales, dtype=np.float32)
    zeros = np.array(np.zeros(len(scale_array)) if zero_points is None else zero_points, dtype=np.int64)
    if zeros.size != scale_array.size:
        raise CompileError(f"tensor {name!r} has {scale_array.size} scales and {zeros.size} zero points")
    if dtype != np.uint8 or not len(scale_array):
        return Tensor(name, shape, dtype, scale_array, zeros, axis, data)
    # The same values as int8: 128 less, and so is the zero point (docs/numerics.md).
    shifted = None if data is None else (data ^ 0x80).view(np.int8)
    return Tensor(name, shape, np.dtype(np.int8), scale_array, zeros - 128, axis, shifted, unsigned=True)


def _options(options: Any) -> dict[str, Any]:
    if options is None:
        return {}
    decoded = dict(vars(options))
    for name, values in _ENUM_OPTIONS.items():
        if name in decoded:
            decoded[name] = values.get(decoded[name], f"unknown {decoded[name]}")
    return decoded
