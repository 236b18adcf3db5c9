"""ONNX Runtime as the judge of a whole network, every tensor exposed; and the host's operators behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from scripts.tools import UserError

NAME = f"ONNX Runtime {onnxruntime.__version__}"


class Session:
    """A ModelProto in ONNX Runtime. extra: tensors beside its outputs. Raises UserError if it is refused."""

    def __init__(self, model: Any, extra: Sequence[str] = ()) -> None:
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        given = {info.name for info in copy.graph.input}
        have = {info.name for info in copy.graph.output}
        self.names = [info.name for info in copy.graph.output]
        more = [name for name in dict.fromkeys(extra) if name not in have | given]
        copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in more)
        self.names += more
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        # Else, on x86, some convolutions between int8 tensors are computed in float32 (docs/operators.md).
        options.add_session_config_entry("session.qdqisint8allowed", "1")
        try:
            self.session = onnxruntime.InferenceSession(
                copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its exceptions have no class in common but this
            raise UserError(f"ONNX Runtime refuses the model: {_one_line(error)}") from error

    def run(self, feeds: Mapping[str, NDArray]) -> dict[str, NDArray]:
        """One inference; what was fed and every output, by name."""
        try:
            found = self.session.run(self.names, dict(feeds))
        except Exception as error:
            raise UserError(f"ONNX Runtime cannot run the model: {_one_line(error)}") from error
        return dict(feeds) | dict(zip(self.names, found, strict=True))


def behind(model: Any, given: Mapping[str, tuple[np.dtype, tuple[int, ...]]]) -> Any:
    """The nodes that lead from the given tensors to the outputs, as a ModelProto; None if there are none."""
    graph = model.graph
    constants = {initializer.name for initializer in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    wanted = [info.name for info in graph.output if info.name not in given]
    nodes: list[Any] = []
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if not name or name in seen or name in given or name in constants:
            continue
        seen.add(name)
        node = makers[name]
        if node not in nodes:
            nodes.append(node)
            wanted += node.input
    if not nodes:
        return None
    read = {name for node in nodes for name in node.input}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)
        for name, (dtype, shape) in given.items()
        if name in read
    ]
    part = helper.make_graph(
        [node for node in graph.node if node in nodes],
        "tail",
        inputs,
        [info for info in graph.output if info.name not in given],
        [initializer for initializer in graph.initializer if initializer.name in read],
    )
    return helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
