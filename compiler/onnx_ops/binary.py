"""Add, Sub, Mul and Concat: several tensors that become one."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from compiler.onnx_build import Builder
from compiler.onnx_values import Constant, Pending, Quantisation, Stored, Value

OPERATORS = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL"}
_TO_NHWC = {0: 0, 1: 3, 2: 1, 3: 2}


def binary(node: Any, b: Builder) -> None:
    operands = [_operand(node, b, b.value(node, i), node.input[i]) for i in range(2)]
    b.values[node.output[0]] = _pending_binary(node, b, OPERATORS[node.op_type], operands, list(node.input))


def qlinear_binary(node: Any, b: Builder) -> None:
    operands: list[str | Constant] = []
    for index in (0, 3):
        value, q = b.value(node, index), b.quantisation(node, index + 1, b.value(node, index))
        if isinstance(value, Constant):
            operands.append(Constant(value.data, q, real=True))
        else:
            operands.append(b.integers(node, value, node.input[index], q).tensor)
    op = node.op_type.removeprefix("QLinear").upper()
    pending = _pending_binary(node, b, op, operands, [node.input[0], node.input[3]])
    b.store(node, pending, node.output[0], b.quantisation(node, 6))


def _operand(node: Any, b: Builder, value: Value, name: str) -> str | Constant:
    if isinstance(value, Stored):
        return value.tensor
    if isinstance(value, Constant) and value.quantisation is not None:
        return value
    raise ValueError(f"its input {name!r} is not quantised")


def _pending_binary(
    node: Any, b: Builder, op: str, operands: list[str | Constant], names: list[str]
) -> Pending:
    shapes = [b.origins[o].shape if isinstance(o, str) else o.data.shape for o in operands]
    shape = np.broadcast_shapes(*shapes)
    if len(shape) == 4:
        for operand in operands:
            if isinstance(operand, str):
                b.image(operand)
    images = {b.origins[o].image for o in operands if isinstance(o, str)}
    if len(shape) != 4 and len(images) > 1:
        raise ValueError("its inputs are flattened from images of different shapes")
    if not images:
        raise ValueError("both inputs are constant")
    image = images.pop()

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        tensor = b.add(name, shape, q, image)
        inputs = [
            o if isinstance(o, str) else _constant_operand(b, o, label, len(shape), image)
            for o, label in zip(operands, names, strict=True)
        ]
        computed = [o for o in operands if isinstance(o, str)]
        b.node(op, tuple(inputs), name, **b.fused(node, computed, tensor, q, ends))

    return Pending(node.op_type, emit)


def _constant_operand(
    b: Builder, constant: Constant, name: str, rank: int, image: tuple[int, int, int] | None
) -> str:
    q, data = constant.quantisation, constant.data
    assert q is not None
    if q.scales.size != 1 or data.dtype not in (np.int8, np.uint8):
        raise ValueError(f"constant {name!r} is {data.dtype} with {q.scales.size} scales; one is needed")
    shift = 0 if data.dtype == np.int8 else 128
    signed = data if shift == 0 else (data ^ 0x80).view(np.int8)
    if rank == 4:
        signed = signed.reshape((1,) * (4 - signed.ndim) + signed.shape).transpose(0, 2, 3, 1)
    elif image is not None and signed.size > 1:
        signed = signed.reshape(image).transpose(1, 2, 0).reshape(1, -1)
    return b.constant(name, np.ascontiguousarray(signed), q.scales, q.zero_points - shift)


def concat(node: Any, b: Builder) -> None:
    tensors = [b.activation(node, i) for i in range(len(node.input))]
    b.values[node.output[0]] = _pending_concat(node, b, tensors)


def qlinear_concat(node: Any, b: Builder) -> None:
    tensors = [
        b.integers(
            node, b.value(node, i), node.input[i], b.quantisation(node, i + 1, b.value(node, i))
        ).tensor
        for i in range(2, len(node.input), 3)
    ]
    b.store(node, _pending_concat(node, b, tensors), node.output[0], b.quantisation(node, 0))


def _pending_concat(node: Any, b: Builder, tensors: list[str]) -> Pending:
    origins = [b.origins[t] for t in tensors]
    rank = len(origins[0].shape)
    if rank == 4:
        for tensor in tensors:
            b.image(tensor)
    axis = int(b.attributes(node)["axis"]) % rank
    if axis == 0 or rank not in (2, 4):
        raise ValueError(f"axis {axis} of {rank} dimensions cannot be concatenated")
    if rank == 2 and any(o.image is not None and o.image[1:] != (1, 1) for o in origins):
        raise ValueError("its inputs are flattened images: their values lie in another order here")
    shape = list(origins[0].shape)
    shape[axis] = sum(o.shape[axis] for o in origins)

    def emit(name: str, q: Quantisation, ends: tuple[float, float]) -> None:
        if ends != (-inf, inf):
            raise ValueError("a Relu or Clip after Concat is not supported")
        inputs = tuple(b.requantised(node, t, f"{name}/{i}", q) for i, t in enumerate(tensors))
        b.add(name, tuple(shape), q)
        b.node("CONCATENATION", inputs, name, axis=_TO_NHWC[axis] if rank == 4 else axis)

    return Pending(node.op_type, emit)
