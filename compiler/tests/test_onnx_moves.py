"""Values that move and are repeated, compiled: channel shuffles, parts, borders, larger images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compiler.errors import UnsupportedError
from compiler.network import Compiled
from compiler.onnx import read_onnx
from compiler.tests.onnx_nodes import FRONT, Constants, network, node, scales
from compiler.tests.random_networks import CONFIGS as ALL
from compiler.tests.test_onnx_layers import machine
from compiler.ties import proven
from models.tests.litert import SEED

CONFIGS = ["n4_small", "n16"]


def agrees(nodes: list[Any], constants: Constants, config: str, **arguments: Any) -> Compiled:
    """Compiled, run on the machine: every tensor is ONNX Runtime's."""
    model = network([*FRONT, *nodes], constants, **arguments)
    shape = arguments.get("shape", (1, 4, 6, 5))
    feeds = {"x": np.random.default_rng(SEED).normal(0, 1.5, shape).astype(np.float32)}
    compiled, ours, theirs = machine(model, feeds, ALL[config])
    assert set(compiled.outputs) <= set(theirs)
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value)
    return compiled


def pair(name: str, levels: str) -> list[Any]:
    """From a real value to itself by way of its levels; "r" is added to its name."""
    return [
        node("QuantizeLinear", f"{name} s z", levels),
        node("DequantizeLinear", f"{levels} s z", f"{name}r"),
    ]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("groups", "channels"), [(2, 6), (3, 24), (4, 40), (8, 8)])
def test_channel_shuffle(config: str, groups: int, channels: int) -> None:
    """Groups of channels with their members, as ShuffleNet writes it."""
    constants: Constants = scales(-9) | {
        "five": np.array([1, groups, channels // groups, 6, 5], np.int64),
        "four": np.array([0, channels, 6, 5], np.int64),
    }
    nodes = [
        node("Reshape", "xr five", "a"), *pair("a", "aq"),
        node("Transpose", "ar", "b", perm=[0, 2, 1, 3, 4]), *pair("b", "bq"),
        node("Reshape", "br four", "c"), node("QuantizeLinear", "c s z", "y"),
    ]  # fmt: skip
    compiled = agrees(nodes, constants, config, shape=(1, channels, 6, 5))
    assert [layer.op for layer in compiled.layers] == ["PERMUTE_CHANNELS"]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("shape", "axis", "sizes"),
    [
        ((1, 20, 4, 3), 1, [7, 13]),
        ((1, 3, 7, 3), 2, [2, 5]),
        ((1, 3, 4, 6), -1, [3, 3]),
        ((1, 30), 1, [18, 12]),
    ],
)
def test_split(config: str, shape: tuple[int, ...], axis: int, sizes: list[int]) -> None:
    """Parts of channels, rows, columns, values."""
    split = node("Split", "xr k", "a", axis=axis)
    split.output.append("b")
    nodes = [split, *pair("a", "first"), *pair("b", "y")]
    compiled = agrees(nodes, scales(4) | {"k": np.array(sizes, np.int64)}, config, shape=shape)
    assert [layer.op for layer in compiled.layers] == ["STRIDED_SLICE"] * 2


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("axis", [2, 3])
def test_concatenation_of_rows_and_columns(config: str, axis: int) -> None:
    """Three images of different sizes, the middle one with another scale; more channels than a word has."""
    first, last = ([0, 0], [3, 19]) if axis == 2 else ([0, 0], [17, 4])
    constants: Constants = scales(-9) | {
        "b": np.array(first, np.int64), "e": np.array(last, np.int64), "i": np.array([2, 3], np.int64),
    }  # fmt: skip
    nodes = [
        node("Slice", "xr b e i", "a"), *pair("a", "aq"),
        node("QuantizeLinear", "xr u z", "other"), node("DequantizeLinear", "other u z", "otherr"),
        node("Concat", "ar otherr xr", "c", axis=axis), *pair("c", "y"),
    ]  # fmt: skip
    compiled = agrees(nodes, constants, config, shape=(1, 21, 17, 19))
    assert [layer.op for layer in compiled.layers].count("CONCATENATION") == 3


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("value", [-1.3, 0.7, 1000.0])
def test_border_of_any_value(dtype: type, value: float) -> None:
    """1000 is beyond the range: the border is the largest level."""
    nodes = [node("Pad", "xr k v a", "p"), node("QuantizeLinear", "p s z", "y")]
    constants = scales(7, dtype) | {
        "k": np.array([1, 2, 0, 3], np.int64),
        "v": np.array([value], np.float32),
        "a": np.array([2, 3], np.int64),
    }
    compiled = agrees(nodes, constants, "n16", opset=18, out_dtype=dtype)
    assert [layer.op for layer in compiled.layers] == ["PADV2"]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("factors", "how"),
    [
        ((2, 2), {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ((3, 1), {}),
        ((4, 2), {"coordinate_transformation_mode": "pytorch_half_pixel"}),
        ((2, 3), {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}),
    ],
)
def test_resize_to_the_nearest_pixel(config: str, factors: tuple[int, int], how: dict[str, str]) -> None:
    """Also of more channels than a word has, and in tiles."""
    constants: Constants = scales(-9) | {"k": np.array([1, 1, *factors], np.float32)}
    nodes = [node("Resize", "xr - k", "a", **how), *pair("a", "y")]
    compiled = agrees(nodes, constants, config, shape=(1, 21, 17, 19))
    assert [layer.op for layer in compiled.layers] == ["RESIZE_NEAREST"]


@pytest.mark.parametrize(
    ("factors", "how", "reason"),
    [
        ((2, 2), {"mode": "linear"}, "mode is 'linear'"),
        ((1.5, 2), {}, "by whole factors"),
        ((3, 3), {"coordinate_transformation_mode": "asymmetric"}, "does not repeat every pixel 3 times"),
        ((3, 3), {"coordinate_transformation_mode": "align_corners"}, "does not repeat every pixel"),
        ((2, 2), {"coordinate_transformation_mode": "tf_crop_and_resize"}, "is not supported"),
    ],
)
def test_other_resizes_are_refused(factors: tuple[float, float], how: dict[str, str], reason: str) -> None:
    constants = scales() | {"k": np.array([1, 1, *factors], np.float32)}
    nodes = [node("Resize", "xr - k", "a", **how), *pair("a", "y")]
    with pytest.raises(UnsupportedError, match="Resize 'a': ") as caught:
        read_onnx(network([*FRONT, *nodes], constants))
    assert reason in caught.value.reason


def transposed(
    kernel: tuple[int, int], channels: int, outputs: int, **attributes: Any
) -> tuple[list[Any], Constants]:
    rng = np.random.default_rng([SEED, channels])
    constants = scales(7) | {
        "w": rng.integers(-127, 128, (channels, outputs, *kernel), dtype=np.int8),
        "ws": rng.uniform(0.002, 0.01, outputs).astype(np.float32),
        "wz": np.zeros(outputs, np.int8),
        "b": rng.integers(-3000, 3000, outputs, dtype=np.int32),
        "bz": np.zeros(outputs, np.int32),
    }
    constants["bs"] = np.float32(0.031) * constants["ws"]
    nodes = [
        node("DequantizeLinear", "w ws wz", "wr", axis=1),
        node("DequantizeLinear", "b bs bz", "br", axis=0),
        node("ConvTranspose", "xr wr br", "c", **({"strides": list(kernel)} | attributes)),
        node("Relu", "c", "a"),
        *pair("a", "y"),
    ]
    return nodes, constants


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(
    ("kernel", "channels", "outputs"), [((2, 2), 20, 5), ((3, 2), 7, 33), ((1, 4), 16, 16)]
)
def test_transposed_convolution(config: str, kernel: tuple[int, int], channels: int, outputs: int) -> None:
    """One layer for each place of the kernel; what differs from the runtime's float32 lies at a tie."""
    nodes, constants = transposed(kernel, channels, outputs)
    shape = (1, channels, 13, 11)
    feeds = {"x": np.random.default_rng(SEED).normal(0, 1.5, shape).astype(np.float32)}
    compiled, ours, theirs = machine(network([*FRONT, *nodes], constants, shape=shape), feeds, ALL[config])
    (last,) = compiled.graph.nodes
    assert [layer.op for layer in compiled.layers] == ["CONV_TRANSPOSE"] * kernel[0] * kernel[1]
    differ = ours["y"] != theirs["y"]
    assert np.array_equal(proven(compiled.graph, last, ours, ours["y"], theirs["y"]), differ)
    assert differ.mean() < 1e-3
    wrong = np.where(ours["y"] < 127, ours["y"] + 1, 126).astype(np.int8)
    assert not proven(compiled.graph, last, ours, wrong, theirs["y"]).any()
    assert proven(compiled.graph, last, ours, ours["y"], wrong).mean() < 1e-3


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"strides": [1, 1]}, "only strides that are the kernel"),
        ({"pads": [1, 1, 1, 1]}, "only strides that are the kernel"),
        ({"output_padding": [1, 1]}, "only strides that are the kernel"),
        ({"group": 2}, "in one group"),
        ({"output_shape": [12, 10]}, "output_shape"),
    ],
)
def test_other_transposed_convolutions_are_refused(attributes: dict[str, Any], reason: str) -> None:
    nodes, constants = transposed((2, 2), 4, 6, **attributes)
    with pytest.raises(UnsupportedError, match="ConvTranspose 'c': ") as caught:
        read_onnx(network([*FRONT, *nodes], constants))
    assert reason in caught.value.reason
