"""Builds .tflite files in memory, from one operator up to a sequential network.

The judges of `models` need the same operator in LiteRT with the exact scales, strides and weights that a seed
drew; the quantised networks of the project are written the same way. No converter is involved, so what
the file holds is what the caller said.

    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 8, 8, 3), np.int8, 0.02, -5)
    w = b.add_tensor("w", (4, 3, 3, 3), np.int8, scales, 0, data=weights)          # per-channel on axis 0
    k = b.add_tensor("k", (4,), np.int32, 0.02 * scales, 0, data=bias)
    y = b.add_tensor("y", (1, 8, 8, 4), np.int8, 0.1, 3)
    b.conv2d(x, w, k, y, padding="SAME", activation="RELU")
    model = b.finish([x], [y])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

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


def _enum(cls: type, name: str, what: str) -> int:
    """Value of a member of a generated schema enum; ValueError names what there is."""
    value = getattr(cls, name, None)
    if name.startswith("_") or not isinstance(value, int):
        known = ", ".join(sorted(k for k in vars(cls) if not k.startswith("_")))
        raise ValueError(f"unknown {what} {name!r}; expected one of {known}")
    return value


class TfliteBuilder:
    """Collects tensors and operators; `finish` returns the bytes of the .tflite file.

    Tensors are named by the index that `add_tensor` returns; every operator takes its inputs first, then its
    output. Operators run in the order in which they were added. Shapes are not checked here: LiteRT does that
    when it allocates.
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

    def conv2d(
        self,
        x: int,
        w: int,
        bias: int,
        y: int,
        *,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> None:
        """CONV_2D. stride, dilation: (rows, columns). padding, activation: as the schema names them."""
        options = schema.Conv2DOptionsT()
        options.strideH, options.strideW = stride
        options.dilationHFactor, options.dilationWFactor = dilation
        self._window_operator("CONV_2D", [x, w, bias], y, options, padding, activation)

    def depthwise_conv2d(
        self,
        x: int,
        w: int,
        bias: int,
        y: int,
        *,
        multiplier: int = 1,
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        padding: str = "SAME",
        activation: str = "NONE",
    ) -> None:
        """DEPTHWISE_CONV_2D; w is [1,kh,kw,C*multiplier], its scales on quantized_dimension 3."""
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = multiplier
        options.strideH, options.strideW = stride
        options.dilationHFactor, options.dilationWFactor = dilation
        self._window_operator("DEPTHWISE_CONV_2D", [x, w, bias], y, options, padding, activation)

    def max_pool(self, x: int, y: int, **window: Any) -> None:
        """MAX_POOL_2D; keywords: kernel, stride=kernel, padding="VALID", activation="NONE".

        x and y share a scale and a zero point.
        """
        self._pool("MAX_POOL_2D", x, y, **window)

    def average_pool(self, x: int, y: int, **window: Any) -> None:
        """AVERAGE_POOL_2D; keywords as `max_pool`. x and y share a scale."""
        self._pool("AVERAGE_POOL_2D", x, y, **window)

    def fully_connected(
        self, x: int, w: int, bias: int, y: int, *, activation: str = "NONE", keep_dims: bool = False
    ) -> None:
        """FULLY_CONNECTED; x [N,C], w [O,C], bias int32 [O], y [N,O]; keep_dims: more dimensions before."""
        options = schema.FullyConnectedOptionsT()
        options.keepNumDims = keep_dims
        options.fusedActivationFunction = _enum(schema.ActivationFunctionType, activation, "activation")
        self._operator("FULLY_CONNECTED", [x, w, bias], y, options)

    def reshape(self, x: int, y: int) -> None:
        """RESHAPE to the shape that y was given."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(self._tensors[y].shape)
        shape = np.array(options.newShape, dtype=np.int32)
        target = self.add_tensor(f"{self._tensors[y].name}/shape", shape.shape, np.int32, data=shape)
        self._operator("RESHAPE", [x, target], y, options)

    def reshape_by(self, x: int, shape: int, y: int) -> None:
        """RESHAPE to a shape that another operator computes."""
        self._operator("RESHAPE", [x, shape], y)

    def split(self, x: int, ys: Sequence[int], sizes: Sequence[int], *, axis: int) -> None:
        """SPLIT_V into parts of these sizes."""
        options = schema.SplitVOptionsT()
        options.numSplits = len(ys)
        extra = [
            self._integers(f"{self._tensors[ys[0]].name}/{n}", v)
            for n, v in (("sizes", sizes), ("axis", [axis]))
        ]
        self._operator("SPLIT_V", [x, *extra], list(ys), options)

    def pad(self, x: int, y: int, paddings: Sequence[tuple[int, int]]) -> None:
        """PAD with the zero point; paddings: (before, after) per axis. x and y share a scale."""
        data = np.array(paddings, dtype=np.int32)
        amounts = self.add_tensor(f"{self._tensors[y].name}/paddings", data.shape, np.int32, data=data)
        self._operator("PAD", [x, amounts], y, schema.PadOptionsT())

    def mean(self, x: int, y: int, *, axes: Sequence[int] = (1, 2), keep_dims: bool = True) -> None:
        """MEAN over `axes`."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        data = np.array(axes, dtype=np.int32)
        index = self.add_tensor(f"{self._tensors[y].name}/axes", data.shape, np.int32, data=data)
        self._operator("MEAN", [x, index], y, options)

    def logistic(self, x: int, y: int) -> None:
        """LOGISTIC (sigmoid); LiteRT demands y at scale 1/256, zero point -128."""
        self._operator("LOGISTIC", [x], y)

    def tanh(self, x: int, y: int) -> None:
        """TANH; LiteRT demands y at scale 1/128, zero point 0."""
        self._operator("TANH", [x], y)

    def relu(self, x: int, y: int) -> None:
        """RELU as an operator of its own: x and y may have different scales."""
        self._operator("RELU", [x], y)

    def relu6(self, x: int, y: int) -> None:
        """RELU6 as an operator of its own: x and y may have different scales."""
        self._operator("RELU6", [x], y)

    def leaky_relu(self, x: int, y: int, *, alpha: float) -> None:
        """LEAKY_RELU with slope `alpha` below zero."""
        options = schema.LeakyReluOptionsT()
        options.alpha = alpha
        self._operator("LEAKY_RELU", [x], y, options)

    def hard_swish(self, x: int, y: int) -> None:
        """HARD_SWISH: x * relu6(x + 3) / 6."""
        self._operator("HARD_SWISH", [x], y, schema.HardSwishOptionsT())

    def quantize(self, x: int, y: int) -> None:
        """QUANTIZE: float32 to int8, or int8 to int8 with another scale."""
        self._operator("QUANTIZE", [x], y, schema.QuantizeOptionsT())

    def dequantize(self, x: int, y: int) -> None:
        """DEQUANTIZE: int8 or uint8 to float32."""
        self._operator("DEQUANTIZE", [x], y, schema.DequantizeOptionsT())

    def strided_slice(
        self, x: int, y: int, begin: Sequence[int], end: Sequence[int], strides: Sequence[int]
    ) -> None:
        """STRIDED_SLICE without masks."""
        bounds = [
            self._integers(f"{self._tensors[y].name}/{name}", values)
            for name, values in (("begin", begin), ("end", end), ("strides", strides))
        ]
        self._operator("STRIDED_SLICE", [x, *bounds], y, schema.StridedSliceOptionsT())

    def transpose(self, x: int, y: int, order: Sequence[int]) -> None:
        """TRANSPOSE: axis i of y is axis order[i] of x."""
        index = self._integers(f"{self._tensors[y].name}/order", order)
        self._operator("TRANSPOSE", [x, index], y, schema.TransposeOptionsT())

    def softmax(self, x: int, y: int, *, beta: float = 1.0) -> None:
        """SOFTMAX; LiteRT demands y at scale 1/256, zero point -128."""
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        self._operator("SOFTMAX", [x], y, options)

    def arg_max(self, x: int, y: int, *, axis: int = -1) -> None:
        """ARG_MAX over one axis; y is int32."""
        options = schema.ArgMaxOptionsT()
        options.outputType = schema.TensorType.INT32
        index = self._integers(f"{self._tensors[y].name}/axis", [axis])
        self._operator("ARG_MAX", [x, index], y, options)

    def unary(self, code: str, x: int, y: int) -> None:
        """An operator without options, by its name in the schema: EXP, ABS, ELU."""
        self._operator(code, [x], y)

    def gelu(self, x: int, y: int, *, approximate: bool = False) -> None:
        """GELU by erfc or, approximate, by tanh."""
        options = schema.GeluOptionsT()
        options.approximate = approximate
        self._operator("GELU", [x], y, options)

    def prelu(self, x: int, slopes: int, y: int) -> None:
        """PRELU; slopes is a constant that broadcasts."""
        self._operator("PRELU", [x, slopes], y)

    def _integers(self, name: str, values: Sequence[int]) -> int:
        data = np.array(values, dtype=np.int32)
        return self.add_tensor(name, data.shape, np.int32, data=data)

    def add(self, x1: int, x2: int, y: int, *, activation: str = "NONE") -> None:
        """ADD; x1 and x2 have shapes that broadcast, any scales; either may be constant."""
        self._two_inputs("ADD", x1, x2, y, schema.AddOptionsT(), activation)

    def sub(self, x1: int, x2: int, y: int, *, activation: str = "NONE") -> None:
        """SUB: x1 - x2; as `add`."""
        self._two_inputs("SUB", x1, x2, y, schema.SubOptionsT(), activation)

    def mul(self, x1: int, x2: int, y: int, *, activation: str = "NONE") -> None:
        """MUL; as `add`."""
        self._two_inputs("MUL", x1, x2, y, schema.MulOptionsT(), activation)

    def concatenation(self, xs: Sequence[int], y: int, *, axis: int = -1) -> None:
        """CONCATENATION along `axis`; LiteRT demands one scale and zero point for all."""
        options = schema.ConcatenationOptionsT()
        options.axis = axis
        self._operator("CONCATENATION", list(xs), y, options)

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

    def _pool(
        self,
        code: str,
        x: int,
        y: int,
        *,
        kernel: tuple[int, int],
        stride: tuple[int, int] | None = None,
        padding: str = "VALID",
        activation: str = "NONE",
    ) -> None:
        options = schema.Pool2DOptionsT()
        options.filterHeight, options.filterWidth = kernel
        options.strideH, options.strideW = kernel if stride is None else stride
        self._window_operator(code, [x], y, options, padding, activation)

    def _two_inputs(self, code: str, x1: int, x2: int, y: int, options: Any, activation: str) -> None:
        options.fusedActivationFunction = _enum(schema.ActivationFunctionType, activation, "activation")
        self._operator(code, [x1, x2], y, options)

    def _window_operator(
        self, code: str, inputs: list[int], y: int, options: Any, padding: str, activation: str
    ) -> None:
        options.padding = _enum(schema.Padding, padding, "padding")
        options.fusedActivationFunction = _enum(schema.ActivationFunctionType, activation, "activation")
        self._operator(code, inputs, y, options)

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
            operator.builtinOptionsType = _enum(schema.BuiltinOptions, name, "operator options")
        self._operators.append(operator)

    @staticmethod
    def _operator_code(code: str) -> Any:
        value = _enum(schema.BuiltinOperator, code, "operator")
        result = schema.OperatorCodeT()
        result.builtinCode = value
        # Readers older than schema 3a look only at the 8-bit field.
        result.deprecatedBuiltinCode = min(value, schema.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
        result.version = _OP_VERSION[code]
        return result
