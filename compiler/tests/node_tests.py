"""The node tests of the onnx package, operator by operator: what runs, what the host does, what is refused.

    python -m compiler.tests.node_tests      # the table of docs/operators.md

A quantised node is run as it is and must give the vector in the wheel. A float node is quantised first:
QuantizeLinear and DequantizeLinear around it, int8 levels over the range of the test's own vectors, what is
no activation a constant. Operators that treat every image of a batch alone get one image at a time; an
element-wise one gets its tensor as one image.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compiler.errors import CompileError
from compiler.network import compile_network, read_network
from compiler.tests.onnx_networks import run_onnx
from compiler.ties import proven
from models.config import Config
from models.machine import Machine
from models.ort import dequantize

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "node"

ELEMENTWISE = (
    "Abs Add Celu Clip Elu Erf Gelu HardSigmoid HardSwish LeakyRelu Mish Mul PRelu Relu Selu Sigmoid "
    "Softplus Softsign Sub Tanh ThresholdedRelu"
).split()  # fmt: skip
PER_IMAGE = (
    "AveragePool Conv Gemm GlobalAveragePool MatMul MaxPool QLinearConv QLinearMatMul ReduceMean".split()
)
MOVES = "Concat Flatten Identity Pad Reshape Slice Split Squeeze Transpose Unsqueeze".split()
HOST = "ArgMax LogSoftmax Softmax".split()
BORDER = ["DequantizeLinear", "QuantizeLinear"]
LATER = "BatchNormalization ConvTranspose GRU LRN LSTM RNN Resize".split()
OPERATORS = sorted([*ELEMENTWISE, *PER_IMAGE, *MOVES, *HOST, *BORDER, *LATER])
FIRST_AXIS = {"Softmax": -1, "LogSoftmax": -1, "ArgMax": 0, "Flatten": 1}  # where the node has no axis
ACTIVATIONS = {"Add": 2, "Sub": 2, "Mul": 2, "Concat": 99}  # inputs that are computed; else one
SAME_SCALE = (*MOVES, "MaxPool")
# Of the range of a node's exact result: what int8 inputs, weights and outputs may be off by together.
ERROR = 0.05
# At its threshold this function jumps, and a level is on one side or the other: so many values may be far.
JUMPS = {"ThresholdedRelu": 0.2}


@dataclass(frozen=True)
class NodeTest:
    """One folder of the package: the model of one node, its inputs and its outputs."""

    name: str
    model: Any
    inputs: list[NDArray]
    outputs: list[NDArray]

    @property
    def node(self) -> Any:
        return self.model.graph.node[0]

    @property
    def names(self) -> list[str]:
        """Of the inputs."""
        return [info.name for info in self.model.graph.input]

    @property
    def is_real(self) -> bool:
        """Whether it has a quantised form: float32 values, not integers, sequences or other floats."""
        operator = self.node.op_type
        if operator in BORDER or operator.startswith("QLinear"):
            return True
        count = ACTIVATIONS.get(operator, 1)
        return bool(self.inputs) and all(x.dtype == np.float32 for x in self.inputs[:count])

    @property
    def batch(self) -> int:
        """Images that the operator treats one by one, or 1."""
        operator, x = self.node.op_type, self.inputs[0]
        axis = {a.name: a.i for a in self.node.attribute if a.name == "axis"}.get(
            "axis", FIRST_AXIS.get(operator)
        )
        per_image = operator in PER_IMAGE or (axis is not None and x.ndim > 1 and axis % x.ndim != 0)
        if operator in ELEMENTWISE:
            per_image = x.ndim > 3 and all(other.shape == x.shape for other in self.inputs[1:])
        if operator == "Flatten":
            per_image = axis == 1
        whole = operator.endswith("MatMul") and x.ndim != 2
        same = all(y.ndim and y.shape[0] == x.shape[0] for y in self.outputs)
        return x.shape[0] if x.ndim > 1 and per_image and same and not whole else 1


@dataclass(frozen=True)
class Case:
    """A quantised network of one node, an input for it, and the vectors that it should come near to (or be:
    exact). jumps: share of values that may be far from them."""

    model: bytes
    feeds: dict[str, NDArray]
    outputs: list[NDArray]
    exact: bool = False
    jumps: float = 0.0


def node_tests(operators: Sequence[str] = OPERATORS) -> Iterator[NodeTest]:
    """Every test of one node with one of these operators, by name."""
    for folder in sorted(FOLDER.glob("test_*")):
        model = onnx.load(folder / "model.onnx")
        nodes = model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in operators or nodes[0].domain not in ("", "ai.onnx"):
            continue
        ends = (*model.graph.input, *model.graph.output)
        if all(end.type.HasField("tensor_type") for end in ends):
            yield NodeTest(folder.name, model, _vectors(folder, "input"), _vectors(folder, "output"))
        else:
            yield NodeTest(folder.name, model, [], [])


def _vectors(folder: Path, kind: str) -> list[NDArray]:
    data = folder / "test_data_set_0"
    vectors = []
    for number in range(len(list(data.glob(f"{kind}_*.pb")))):
        tensor = TensorProto()
        tensor.ParseFromString((data / f"{kind}_{number}.pb").read_bytes())
        vectors.append(numpy_helper.to_array(tensor))
    return vectors


def cases(test: NodeTest) -> list[Case]:
    """The test as networks for the core. Raises CompileError for what has no quantised form."""
    operator = test.node.op_type
    if operator.startswith("QLinear"):
        return list(_quantised_cases(test))
    if operator in BORDER:
        return [_border_case(test)]
    count = min(ACTIVATIONS.get(operator, 1), len(test.inputs))
    activations, rest, outputs = test.inputs[:count], test.inputs[count:], test.outputs
    if operator in ELEMENTWISE and test.batch == 1:
        if any(x.shape != activations[0].shape for x in activations):
            # An operand that is broadcast is a constant.
            activations, rest = activations[:1], activations[1:] + rest
        activations, outputs = ([_image(x) for x in group] for group in (activations, outputs))
    if test.batch == 1:
        return [_qdq_case(test, activations, rest, outputs)]
    return [
        _qdq_case(test, [x[i : i + 1] for x in activations], rest, [y[i : i + 1] for y in outputs])
        for i in range(test.batch)
    ]


def _image(x: NDArray) -> NDArray:
    """With a leading 1, so that nothing in it is a batch."""
    if x.ndim < 2:
        return x.reshape(1, -1)
    return x if x.shape[0] == 1 or x.ndim > 3 else x[None]


def _quantised_cases(test: NodeTest) -> Iterator[Case]:
    """QLinearConv and QLinearMatMul: all inputs but the first are constants."""
    x, constants = test.inputs[0], dict(zip(test.names[1:], test.inputs[1:], strict=True))
    for i in range(test.batch):
        one = slice(i, i + 1) if test.batch > 1 else slice(None)
        given, outputs = {test.names[0]: x[one]}, [y[one] for y in test.outputs]
        model = _model(test, [test.node], given, constants, list(test.node.output), outputs[0].dtype)
        yield Case(model, given, outputs, exact=True)


def _border_case(test: NodeTest) -> Case:
    """QuantizeLinear of an input, or DequantizeLinear to an output, with a Relu of its own beside it."""
    node, constants = test.node, dict(zip(test.node.input[1:], test.inputs[1:], strict=True))
    x = _image(test.inputs[0])
    if node.op_type == "QuantizeLinear":
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.output[0] = "levels"
        nodes = [copy, *_around("levels", "kept", constants, node)]
    else:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.input[0] = "kept"
        nodes = [*_around(node.input[0], "kept", constants, node), copy]
    given = {node.input[0]: x}
    last = str(nodes[-1].output[0])
    kind = test.outputs[0].dtype
    return Case(_model(test, nodes, given, constants, [last], kind), given, [], exact=True)


def _around(source: str, target: str, constants: dict[str, NDArray], node: Any) -> list[Any]:
    """A Relu between the two quantisations of a node."""
    parameters = list(node.input[1:3])
    return [
        helper.make_node("DequantizeLinear", [source, *parameters], [f"{source}/real"]),
        helper.make_node("Relu", [f"{source}/real"], [f"{source}/relu"]),
        helper.make_node("QuantizeLinear", [f"{source}/relu", *parameters], [target]),
    ]


def _qdq_case(
    test: NodeTest, activations: list[NDArray], rest: list[NDArray], outputs: list[NDArray]
) -> Case:
    """QuantizeLinear and DequantizeLinear around a float node."""
    node = onnx.NodeProto()
    node.CopyFrom(test.node)
    names = test.names
    nodes: list[Any] = []
    constants: dict[str, NDArray] = {}
    renamed: dict[str, str] = {}

    def pair(name: str, scale: np.float32, zero: int, real: str) -> None:
        constants[f"{name}/scale"], constants[f"{name}/zero"] = np.array(scale), np.array(zero, np.int8)
        parameters = [f"{name}/scale", f"{name}/zero"]
        nodes.append(helper.make_node("QuantizeLinear", [name, *parameters], [f"{name}/levels"]))
        nodes.append(helper.make_node("DequantizeLinear", [f"{name}/levels", *parameters], [real]))

    shared = node.op_type in SAME_SCALE
    ranges = [_range(x) for x in activations]
    if shared:
        ranges = [_range(np.concatenate([x.reshape(-1) for x in activations]))] * len(activations)
    for name, levels in zip(names, ranges, strict=False):
        pair(name, *levels, f"{name}/real")
        renamed[name] = f"{name}/real"
    if node.op_type in (*HOST, *MOVES):
        # Something for the core to do: the same values with another scale.
        ranges = [(np.float32(ranges[0][0] * 1.5), ranges[0][1])] * len(ranges)
        for name in renamed:
            pair(f"{name}/real", *ranges[0], f"{name}/given")
            renamed[name] = f"{name}/given"
    for number, (name, value) in enumerate(zip(names[len(activations) :], rest, strict=True)):
        weights = node.op_type in ("Conv", "Gemm", "MatMul", "Add", "Sub", "Mul", "ConvTranspose")
        if value.dtype == np.float32 and weights and number == 0:
            scale = np.float32(max(float(np.abs(value).max()), 1e-3) / 127)
            constants[f"{name}/levels"] = np.rint(value / scale).astype(np.int8)
            constants[f"{name}/scale"], constants[f"{name}/zero"] = np.array(scale), np.array(0, np.int8)
            parts = [f"{name}/{part}" for part in ("levels", "scale", "zero")]
            nodes.append(helper.make_node("DequantizeLinear", parts, [f"{name}/real"]))
            renamed[name] = f"{name}/real"
        else:
            constants[name] = value
    node.input[:] = [renamed.get(name, name) for name in node.input]
    nodes.append(node)
    last = list(node.output)
    kind: Any = outputs[0].dtype
    if node.op_type not in HOST:
        last = [name for name in node.output if name]
        for name, value in zip(last, outputs, strict=True):
            pair(name, *(ranges[0] if shared else _range(value)), f"{name}/final")
        last, kind = [f"{name}/levels" for name in last], np.int8
        del nodes[-1]  # of one output at least, the integers are the result
    given = dict(zip(names, activations, strict=False))
    vectors = [] if node.op_type in HOST else outputs
    return Case(
        _model(test, nodes, given, constants, last, kind), given, vectors, jumps=JUMPS.get(node.op_type, 0.0)
    )


def _range(x: NDArray) -> tuple[np.float32, int]:
    """Scale and zero point of int8 levels that hold 0 and every value."""
    low, high = min(0.0, float(x.min(initial=0))), max(0.0, float(x.max(initial=0)))
    scale = np.float32((high - low) / 255) if high > low else np.float32(1)
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))


def _model(
    test: NodeTest,
    nodes: list[Any],
    given: dict[str, NDArray],
    constants: dict[str, NDArray],
    outputs: list[str],
    kind: Any,
) -> bytes:
    def info(name: str, dtype: Any, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    graph = helper.make_graph(
        nodes,
        test.name,
        [info(name, value.dtype, value.shape) for name, value in given.items()],
        [info(name, kind, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(
        graph, opset_imports=list(test.model.opset_import), ir_version=test.model.ir_version
    ).SerializeToString()


def run_case(case: Case, config: Config) -> int:
    """Compile, run on the reference machine, compare every tensor with ONNX Runtime's and the result with the
    vectors; returns the values compared. Raises CompileError for what is refused, AssertionError for a
    difference."""
    graph = read_network(case.model)
    compiled = compile_network(graph, config)
    origins = {name: origin for name, origin in graph.origins.items() if origin.name}
    theirs = run_onnx(case.model, case.feeds, [origin.name for origin in origins.values()])
    runtime = {name: origin.to_ir(theirs[origin.name]) for name, origin in origins.items()}
    dram = compiled.dram.copy()
    for name in compiled.inputs:
        compiled.write_input(dram, 0, runtime[name], name)
    trace = Machine(config).run(dram, *compiled.programs[0])
    assert trace.stop is None
    ours = {name: compiled.read_tensor(dram, 0, name) for name in compiled.tensors}
    ours |= {name: runtime[name] for name in compiled.inputs}
    compared = 0
    for node in graph.nodes:
        if node.name not in runtime:
            continue
        differ = ours[node.name] != runtime[node.name]
        assert not np.any(differ & ~proven(graph, node, ours, ours[node.name])), f"{node.op} {node.name}"
        compared += differ.size
    assert compared
    if not case.outputs:
        return compared
    for name, vector in zip(graph.outputs, case.outputs, strict=True):
        origin, tensor = graph.origins[name], graph.tensors[name]
        levels = origin.from_ir(ours[name]).reshape(vector.shape)
        if case.exact:
            assert np.array_equal(levels, vector), f"{name} is not the vector"
            continue
        real = dequantize(levels, tensor.scale, tensor.zero_point)
        spread = float(np.ptp(np.append(vector, 0)))
        far = np.abs(real - vector) > ERROR * spread
        assert far.mean() <= case.jumps, f"{name} is far from the vector"
    return compared


def verdict(test: NodeTest, config: Config) -> tuple[str, str]:
    """("run", ""), ("host", "") for what the host does behind the core, ("refused", reason) or ("other", the
    type of its values)."""
    if not test.is_real:
        return "other", str(test.inputs[0].dtype) if test.inputs else "sequence"
    try:
        for case in cases(test):
            run_case(case, config)
    except CompileError as error:
        return "refused", str(error)
    return ("host" if test.node.op_type in HOST else "run"), ""


def reason_class(reason: str) -> str:
    """A refusal without the names and numbers of its case."""
    short = reason.split("; supported:")[0]
    short = re.sub(r"^\w+ '[^']*': |input '[^']*' ", "", short)
    return re.sub(r"\[[^\]]*\]|'[^']*'|\d+", "..", short)


def main() -> None:
    config = Config()
    print("| operator | tests | run | on the host | other types | refused |\n|---|---|---|---|---|---|")
    totals: Counter[str] = Counter()
    for operator in OPERATORS:
        found = [verdict(test, config) for test in node_tests([operator])]
        counts = Counter(kind for kind, _ in found)
        totals += counts
        reasons = Counter(reason_class(reason) for kind, reason in found if kind == "refused")
        why = "; ".join(f"{number}: {reason}" for reason, number in reasons.items())
        columns = " | ".join(str(counts[kind]) for kind in ("run", "host", "other"))
        print(f"| {operator} | {len(found)} | {columns} | {why} |", flush=True)
    columns = " | ".join(str(totals[kind]) for kind in ("run", "host", "other", "refused"))
    print(f"| all | {totals.total()} | {columns} |")


if __name__ == "__main__":
    main()
