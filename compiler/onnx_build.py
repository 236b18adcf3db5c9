"""The graph while a reader of ONNX builds it: tensors, nodes, and what each ONNX name stands for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from compiler.errors import UnsupportedError
from compiler.ir import Node, Origin, Tensor
from compiler.onnx_table import function_table
from compiler.onnx_values import Constant, Function, Input, Pending, Quantisation, Stored, Value
from models.ort import quantize

_INTEGERS = (np.dtype(np.int8), np.dtype(np.uint8))


class Builder:
    """tensors, nodes, origins: of the graph so far. values: by ONNX name. inputs: graph input -> tensor."""

    def __init__(self, opsets: list[Any]) -> None:
        self.opsets = opsets
        self.tensors: dict[str, Tensor] = {}
        self.nodes: list[Node] = []
        self.origins: dict[str, Origin] = {}
        self.values: dict[str, Value] = {}
        self.inputs: dict[str, str] = {}
        self.host: list[str] = []

    # --- what a node says --------------------------------------------------------------------------------

    @staticmethod
    def name(node: Any) -> str:
        return str(node.name or next((name for name in node.output if name), node.op_type))

    def fail(self, node: Any, reason: str) -> UnsupportedError:
        """The error to raise about a node."""
        return UnsupportedError(self.name(node), node.op_type, reason)

    @staticmethod
    def attributes(node: Any) -> dict[str, Any]:
        return {a.name: helper.get_attribute_value(a) for a in node.attribute}

    @staticmethod
    def has(node: Any, index: int) -> bool:
        return len(node.input) > index and bool(node.input[index])

    def value(self, node: Any, index: int) -> Value:
        """What input `index` stands for."""
        if not self.has(node, index):
            raise self.fail(node, f"input {index} is missing")
        if node.input[index] not in self.values:
            raise self.fail(node, f"input {node.input[index]!r} is not defined before it")
        return self.values[node.input[index]]

    def array(self, node: Any, index: int) -> NDArray:
        """A plain constant input."""
        value = self.value(node, index)
        if not isinstance(value, Constant) or value.quantisation is not None:
            raise self.fail(node, f"input {node.input[index]!r} must be a constant")
        return value.data

    def number(self, node: Any, index: int) -> float:
        """A plain constant input that is one number."""
        data = self.array(node, index)
        if data.size != 1:
            raise self.fail(node, f"input {node.input[index]!r} is {list(data.shape)}; one number is needed")
        return float(data.reshape(-1)[0])

    def quantisation(self, node: Any, index: int, like: Value | None = None) -> Quantisation:
        """Scale in input `index`, zero point in the next (optional); like: the integers they belong to."""
        scales = np.atleast_1d(self.array(node, index))
        dtype, zeros = np.dtype(np.uint8), np.zeros(scales.shape, dtype=np.int64)
        if isinstance(like, Constant):
            dtype = like.data.dtype
        elif isinstance(like, Stored):
            dtype = self.origins[like.tensor].dtype
        elif isinstance(like, Input):
            dtype = like.dtype
        if self.has(node, index + 1):
            zero = self.array(node, index + 1)
            dtype, zeros = zero.dtype, np.atleast_1d(zero).astype(np.int64)
        if scales.dtype != np.float32 or scales.ndim != 1 or zeros.shape != scales.shape:
            raise self.fail(
                node,
                f"scale {scales.dtype}{list(scales.shape)} and zero point {list(zeros.shape)}; "
                "float32 scales, one or one per channel, and as many zero points are needed",
            )
        if dtype not in (*_INTEGERS, np.dtype(np.int32)):
            raise self.fail(node, f"it quantises to {dtype}; int8 or uint8 is needed")
        if not np.all(np.isfinite(scales) & (scales > 0)):
            raise self.fail(node, f"a scale of {node.input[index]!r} is not positive and finite")
        return Quantisation(scales, zeros, dtype, int(self.attributes(node).get("axis", 1)))

    # --- tensors -------------------------------------------------------------------------------------------

    def integers(self, node: Any, value: Value, name: str, q: Quantisation) -> Stored:
        """The quantised activation that a node reads with these parameters."""
        if isinstance(value, Input) and value.dtype in _INTEGERS:
            self.add(name, value.shape, q)
            self.inputs[value.name] = name
            self.values[name] = Stored(name, real=False)
            return Stored(name, real=False)
        if not isinstance(value, Stored) or value.real:
            raise self.fail(node, f"its input {name!r} is not quantised")
        if q != self.parameters(value.tensor):
            raise self.fail(
                node, f"it reads {name!r} with another scale or zero point than it was written with"
            )
        return value

    def parameters(self, tensor: str) -> Quantisation:
        """Scale and zero point of an activation as in the file."""
        held, dtype = self.tensors[tensor], self.origins[tensor].dtype
        return Quantisation(held.scales, held.zero_points + (128 if dtype == np.uint8 else 0), dtype)

    def image(self, tensor: str) -> tuple[int, int, int]:
        """(channels, rows, columns) of an activation that is NCHW in the file. ValueError for another."""
        origin = self.origins[tensor]
        if len(origin.shape) != 4 or origin.image is None:
            raise ValueError(f"{tensor!r} is {list(origin.shape)}; [1, channels, rows, columns] is needed")
        return origin.image

    def activation(self, node: Any, index: int) -> str:
        """The tensor whose real values a float node reads."""
        value = self.value(node, index)
        if not isinstance(value, Stored):
            raise self.fail(node, f"its input {node.input[index]!r} is not quantised")
        return value.tensor

    def add(
        self,
        name: str,
        shape: tuple[int, ...],
        q: Quantisation,
        image: tuple[int, int, int] | None = None,
        in_file: bool = True,
        channels_last: bool = False,
    ) -> Tensor:
        """A new activation. shape: in the file; in_file: its integers have that name there. channels_last:
        its four dimensions are NHWC there, too."""
        if q.dtype not in _INTEGERS or q.scales.size != 1:
            raise UnsupportedError(
                name,
                "QuantizeLinear",
                f"activations are {q.dtype} with {q.scales.size} scales; "
                "int8 or uint8 with one scale is needed",
            )
        if len(shape) == 4 and not channels_last:
            image = (shape[1], shape[2], shape[3])
        origin = Origin(name if in_file else "", shape, q.dtype, image)
        shift = 128 if q.dtype == np.uint8 else 0
        tensor = Tensor(
            name, origin.ir_shape, np.dtype(np.int8), q.scales, q.zero_points - shift, unsigned=shift != 0
        )
        self.tensors[name], self.origins[name] = tensor, origin
        return tensor

    def constant(self, name: str, data: NDArray, scales: NDArray, zeros: NDArray, axis: int = 0) -> str:
        """A constant tensor of the graph, under a name that is still free."""
        while name in self.tensors:
            name += "'"
        self.tensors[name] = Tensor(
            name,
            data.shape,
            data.dtype,
            np.atleast_1d(scales),
            np.atleast_1d(zeros).astype(np.int64),
            axis,
            data,
        )
        return name

    def node(self, op: str, inputs: tuple[str | None, ...], output: str, **options: Any) -> None:
        self.nodes.append(Node(op, inputs, (output,), options))

    # --- quantising ----------------------------------------------------------------------------------------

    def store(self, node: Any, value: Value, name: str, q: Quantisation) -> None:
        """QuantizeLinear: `name` becomes the tensor that holds `value` with these parameters."""
        if isinstance(value, Pending):
            value.emit(name, q, value.clamp)
        elif isinstance(value, Input):
            if value.dtype != np.float32:
                raise self.fail(node, f"its input {value.name!r} is quantised already")
            self.add(name, value.shape, q)
            self.inputs[value.name] = name
            self.host.append("QuantizeLinear at the input")
        elif isinstance(value, Stored) and value.real and self.parameters(value.tensor) == q:
            if not self.origins[value.tensor].name:
                self.origins[value.tensor] = replace(self.origins[value.tensor], name=name)
            self.values[name] = Stored(value.tensor, real=False)
            return
        elif isinstance(value, Stored) and value.real:
            self.table(node, Function(value.tensor, "x", "x", (), {}), name, q)
        elif isinstance(value, Function):
            self.table(node, value, name, q)
        else:
            raise self.fail(node, f"its input {node.input[0]!r} is not a real value")
        self.values[name] = Stored(name, real=False)

    def table(self, node: Any, function: Function, name: str, q: Quantisation) -> None:
        """A TABLE node that leads from the function's tensor to a new one."""
        origin = self.origins[function.tensor]
        source = (function.source, self.tensors[function.tensor], origin.dtype)
        tensor = self.add(name, origin.shape, q, origin.image, channels_last=origin.image is None)
        try:
            table = function_table(
                function.nodes, function.constants, source, (function.name, tensor, q.dtype), self.opsets
            )
        except Exception as error:  # whatever the runtime has against the nodes
            reason = f"ONNX Runtime cannot compute it: {error}".replace("\n", " ")
            raise self.fail(node, reason) from error
        self.node("TABLE", (function.tensor,), name, table=table)

    def requantised(self, node: Any, tensor: str, name: str, q: Quantisation) -> str:
        """`tensor` itself if it has these parameters, else a TABLE of it under that name."""
        if self.parameters(tensor) == q:
            return tensor
        self.table(node, Function(tensor, "x", "x", (), {}), name, q)
        self.origins[name] = replace(self.origins[name], name="")
        return name

    def fused(
        self, node: Any, sources: Iterable[str], tensor: Tensor, q: Quantisation, ends: tuple[float, float]
    ) -> dict[str, Any]:
        """`clamp` and `in_float`, the options of an operator that reads these activations and has a Relu or
        Clip (ends) behind it.

        Between QuantizeLinear nodes ONNX Runtime computes in integers only where the clamp cuts nothing off
        that the output's type does not, and where all activations have one type.
        """
        limits = np.iinfo(q.dtype)
        low, high = (
            (end - int(q.zero_points[0])) * np.float32(tensor.scale) for end in (limits.min, limits.max)
        )
        types = {self.origins[name].dtype for name in sources} | {q.dtype}
        real = not node.op_type.startswith("Q") and (ends[0] > low or ends[1] < high or len(types) > 1)
        return {"clamp": self.clamp(tensor, q, ends), "in_float": bool(real)}

    def clamp(self, tensor: Tensor, q: Quantisation, ends: tuple[float, float]) -> tuple[int, int]:
        """A real range as int8 levels of the output: rounding keeps order, so clamping may come after it."""
        shift = 128 if q.dtype == np.uint8 else 0
        low, high = (
            int(quantize(np.array(end, np.float32), tensor.scale, tensor.zero_point + shift, q.dtype.type))
            - shift
            for end in ends
        )
        return low, high

    # --- values that only move ------------------------------------------------------------------------------

    def stored(self, node: Any) -> tuple[str, bool]:
        """(tensor that a node reads, whether it reads the real values)."""
        value = self.value(node, 0)
        if not isinstance(value, Stored):
            raise self.fail(node, f"its input {node.input[0]!r} is not quantised")
        return value.tensor, value.real

    def move(
        self,
        node: Any,
        op: str,
        shape: tuple[int, ...],
        *,
        image: tuple[int, int, int] | None = None,
        extra: tuple[str, ...] = (),
        options: dict[str, Any] | None = None,
        channels_last: bool = False,
    ) -> None:
        """A node whose output has the quantisation of its input. extra: constant inputs; others as `add`."""
        (x, real), name = self.stored(node), node.output[0]
        self.add(name, shape, self.parameters(x), image, not real, channels_last)
        self.node(op, (x, *extra), name, **(options or {}))
        self.values[name] = Stored(name, real)

    def indices(self, name: str, data: NDArray) -> str:
        """A constant int32 tensor without a scale."""
        none = np.zeros(0)
        return self.constant(name, data.astype(np.int32), none.astype(np.float32), none)
