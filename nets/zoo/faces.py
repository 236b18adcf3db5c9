"""The three networks of MTCNN (Zhang et al., 2016) as facenet-pytorch ships them, MIT licence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from nets.zoo.torch_file import read_state
from nets.zoo.wheels import Wheel

WHEEL = Wheel(
    "facenet-pytorch",
    "2.6.0",
    "facenet_pytorch-2.6.0-py3-none-any.whl",
    "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca",
)
OPSET = 17
# Kernel of the pool behind each convolution (stride 2), None for none; dense layers; results by name, the
# chance behind a softmax.
TRUNKS: dict[str, tuple[list[int | None], list[str], dict[str, str]]] = {
    "pnet": ([2, None, None], [], {"chance": "conv4_1", "box": "conv4_2"}),
    "rnet": ([3, 3, None], ["dense4"], {"chance": "dense5_1", "box": "dense5_2"}),
    "onet": (
        [3, 3, 2, None],
        ["dense5"],
        {"chance": "dense6_1", "box": "dense6_2", "points": "dense6_3"},
    ),
}
SIZES = {"pnet": (48, 60), "rnet": (24, 24), "onet": (48, 48)}


def normalised(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 [n, rows, columns, 3] as the networks take them, float32 [n, 3, rows, columns]."""
    return ((pictures.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 128).astype(np.float32)


def network(name: str, size: tuple[int, int]) -> Any:
    """A ModelProto. name: pnet, rnet or onet; size: rows and columns, free for pnet only."""
    return _Graph(read_state(WHEEL.read(f"facenet_pytorch/data/{name}.pt"))).build(name, size)


class _Graph:
    def __init__(self, state: dict[str, NDArray[np.float32]]) -> None:
        self.state = state
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = "x"

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[np.float32]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weights(self, name: str) -> list[str]:
        return [self.constant(f"{name}.{part}", self.state[f"{name}.{part}"]) for part in ("weight", "bias")]

    def prelu(self, number: str, *ones: int) -> None:
        slopes = self.state[f"prelu{number}.weight"].reshape(-1, *ones)
        slope = self.constant(f"prelu{number}.weight", slopes)
        self.last = self.add("PRelu", [self.last, slope], f"prelu{number}")

    def build(self, name: str, size: tuple[int, int]) -> Any:
        pools, dense, results = TRUNKS[name]
        rows_columns = size
        for number, pool in enumerate(pools, 1):
            layer = f"conv{number}"
            self.last = self.add("Conv", [self.last, *self.weights(layer)], layer)
            kernel = self.state[f"{layer}.weight"].shape[-1]
            rows_columns = (rows_columns[0] - kernel + 1, rows_columns[1] - kernel + 1)
            self.prelu(str(number), 1, 1)
            if pool:
                window = {"kernel_shape": [pool, pool], "strides": [2, 2], "ceil_mode": 1}
                self.last = self.add("MaxPool", [self.last], f"pool{number}", **window)
                rows_columns = (-(-(rows_columns[0] - pool) // 2) + 1, -(-(rows_columns[1] - pool) // 2) + 1)
        if dense:
            self._dense(dense[0], rows_columns)
        for result, layer in results.items():
            self._result(result, layer, flat=bool(dense))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            name,
            [info("x", TensorProto.FLOAT, [1, 3, *size])],
            [info(result, TensorProto.FLOAT, None) for result in results],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)

    def _dense(self, layer: str, size: tuple[int, int]) -> None:
        """PyTorch's weights see the image as [columns, rows, channels]; ONNX's Flatten as NCHW."""
        weights = self.state[f"{layer}.weight"]
        ordered = weights.reshape(len(weights), size[1], size[0], -1).transpose(0, 3, 2, 1)
        w = self.constant(f"{layer}.weight", ordered.reshape(len(weights), -1))
        b = self.constant(f"{layer}.bias", self.state[f"{layer}.bias"])
        flat = self.add("Flatten", [self.last], "flat")
        self.last = self.add("Gemm", [flat, w, b], layer, transB=1)
        self.prelu(layer.removeprefix("dense"))

    def _result(self, result: str, layer: str, flat: bool) -> None:
        target = f"{result}/logits" if result == "chance" else result
        operator, attributes = ("Gemm", {"transB": 1}) if flat else ("Conv", {})
        self.add(operator, [self.last, *self.weights(layer)], target, **attributes)
        if result == "chance":
            self.add("Softmax", [target], result, axis=1)
