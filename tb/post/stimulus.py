"""What post is fed with: parameter records, sums that reach every rounding case, random descriptors."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.blocks import param_records, post_words
from models.config import PARAM_WORDS, Config
from models.elementwise import PLAIN_TIES, RECORD_BYTES, Element
from models.isa import Conv
from models.quantize import INT32_MAX, INT32_MIN, SHIFT_MAX, SHIFT_MIN, Rounding
from tb.common.compute import BUFFER_WORDS, Desc, Image
from tb.common.draws import ANY16, Draws, Weights, clamp

ELEMENTS = 64  # element records, behind the parameter records
FIRST_FP32_ELEMENT = 48  # of them, from here on those of mode fp32
RECORDS = BUFFER_WORDS // PARAM_WORDS - 60
FIRST_FLOAT = RECORDS - 800  # from here on the multipliers are finite float32, for mode fp32
EXTREMES = np.array([INT32_MIN, INT32_MIN + 1, -1, 0, 1, INT32_MAX - 1, INT32_MAX], dtype=np.int64)
Sums = NDArray[np.int32]


def wrap(values: NDArray[np.int64]) -> Sums:
    """int64 to int32 as the adder does."""
    return values.astype(np.int32)


def signed(value: int) -> int:
    """An int8 from its bits."""
    return value - 256 if value > 127 else value


class Parameters:
    """A parameter buffer full of legal records; record k is at `address(k)`.

    A quarter of the multipliers are 2^30, which makes ties easy to reach; some are no legal Q31 at all. Those
    from FIRST_FLOAT on are float32.
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
        multiplier[FIRST_FLOAT:] = random_floats(data, (RECORDS - FIRST_FLOAT, n))
        shift = data.integers(SHIFT_MIN, SHIFT_MAX, shape, endpoint=True).astype(np.int8)
        raw = [wrap(bias).view(np.uint8), wrap(multiplier).view(np.uint8), shift.view(np.uint8)]
        words = np.concatenate([part.reshape(RECORDS, -1, n) for part in raw], axis=1)
        self.words: Image = np.zeros((BUFFER_WORDS, n), dtype=np.uint8)
        self.words[(self.base + np.arange(RECORDS * PARAM_WORDS)) % BUFFER_WORDS] = words.reshape(-1, n)
        self.elem_words = -(-RECORD_BYTES // n)
        for k in range(ELEMENTS):
            record = (
                random_element(data, k >= FIRST_FP32_ELEMENT).encode().ljust(self.elem_words * n, b"\xa5")
            )
            where = (self.element(k) + np.arange(self.elem_words)) % BUFFER_WORDS
            self.words[where] = np.frombuffer(record, np.uint8).reshape(-1, n)

    def address(self, record: int) -> int:
        """Word address of a record; records lie across the end of the buffer too."""
        return (self.base + PARAM_WORDS * record) % BUFFER_WORDS

    def element(self, record: int) -> int:
        """Word address of an element record."""
        return (self.base + PARAM_WORDS * RECORDS + self.elem_words * record) % BUFFER_WORDS


def random_floats(data: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Bits of finite float32, as int32: most give results in int8's range, a quarter are powers of two."""
    exponent = np.where(data.random(shape) < 0.9, data.integers(97, 128, shape), data.integers(0, 255, shape))
    exponent = np.where(data.random(shape) < 0.02, 0, exponent)
    fraction = np.where(data.random(shape) < 0.25, 0, data.integers(0, 1 << 23, shape))
    sign = np.where(data.random(shape) < 0.1, INT32_MIN, 0)
    return sign + (exponent << 23 | fraction)


def random_element(data: np.random.Generator, fp32: bool) -> Element:
    """An element record that is legal for every operation, in mode fp32 or in the other two."""
    zp1, zp2, out_zp = (int(z) for z in data.integers(-128, 128, 3))
    low, high = sorted(int(z) for z in data.integers(-128, 128, 2))
    m1, m2 = (int(m) for m in data.integers(1 << 30, 1 << 31, 2))
    if fp32:
        m_out = int(data.integers(97, 128)) << 23 | int(data.integers(0, 1 << 23))
        shift = int(data.integers(26, 36))
        if data.integers(2):  # few bits, and many ties
            m_out, m1, m2, shift = int(data.integers(120, 127)) << 23, 1 << 20, 3 << 18, 20
        return Element(
            zp1, zp2, out_zp, low, high, 0, 0, shift + PLAIN_TIES * int(data.integers(2)), m1, m2, m_out
        )
    s1, s2 = (int(s) for s in data.integers(-3, 2, 2))
    m_out = int(data.integers(1 << 30, 1 << 31))
    return Element(zp1, zp2, out_zp, low, high, s1, s2, int(data.integers(-24, 1)), m1, m2, m_out)


def as_command(desc: Desc) -> Conv:
    """A CONV of one group whose pixels are this descriptor's tile, for the models."""
    return Conv(
        out_w=desc.pixels,
        out_base=desc.out_addr,
        out_pitch=desc.out_pitch,
        par_base=desc.par_addr,
        zero_point=signed(desc.zero_point),
        act_min=signed(desc.act_min),
        act_max=signed(desc.act_max),
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


def random_sums(rng: random.Random, desc: Desc, config: Config, par: Image) -> Sums:
    """int32 [pixels, n] for a tile, most of them where its records round, saturate or wrap."""
    data = np.random.default_rng(rng.getrandbits(64))
    shape = (desc.pixels, config.n)
    if desc.bypass:
        return wrap(data.integers(-300, 300, shape) << data.choice((0, 0, 0, 23), shape))
    bias, multiplier, shift = (
        part[0].astype(np.int64) for part in param_records(as_command(desc), config, par)
    )
    kind = data.integers(0, 4, shape)
    anything = data.integers(INT32_MIN, INT32_MAX, shape, endpoint=True) >> data.integers(0, 32, shape)
    if desc.mode == Rounding.FP32:
        # Halves of small results; a scale that is a power of two makes each a tie.
        scale = multiplier.astype(np.int32).view(np.float32).astype(np.float64)
        wanted = data.integers(-600, 601, shape) / 2
        border = np.rint(np.clip(wanted / np.where(scale == 0, 1, scale), INT32_MIN, INT32_MAX)).astype(
            np.int64
        )
    else:
        # Results around the int8 range, on the border between two of them for a multiplier of 2^30: 2 * high
        # is the sum that gives `high` exactly, and an odd sum is a tie of the first rounding.
        left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
        high = data.integers(-300, 300, shape) << right
        high += data.choice((-1, 0, 1), shape) * ((1 << right) >> 1)
        border = ((2 * high) >> left) + data.integers(-2, 3, shape)
    extreme = np.where(multiplier == INT32_MIN, INT32_MIN, data.choice(EXTREMES, shape))
    scaled = np.where(kind == 0, anything, np.where(kind == 1, extreme, border))
    return wrap(scaled - bias)


# Field of a descriptor -> value or range of values -> weight.
WEIGHTS: dict[str, Weights] = {
    "zero_point": {0: 1, 0x80: 1, 0x7F: 1, range(256): 1},
    "mode": {0: 2, 1: 1, 2: 1},
    "elem": {0: 3, 1: 1, 2: 1, 3: 1},
    "res_pitch": {0: 1, 1: 1, range(1 << 16): 1},
    "res_addr": ANY16,
    "table_en": {0: 1, 1: 1},
    "table_sel": {0: 1, 1: 1},
    "bypass": {0: 2, 1: 1},
    "out_pitch": {1: 1, 2: 1, range(1 << 16): 1},
    "out_addr": ANY16,
    "restart": {0: 3, 1: 7},
    "bank": {0: 1, 1: 1},
    "from_pool": {0: 7, 1: 3},
    "wait": {0: 7, 1: 3},
    "signal": {0: 7, 1: 3},
    "stamp": {0: 7, 1: 3},
    "layer": {range(256): 1},
}


class Descriptors:
    """Random descriptors: every field by its weights, with records that their rounding mode can take."""

    def __init__(self, rng: random.Random, params: Parameters) -> None:
        self.rng, self.params = rng, params
        self.draws = Draws(
            rng,
            WEIGHTS,
            {
                ("act_min", "act_max"): (self.clamp, ()),
                "par_addr": (self.record, ("mode",)),
                "elem_addr": (self.element, ("mode",)),
            },
        )

    def clamp(self) -> tuple[int, int]:
        """As bytes."""
        low, high = clamp(self.rng, whole=10, part=17, one=3)
        return low & 0xFF, high & 0xFF

    def record(self, mode: int) -> int:
        """Where a record lies that the rounding mode can take."""
        floats = range(FIRST_FLOAT, RECORDS)
        return self.params.address(self.rng.choice(floats if mode == Rounding.FP32 else range(FIRST_FLOAT)))

    def element(self, mode: int) -> int:
        """The same of an element record."""
        floats = range(FIRST_FP32_ELEMENT, ELEMENTS)
        others = range(FIRST_FP32_ELEMENT)
        return self.params.element(self.rng.choice(floats if mode == Rounding.FP32 else others))

    def draw(self, pixels: int, **fixed: Any) -> Desc:
        """A descriptor of a tile of `pixels`; `fixed` fields are taken as they are."""
        return Desc(**self.draws.draw(**fixed), pixels=pixels)
