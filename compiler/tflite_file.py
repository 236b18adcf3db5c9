"""Tensors and operators into the bytes of a .tflite file; compiler/tflite_build.py knows the operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import ArrayLike

SCHEMA_VERSION = 3

_TENSOR_TYPE = {
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.uint8): schema.TensorType.UINT8,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int64): schema.TensorType.INT64,
    np.dtype(np.float32): schema.TensorType.FLOAT32,
}

# The operator versions that accept int8 (and, for the convolutions, a scale per channel).
_OP_VERSION = {
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "MAX_POOL_2D": 2,
    "AVERAGE_POOL_2D": 2,
    "PAD": 2,
    "PADV2": 2,
    "STRIDED_SLICE": 2,
    "SLICE": 2,
    "TRANSPOSE": 2,
    "SOFTMAX": 2,
    "ARG_MAX": 2,
    "DEQUANTIZE": 2,
    "SPLIT_V": 2,
    "SHAPE": 1,
    "GELU": 2,
    "EXP": 2,
    "ELU": 1,
    "LOG": 2,
    "NEG": 1,
    "RELU_0_TO_1": 1,
    "RELU_N1_TO_1": 1,
    "RSQRT": 3,
    "SQRT": 2,
    "ABS": 2,
    "PRELU": 1,
    "RESHAPE": 1,
    "MEAN": 2,
    "LOGISTIC": 2,
    "TANH": 2,
    "RELU": 2,
    "RELU6": 2,
    "LEAKY_RELU": 2,
    "HARD_SWISH": 1,
    "QUANTIZE": 2,
    "ADD": 2,
    "SUB": 2,
    "MUL": 2,
    "CONCATENATION": 2,
}


def enum_value(cls: type, name: str, what: str) -> int:
    """Value of a member of a generated schema enum; ValueError names what there is."""
    value = getattr(cls, name, None)
    if name.startswith("_") or not isinstance(value, int):
        known = ", ".join(sorted(k for k in vars(cls) if not k.startswith("_")))
        raise ValueError(f"unknown {what} {name!r}; expected one of {known}")
    return value


class TfliteFile:
    """Collects tensors and operators; `finish` returns the bytes of the file.

    Tensors are named by the index that `add_tensor` returns. Operators run in the order in which they were
    added. Shapes are not checked here: LiteRT does that when it allocates.
    """

    def __init__(self, description: str = "assay") -> None:
        self._description = description
        # Buffer 0 is the empty one by convention: tensors without data point to it.
        self._buffers: list[Any] = [schema.BufferT()]
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: list[str] = []

    def add_tensor(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any,
        scale: float | Sequence[float] | np.ndarray | None = None,
        zero_point: int | Sequence[int] | np.ndarray = 0,
        *,
        quantized_dimension: int = 0,
        data: np.ndarray | None = None,
    ) -> int:
        """Add a tensor and return its index.

        shape: NHWC for activations, [O,kh,kw,C] for convolution weights, [1,kh,kw,C] for depthwise, [O,C] for
        fully connected. dtype: int8, uint8, int32, int64 or float32. scale: one float, or one per slice of
        `quantized_dimension`, or None for a tensor that is not quantised. zero_point: one int or as many as
        scales. data: constant contents, of that shape and dtype.
        Raises ValueError for an unknown dtype and for data that does not fit.
        """
        kind = np.dtype(dtype)
        if kind not in _TENSOR_TYPE:
            known = ", ".join(str(k) for k in _TENSOR_TYPE)
            raise ValueError(f"tensor {name!r}: dtype {kind} is not supported; expected one of {known}")
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [int(n) for n in shape]
        tensor.type = _TENSOR_TYPE[kind]
        tensor.buffer = 0
        if data is not None:
            if data.shape != tuple(shape) or data.dtype != kind:
                raise ValueError(
                    f"tensor {name!r}: data is {data.dtype}{list(data.shape)}, expected {kind}{list(shape)}"
                )
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), dtype=np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        if scale is not None:
            scales = np.atleast_1d(np.asarray(scale, dtype=np.float32))
            quantization = schema.QuantizationParametersT()
            quantization.scale = scales.tolist()
            zero_points = np.asarray(zero_point, dtype=np.int64)
            quantization.zeroPoint = np.broadcast_to(zero_points, scales.shape).tolist()
            quantization.quantizedDimension = quantized_dimension
            tensor.quantization = quantization
        self._tensors.append(tensor)
        return len(self._tensors) - 1

    def _integers(self, y: int, what: str, values: ArrayLike) -> int:
        """A constant int32 tensor, called after the output that needs it."""
        data = np.array(values, dtype=np.int32)
        return self.add_tensor(f"{self._tensors[y].name}/{what}", data.shape, np.int32, data=data)

    def _operator(self, code: str, inputs: list[int], y: int | list[int], options: Any | None = None) -> None:
        if code not in self._codes:
            self._codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.index(code)
        operator.inputs = inputs
        operator.outputs = y if isinstance(y, list) else [y]
        if options is not None:
            operator.builtinOptions = options
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = enum_value(schema.BuiltinOptions, name, "operator options")
        self._operators.append(operator)

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> bytes:
        """The .tflite file. inputs, outputs: tensor indices, in the order the interpreter will show them."""
        graph = schema.SubGraphT()
        graph.name = "main"
        graph.tensors = self._tensors
        graph.operators = self._operators
        graph.inputs = list(inputs)
        graph.outputs = list(outputs)
        model = schema.ModelT()
        model.version = SCHEMA_VERSION
        model.description = self._description
        model.operatorCodes = [self._operator_code(code) for code in self._codes]
        model.subgraphs = [graph]
        model.buffers = self._buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    @staticmethod
    def _operator_code(code: str) -> Any:
        value = enum_value(schema.BuiltinOperator, code, "operator")
        result = schema.OperatorCodeT()
        result.builtinCode = value
        # Readers older than schema 3a look only at the 8-bit field.
        result.deprecatedBuiltinCode = min(value, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
        result.version = _OP_VERSION[code]
        return result
