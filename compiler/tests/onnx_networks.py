"""Random float networks in ONNX, quantised by ONNX Runtime's static quantiser."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

OPSET = 17

# As quantisers are called: (format, activations, weights, a scale per channel).
STYLES = {
    "qdq int8": (QuantFormat.QDQ, QuantType.QInt8, QuantType.QInt8, True),
    "qdq uint8": (QuantFormat.QDQ, QuantType.QUInt8, QuantType.QInt8, False),
    "qoperator int8": (QuantFormat.QOperator, QuantType.QInt8, QuantType.QInt8, False),
    "qoperator uint8": (QuantFormat.QOperator, QuantType.QUInt8, QuantType.QUInt8, False),
}


class FloatNetwork:
    """Grows a network from an input "x"; `last` and `shape` are its newest tensor, NCHW."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...]) -> None:
        self.rng, self.input_shape = rng, (1, *shape)
        self.last, self.shape = "x", (1, *shape)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append a node on these inputs (default: the newest tensor) and return its output."""
        name = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(operator, list(inputs or (self.last,)), [name], name, **attributes)
        )
        self.last = name
        return name

    def constant(self, value: ArrayLike) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weights(self, *shape: int, spread: float = 1.0) -> str:
        return self.constant(self.rng.normal(0, spread, shape).astype(np.float32))

    def conv(self, outputs: int, kernel: tuple[int, int], groups: int = 1, **attributes: Any) -> None:
        per_group = self.shape[1] // groups
        spread = float(per_group * kernel[0] * kernel[1]) ** -0.5
        w = self.weights(outputs, per_group, *kernel, spread=spread)
        self.add("Conv", self.last, w, self.weights(outputs, spread=0.2), group=groups, **attributes)
        self._infer()

    def pool(self, operator: str, **attributes: Any) -> None:
        self.add(operator, **attributes)
        self._infer()

    def dense(self, outputs: int, gemm: bool) -> None:
        inputs = self.shape[1]
        if gemm:
            w = self.weights(outputs, inputs, spread=inputs**-0.5)
            self.add("Gemm", self.last, w, self.weights(outputs, spread=0.2), transB=1)
        else:
            self.add("MatMul", self.last, self.weights(inputs, outputs, spread=inputs**-0.5))
        self.shape = (1, outputs)

    def flatten(self) -> None:
        if self.rng.random() < 0.5:
            self.add("Flatten")
        else:
            self.add("Reshape", self.last, self.constant(np.array([1, -1], dtype=np.int64)))
        self.shape = (1, int(np.prod(self.shape)))

    def model(self) -> Any:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "random",
            [info("x", TensorProto.FLOAT, self.input_shape)],
            [info(self.last, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def _infer(self) -> None:
        inferred = onnx.shape_inference.infer_shapes(self.model())
        shape = inferred.graph.output[0].type.tensor_type.shape
        self.shape = tuple(d.dim_value for d in shape.dim)


def random_network(rng: np.random.Generator, *, exact_only: bool) -> FloatNetwork:
    """exact_only: operators of which the core's result is exactly the runtime's."""
    network = FloatNetwork(rng, (int(rng.integers(1, 6)), *(int(n) for n in rng.integers(8, 15, 2))))
    # First a convolution: the quantisers leave whatever stands before the first one in float32.
    network.conv(int(rng.integers(2, 12)), (3, 3), pads=[1, 1, 1, 1])
    for _ in range(int(rng.integers(3, 7))):
        _grow(network, rng, exact_only)
    if rng.random() < 0.7:
        if rng.random() < 0.5:
            network.pool("GlobalAveragePool")
        network.flatten()
        for _ in range(int(rng.integers(1, 3))):
            network.dense(int(rng.integers(2, 20)), gemm=bool(rng.random() < 0.5))
    if rng.random() < 0.3 and len(network.shape) == 2:
        network.add("Softmax")
    return network


def _grow(network: FloatNetwork, rng: np.random.Generator, exact_only: bool) -> None:
    """One more stage; rows and columns never become smaller than 3."""
    channels, small = network.shape[1], min(network.shape[2:]) < 6
    choices = ["conv", "conv", "depthwise", "grouped", "max", "table", "shuffle", "split", "resize"]
    choices += [] if exact_only else ["residual", "scale", "average", "concat", "gate"]
    choice = str(rng.choice(choices))
    stride = [1, 1] if small else [int(n) for n in rng.integers(1, 3, 2)]
    if choice in ("conv", "depthwise", "grouped"):
        kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
        groups = {"conv": 1, "depthwise": channels, "grouped": 2 if channels % 2 == 0 else 1}[choice]
        outputs = (
            channels * int(rng.integers(1, 3)) if choice == "depthwise" else 2 * int(rng.integers(1, 10))
        )
        if rng.random() < 0.3:
            network.conv(outputs, kernel, groups, auto_pad="SAME_UPPER", strides=stride)
        else:
            dilations = [1, 1] if small else [int(n) for n in rng.integers(1, 3, 2)]
            pads = [int(n) for n in rng.integers(1, 3, 4)]
            network.conv(outputs, kernel, groups, pads=pads, strides=stride, dilations=dilations)
        activation = rng.random()
        if activation < 0.4:
            network.add("Relu")
        elif activation < 0.6:
            ends = [network.constant(np.array(end, dtype=np.float32)) for end in (0.0, 6.0)]
            network.add("Clip", network.last, *ends)
    elif choice == "table":
        operator = str(rng.choice(["Sigmoid", "LeakyRelu", "Tanh", "HardSwish", "Elu"]))
        network.add(operator, **({"alpha": 0.1} if operator in ("LeakyRelu", "Elu") else {}))
    elif choice in ("shuffle", "split", "resize"):
        _move(network, choice)
    elif choice in ("max", "average"):
        size = [2, 2] if small else [int(n) for n in rng.integers(2, 4, 2)]
        pads = [int(n) for n in rng.integers(0, 2, 4)]
        operator, extra = ("MaxPool", {}) if choice == "max" else ("AveragePool", {})
        if choice == "average":
            extra = {"count_include_pad": int(rng.integers(2))}
        network.pool(operator, kernel_shape=size, strides=stride, pads=pads, **extra)
    elif choice == "scale":
        operator = str(rng.choice(["Mul", "Add"]))
        network.add(operator, network.last, network.weights(1, channels, 1, 1))
    else:
        _join(network, choice)


def _move(network: FloatNetwork, choice: str) -> None:
    """Channels in another order, the larger part of them, or each pixel several times."""
    _, channels, rows, columns = network.shape
    if choice == "shuffle":
        groups = next(n for n in (4, 3, 2, 1) if channels % n == 0)
        shape = [1, groups, channels // groups, rows, columns]
        network.add("Reshape", network.last, network.constant(np.array(shape, dtype=np.int64)))
        network.add("Transpose", perm=[0, 2, 1, 3, 4])
        network.add("Reshape", network.last, network.constant(np.array(network.shape, dtype=np.int64)))
    elif choice == "split" and channels > 1:
        sizes = np.array([channels // 3, channels - channels // 3] if channels > 2 else [1, 1], np.int64)
        name = network.add("Split", network.last, network.constant(sizes), axis=1)
        network.nodes[-1].output.append(f"{name}/rest")
        network.last, network.shape = f"{name}/rest", (1, int(sizes[1]), rows, columns)
    elif choice == "resize" and max(rows, columns) < 10:
        factors = [1, 1, *(int(n) for n in network.rng.integers(1, 3, 2))]
        scales = network.constant(np.array(factors, dtype=np.float32))
        network.add(
            "Resize",
            network.last,
            "",
            scales,
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        network.shape = (1, channels, rows * factors[2], columns * factors[3])


def _join(network: FloatNetwork, choice: str) -> None:
    """Two branches that meet again."""
    trunk, shape = network.last, network.shape
    if choice == "gate":
        network.pool("GlobalAveragePool")
        network.add("Sigmoid")
        network.add("Mul", trunk, network.last)
    else:
        network.conv(shape[1], (3, 3), pads=[1, 1, 1, 1])
        if choice == "residual":
            network.add("Add", network.last, trunk)
            network.add("Relu")
        else:
            network.add("Concat", network.last, trunk, axis=1)
            shape = (1, 2 * shape[1], *shape[2:])
    network.shape = shape


class _Samples(CalibrationDataReader):
    def __init__(self, samples: list[NDArray[np.float32]]) -> None:
        self.samples = iter(samples)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        sample = next(self.samples, None)
        return None if sample is None else {"x": sample}


def quantised(network: FloatNetwork, style: str) -> bytes:
    """The network after quantize_static in one of STYLES."""
    logging.getLogger().setLevel(logging.ERROR)
    form, activations, weights, per_channel = STYLES[style]
    samples = [network.rng.normal(0, 1, network.input_shape).astype(np.float32) for _ in range(4)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "quantised.onnx"
        quantize_static(
            network.model(), path, _Samples(samples), quant_format=form, activation_type=activations,
            weight_type=weights, per_channel=per_channel,
        )  # fmt: skip
        return path.read_bytes()


def run_onnx(model: bytes, feeds: Mapping[str, NDArray], names: list[str]) -> dict[str, NDArray]:
    """Any tensors of a network, computed by ONNX Runtime with its default optimisations."""
    parsed = onnx.load_model_from_string(model)
    have = {output.name for output in parsed.graph.output}
    parsed.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in have
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    # Else, on x86, ONNX Runtime computes int8 (not uint8) convolutions between DequantizeLinear and
    # QuantizeLinear in float32 wherever it cannot make the activations uint8.
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(
        parsed.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))
