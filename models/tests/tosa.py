"""Networks for Arm's TOSA reference model, which shares no code with `models` nor with LiteRT.

TOSA's RESCALE has a rounding mode: SINGLE_ROUND is TFLite with TFLITE_SINGLE_ROUNDING, DOUBLE_ROUND without.
The reference model refuses what TOSA leaves open: a shift outside [2, 62], a sum or a result too large.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import tosa_serializer as tosa
from numpy.typing import NDArray
from tosa_reference_model import GraphStatus, run

from models.quantize import Rounding

SHIFT_MIN, SHIFT_MAX = 2, 62  # to the right
ROUNDS = {Rounding.SINGLE: tosa.RoundingMode.SINGLE_ROUND, Rounding.DOUBLE: tosa.RoundingMode.DOUBLE_ROUND}
TYPES = {"int8": tosa.DType.INT8, "int32": tosa.DType.INT32}


class Unpredictable(Exception):
    """TOSA says nothing about the result for these values."""


class Network:
    """Operators on tensors that are known by name; what is no input is a constant."""

    def __init__(self, *inputs: NDArray) -> None:
        self.builder = tosa.TosaSerializer()
        self.data = list(inputs)
        self.held: dict[str, tuple[Any, tuple[int, ...], type]] = {}
        self.inputs = [f"input{number}" for number in range(len(inputs))]
        for name, data in zip(self.inputs, inputs, strict=True):
            tensor = tosa.TosaSerializerTensor(name, list(data.shape), TYPES[data.dtype.name])
            self.builder.addInputTensor(tensor)
            self.held[name] = tensor, data.shape, data.dtype.type

    def run(self, name: str) -> NDArray:
        """The tensor of that name. Raises Unpredictable."""
        tensor, shape, dtype = self.held[name]
        self.builder.addOutputTensor(tensor)
        outputs, status = run(self.builder.serialize(), self.data, debug_filename=os.devnull)
        if status != GraphStatus.TOSA_VALID:
            raise Unpredictable(status.name)
        return outputs[0].view(dtype).reshape(shape)

    def conv(
        self,
        op: str,
        x: str,
        w: NDArray[np.int8],
        bias: NDArray[np.int32],
        x_zp: int,
        out: tuple[int, int],
        padding: Sequence[int],
        stride: tuple[int, int],
        dilation: tuple[int, int],
    ) -> str:
        """CONV2D, weights [O, kh, kw, C], or DEPTHWISE_CONV2D, [kh, kw, C, M], to int32 sums."""
        attribute = tosa.TosaSerializerAttribute()
        make = attribute.Conv2dAttribute if op == "CONV2D" else attribute.DepthwiseConv2dAttribute
        make(list(padding), list(stride), list(dilation), False, tosa.DType.INT32)
        constants = (w, bias, np.array([x_zp], np.int8), np.array([0], np.int8))
        return self._operate(op, [x], constants, attribute, (1, *out, len(bias)), np.int32)

    def rescale(
        self,
        x: str,
        multiplier: NDArray,
        shift: NDArray,
        mode: Rounding,
        dtype: type,
        zero_points: tuple[int, int] = (0, 0),
    ) -> str:
        """multiplier: Q31, [C] or [1]; shift: to the right; zero_points: of x and of the result. The result
        saturates at the ends of its type."""
        _, shape, source = self.held[x]
        attribute = tosa.TosaSerializerAttribute()
        attribute.RescaleAttribute(True, ROUNDS[mode], multiplier.size > 1, False, False)
        scale = multiplier.astype(np.int32).reshape(-1), shift.astype(np.int8).reshape(-1)
        first, last = zero_points
        zeros: list[NDArray] = [np.array([first], source), np.array([last], dtype)]
        return self._operate("RESCALE", [x], (*scale, *zeros), attribute, shape, dtype)

    def combine(self, op: str, a: str, b: str) -> str:
        """ADD, SUB or MUL of int32 tensors that broadcast."""
        attribute = tosa.TosaSerializerAttribute()
        getattr(attribute, f"{op.capitalize()}Attribute")()
        constants = (np.array([0], np.int8),) if op == "MUL" else ()  # how far a product is shifted
        shape = np.broadcast_shapes(self.held[a][1], self.held[b][1])
        return self._operate(op, [a, b], constants, attribute, shape, np.int32)

    def clamp(self, x: str, low: int, high: int) -> str:
        """int8 values within these."""
        attribute = tosa.TosaSerializerAttribute()
        ends = (list(np.array([end], np.int8).tobytes()) for end in (low, high))
        attribute.ClampAttribute(*ends, tosa.NanPropagationMode.PROPAGATE)
        return self._operate("CLAMP", [x], (), attribute, self.held[x][1], np.int8)

    def _operate(
        self,
        op: str,
        operands: Sequence[str],
        constants: Sequence[NDArray],
        attribute: Any,
        shape: tuple[int, ...],
        dtype: type,
    ) -> str:
        result = self.builder.addIntermediate(list(shape), TYPES[np.dtype(dtype).name])
        names = [*operands, *map(self._constant, constants)]
        self.builder.addOperator(tosa.Op.__members__[op], names, [result.name], attribute)
        self.held[result.name] = result, shape, dtype
        return str(result.name)

    def _constant(self, values: NDArray) -> str:
        made = self.builder.addConst(list(values.shape), TYPES[values.dtype.name], values.ravel().tolist())
        return str(made.name)
