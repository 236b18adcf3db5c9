"""Which operators of a .tflite network run on the host: quantise in front, softmax and the like at the end.

    parts = split(model)
    compile_network(parts.core, config)        # a .tflite file with what is left

Nothing else ever runs there: an operator in the middle that the core does not have is the compiler's error.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compiler.errors import CompileError
from compiler.ir import Graph, Node
from compiler.ops.context import fault_of_activation
from compiler.tflite import read_tflite

LAST_OPERATORS = ("ARG_MAX", "DEQUANTIZE", "SOFTMAX")
# These go where their input comes from.
VIEWS = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


@dataclass(frozen=True)
class Parts:
    """graph: the whole network. head, tail: its nodes that run on the host before and after the core's.

    core: .tflite bytes of the rest. head_model, tail_model: of those nodes, or None. Every part keeps all
    tensors with their indices; what goes from one to the next are its outputs and inputs, in order.
    """

    graph: Graph
    head: tuple[Node, ...]
    tail: tuple[Node, ...]
    core: bytes
    head_model: bytes | None
    tail_model: bytes | None


def split(model: bytes) -> Parts:
    """Raises CompileError for what is no network, a float network, or one without work for the core."""
    graph = read_tflite(model)
    quantised = any(len(t.scales) and t.data is None and t.dtype == np.int8 for t in graph.tensors.values())
    if not quantised and any(len(t.scales) and t.dtype == np.int16 for t in graph.tensors.values()):
        raise CompileError("the model's activations are int16; the core has int8 and uint8")
    if not quantised:
        raise CompileError(
            "the model is not quantised: no int8 or uint8 tensor is computed; convert it with full-integer "
            "quantisation first"
        )
    head, tail = _head(graph), _tail(graph)
    numbers = range(len(graph.nodes))
    core = [number for number in numbers if number not in head and number not in tail]
    if not core:
        raise CompileError(
            "the network has no operator for the core: all of it is quantise, softmax or the like"
        )
    parts = []
    for members in (core, head, tail):
        parts.append(extract(model, graph, members) if members else None)
    assert parts[0] is not None
    nodes = graph.nodes
    return Parts(
        graph, tuple(nodes[i] for i in head), tuple(nodes[i] for i in tail), parts[0], parts[1], parts[2]
    )


def _head(graph: Graph) -> list[int]:
    """QUANTIZE of a float input of the network."""
    floats = {name for name in graph.inputs if graph.tensors[name].dtype == np.float32}
    return [
        number
        for number, node in enumerate(graph.nodes)
        if node.op == "QUANTIZE"
        and node.inputs[0] in floats
        and not fault_of_activation(graph.tensors[node.name])
    ]


def _tail(graph: Graph) -> list[int]:
    """Operators for the host that only such operators and the network's user follow."""
    users: dict[str, list[int]] = {}
    for number, node in enumerate(graph.nodes):
        for name in node.inputs:
            if name is not None:
                users.setdefault(name, []).append(number)
    tail: set[int] = set()
    for number in reversed(range(len(graph.nodes))):
        node = graph.nodes[number]
        followers = [user for name in node.outputs for user in users.get(name, ())]
        known = all(name is None or graph.tensors[name].data is not None for name in node.inputs[1:])
        if known and node.op in (*LAST_OPERATORS, *VIEWS) and all(user in tail for user in followers):
            tail.add(number)
    # A view of what the core has made costs the core nothing.
    made = {
        name
        for number in tail
        if graph.nodes[number].op in LAST_OPERATORS
        for name in graph.nodes[number].outputs
    }
    kept = []
    for number in sorted(tail):
        node = graph.nodes[number]
        if node.op in LAST_OPERATORS or node.inputs[0] in made:
            made.update(node.outputs)
            kept.append(number)
    return kept


def extract(model: bytes, graph: Graph, members: list[int]) -> bytes:
    """A .tflite file with these nodes (by number) only. graph: of the model."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    inner = parsed.subgraphs[0]
    names = list(graph.tensors)
    nodes = [graph.nodes[number] for number in members]
    made = {name for node in nodes for name in node.outputs}
    used = dict.fromkeys(name for node in nodes for name in node.inputs if name is not None)
    others = [node for number, node in enumerate(graph.nodes) if number not in set(members)]
    wanted = {name for node in others for name in node.inputs} | set(graph.outputs)
    inner.operators = [inner.operators[number] for number in members]
    # LiteRT refuses a file for an operator that it only names.
    codes = list(dict.fromkeys(operator.opcodeIndex for operator in inner.operators))
    parsed.operatorCodes = [parsed.operatorCodes[code] for code in codes]
    for operator in inner.operators:
        operator.opcodeIndex = codes.index(operator.opcodeIndex)
    given = [name for name in used if name not in made and graph.tensors[name].data is None]
    # The order in which the user knows them, where there is one.
    given = [name for name in graph.inputs if name in given] + [n for n in given if n not in graph.inputs]
    left = [name for name in graph.outputs if name in made]
    left += [
        name
        for name in dict.fromkeys(n for node in nodes for n in node.outputs)
        if name in wanted and name not in left
    ]
    inner.inputs = [names.index(name) for name in given]
    inner.outputs = [names.index(name) for name in left]
    parsed.signatureDefs = []
    parsed.metadata = []
    return pack(parsed)


def exposed(model: bytes) -> bytes:
    """The same network with every tensor that an operator makes as an output, so that it can be read."""
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    inner = parsed.subgraphs[0]
    made = [int(tensor) for operator in inner.operators for tensor in operator.outputs]
    inner.outputs = list(dict.fromkeys([*(int(tensor) for tensor in inner.outputs), *made]))
    parsed.signatureDefs = []
    return pack(parsed)


def pack(parsed: Any) -> bytes:
    """A .tflite file of the schema's objects."""
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_integer_fully_connected(model: bytes) -> bytes:
    """The same network with every FULLY_CONNECTED as the 1 x 1 convolution that it is.

    LiteRT's reference kernel of FULLY_CONNECTED requantises in float, that of CONV_2D in integers, as TFLite
    Micro and CMSIS-NN do for both (docs/numerics.md). Tensors keep their indices; new ones come after them.
    """
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    inner = parsed.subgraphs[0]
    operators = []
    for operator in inner.operators:
        code = parsed.operatorCodes[operator.opcodeIndex]
        value = max(code.builtinCode, code.deprecatedBuiltinCode)
        if value == schema.BuiltinOperator.FULLY_CONNECTED:
            operators += _convolution(parsed, inner, operator)
        else:
            operators.append(operator)
    inner.operators = operators
    return pack(parsed)


def _convolution(parsed: Any, inner: Any, operator: Any) -> list[Any]:
    x, w = (inner.tensors[index] for index in operator.inputs[:2])
    y = inner.tensors[operator.outputs[0]]
    outputs, depth = (int(size) for size in w.shape)
    rows = int(np.prod(x.shape)) // depth

    def view(tensor: Any, shape: list[int], name: bytes) -> int:
        other = copy.copy(tensor)
        other.shape, other.shapeSignature, other.name = shape, None, tensor.name + name
        inner.tensors.append(other)
        return len(inner.tensors) - 1

    image = view(x, [rows, 1, 1, depth], b"/image")
    weights = view(w, [outputs, 1, 1, depth], b"/image")
    result = view(y, [rows, 1, 1, outputs], b"/image")
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = int(operator.inputs[2])
    else:
        bias = _zeros(parsed, inner, x, w, outputs)
    options = schema.Conv2DOptionsT()
    options.padding = schema.Padding.VALID
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
    conv = schema.OperatorT()
    conv.opcodeIndex = _code(parsed, schema.BuiltinOperator.CONV_2D, 3)
    conv.inputs, conv.outputs = [image, weights, bias], [result]
    conv.builtinOptions, conv.builtinOptionsType = options, schema.BuiltinOptions.Conv2DOptions
    before = _reshape(parsed, int(operator.inputs[0]), image, [rows, 1, 1, depth])
    after = _reshape(parsed, result, int(operator.outputs[0]), [int(size) for size in y.shape])
    return [before, conv, after]


def _zeros(parsed: Any, inner: Any, x: Any, w: Any, size: int) -> int:
    buffer = schema.BufferT()
    buffer.data = np.zeros(4 * size, dtype=np.uint8)
    parsed.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = b"no bias", [size], schema.TensorType.INT32
    tensor.buffer = len(parsed.buffers) - 1
    scales = np.asarray(w.quantization.scale, dtype=np.float32) * np.float32(x.quantization.scale[0])
    tensor.quantization = schema.QuantizationParametersT()
    tensor.quantization.scale = scales.tolist()
    tensor.quantization.zeroPoint = [0] * len(scales)
    inner.tensors.append(tensor)
    return len(inner.tensors) - 1


def _reshape(parsed: Any, source: int, target: int, shape: list[int]) -> Any:
    options = schema.ReshapeOptionsT()
    options.newShape = shape
    operator = schema.OperatorT()
    operator.opcodeIndex = _code(parsed, schema.BuiltinOperator.RESHAPE, 1)
    operator.inputs, operator.outputs = [source], [target]
    operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.ReshapeOptions
    return operator


def _code(parsed: Any, value: int, version: int) -> int:
    for index, code in enumerate(parsed.operatorCodes):
        if max(code.builtinCode, code.deprecatedBuiltinCode) == value and code.version >= version:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = value
    code.version = version
    parsed.operatorCodes.append(code)
    return len(parsed.operatorCodes) - 1
