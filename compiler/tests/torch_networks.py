"""Random QDQ networks in the form in which PyTorch's quantisers export them; no torch is needed.

What differs from ONNX Runtime's own quantiser: scales and zero points in Constant nodes, activations uint8
(eager mode: 7 bits of them) or symmetric around the middle of their type, weights that the file quantises
itself, float32 biases, Relu and ReLU6 fused or between quantisations of their own, hard swish and SiLU taken
apart, means over [2, 3], opset 18.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compiler.tests.onnx_networks import run_onnx

OPSET = 18


class TorchNetwork:
    """Grows from a float input "x". dtype: of activations; levels: of their range (7 bits in eager mode).
    symmetric: activations have their type's middle as zero point, also behind a Relu.
    stored: weights are integers in the file, else it quantises float ones."""

    def __init__(
        self,
        rng: np.random.Generator,
        shape: tuple[int, ...],
        *,
        dtype: type = np.uint8,
        bits: int = 8,
        symmetric: bool = False,
        stored: bool = True,
        per_channel: bool = True,
    ) -> None:
        self.rng, self.shape, self.dtype, self.bits = rng, (1, *shape), dtype, bits
        self.symmetric, self.stored, self.per_channel = symmetric, stored, per_channel
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.sample = rng.normal(0, 1, self.shape).astype(np.float32)
        self.last = self.quantise("x")

    def constant(self, value: NDArray) -> str:
        """A Constant node, as the exporter writes scales, zero points and shapes."""
        name = f"/Constant_{len(self.nodes)}_output_0"
        self.nodes.append(
            helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.asarray(value)))
        )
        return name

    def parameter(self, value: NDArray) -> str:
        name = f"parameter{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"/{operator}_{len(self.nodes)}_output_0"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name[:-9], **attributes))
        return name

    def model(self, output: str) -> bytes:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "main_graph",
            [info("x", TensorProto.FLOAT, self.sample.shape)],
            [info(output, TensorProto.FLOAT, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()

    def value(self, name: str) -> NDArray[np.float32]:
        """What ONNX Runtime makes of the sample: the observer."""
        return self.sample if name == "x" else run_onnx(self.model(name), {"x": self.sample}, [name])[name]

    def quantise(self, name: str) -> str:
        """QuantizeLinear and DequantizeLinear over the observed range."""
        found = self.value(name)
        self.shape = found.shape
        low, high = min(0.0, float(found.min())), max(0.0, float(found.max()), 1e-3)
        if self.symmetric:
            high = max(high, -low)
            low = -high
        bottom = np.iinfo(self.dtype).min
        scale = np.float32((high - low) / (2**self.bits - 1))
        zero = int(np.clip(np.rint(bottom - low / scale), bottom, np.iinfo(self.dtype).max))
        parts = [self.constant(np.array(scale)), self.constant(np.array(zero, self.dtype))]
        self.last = self.node("DequantizeLinear", self.node("QuantizeLinear", name, *parts), *parts)
        return self.last

    def weights(self, *shape: int) -> str:
        real = self.rng.normal(0, float(np.prod(shape[1:])) ** -0.5, shape).astype(np.float32)
        axes = tuple(range(1, len(shape))) if self.per_channel else None
        scale = (np.abs(real).max(axis=axes) / 127).astype(np.float32)
        spread = scale.reshape(-1, *[1] * (len(shape) - 1)) if self.per_channel else scale
        levels = np.rint(real / spread).clip(-128, 127).astype(np.int8)
        parts = [self.constant(scale), self.constant(np.zeros(scale.shape, np.int8))]
        axis = {"axis": 0} if self.per_channel else {}
        source = (
            self.parameter(levels)
            if self.stored
            else self.node("QuantizeLinear", self.parameter(real), *parts, **axis)
        )
        return self.node("DequantizeLinear", source, *parts, **axis)

    def bias(self, outputs: int) -> str:
        return self.parameter(self.rng.normal(0, 0.3, outputs).astype(np.float32))

    def conv(
        self, outputs: int, kernel: int, activation: str = "", groups: int = 1, **attributes: Any
    ) -> None:
        w = self.weights(outputs, self.shape[1] // groups, kernel, kernel)
        attributes = {"kernel_shape": [kernel, kernel], "group": groups, "dilations": [1, 1], **attributes}
        self.activate(self.node("Conv", self.last, w, self.bias(outputs), **attributes), activation)

    def activate(self, name: str, activation: str) -> None:
        """ "relu", "relu6": fused; "relu apart": between two quantisations; "" or a table."""
        if activation.endswith(" apart"):
            name, activation = self.quantise(name), activation.removesuffix(" apart")
        if activation == "relu":
            name = self.node("Relu", name)
        elif activation == "relu6":
            ends = [self.constant(np.array(end, np.float32)) for end in (0, 6)]
            name = self.node("Clip", name, *ends)
        elif activation == "hardswish":
            name = self.node("HardSwish", self.quantise(name))
        elif activation == "silu":
            first = self.quantise(name)
            name = self.node("Mul", first, self.quantise(self.node("Sigmoid", first)))
        self.quantise(name)

    def add(self, other: str, activation: str = "") -> None:
        self.activate(self.node("Add", self.last, other), activation)

    def linear(self, outputs: int, activation: str = "") -> None:
        w = self.weights(outputs, self.shape[1])
        self.activate(self.node("Gemm", self.last, w, self.bias(outputs), transB=1), activation)


def random_torch_network(rng: np.random.Generator) -> TorchNetwork:
    """Convolutions with every activation, a residual block, a concatenation, a pooled head."""
    kinds = [(np.uint8, 8, False), (np.uint8, 7, False), (np.int8, 8, False), (np.int8, 8, True)]
    dtype, bits, symmetric = [*kinds, (np.uint8, 8, True)][int(rng.integers(5))]
    network = TorchNetwork(
        rng,
        (3, *(int(n) for n in rng.integers(10, 16, 2))),
        dtype=dtype,
        bits=bits,
        symmetric=symmetric,
        stored=bool(rng.random() < 0.5),
        per_channel=bool(rng.random() < 0.7),
    )
    network.conv(8, 3, "relu", pads=[1, 1, 1, 1], strides=[2, 2])
    for _ in range(int(rng.integers(2, 4))):
        activation = str(rng.choice(["relu", "relu6", "relu apart", "hardswish", "silu", ""]))
        trunk, channels = network.last, network.shape[1]
        choice = str(rng.choice(["conv", "depthwise", "residual", "cat"]))
        if choice == "depthwise":
            network.conv(channels, 3, activation, groups=channels, pads=[1, 1, 1, 1])
        elif choice == "conv":
            network.conv(int(rng.integers(2, 20)), 1, activation)
        else:
            network.conv(channels, 3, activation, pads=[1, 1, 1, 1])
            if choice == "residual":
                network.add(trunk, "relu")
            else:
                network.quantise(network.node("Concat", network.last, trunk, axis=1))
    if rng.random() < 0.5:
        axes = network.constant(np.array([2, 3], np.int64))
        network.quantise(network.node("ReduceMean", network.last, axes, keepdims=0))
    else:
        network.quantise(network.node("GlobalAveragePool", network.last))
        network.quantise(network.node("Flatten", network.last, axis=1))
    network.linear(int(rng.integers(2, 11)))
    return network
