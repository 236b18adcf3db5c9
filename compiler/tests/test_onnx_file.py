"""Damaged .onnx files, and files that say too little: one line, whatever the damage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from compiler.errors import CompileError
from compiler.onnx import read_onnx
from compiler.tests.onnx_nodes import FRONT, Constants, agrees, network, node, scales

Edit = Callable[[Any], None]


def pooled(edit: Edit) -> bytes:
    """A max pool behind a constant node, after an edit of the ModelProto."""
    value = onnx.numpy_helper.from_array(np.zeros((2, 3), np.float32))
    constant = onnx.helper.make_node("Constant", [], ["unused"], value=value)
    pool = node("MaxPool", "xr", "m", kernel_shape=[2, 2])
    model = onnx.load_model_from_string(
        network([*FRONT, constant, pool, node("QuantizeLinear", "m s z", "y")], scales())
    )
    edit(model)
    return model.SerializeToString()


def initializer(model: Any) -> Any:
    return next(i for i in model.graph.initializer if i.name == "s")


def other_file(model: Any) -> None:
    initializer(model).data_location = onnx.TensorProto.EXTERNAL


def short_data(model: Any) -> None:
    initializer(model).raw_data = b"\0\0\0"


def unknown_type(model: Any) -> None:
    initializer(model).data_type = 77


def negative_size(model: Any) -> None:
    initializer(model).dims.append(-1)


def no_value(model: Any) -> None:
    del model.graph.node[2].attribute[:]


def damaged_value(model: Any) -> None:
    model.graph.node[2].attribute[0].t.raw_data = b"\0"


def no_kernel(model: Any) -> None:
    del model.graph.node[3].attribute[:]


def kernel_of_another_type(model: Any) -> None:
    model.graph.node[3].attribute[0].CopyFrom(onnx.helper.make_attribute("kernel_shape", 2.5))


def no_step(model: Any) -> None:
    model.graph.node[3].attribute.append(onnx.helper.make_attribute("strides", [0, 1]))


def no_outputs(model: Any) -> None:
    del model.graph.output[:]


def no_opset(model: Any) -> None:
    del model.opset_import[:]


def input_of_no_type(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 77


def input_of_16_bits(model: Any) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (other_file, "initializer 's' lies in another file"),
        (short_data, "damaged .onnx file: initializer 's' cannot be read"),
        (unknown_type, "damaged .onnx file: initializer 's' cannot be read"),
        (negative_size, "damaged .onnx file: initializer 's' has the shape [-1]"),
        (no_value, "has no value"),
        (damaged_value, "cannot be read"),
        (no_kernel, "MaxPool 'm': the file lacks an input or attribute ('kernel_shape')"),
        (kernel_of_another_type, "MaxPool 'm': the file contradicts itself"),
        (no_step, "MaxPool 'm': the file contradicts itself"),
        (no_outputs, "the .onnx file has no outputs"),
        (no_opset, "opset_import"),
        (input_of_no_type, "'x' is no tensor of a known type"),
        (input_of_16_bits, "input 'x' is float16; float32, int8 or uint8 is needed"),
    ],
)
def test_what_is_damaged(edit: Edit, reason: str) -> None:
    with pytest.raises(CompileError) as caught:
        read_onnx(pooled(edit))
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_a_name_that_is_no_text() -> None:
    raw = pooled(lambda _: None).replace(b"MaxPool", b"Max\xffool")
    with pytest.raises(CompileError, match="a name in it is not UTF-8"):
        read_onnx(raw)


def test_no_damage_ends_in_another_error() -> None:
    """Changed bytes; the twin of what is refused is the network itself."""
    raw, rng = pooled(lambda _: None), np.random.default_rng(7)
    read_onnx(raw)
    refused = 0
    for _ in range(300):
        damaged = bytearray(raw)
        for at in rng.integers(0, len(raw), int(rng.integers(1, 4))):
            damaged[at] = int(rng.choice([0, 255, damaged[at] ^ 1 << int(rng.integers(8))]))
        try:
            read_onnx(bytes(damaged))
        except CompileError:
            refused += 1
    assert refused > 150


@pytest.mark.parametrize("ends", [(3.0, -3.0), (-3.0, -1.0), (1.0, 2.0)])
@pytest.mark.parametrize("first", ["Relu", "Clip"])
def test_clamps_one_after_the_other(first: str, ends: tuple[float, float]) -> None:
    """Also those that leave one value, and a low end above the high one: ONNX gives the high one then."""
    low, high = (np.array(end, np.float32) for end in ends)
    nodes = [
        *FRONT,
        node("DequantizeLinear", "k u z", "kr"),
        node("Add", "xr kr", "a"),
        node("Relu", "a", "b") if first == "Relu" else node("Clip", "a one two", "b"),
        node("Clip", "b low high", "c"),
        node("QuantizeLinear", "c t z", "y"),
    ]
    constants: Constants = {
        "low": low,
        "high": high,
        "one": np.array(-2, np.float32),
        "two": np.array(-1.5, np.float32),
    }
    constants |= {"k": np.arange(4, dtype=np.int8).reshape(4, 1, 1)}
    agrees(nodes, scales(5) | constants)
