"""What a batch of pairs met, for the coverage model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.elementwise import LEFT_SHIFT, PLAIN_TIES, Element, Elementwise
from models.quantize import INT32_MAX, INT32_MIN, Rounding, requantize
from tb.common.cover import Hits
from tb.common.rounding import Wide, roundings, sample_clamp, sample_out

OPERANDS: dict[str, Callable[[Wide], NDArray[np.bool_]]] = {
    "lowest": lambda x: x == -255,
    "highest": lambda x: x == 255,
    "zero": lambda x: x == 0,
    "inside": lambda x: (x != 0) & (np.abs(x) < 255),
}
EDGES = {"left_shift_wraps": "last_shift_wraps"}


def beyond(values: Wide) -> NDArray[np.bool_]:
    """What int32 does not hold."""
    return (values > INT32_MAX) | (values < INT32_MIN)


def sample(
    cover: Hits, mode: Rounding, op: Elementwise, record: Element, x1: NDArray[np.int8], x2: NDArray[np.int8]
) -> None:
    """A batch that came out right. x1, x2: [words, n]."""
    sample_clamp(cover, record.out_min, record.out_max, record.out_zp)
    a, b = x1.astype(np.int64) - record.zp1, x2.astype(np.int64) - record.zp2
    for name, at in OPERANDS.items():
        for other, at_other in OPERANDS.items():
            _count(cover, at(a) & at_other(b), operand=name, other=other)
    scaled = (
        _fp32(cover, op, record, a, b) if mode == Rounding.FP32 else _tflite(cover, mode, op, record, a, b)
    )
    total = scaled + record.out_zp
    sample_out(cover, total, record.out_min, record.out_max, op=int(op), mode=int(mode))


def _count(cover: Hits, where: NDArray[np.bool_], **values: int | str | bool) -> None:
    cover.sample(int(np.count_nonzero(where)), **values)


def _tflite(cover: Hits, mode: Rounding, op: Elementwise, record: Element, a: Wide, b: Wide) -> Wide:
    """Modes double and single; returns what the clamp gets."""
    if op == Elementwise.MUL:
        value = a * b
    else:
        scaled = []
        for x, m, s in ((a, record.m1, record.s1), (b, record.m2, record.s2)):
            wide = (x << LEFT_SHIFT).astype(np.int32)
            scaled.append(requantize(wide, m, s, mode).astype(np.int64))
            _, edges = roundings(mode, wide.astype(np.int64), np.int64(m), np.int64(s))
            if mode == Rounding.DOUBLE:
                _count(cover, edges["left_shift_wraps"], op=int(op), edge="first_shift_wraps")
        value = scaled[0] + (scaled[1] if op == Elementwise.ADD else -scaled[1])
        _count(cover, beyond(value), op=int(op), edge="sum_wraps")
        value = value.astype(np.int32).astype(np.int64)
    ties, edges = roundings(mode, value, np.int64(record.m_out), np.int64(record.s_out))
    for name, where in ties.items():
        _count(cover, where, op=int(op), mode=int(mode), tie=name)
    for name, where in edges.items():
        if name != "int_min_squared":  # a sum of scaled operands is never that
            _count(cover, where, op=int(op), edge=EDGES.get(name, name))
    return requantize(value.astype(np.int32), record.m_out, record.s_out, mode).astype(np.int64)


def _fp32(cover: Hits, op: Elementwise, record: Element, a: Wide, b: Wide) -> Wide:
    """Mode fp32; returns what the clamp gets."""
    plain, odd = bool(record.s_out & PLAIN_TIES), record.out_zp & 1
    if op == Elementwise.MUL:
        with np.errstate(over="ignore"):
            real = (a * b).astype(np.float32) * np.int32(record.m_out).view(np.float32)
        floor = np.floor(real).astype(np.float64)
        rest, half = real - floor, 0.5
        up_at_tie = (floor % 2 == 1) ^ (bool(odd) and not plain)
    else:
        shift = record.s_out & 63
        cover.sample(fp32_shift=shift)
        exact = a * record.m1 + (b * record.m2 if op == Elementwise.ADD else -b * record.m2)
        floor = exact >> shift
        rest, half = exact - (floor << shift), (1 << shift) / 2
        up_at_tie = plain | ((floor & 1) != odd)
    tie = (rest == half) & (rest > 0)
    value = floor + ((rest > half) | (tie & up_at_tie))
    _count(cover, np.abs(value) > 2.0**31, op=int(op), edge="fp32_saturates")
    for name, where in {"up": tie & up_at_tie, "down": tie & ~up_at_tie}.items():
        _count(cover, where, op=int(op), mode=int(Rounding.FP32), rule=plain, parity=odd, tie=name)
    return np.clip(value, INT32_MIN, INT32_MAX).astype(np.int64)
