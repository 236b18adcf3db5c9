"""Reads a quantised .onnx file into the compiler's graph: QDQ and QOperator, as quantisers write them.

graph = read_onnx(Path("net.onnx").read_bytes())

What the file says in NCHW, int8 or uint8, the graph has in NHWC and int8 (Graph.origins translates). The
walk goes once through the nodes and keeps what each name stands for (onnx_values.py): DequantizeLinear only
changes the view of a tensor, a float node waits as Pending until a QuantizeLinear tells its output's scale,
and a chain of element-wise nodes in between becomes a table. QOperator nodes say the same in one node.
compiler/onnx_ops has the operators.

Nodes of the result, beside those of the TFLite schema (with padding "EXPLICIT" and `pads`, and `clamp`, the
ends of a fused activation, in place of its name): TABLE with `table` int8 [256]; CONV_2D with `groups`;
AVERAGE_POOL_2D with `include_padding`; PERMUTE_CHANNELS with `order`, a permutation of the channels;
RESIZE_NEAREST with `factors`; CONV_TRANSPOSE, whose stride is its kernel. `in_float` marks an operator that
the runtime computes in float32: it has no other form of it, or types or a clamp behind it keep it from that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from compiler.errors import CompileError, UnsupportedError
from compiler.ir import Graph
from compiler.onnx_build import Builder
from compiler.onnx_file import element_type, parse
from compiler.onnx_ops import OPERATORS, convert_operator
from compiler.onnx_values import Constant, Function, Hosted, Input, Pending, Quantisation, Stored, Value
from models.ort import quantize

QUANTISED_TYPES = (np.dtype(np.int8), np.dtype(np.uint8))
# What may follow the last tensor, on the host; and what may stand between such nodes.
HOST_OPERATORS = ("Softmax", "LogSoftmax", "ArgMax", "QLinearSoftmax")
HOST_GLUE = ("DequantizeLinear", "QuantizeLinear", "Reshape", "Flatten", "Squeeze", "Identity", "Cast")
SUPPORTED = sorted({*OPERATORS, *HOST_OPERATORS, "DequantizeLinear", "QuantizeLinear", "Constant"})


def read_onnx(model: bytes) -> Graph:
    """The network in an .onnx file.

    Raises CompileError when the bytes are not one quantised network with static shapes, UnsupportedError for
    a node that the graph cannot express; each is one line for the user.
    """
    parsed = parse(model)
    operators = {node.op_type for node in parsed.graph.node}
    if not any(name in ("QuantizeLinear", "DequantizeLinear") or name.startswith("Q") for name in operators):
        raise CompileError(
            "the .onnx network is not quantised (no QuantizeLinear in it); "
            "onnxruntime.quantization.quantize_static makes a quantised one"
        )
    return _Reader(parsed).read()


class _Reader:
    """One pass through the nodes."""

    def __init__(self, parsed: Any) -> None:
        self.builder = Builder(list(parsed.opset_import))
        self.graph = parsed.graph
        self.values = self.builder.values
        self.host: list[str] = []
        for initializer in self.graph.initializer:
            self.values[initializer.name] = Constant(numpy_helper.to_array(initializer))
        self.inputs = [self._input(info) for info in self.graph.input if info.name not in self.values]

    def read(self) -> Graph:
        for node in self.graph.node:
            self._node(node)
        outputs: list[str] = []
        for info in self.graph.output:
            outputs += [name for name in self._output(info.name) if name not in outputs]
        tensors, nodes = self.builder.tensors, self.builder.nodes
        if not nodes:
            raise CompileError("the network computes nothing")
        inputs = [self.builder.inputs[name] for name in self.inputs if name in self.builder.inputs]
        host = tuple(dict.fromkeys([*self.builder.host, *self.host]))
        return Graph(tensors, nodes, tuple(inputs), tuple(outputs), "fp32", dict(self.builder.origins), host)

    def _input(self, info: Any) -> str:
        kind = info.type.tensor_type
        sizes = [d.dim_value if d.HasField("dim_value") else 0 for d in kind.shape.dim]
        if sizes and sizes[0] == 0:
            sizes[0] = 1  # a batch of any size: one image
        if not sizes or min(sizes) < 1:
            names = [d.dim_param or d.dim_value for d in kind.shape.dim]
            raise CompileError(
                f"input {info.name!r} has shape {names}; every size but the first must be fixed"
            )
        if sizes[0] != 1:
            raise CompileError(
                f"input {info.name!r} has shape {sizes}; only one image at a time is supported"
            )
        dtype = element_type(info)
        if dtype not in (np.float32, *QUANTISED_TYPES):
            raise CompileError(f"input {info.name!r} is {dtype}; float32, int8 or uint8 is needed")
        self.values[info.name] = Input(info.name, tuple(sizes), dtype)
        return str(info.name)

    def _output(self, name: str) -> tuple[str, ...]:
        """The tensors that make a graph output."""
        value = self.values.get(name)
        if isinstance(value, Stored):
            if value.real:
                self.host.append("DequantizeLinear at the output")
            return (value.tensor,)
        if isinstance(value, Hosted):
            return value.tensors
        if isinstance(value, (Pending, Function)):
            operator = value.operator if isinstance(value, Pending) else value.nodes[-1].op_type
            raise UnsupportedError(name, operator, "its result is a float32 output; it is never quantised")
        raise CompileError(f"output {name!r} is not computed from a quantised tensor")

    def _node(self, node: Any) -> None:
        try:
            self._convert(node)
        except ValueError as error:
            raise self.builder.fail(node, str(error)) from error
        except LookupError as error:
            # Every operator takes inputs by number and attributes by name.
            raise self.builder.fail(node, f"the file lacks an input or attribute ({error})") from error
        except (TypeError, AttributeError, ArithmeticError) as error:
            # An attribute of another type, or one that is 0.
            raise self.builder.fail(node, f"the file contradicts itself ({error})") from error

    def _convert(self, node: Any) -> None:
        operator = node.op_type
        sources = [self.values.get(name) for name in node.input if name]
        hosted = [value for value in sources if isinstance(value, Hosted)]
        if operator in HOST_OPERATORS or hosted:
            self._host(node, sources, hosted)
        elif operator == "Constant":
            self.values[node.output[0]] = Constant(_constant(node))
        elif operator == "QuantizeLinear":
            self._quantize(node)
        elif operator == "DequantizeLinear":
            self._dequantize(node)
        elif operator in OPERATORS:
            convert_operator(node, self.builder)
        else:
            raise UnsupportedError(
                self.builder.name(node), operator, "this operator is not supported", SUPPORTED
            )

    def _host(self, node: Any, sources: list[Value | None], hosted: list[Hosted]) -> None:
        if hosted and node.op_type not in (*HOST_OPERATORS, *HOST_GLUE):
            raise self.builder.fail(node, f"it follows {hosted[0].operator}, which only the host can compute")
        tensors = tuple(t for value in hosted for t in value.tensors)
        if not hosted:
            first = sources[0]
            if not isinstance(first, Stored):
                raise self.builder.fail(node, "its input is not quantised")
            tensors = (first.tensor,)
        if node.op_type in HOST_OPERATORS:
            self.host.append(f"{node.op_type} {self.builder.name(node)!r}")
        for output in node.output:
            self.values[output] = Hosted(tensors, node.op_type)

    def _quantize(self, node: Any) -> None:
        builder = self.builder
        value, target = builder.value(node, 0), node.output[0]
        quantisation = builder.quantisation(node, 1)
        if isinstance(value, Constant):
            if value.quantisation is not None:
                raise builder.fail(node, "it quantises a constant that is quantised already")
            self.values[target] = Constant(_quantize_constant(value.data, quantisation), quantisation)
            return
        builder.store(node, value, target, quantisation)

    def _dequantize(self, node: Any) -> None:
        builder = self.builder
        value, target = builder.value(node, 0), node.output[0]
        quantisation = builder.quantisation(node, 1, like=value)
        if isinstance(value, Constant):
            self.values[target] = Constant(value.data, quantisation, real=True)
            return
        stored = builder.integers(node, value, node.input[0], quantisation)
        self.values[target] = Stored(stored.tensor, real=True)


def _constant(node: Any) -> NDArray:
    attribute = node.attribute[0]
    value = helper.get_attribute_value(attribute)
    if attribute.name == "value":
        return numpy_helper.to_array(value)
    return np.array(value, dtype=np.float32 if attribute.name.startswith("value_float") else np.int64)


def _quantize_constant(data: NDArray, q: Quantisation) -> NDArray:
    """QuantizeLinear of a constant, with a scale per tensor or per index of an axis."""
    if q.scales.size == 1:
        return quantize(data, float(q.scales[0]), int(q.zero_points[0]), q.dtype.type)
    slices = np.moveaxis(data, q.axis, 0)
    parts = [
        quantize(part, float(scale), int(zero), q.dtype.type)
        for part, scale, zero in zip(slices, q.scales, q.zero_points, strict=True)
    ]
    return np.moveaxis(np.stack(parts), 0, q.axis)
