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

from ai_edge_litert import schema_py_generated as schema

from compiler.tflite_file import TfliteFile, enum_value


class TfliteBuilder(TfliteFile):
    """A method an operator: its inputs first, then its output, all as indices of tensors."""

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
        options.fusedActivationFunction = enum_value(schema.ActivationFunctionType, activation, "activation")
        self._operator("FULLY_CONNECTED", [x, w, bias], y, options)

    def reshape(self, x: int, y: int) -> None:
        """RESHAPE to the shape that y was given."""
        options = schema.ReshapeOptionsT()
        options.newShape = list(self._tensors[y].shape)
        self._operator("RESHAPE", [x, self._integers(y, "shape", options.newShape)], y, options)

    def reshape_by(self, x: int, shape: int, y: int) -> None:
        """RESHAPE to a shape that another operator computes."""
        self._operator("RESHAPE", [x, shape], y)

    def split(self, x: int, ys: Sequence[int], sizes: Sequence[int], *, axis: int) -> None:
        """SPLIT_V into parts of these sizes."""
        options = schema.SplitVOptionsT()
        options.numSplits = len(ys)
        extra = [self._integers(ys[0], name, v) for name, v in (("sizes", sizes), ("axis", [axis]))]
        self._operator("SPLIT_V", [x, *extra], list(ys), options)

    def pad(self, x: int, y: int, paddings: Sequence[tuple[int, int]]) -> None:
        """PAD with the zero point; paddings: (before, after) per axis. x and y share a scale."""
        self._operator("PAD", [x, self._integers(y, "paddings", paddings)], y, schema.PadOptionsT())

    def mean(self, x: int, y: int, *, axes: Sequence[int] = (1, 2), keep_dims: bool = True) -> None:
        """MEAN over `axes`."""
        options = schema.ReducerOptionsT()
        options.keepDims = keep_dims
        self._operator("MEAN", [x, self._integers(y, "axes", axes)], y, options)

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
            self._integers(y, name, values)
            for name, values in (("begin", begin), ("end", end), ("strides", strides))
        ]
        self._operator("STRIDED_SLICE", [x, *bounds], y, schema.StridedSliceOptionsT())

    def transpose(self, x: int, y: int, order: Sequence[int]) -> None:
        """TRANSPOSE: axis i of y is axis order[i] of x."""
        self._operator("TRANSPOSE", [x, self._integers(y, "order", order)], y, schema.TransposeOptionsT())

    def softmax(self, x: int, y: int, *, beta: float = 1.0) -> None:
        """SOFTMAX; LiteRT demands y at scale 1/256, zero point -128."""
        options = schema.SoftmaxOptionsT()
        options.beta = beta
        self._operator("SOFTMAX", [x], y, options)

    def arg_max(self, x: int, y: int, *, axis: int = -1) -> None:
        """ARG_MAX over one axis; y is int32."""
        options = schema.ArgMaxOptionsT()
        options.outputType = schema.TensorType.INT32
        self._operator("ARG_MAX", [x, self._integers(y, "axis", [axis])], y, options)

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
        options.fusedActivationFunction = enum_value(schema.ActivationFunctionType, activation, "activation")
        self._operator(code, [x1, x2], y, options)

    def _window_operator(
        self, code: str, inputs: list[int], y: int, options: Any, padding: str, activation: str
    ) -> None:
        options.padding = enum_value(schema.Padding, padding, "padding")
        options.fusedActivationFunction = enum_value(schema.ActivationFunctionType, activation, "activation")
        self._operator(code, inputs, y, options)
