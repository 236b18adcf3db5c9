"""What post is fed with: parameter records, sums that reach every rounding case, random descriptors."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.blocks import param_records, post_words
from models.elementwise import RECORD_BYTES, Element
from models.isa import PARAM_WORDS, Config, Conv
from models.quantize import INT32_MAX, INT32_MIN, SHIFT_MAX, SHIFT_MIN, Rounding
from tb.common.compute import BUFFER_WORDS, Desc, Image

ELEMENTS = 64  # element records, behind the parameter records
RECORDS = BUFFER_WORDS // PARAM_WORDS - 60
EXTREMES = np.array([INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX], dtype=np.int64)
Sums = NDArray[np.int32]


def wrap(values: NDArray[np.int64]) -> Sums:
    """int64 to int32 as the adder does."""
    return values.astype(np.int32)


def _signed(value: int) -> int:
    return value - 256 if value > 127 else value


class Parameters:
    """A parameter buffer full of legal records; record k is at `address(k)`.

    A quarter of the multipliers are 2^30, which makes ties easy to reach; some are no legal Q31 at all.
    """

    def __init__(self, rng: random.Random, n: int) -> None:
        data = np.random.default_rng(rng.getrandbits(64))
        self.base = rng.getrandbits(16)
        shape = (RECORDS, n)
        bias = data.integers(INT32_MIN, INT32_MAX, shape, endpoint=True) >> data.integers(0, 32, shape)
        multiplier = data.integers(1 << 30, 1 << 31, shape)
        kind = data.integers(0, 8, shape)
        multiplier = np.where(kind < 2, 1 << 30, multiplier)
        multiplier = np.where((kind == 2) | (kind == 3), data.choice(EXTREMES, shape), multiplier)
        shift = data.integers(SHIFT_MIN, SHIFT_MAX, shape, endpoint=True).astype(np.int8)
        raw = [wrap(bias).view(np.uint8), wrap(multiplier).view(np.uint8), shift.view(np.uint8)]
        words = np.concatenate([part.reshape(RECORDS, -1, n) for part in raw], axis=1)
        self.words: Image = np.zeros((BUFFER_WORDS, n), dtype=np.uint8)
        self.words[(self.base + np.arange(RECORDS * PARAM_WORDS)) % BUFFER_WORDS] = words.reshape(-1, n)
        self.elem_words = -(-RECORD_BYTES // n)
        for k in range(ELEMENTS):
            record = random_element(data).encode().ljust(self.elem_words * n, b"\xa5")
            where = (self.element(k) + np.arange(self.elem_words)) % BUFFER_WORDS
            self.words[where] = np.frombuffer(record, np.uint8).reshape(-1, n)

    def address(self, record: int) -> int:
        """Word address of a record; records lie across the end of the buffer too."""
        return (self.base + PARAM_WORDS * record) % BUFFER_WORDS

    def element(self, record: int) -> int:
        """Word address of an element record."""
        return (self.base + PARAM_WORDS * RECORDS + self.elem_words * record) % BUFFER_WORDS


def random_element(data: np.random.Generator) -> Element:
    """An element record that is legal in every mode and for every operation."""
    zp1, zp2, out_zp = (int(z) for z in data.integers(-128, 128, 3))
    low, high = sorted(int(z) for z in data.integers(-128, 128, 2))
    m1, m2 = (int(m) for m in data.integers(1 << 30, 1 << 31, 2))
    # Finite as a float32, too.
    m = int(data.integers(1 << 30, 0x7F800000))
    s1, s2 = (int(s) for s in data.integers(-3, 2, 2))
    return Element(zp1, zp2, out_zp, low, high, s1, s2, int(data.integers(-24, 1)), m1, m2, m)


def as_command(desc: Desc) -> Conv:
    """A CONV of one group whose pixels are this descriptor's tile, for the models."""
    return Conv(
        out_w=desc.pixels,
        out_base=desc.out_addr,
        out_pitch=desc.out_pitch,
        par_base=desc.par_addr,
        zero_point=_signed(desc.zero_point),
        act_min=_signed(desc.act_min),
        act_max=_signed(desc.act_max),
        table_en=bool(desc.table_en),
        table_sel=desc.table_sel,
        bypass=bool(desc.bypass),
        rounding=desc.mode,
        elem=desc.elem,
        elem_base=desc.elem_addr,
        res_base=desc.res_addr,
        res_pitch=desc.res_pitch,
    )


def expected(
    desc: Desc, config: Config, sums: Sums, par: Image, table: Image, res: Image
) -> NDArray[np.int8]:
    """Output words of a tile, int8 [pixels, n]."""
    return post_words(as_command(desc), config, sums[None], par, table, res)[0]


def random_sums(rng: random.Random, desc: Desc, config: Config, par: Image, outcomes: Counter[str]) -> Sums:
    """int32 [pixels, n] for a tile. Counts what the first rounding, the second and the clamp will meet."""
    data = np.random.default_rng(rng.getrandbits(64))
    shape = (desc.pixels, config.n)
    if desc.bypass:
        return wrap(data.integers(-300, 300, shape) << data.choice((0, 0, 0, 23), shape))
    bias, multiplier, shift = (
        part[0].astype(np.int64) for part in param_records(as_command(desc), config, par)
    )
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    kind = data.integers(0, 4, shape)
    anything = data.integers(INT32_MIN, INT32_MAX, shape, endpoint=True) >> data.integers(0, 32, shape)
    # Results around the int8 range, on the border between two of them for a multiplier of 2^30: 2 * high is
    # the sum that gives `high` exactly, and an odd sum is a tie of the first rounding.
    high = (data.integers(-300, 300, shape) << right) + data.choice((-1, 0, 1), shape) * ((1 << right) >> 1)
    border = ((2 * high) >> left) + data.integers(-2, 3, shape)
    extreme = np.where(multiplier == INT32_MIN, INT32_MIN, data.choice(EXTREMES, shape))
    scaled = np.where(kind == 0, anything, np.where(kind == 1, extreme, border))
    sums = wrap(scaled - bias)
    if desc.mode == Rounding.DOUBLE:
        _count(wrap(sums + bias), multiplier, left, right, outcomes)
    return sums


def _count(x: Sums, multiplier: NDArray, left: NDArray, right: NDArray, outcomes: Counter[str]) -> None:
    wide = x.astype(np.int64) << left
    shifted = wrap(wide).astype(np.int64)
    product = shifted * multiplier
    high = np.minimum((product + (1 << 30)) >> 31, INT32_MAX)
    tie = (right > 0) & (high & ((1 << right) - 1) == (1 << right) >> 1)
    outcomes["first_tie"] += int(np.sum(product & 0x7FFFFFFF == 1 << 30))
    outcomes["second_tie_positive"] += int(np.sum(tie & (high > 0)))
    outcomes["second_tie_negative"] += int(np.sum(tie & (high < 0)))
    outcomes["left_shift_wraps"] += int(np.sum(wide != shifted))
    outcomes["int_min_squared"] += int(np.sum((product + (1 << 30)) >> 31 > INT32_MAX))


def random_desc(rng: random.Random, params: Parameters, pixels: int, **fixed: Any) -> Desc:
    """A descriptor of a tile of `pixels`; `fixed` fields are taken as they are."""
    low, high = sorted((rng.randint(-128, 127), rng.randint(-128, 127)))
    if rng.random() < 0.5:
        low, high = -128, 127
    fields = {
        "zero_point": rng.choice((0, 0x80, 0x7F, rng.getrandbits(8))),
        "act_min": low & 0xFF,
        "act_max": high & 0xFF,
        "mode": rng.choice((0, 0, 1)),
        "elem": rng.choice((0, 0, 0, 1, 2, 3)),
        "elem_addr": params.element(rng.randrange(ELEMENTS)),
        "res_pitch": rng.choice((0, 1, rng.getrandbits(16))),
        "res_addr": rng.getrandbits(16),
        "table_en": rng.getrandbits(1),
        "table_sel": rng.getrandbits(1),
        "bypass": int(rng.random() < 0.2),
        "par_addr": params.address(rng.randrange(RECORDS)),
        "out_pitch": rng.choice((1, 2, rng.getrandbits(16))),
        "out_addr": rng.getrandbits(16),
        "pixels": pixels,
        "restart": int(rng.random() < 0.7),
        "bank": rng.getrandbits(1),
        "from_pool": int(rng.random() < 0.3),
        "wait": int(rng.random() < 0.3),
        "signal": int(rng.random() < 0.3),
        "stamp": int(rng.random() < 0.3),
        "layer": rng.getrandbits(8),
    }
    fields.update(fixed)
    return Desc(**fields)
