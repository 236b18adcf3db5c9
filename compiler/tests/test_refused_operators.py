"""Operators that are not there yet, or that nobody knows: node, operator, reason, and what there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from compiler.errors import UnsupportedError
from compiler.host import pack
from compiler.network import compile_network
from compiler.ops import SUPPORTED
from compiler.tflite_build import TfliteBuilder
from models.config import Config

LATER = (
    "BATCH_MATMUL",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "DEPTH_TO_SPACE",
    "LSTM",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "SIGN",
    "SVDF",
    "TRANSPOSE_CONV",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "WHILE",
)


def network_with(operator: str | int, custom: bytes | None = None) -> bytes:
    """A max pool, then this operator of the result and a tensor of constants."""
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    m = b.add_tensor("m", (1, 2, 2, 2), np.int8, 0.1)
    y = b.add_tensor("wanted", (1, 4, 4, 2), np.int8, 0.1)
    b.max_pool(x, m, kernel=(2, 2))
    b.logistic(m, y)
    parsed: Any = schema.ModelT.InitFromPackedBuf(b.finish([x], [y]), 0)
    code = parsed.operatorCodes[1]
    value = getattr(schema.BuiltinOperator, operator) if isinstance(operator, str) else operator
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = value, min(value, 127), custom
    return pack(parsed)


def test_every_operator_that_is_listed_is_one_of_tflites() -> None:
    assert all(hasattr(schema.BuiltinOperator, operator) for operator in SUPPORTED)


@pytest.mark.parametrize("operator", LATER)
def test_an_operator_that_is_not_there_yet(operator: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        compile_network(network_with(operator), Config(n=4))
    error = caught.value
    assert (error.node, error.operator, error.supported) == ("wanted", operator, SUPPORTED)
    assert str(error).startswith(f"{operator} 'wanted': this operator is not supported; supported: ABS, ADD")


def test_a_custom_operator_has_its_name() -> None:
    with pytest.raises(
        UnsupportedError, match="^CUSTOM TFLite_Detection_PostProcess 'wanted': this operator"
    ):
        compile_network(network_with("CUSTOM", b"TFLite_Detection_PostProcess"), Config(n=4))


def test_an_operator_that_the_schema_does_not_know() -> None:
    with pytest.raises(UnsupportedError, match="^OPERATOR_999 'wanted': this operator is not supported"):
        compile_network(network_with(999), Config(n=4))
