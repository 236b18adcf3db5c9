"""One-node models for ONNX Runtime, the judge of mode FP32, and what a judge of float operators counts.

ONNX Runtime is the judge: it shares no code with `models`. A model is built from its inputs and constants,
run once on the CPU provider with one thread, and never optimised: the node that is written is the node that
runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.tests.litert import JUDGED, Verdict, count, judged

OPSET = 17
_MICROSOFT = "com.microsoft"

# Without VNNI, x86 adds pairs of products u8 * s8 into int16 and saturates: a weight may then have 7 bits
# only (ONNX Runtime calls it reduce_range). With VNNI the sums are exact.
_FLAGS = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
WEIGHT_MAX = 127 if "vnni" in _FLAGS else 63

Int8 = np.dtype(np.int8)
UInt8 = np.dtype(np.uint8)


def run_node(
    operator: str,
    inputs: list[tuple[str, Any]],
    feeds: Mapping[str, NDArray],
    *,
    domain: str = _MICROSOFT,
    output: Any = None,
    **attributes: Any,
) -> NDArray:
    """The output of one node. inputs: (name, constant or None when `feeds` has it), in the node's order; an
    empty name is an optional input that is absent. output: numpy type of the result; default: the first
    feed's.
    """
    first = next(iter(feeds.values()))
    kind = np.dtype(first.dtype if output is None else output)

    def info(name: str, dtype: np.dtype, shape: Any) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)

    node = helper.make_node(operator, [name for name, _ in inputs], ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "judge",
        [info(name, value.dtype, value.shape) for name, value in feeds.items()],
        [info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in inputs if value is not None],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, dict(feeds))[0]


def nchw(x: NDArray) -> NDArray:
    """[H, W, C] as [1, C, H, W]."""
    return np.ascontiguousarray(x.transpose(2, 0, 1))[np.newaxis]


def hwc(x: NDArray) -> NDArray:
    """[1, C, H, W] as [H, W, C]."""
    return x[0].transpose(1, 2, 0)


def as_int8(x: NDArray) -> NDArray[np.int8]:
    """A uint8 tensor as the int8 tensor that it is, shifted by 128."""
    return x if x.dtype == Int8 else (x ^ 0x80).view(np.int8)


def as_type(x: NDArray[np.int8], dtype: np.dtype) -> NDArray:
    """The inverse of `as_int8`."""
    return x if dtype == Int8 else x.view(np.uint8) ^ 0x80


def draw_type(rng: np.random.Generator) -> tuple[np.dtype, int]:
    """(int8 or uint8, what to add to an int8 zero point in that type)."""
    return (Int8, 0) if rng.random() < 0.5 else (UInt8, 128)


def draw_scale(rng: np.random.Generator, low: float = 0.001, high: float = 0.5) -> np.float32:
    return np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))


def measure(operator: str, verdicts: Iterator[Verdict], share: float) -> None:
    """Fail unless a million values differ by one at most, and no more than `share` of them."""
    tally = count(operator, verdicts)
    judged.append(tally)
    assert tally.values >= JUDGED
    assert tally.largest <= 1, f"{operator}: differs by {tally.largest}"
    assert tally.mismatches <= share * tally.values, (
        f"{operator}: {tally.mismatches} of {tally.values} differ, more than {share:.2%}"
    )
