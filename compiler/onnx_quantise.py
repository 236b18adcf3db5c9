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

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper, version_converter
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from compiler.errors import CompileError
from compiler.onnx_scales import with_exact_scales

LEAST_OPSET = 13  # the first with a scale per channel
OPSET = 17


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

    Batch normalisation goes into the convolution before it or becomes one with a weight per channel, a Sum of
    two becomes an Add: the quantiser knows neither. Raises CompileError, in one line, when ONNX or ONNX
    Runtime cannot do it.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    onnxruntime.set_default_logger_severity(3)  # its warnings about the user's model are not the user's
    try:
        with tempfile.TemporaryDirectory() as folder:
            first, last = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
            onnx.save(_prepared(onnx.load_model_from_string(model)), first)
            quant_pre_process(first, first, skip_symbolic_shape=True)
            onnx.save(_without_normalisation(onnx.load(first)), first)
            quantize_static(
                first,
                last,
                _Samples(samples),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
            )
            result = with_exact_scales(onnx.load(last)).SerializeToString()
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


def _prepared(parsed: Any) -> Any:
    for node in parsed.graph.node:
        if node.op_type == "Sum" and len(node.input) == 2:
            node.op_type = "Add"
    opset = max(
        (entry.version for entry in parsed.opset_import if entry.domain in ("", "ai.onnx")), default=0
    )
    return version_converter.convert_version(parsed, OPSET) if opset < LEAST_OPSET else parsed


def _without_normalisation(parsed: Any) -> Any:
    """What is left of batch normalisation, where no convolution comes before it, as a depthwise one."""
    constants = {i.name: numpy_helper.to_array(i) for i in parsed.graph.initializer}
    for node in parsed.graph.node:
        parameters = [constants.get(name) for name in node.input[1:]]
        if node.op_type != "BatchNormalization" or any(value is None for value in parameters):
            continue
        scale, bias, mean, variance = (np.asarray(value, np.float64) for value in parameters)
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        weights = scale / np.sqrt(variance + attributes.get("epsilon", 1e-5))
        made = {"weights": weights.reshape(-1, 1, 1, 1), "bias": bias - mean * weights}
        names = [f"{node.output[0]}/{name}" for name in made]
        parsed.graph.initializer.extend(
            numpy_helper.from_array(value.astype(np.float32), name)
            for value, name in zip(made.values(), names, strict=True)
        )
        conv = helper.make_node(
            "Conv", [node.input[0], *names], [node.output[0]], node.name, group=len(weights)
        )
        node.CopyFrom(conv)
    return parsed
