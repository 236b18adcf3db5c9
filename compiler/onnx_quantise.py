"""A float .onnx network made int8 with ONNX Runtime's static quantiser, on the way to the compiler.

QDQ, int8 activations and weights, a scale per output channel, ranges from the smallest and largest value.
Activation scales are then moved a little, so that the runtime's float32 is exact (compiler/onnx_scales.py).
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from compiler.errors import CompileError, UnsupportedError
from compiler.onnx import HOST_GLUE, SUPPORTED
from compiler.onnx_build import Builder
from compiler.onnx_prepare import at_opset, functions, named, rewritten
from compiler.onnx_scales import with_exact_scales


class _Samples(CalibrationDataReader):
    def __init__(self, samples: Sequence[Mapping[str, NDArray]]) -> None:
        self.samples = iter(samples)

    def get_next(self) -> dict[str, NDArray] | None:
        sample = next(self.samples, None)
        return None if sample is None else dict(sample)


def is_float(parsed: Any) -> bool:
    """Whether a ModelProto has no quantised tensor."""
    return not any(
        node.op_type in ("QuantizeLinear", "DequantizeLinear") or node.op_type.startswith("QLinear")
        for node in parsed.graph.node
    )


def quantised(model: bytes, samples: Sequence[Mapping[str, NDArray]]) -> bytes:
    """The network with int8 tensors. samples: calibration data, float32 by the name of the input.

    compiler/onnx_prepare.py says what is rewritten on the way. Raises CompileError, in one line, when ONNX or
    ONNX Runtime cannot do it.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.CRITICAL)  # what fails is said in one line, below
    onnxruntime.set_default_logger_severity(3)  # its warnings about the user's model are not the user's
    try:
        with tempfile.TemporaryDirectory() as folder:
            first, last = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(at_opset(onnx.load_model_from_string(model)), first)
            quant_pre_process(first, first, skip_symbolic_shape=True)
            ready = named(rewritten(onnx.load(first)))
            _check_operators(ready)
            onnx.save(ready, first)
            quantize_static(
                first,
                last,
                _Samples(samples),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_exclude=functions(ready),
            )
            result = with_exact_scales(onnx.load(last)).SerializeToString()
    except UnsupportedError:
        raise
    except Exception as error:  # each of the tools has exceptions of its own
        reason = " ".join(str(error).split())
        raise CompileError(f"ONNX Runtime cannot quantise the float network: {reason}") from error
    finally:
        root.setLevel(level)
    left = onnx.load_model_from_string(result)
    if is_float(left):
        operators = sorted({node.op_type for node in left.graph.node})
        raise CompileError(f"ONNX Runtime's quantiser leaves all of it in float32: {', '.join(operators)}")
    return result


def _check_operators(parsed: Any) -> None:
    """Before the work of calibration: what no quantiser can help."""
    for node in parsed.graph.node:
        if node.op_type not in (*SUPPORTED, *HOST_GLUE):
            reason = "this operator is not supported"
            raise UnsupportedError(Builder.name(node), node.op_type, reason, SUPPORTED)
