"""What lowering a node may ask: its tensors, checked, and how they lie in DRAM."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from compiler.errors import UnsupportedError
from compiler.ir import Graph, Node, Tensor
from compiler.layer import Layout
from models import xnnpack
from models.conv import Padding, tflite_padding
from models.quantize import (
    Rounding,
    activation_range,
    effective_scale,
    fp32_multiplier,
    quantize_multiplier,
)

MAX_KERNEL = 255


class Arithmetic(Enum):
    """Whose kernel a node equals."""

    TFLITE = "reference kernels of TFLite"
    TFLITE_SINGLE = "the same with TFLITE_SINGLE_ROUNDING"
    XNNPACK = "XNNPACK, LiteRT's default path"
    ONNX_RUNTIME = "ONNX Runtime on x86"

    @property
    def rounding(self) -> Rounding:
        """How its layers with weights requantise."""
        if self is Arithmetic.TFLITE:
            return Rounding.DOUBLE
        return Rounding.SINGLE if self is Arithmetic.TFLITE_SINGLE else Rounding.FP32


def fault_of_activation(tensor: Tensor) -> str:
    """Why a tensor cannot be an activation, or an empty string."""
    if tensor.dtype != np.int8 or len(tensor.scales) != 1:
        return f"is {tensor.dtype} with {len(tensor.scales)} scales; int8 with one scale is needed"
    if not (np.isfinite(tensor.scale) and tensor.scale > 0):
        return f"has scale {tensor.scale}; it must be positive and finite"
    if not -128 <= tensor.zero_point <= 127:
        return f"has zero point {tensor.zero_point}; an int8 is needed"
    return ""


@dataclass
class Context:
    """layouts: rows, columns and channels of each tensor in DRAM; a flattened tensor keeps those it had."""

    graph: Graph
    n: int
    layouts: dict[str, Layout] = field(default_factory=dict)

    def arithmetic(self, node: Node) -> Arithmetic:
        """Whose kernel the node must equal."""
        graph = self.graph
        if graph.contract == "fp32" and graph.delegated is None:
            return Arithmetic.ONNX_RUNTIME
        if graph.delegated is not None and node.name in graph.delegated:
            return Arithmetic.XNNPACK
        return Arithmetic.TFLITE_SINGLE if graph.contract == "tflite-single" else Arithmetic.TFLITE

    def rounding(self, node: Node) -> Rounding:
        """How a layer with weights requantises."""
        return self.arithmetic(node).rounding

    def fail(self, node: Node, reason: str) -> UnsupportedError:
        """The error to raise about a node."""
        return UnsupportedError(node.name, node.op, reason)

    def activation(self, node: Node, name: str | None) -> Tensor:
        """An int8 tensor with one scale that is computed, not constant."""
        tensor = self.tensor(node, name)
        fault = fault_of_activation(tensor)
        if tensor.data is not None:
            fault = "is a constant; a computed tensor is needed"
        elif not tensor.shape:
            fault = "is a scalar"
        if fault:
            raise self.fail(node, f"tensor {tensor.name!r} {fault}")
        return tensor

    def constant(self, node: Node, name: str | None, dtype: type) -> NDArray:
        """Contents of a constant tensor of that type."""
        tensor = self.tensor(node, name)
        if tensor.data is None or tensor.dtype != dtype:
            raise self.fail(node, f"tensor {tensor.name!r} must be a constant of {np.dtype(dtype)}")
        return tensor.data

    def integers(self, node: Node, name: str | None) -> NDArray[np.int64]:
        """A constant of int32 or int64 (axes, bounds, paddings), in one dimension."""
        tensor = self.tensor(node, name)
        if tensor.data is None or tensor.dtype not in (np.int32, np.int64):
            raise self.fail(node, f"tensor {tensor.name!r} must be a constant of int32 or int64")
        return tensor.data.astype(np.int64).reshape(-1)

    def tensor(self, node: Node, name: str | None) -> Tensor:
        if name is None:
            raise self.fail(node, "an input that it needs is absent")
        return self.graph.tensors[name]

    def weights(self, node: Node, name: str | None, channel_axis: int = 0) -> tuple[NDArray, NDArray]:
        """(int16 weights without their zero point, their scales float32: one, or one per output channel)."""
        tensor = self.tensor(node, name)
        data = self.constant(node, name, np.int8).astype(np.int16)
        zeros = tensor.zero_points
        if tensor.unsigned or self.arithmetic(node) is Arithmetic.ONNX_RUNTIME:
            shape = [1] * data.ndim
            shape[channel_axis] = -1
            data -= zeros.astype(np.int16).reshape(shape)
        elif np.any(zeros != 0):
            # LiteRT's kernels for int8 do not look at it.
            raise self.fail(node, f"weights {tensor.name!r} are int8 with a zero point other than 0")
        if not np.all(np.isfinite(tensor.scales) & (tensor.scales > 0)):
            raise self.fail(node, f"weights {tensor.name!r} have a scale that is not positive and finite")
        if len(tensor.scales) not in (1, data.shape[channel_axis]):
            raise self.fail(node, f"weights {tensor.name!r} have {len(tensor.scales)} scales")
        if len(tensor.scales) > 1 and tensor.axis != channel_axis:
            raise self.fail(node, f"weights {tensor.name!r} are quantised along axis {tensor.axis}")
        return data, tensor.scales

    def bias(self, node: Node, channels: int) -> NDArray[np.int64]:
        """The optional third input, zeros when absent."""
        if len(node.inputs) < 3 or node.inputs[2] is None:
            return np.zeros(channels, dtype=np.int64)
        data = self.constant(node, node.inputs[2], np.int32).astype(np.int64)
        if data.shape != (channels,):
            raise self.fail(node, f"bias {node.inputs[2]!r} is {list(data.shape)}; [{channels}] is needed")
        return data

    def layout(self, node: Node, name: str) -> Layout:
        """Layout of an image-like tensor [1, H, W, C]. Raises for other shapes, flattened ones included."""
        shape, layout = self.graph.tensors[name].shape, self.layouts[name]
        if shape != (1, *layout):
            raise self.fail(node, f"tensor {name!r} is {list(shape)}; [1, rows, columns, channels] is needed")
        return layout

    def multiplier(
        self,
        node: Node,
        x_scale: float,
        w_scales: NDArray[np.float32],
        y_scale: float,
        outputs: int,
        unsigned: bool,
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """(multiplier words, shifts), one per output channel, of a layer whose weights are uint8 or not."""
        try:
            if self.rounding(node) is Rounding.FP32:
                with np.errstate(over="ignore"):
                    words = fp32_multiplier(x_scale, w_scales, y_scale)
                self.check_word(node, words)
                return np.broadcast_to(words, outputs), np.zeros(outputs, np.int32)
            if unsigned:
                # TFLite's kernels for uint8 round the product of the scales to float32.
                product = np.float32(x_scale) * w_scales
                real = effective_scale(product, 1.0, y_scale)
            else:
                real = effective_scale(x_scale, w_scales, y_scale)
            return quantize_multiplier(np.broadcast_to(real, outputs))
        except ValueError as error:
            raise self.fail(node, str(error)) from error

    def check_word(self, node: Node, words: NDArray[np.int32]) -> NDArray[np.int32]:
        """Multiplier words of mode FP32, which must hold finite numbers."""
        if not np.isfinite(np.asarray(words).view(np.float32)).all():
            raise self.fail(node, "its output's scale is so small that a ratio of scales is no float32")
        return words

    def padding(
        self, node: Node, size: tuple[int, int], kernel: tuple[int, int], dilation: tuple[int, int] = (1, 1)
    ) -> Padding:
        """(top, bottom, left, right) of a window by the node's options."""
        options = node.options
        if options["padding"] == "EXPLICIT":
            top, bottom, left, right = options["pads"]
            return top, bottom, left, right
        stride = (options["strideH"], options["strideW"])
        try:
            return tflite_padding(options["padding"], size, kernel, stride, dilation)
        except ValueError as error:
            raise self.fail(node, str(error)) from error

    def clamp(self, node: Node, output: Tensor) -> tuple[int, int]:
        """(act_min, act_max) of the fused activation."""
        if "clamp" in node.options:
            low, high = node.options["clamp"]
            return low, high
        name = node.options.get("fusedActivationFunction", "NONE")
        try:
            if self.arithmetic(node) is Arithmetic.XNNPACK:
                return xnnpack.activation_range(
                    name, output.scale, output.zero_point, unsigned=output.unsigned
                )
            return activation_range(name, output.scale, output.zero_point)
        except ValueError as error:
            raise self.fail(node, str(error)) from error

    def check_window(self, node: Node, stride: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> None:
        """Steps that lead somewhere."""
        if min(*stride, *dilation) < 1:
            raise self.fail(node, f"stride {list(stride)} and dilation {list(dilation)} must be at least 1")

    def check_kernel(self, node: Node, kernel: tuple[int, int]) -> None:
        if max(kernel) > MAX_KERNEL:
            raise self.fail(node, f"kernel {kernel[0]} x {kernel[1]}; at most {MAX_KERNEL} each way")
