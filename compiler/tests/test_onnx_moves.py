"""Values that only move, compiled: channel shuffles, parts of a tensor, borders of any value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compiler.network import Compiled
from compiler.tests.random_networks import CONFIGS as ALL
from compiler.tests.test_onnx import FRONT, Constants, network, node, scales
from compiler.tests.test_onnx_layers import machine
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
