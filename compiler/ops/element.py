"""ADD, SUB and MUL: two tensors of one shape, or a tensor and a constant, or a tensor and one pixel."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from compiler.ir import Node, Tensor
from compiler.layer import Geometry, Layout, Partner, PoolLayer, blocks_of
from compiler.ops.context import Arithmetic, Context, fault_of_activation
from compiler.ops.elementwise import table_layer
from models import ort
from models.elementwise import (
    Element,
    Elementwise,
    element,
    fit_fp32_element,
    fp32_element,
    pairs_apart,
    tflite_element,
)
from models.isa import PoolKind
from models.quantize import Rounding
from models.xnnpack import square_table, xnnpack_element

_KINDS = {"ADD": Elementwise.ADD, "SUB": Elementwise.SUB, "MUL": Elementwise.MUL}


def lower(node: Node, context: Context) -> PoolLayer:
    """The first operand goes through pool, a maximum of one pixel; the second meets it in post."""
    first, second = (_operand(node, context, name) for name in node.inputs[:2])
    kind, target = _KINDS[node.op], context.activation(node, node.outputs[0])
    squared = kind is Elementwise.MUL and node.inputs[0] == node.inputs[1]
    if squared and context.arithmetic(node) is Arithmetic.XNNPACK:
        quantisation = (first.scale, first.zero_point, target.scale, target.zero_point)
        table = square_table(*quantisation, context.clamp(node, target), unsigned=target.unsigned)
        return table_layer(node, context, first, target, table)
    if kind is not Elementwise.SUB and _smaller(context, first, second):
        # The core broadcasts the second operand only, and so ONNX Runtime takes the other first, too.
        first, second = second, first
    if first.data is not None:
        raise context.fail(node, f"{first.name!r} is a constant; only the second operand may be one")
    layout = context.layouts[first.name]
    data, broadcast = _second(node, context, second, target, layout)
    context.layouts[target.name] = layout
    scales = (first.scale, second.scale, target.scale)
    zeros = (first.zero_point, second.zero_point, target.zero_point)
    apart, arithmetic = 0, context.arithmetic(node)
    try:
        if arithmetic is Arithmetic.ONNX_RUNTIME:
            in_float = bool(node.options.get("in_float", False))
            ends = context.clamp(node, target)
            record, apart = _fp32(kind, scales, zeros, ends, target.unsigned, in_float)
        elif arithmetic is Arithmetic.XNNPACK:
            record = xnnpack_element(kind, scales, zeros, context.clamp(node, target))
        else:
            record = tflite_element(kind, scales, zeros, context.clamp(node, target))
    except ValueError as error:
        raise context.fail(node, str(error)) from error
    (rows, columns, _), cb = layout, blocks_of(layout[2], context.n)
    return PoolLayer(
        name=node.name,
        op=node.op,
        macs=0,
        source=first.name,
        target=target.name,
        geometry=Geometry(rows, columns, cb, rows, columns, cb, kernel=(1, 1)),
        kind=PoolKind.MAX,
        partner=Partner(None if data is not None else second.name, kind, record, data, broadcast, apart),
        rounding=arithmetic.rounding,
    )


def _operand(node: Node, context: Context, name: str | None) -> Tensor:
    """A computed tensor, or a constant of int8 with one scale."""
    tensor = context.tensor(node, name)
    if tensor.data is None:
        return context.activation(node, name)
    if fault := fault_of_activation(tensor):
        raise context.fail(node, f"constant {tensor.name!r} {fault}")
    return tensor


def _smaller(context: Context, first: Tensor, second: Tensor) -> bool:
    if second.data is not None:
        return False
    if first.data is not None:
        return True
    return prod(context.layouts[first.name]) < prod(context.layouts[second.name])


def _second(
    node: Node, context: Context, second: Tensor, target: Tensor, layout: Layout
) -> tuple[NDArray[np.int8] | None, bool]:
    """(contents of a constant operand as they lie in DRAM, whether one pixel meets all)."""
    rows, columns, channels = layout
    if second.data is None:
        other = context.layouts[second.name]
        if other != layout and other != (1, 1, channels):
            raise context.fail(
                node,
                f"inputs {list(layout)} and {list(other)}; both must have one shape, or the second one pixel",
            )
        return None, other != layout
    shape = second.data.shape
    if prod(target.shape) != prod(layout):
        raise context.fail(
            node, f"constant {list(shape)} makes more of {list(layout)}; it must not be the larger operand"
        )
    try:
        whole = np.broadcast_to(second.data, target.shape).reshape(layout)
    except ValueError as error:
        raise context.fail(node, f"constant {list(shape)} does not fit {list(target.shape)}") from error
    one = whole[:1, :1]
    broadcast = rows * columns > 1 and bool(np.all(whole == one))
    padding = blocks_of(channels, context.n) * context.n - channels
    data = np.pad(one if broadcast else whole, ((0, 0), (0, 0), (0, padding)))
    return np.ascontiguousarray(data), broadcast


def _fp32(
    kind: Elementwise,
    scales: tuple[float, float, float],
    zeros: tuple[int, int, int],
    ends: tuple[int, int],
    unsigned: bool,
    in_float: bool,
) -> tuple[Element, int]:
    """(record, pairs of values that ONNX Runtime computes otherwise).

    in_float: it does so between DequantizeLinear and QuantizeLinear; it has no other form of a difference.
    """
    record = fp32_element(kind, scales, zeros, ends)
    if kind is Elementwise.SUB or in_float:
        return record, _pairs_apart_in_float(kind, scales, record)
    record = fit_fp32_element(kind, scales, record, unsigned=unsigned)
    return record, pairs_apart(kind, scales, record, unsigned=unsigned)


def _pairs_apart_in_float(kind: Elementwise, scales: tuple[float, float, float], record: Element) -> int:
    values = np.arange(256, dtype=np.uint8).view(np.int8)
    x1, x2 = np.repeat(values, 256), np.tile(values, 256)
    function = {Elementwise.ADD: np.add, Elementwise.SUB: np.subtract, Elementwise.MUL: np.multiply}[kind]
    real = function(ort.dequantize(x1, scales[0], record.zp1), ort.dequantize(x2, scales[1], record.zp2))
    theirs = ort.quantize(real, scales[2], record.out_zp, np.int8).clip(record.out_min, record.out_max)
    ours = element(x1, x2, kind, record, Rounding.FP32)
    return int(np.count_nonzero(ours != theirs))
