"""Every node test of the onnx package for the operators of the table runs, or is refused in clear words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from compiler.network import read_network
from compiler.onnx_bias import with_integer_biases
from compiler.tests.node_tests import HOST, OPERATORS, NodeTest, cases, node_tests, run_case, verdict
from models.config import Config

TESTS = list(node_tests())
# Operators that must have node tests that run; all others are refused, or are the host's.
RUN = sorted(
    "Abs Add AveragePool Celu Clip Concat Conv DequantizeLinear Elu Erf Flatten Gelu Gemm GlobalAveragePool "
    "HardSigmoid HardSwish Identity LeakyRelu MatMul MaxPool Mish Mul Pad QLinearConv QLinearMatMul "
    "QuantizeLinear Relu Resize Selu Sigmoid Softplus Softsign Split Sub Tanh ThresholdedRelu "
    "Unsqueeze".split()
)
LEAST = 108  # node tests that run, of those in onnx 1.22.0


@pytest.fixture(scope="module")
def verdicts() -> dict[str, tuple[NodeTest, str, str]]:
    return {test.name: (test, *verdict(test, Config())) for test in TESTS}


def test_what_runs_equals_the_runtime(verdicts: dict[str, tuple[NodeTest, str, str]]) -> None:
    """A difference from ONNX Runtime, or from the vectors, would have been raised."""
    ran = {test.node.op_type for test, kind, _ in verdicts.values() if kind == "run"}
    assert sorted(ran) == RUN
    assert sum(kind == "run" for _, kind, _ in verdicts.values()) >= LEAST
    assert {test.node.op_type for test, kind, _ in verdicts.values() if kind == "host"} == set(HOST)
    assert {test.node.op_type for test in TESTS} == set(OPERATORS)


def test_every_refusal_names_node_operator_and_reason(
    verdicts: dict[str, tuple[NodeTest, str, str]],
) -> None:
    """Or the input, where its shape or type is the reason."""
    refusals = [(test, reason) for test, kind, reason in verdicts.values() if kind == "refused"]
    assert refusals
    for test, reason in refusals:
        names = "|".join(re.escape(name) for name in test.names)
        shape = re.match(rf"input '({names})' (has shape|is) .+(supported|needed|fixed)$", reason)
        node = re.match(rf"({test.node.op_type}|QuantizeLinear) '[^']+': .{{12,}}", reason)
        assert shape or node, f"{test.name}: {reason}"
        assert "remapped" not in reason and "Traceback" not in reason


@pytest.mark.parametrize("test", [t for t in TESTS if t.node.op_type == "Gemm"], ids=lambda test: test.name)
def test_biases_of_any_shape_become_integers(test: NodeTest) -> None:
    """A bias of one row, [1, N], too: as with the float32 bias, the same levels."""
    if verdict(test, Config())[0] != "run":
        return
    for case in cases(test):
        parsed, _ = with_integer_biases(onnx.load_model_from_string(case.model))
        before, after = read_network(case.model), read_network(parsed.SerializeToString())
        for old, new in zip(before.nodes, after.nodes, strict=True):
            if old.op == "FULLY_CONNECTED" and old.inputs[2] is not None:
                found = after.tensors[str(new.inputs[2])].data
                np.testing.assert_array_equal(found, before.tensors[old.inputs[2]].data)


@pytest.mark.parametrize("name", ["test_conv_with_strides_padding", "test_qlinearconv", "test_relu"])
def test_wrong_vectors_are_caught(name: str) -> None:
    """The twin: a vector that is not what the operator makes."""
    case = cases(next(test for test in TESTS if test.name == name))[0]
    run_case(case, Config())
    far = [y.astype(np.float64) + (np.ptp(y.astype(np.float64)) + 1) * 0.2 for y in case.outputs]
    wrong = [y.astype(x.dtype) for y, x in zip(far, case.outputs, strict=True)]
    with pytest.raises(AssertionError, match="vector"):
        run_case(replace(case, outputs=wrong), Config())


def test_a_wrong_network_is_caught() -> None:
    """The twin: weights that are not those of the vectors."""
    case = cases(next(test for test in TESTS if test.name == "test_qlinearconv"))[0]
    model = onnx.load_model_from_string(case.model)
    held = next(i for i in model.graph.initializer if i.name == "w")
    held.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(held) ^ 64, "w"))
    with pytest.raises(AssertionError, match="vector"):
        run_case(replace(case, model=model.SerializeToString()), Config())
