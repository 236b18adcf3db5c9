"""Sums, products, means, pools and tables on LiteRT's default path: what XNNPACK takes and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import activation, pool, xnnpack
from models.conv import tflite_padding
from models.elementwise import PLAIN_TIES, Elementwise, element, tflite_element
from models.quantize import Rounding
from models.quantize import activation_range as tflite_range
from models.tests.litert import Verdict, assert_caught, count, generator, judge, judged
from models.tests.xnnpack_ops import (
    ACTIVATIONS,
    Int8Array,
    Judged,
    Kind,
    draw_kind,
    draw_scale,
    draw_zero,
    verdicts,
)

KINDS = (Elementwise.ADD, Elementwise.SUB, Elementwise.MUL)
BATCH = 64  # tables in one file


@dataclass
class Join:
    """Two tensors, or a tensor and a constant of any shape that broadcasts, into one."""

    op: Elementwise
    kind: Kind
    x1: Int8Array
    x2: Int8Array
    constant: bool
    scales: tuple[float, float, float]
    zeros: tuple[int, int, int]
    activation: str

    def ends(self) -> tuple[int, int]:
        return xnnpack.activation_range(
            self.activation, self.scales[2], self.zeros[2], unsigned=self.kind.unsigned
        )

    def model(self, **changed: Any) -> Int8Array:
        record = xnnpack.xnnpack_element(self.op, self.scales, self.zeros, self.ends())
        return element(self.x1, self.x2, self.op, replace(record, **changed), Rounding.FP32)

    def other_ties(self) -> Int8Array:
        """Ties as in ONNX Runtime: wrong here."""
        record = xnnpack.xnnpack_element(self.op, self.scales, self.zeros)
        return self.model(s_out=record.s_out - PLAIN_TIES)

    def tflite(self) -> Int8Array:
        record = tflite_element(self.op, self.scales, self.zeros, self.ends())
        return element(self.x1, self.x2, self.op, record, Rounding.DOUBLE)

    def litert(self) -> Int8Array:
        j = Judged(self.kind)
        x1 = j.given(self.x1, self.scales[0], self.zeros[0])
        second = j.constant if self.constant else j.given
        x2 = second(self.x2, self.scales[1], self.zeros[1])
        y = j.tensor(self.x1.shape, self.scales[2], self.zeros[2])
        getattr(j.builder, self.op.name.lower())(x1, x2, y, activation=self.activation)
        return j.run(y)


def draw_join(op: Elementwise, rng: np.random.Generator) -> Join:
    shape = (1, *(int(n) for n in rng.integers([1, 1, 1], [30, 30, 60])))
    s1, s2 = draw_scale(rng), draw_scale(rng)
    ratio = float(2.0 ** rng.integers(-2, 4)) if rng.random() < 0.4 else float(8 ** rng.uniform(-1, 1))
    s_out = float(np.float32(s1 * s2 * 32 * ratio if op == Elementwise.MUL else max(s1, s2) * ratio))
    if op == Elementwise.MUL:
        s_out = max(s_out, float(np.float32(s1 * s2 / 255)))  # XNNPACK takes ratios below 256
    else:
        # ... and, of sums, both ratios from 2^-10 on.
        s1, s2 = max(s1, s_out / 1000), max(s2, s_out / 1000)
    constant = bool(rng.random() < 0.4)
    small = (shape, (shape[-1],), (1,))[rng.integers(3)] if constant else shape
    return Join(
        op=op,
        kind=draw_kind(rng),
        x1=rng.integers(-128, 128, shape, dtype=np.int8),
        x2=rng.integers(-128, 128, small, dtype=np.int8),
        constant=constant,
        scales=(float(np.float32(s1)), float(np.float32(s2)), s_out),
        zeros=(draw_zero(rng), draw_zero(rng), draw_zero(rng)),
        activation=str(rng.choice(ACTIVATIONS, p=[0.7, 0.1, 0.1, 0.1])),
    )


@pytest.mark.parametrize("op", KINDS)
def test_element_matches_xnnpack(op: Elementwise) -> None:
    judge(f"{op.name}, XNNPACK", verdicts(f"x {op.name}", partial(draw_join, op), Join.model))


@pytest.mark.parametrize("op", KINDS)
def test_other_ties_and_contract_tflite_are_caught(op: Elementwise) -> None:
    assert_caught(op.name, verdicts(f"x ties {op.name}", partial(draw_join, op), Join.other_ties))
    assert_caught(op.name, verdicts(f"x double {op.name}", partial(draw_join, op), Join.tflite))


def test_what_xnnpack_does_not_add_is_refused() -> None:
    for scales in ((256.0, 1.0, 1.0), (2.0**-11, 2.0**-12, 1.0)):
        with pytest.raises(ValueError, match="XNNPACK does not add"):
            xnnpack.xnnpack_element(Elementwise.ADD, scales, (0, 0, 0))
    with pytest.raises(ValueError, match="unknown activation"):
        xnnpack.activation_range("TANH", 1.0, 0)
    with pytest.raises(ValueError, match="does not multiply by"):
        xnnpack.requantize_table(129.0, 0, 1.0, 0)


@dataclass
class Mean:
    """MEAN over rows and columns."""

    kind: Kind
    x: Int8Array
    scales: tuple[float, float]
    zeros: tuple[int, int]

    @property
    def pixels(self) -> int:
        return self.x.shape[0] * self.x.shape[1]

    def totals(self) -> NDArray[np.int32]:
        return self.x.sum(axis=(0, 1), dtype=np.int32)

    def model(self) -> Int8Array:
        return xnnpack.mean_levels(
            self.totals(), self.pixels, self.scales, self.zeros, unsigned=self.kind.unsigned
        )

    def fit(self) -> xnnpack.MeanFit:
        return xnnpack.fit_mean(self.pixels, self.scales, self.zeros, unsigned=self.kind.unsigned)

    def core(self) -> Int8Array:
        return self.fit().levels(self.totals(), self.zeros[1])

    def tflite(self) -> Int8Array:
        word = pool.mean_multiplier(*self.scales, self.pixels)
        return pool.mean(self.x, x_zp=self.zeros[0], y_zp=self.zeros[1], multiplier=word[0], shift=word[1])

    def litert(self) -> Int8Array:
        j = Judged(self.kind)
        x = j.given(self.x[np.newaxis], self.scales[0], self.zeros[0])
        y = j.tensor((1, 1, 1, self.x.shape[2]), self.scales[1], self.zeros[1])
        j.builder.mean(x, y)
        return j.run(y).reshape(-1)


def draw_mean(rng: np.random.Generator, most: int = 12, equal: float = 0.3) -> Mean:
    """equal: how often input and output share a scale; then a sum of an even number is often a tie."""
    rows, columns = (int(n) for n in rng.integers(1, most + 1, 2))
    x_scale = draw_scale(rng)
    y_scale = x_scale if rng.random() < equal else float(np.float32(x_scale * 4 ** rng.uniform(-1.5, 1)))
    channels = int(rng.integers(1, 8_000_000 // (rows * columns * 20)))
    return Mean(
        kind=draw_kind(rng),
        x=rng.integers(-128, 128, (rows, columns, channels), dtype=np.int8),
        scales=(x_scale, y_scale),
        zeros=(draw_zero(rng), draw_zero(rng)),
    )


def test_mean_matches_xnnpack() -> None:
    judge("MEAN, XNNPACK's float32", verdicts("x mean", draw_mean, Mean.model))


@pytest.mark.parametrize(("scales", "equal", "share"), [("two scales", 0.0, 0.002), ("one scale", 1.0, 0.05)])
def test_core_form_of_mean(scales: str, equal: float, share: float) -> None:
    """By one at most, and no more than this share."""
    tally = count(
        f"MEAN, XNNPACK, core, {scales}",
        verdicts(f"x core mean {scales}", partial(draw_mean, equal=equal), Mean.core),
    )
    judged.append(tally)
    assert tally.largest <= 1
    assert tally.mismatches <= share * tally.values


def test_mean_of_contract_tflite_is_caught() -> None:
    assert_caught("mean", verdicts("x double mean", draw_mean, Mean.tflite))


@pytest.mark.parametrize("size", [(7, 7), (1, 5), (8, 8), (56, 56), (80, 80)])
def test_fit_of_a_mean_says_what_differs(size: tuple[int, int]) -> None:
    """sums_apart is what a comparison of all sums says, however many there are."""
    rng, pixels = generator(f"fit {size}"), size[0] * size[1]
    for scales in ((0.02, 0.02), (0.02, 0.013)):
        zeros = (draw_zero(rng), draw_zero(rng))
        fit = xnnpack.fit_mean(pixels, scales, zeros)
        totals = np.arange(-128 * pixels, 127 * pixels + 1, dtype=np.int32)
        theirs = xnnpack.mean_levels(totals, pixels, scales, zeros)
        apart = np.abs(fit.levels(totals, zeros[1]).astype(int) - theirs)
        assert fit.sums_apart == np.count_nonzero(apart) and apart.max() <= 1
        if pixels % 2:
            assert fit.sums_apart == 0


@dataclass
class Pool:
    """Max pool, which XNNPACK takes, or average pool, which it leaves to TFLite."""

    kind: Kind
    average: bool
    x: Int8Array
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: str
    activation: str
    scale: float
    zero: int

    def model(self) -> Int8Array:
        padding = tflite_padding(self.padding, self.x.shape[:2], self.kernel, self.stride)
        if self.average:
            ends = tflite_range(self.activation, self.scale, self.zero)
            made = pool.average_pool(self.x, self.kernel, stride=self.stride, padding=padding)
        else:
            ends = xnnpack.activation_range(
                self.activation, self.scale, self.zero, unsigned=self.kind.unsigned
            )
            made = pool.max_pool(self.x, self.kernel, stride=self.stride, padding=padding)
        return np.clip(made, *ends).astype(np.int8)

    def litert(self) -> Int8Array:
        shape = self.model().shape
        j = Judged(self.kind)
        x = j.given(self.x[np.newaxis], self.scale, self.zero)
        y = j.tensor((1, *shape), self.scale, self.zero)
        window = {"kernel": self.kernel, "stride": self.stride, "padding": self.padding}
        add = j.builder.average_pool if self.average else j.builder.max_pool
        add(x, y, activation=self.activation, **window)
        return j.run(y, taken=not self.average)[0]


def draw_pool(average: bool, rng: np.random.Generator) -> Pool:
    # A window of one pixel, or one with gaps to the next, is no pooling for XNNPACK.
    kernel = (int(rng.integers(1, 6)), int(rng.integers(2, 6)))
    stride = tuple(int(rng.integers(1, k + 1)) for k in kernel)
    return Pool(
        kind=Kind(False) if average else draw_kind(rng),
        average=average,
        x=rng.integers(-128, 128, (*rng.integers(kernel, 40), int(rng.integers(1, 40))), dtype=np.int8),
        kernel=kernel,
        stride=stride,  # type: ignore[arg-type]
        padding=str(rng.choice(["SAME", "VALID"])),
        activation=str(rng.choice(["NONE", "RELU", "RELU6"])),
        scale=draw_scale(rng),
        zero=draw_zero(rng),
    )


@pytest.mark.parametrize("average", [False, True])
def test_pool_matches_the_default_path(average: bool) -> None:
    name = "AVERAGE_POOL_2D, left to TFLite" if average else "MAX_POOL_2D, XNNPACK"
    judge(name, verdicts(f"x {name}", partial(draw_pool, average), Pool.model))


Quantisation = tuple[float, int, float, int]
Table = Callable[..., Int8Array]
TAKEN: dict[str, Table] = {
    "logistic": partial(xnnpack.float_table, xnnpack.sigmoid),
    "tanh": partial(xnnpack.float_table, xnnpack.tanh),
    "ELU": partial(xnnpack.float_table, xnnpack.elu),
    "quantize": xnnpack.requantize_table,
    "leaky_relu": xnnpack.leaky_relu_table,
}
LEFT: dict[str, Table] = {
    "relu": activation.relu_table,
    "relu6": partial(activation.relu_table, activation="RELU6"),
    "hard_swish": activation.hard_swish_table,
    "gelu": activation.gelu_table,
    "EXP": activation.exp_table,
    "ABS": activation.abs_table,
}
FIXED = {"logistic": (1 / 256, -128), "tanh": (1 / 128, 0)}
FLOAT = ("logistic", "tanh", "ELU")
# LiteRT has these for int8 alone.
SIGNED = ("ELU", "gelu", "EXP", "ABS")


def draw_table(rng: np.random.Generator, operator: str) -> tuple[Quantisation, dict[str, float]]:
    x_scale = draw_scale(rng)
    y_scale = float(np.float32(x_scale * (2.0 ** rng.integers(-2, 3) if rng.random() < 0.4 else
                                          8 ** rng.uniform(-1, 1))))  # fmt: skip
    y_scale, y_zp = FIXED.get(operator, (y_scale, draw_zero(rng)))
    more = {}
    if operator == "leaky_relu":
        # XNNPACK takes slopes whose ratio is from 2^-8 on, and not above 2^7.
        more["alpha"] = float(np.float32(max(rng.uniform(0, 1.5), 2.0**-7 * y_scale / x_scale)))
    return (x_scale, draw_zero(rng), y_scale, y_zp), more


def tables(operator: str, taken: bool, model: Table) -> Iterator[Verdict]:
    """Pairs of (tables by the model, by LiteRT), BATCH of them at a time."""
    rng = generator(f"x {operator} {taken}")
    while True:
        j = Judged(Kind(False) if operator in SIGNED or not taken else draw_kind(rng))
        unsigned = {"unsigned": j.kind.unsigned} if operator in FLOAT and taken else {}
        ours, ys = [], []
        for _ in range(BATCH):
            quantisation, more = draw_table(rng, operator)
            x = j.given(activation.INPUTS.reshape(1, 1, 1, 256), *quantisation[:2])
            ys.append(j.tensor((1, 1, 1, 256), *quantisation[2:]))
            if operator.isupper():
                j.builder.unary(operator, x, ys[-1])
            else:
                getattr(j.builder, operator)(x, ys[-1], **more)
            ours.append(model(*quantisation, **more, **unsigned))
        yield np.stack(ours), j.run(*ys, taken=taken).reshape(BATCH, 256)


@pytest.mark.parametrize("operator", TAKEN)
def test_table_matches_xnnpack(operator: str) -> None:
    judge(f"{operator} table, XNNPACK", tables(operator, True, TAKEN[operator]))


@pytest.mark.parametrize("operator", LEFT)
def test_table_left_to_tflite_matches(operator: str) -> None:
    judge(f"{operator} table, left to TFLite", tables(operator, False, LEFT[operator]))


@pytest.mark.parametrize("operator", ["ELU", "quantize", "leaky_relu"])
def test_table_of_contract_tflite_is_caught(operator: str) -> None:
    """XNNPACK's tables are not the reference kernels'. Sigmoid and tanh differ by next to nothing."""
    wrong: dict[str, Table] = {
        "ELU": activation.elu_table,
        "quantize": activation.requantize_table,
        "leaky_relu": activation.leaky_relu_table,
    }

    def model(*quantisation: Any, unsigned: bool = False, **more: Any) -> Int8Array:
        return wrong[operator](*quantisation, **more)

    assert_caught(operator, tables(operator, True, model))
