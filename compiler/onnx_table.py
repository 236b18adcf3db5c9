"""Tables of real functions between DequantizeLinear and QuantizeLinear, made by ONNX Runtime itself.

Whatever chain of element-wise nodes an exporter leaves between the two (hard swish, SiLU as a product, GELU
in five nodes) has 256 possible inputs. The runtime computes them, so the table is exact by construction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from compiler.ir import Tensor

INPUTS = np.arange(256, dtype=np.uint8).view(np.int8)


def function_table(
    nodes: Sequence[Any],
    constants: Mapping[str, NDArray],
    source: tuple[str, Tensor, np.dtype],
    target: tuple[str, Tensor, np.dtype],
    opsets: Sequence[Any],
) -> NDArray[np.int8]:
    """int8 [256], indexed by the bit pattern of the int8 input.

    nodes: NodeProtos that lead from source to target, in order; none for a change of quantisation. source,
    target: name of the real value, tensor of the graph (scale and zero point as int8), type in the file.
    Raises what ONNX Runtime raises for nodes that it cannot run.
    """

    def parameters(name: str, tensor: Tensor, dtype: np.dtype) -> list[Any]:
        shift = 128 if dtype == np.uint8 else 0
        zero = np.array(tensor.zero_point + shift, dtype=dtype)
        return [
            numpy_helper.from_array(np.array(tensor.scale, dtype=np.float32), f"{name}/scale"),
            numpy_helper.from_array(zero, f"{name}/zero"),
        ]

    def info(name: str, dtype: np.dtype) -> Any:
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), [256])

    (x, x_tensor, x_dtype), (y, y_tensor, y_dtype) = source, target
    names = [f"{n}/{part}" for n in ("x", "y") for part in ("scale", "zero")]
    first = helper.make_node("DequantizeLinear", ["x/levels", *names[:2]], [x])
    last = helper.make_node("QuantizeLinear", [y, *names[2:]], ["y/levels"])
    initializers = parameters("x", x_tensor, x_dtype) + parameters("y", y_tensor, y_dtype)
    initializers += [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(
        [first, *nodes, last], "table", [info("x/levels", x_dtype)], [info("y/levels", y_dtype)], initializers
    )
    model = helper.make_model(graph, opset_imports=list(opsets), ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.qdqisint8allowed", "1")  # int8 kernels for int8 tensors
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    levels = INPUTS if x_dtype == np.int8 else INPUTS.view(np.uint8) ^ 0x80
    # A scalar of several dimensions gives its own to the result.
    result = session.run(None, {"x/levels": levels})[0].reshape(-1)
    return result if y_dtype == np.int8 else (result ^ 0x80).view(np.int8)
