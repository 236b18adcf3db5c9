"""Commands in 64 bytes: places of fields, round trips, and what the core refuses."""

from __future__ import annotations

import dataclasses
import random
import struct
from typing import Any

import pytest

from models.config import Config
from models.decode import COMMANDS, cause_of, decode, parse
from models.isa import BadCommand, Cause, Command, Conv, End, Load, Pool, Store
from models.tests.litert import SEED

CONFIG = Config(acc_depth=64, line_words=32)
KINDS = list(COMMANDS.values())


def random_command(kind: type[Command], rng: random.Random) -> Command:
    values: dict[str, Any] = {}
    for name, place in kind.layout().items():
        low = -(1 << (place.width - 1)) if place.signed else 0
        values[name] = rng.randint(low, low + (1 << place.width) - 1)
        if isinstance(kind.__dataclass_fields__[name].default, bool):
            values[name] = bool(values[name])
    return kind(**values)


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_undoes_encoding(kind: type[Command]) -> None:
    rng = random.Random(SEED)
    for _ in range(200):
        command = random_command(kind, rng)
        assert parse(command.encode()) == command


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_fields_share_a_bit(kind: type[Command]) -> None:
    used = [0xFF] + [0] * 15  # the opcode
    for name, place in kind.layout().items():
        bits = ((1 << place.width) - 1) << place.low
        assert used[place.word] & bits == 0, name
        used[place.word] |= bits


def words(command: Command) -> list[int]:
    return list(struct.unpack("<16I", command.encode()))


def test_fields_lie_where_the_architecture_says() -> None:
    """Written out by hand from docs/architecture.md: every nibble tells where it came from."""
    load = Load(
        wait_compute=True, wait_store=True, signal_compute=True, stamp=True, layer=0x1234,
        address=0x89ABCDE0, buffer=0x1111, dest=3, stride_y=0x22222222, stride_x=0x33333333,
        run=0x4444, count_x=0x5555, count_y=0x6666, pad_top=0x7777, pad_bottom=0x8888,
        pad_left=0x9999, pad_right=0xAAAA, pad_value=-2,
    )  # fmt: skip
    assert words(load) == [
        0x1234A601, 0x89ABCDE0, 0x00031111, 0x22222222, 0x33333333, 0x55554444, 0x6666, 0x88887777,
        0xAAAA9999, 0xFE, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    store = Store(wait_compute=True, signal_load=True, signal_compute=True, address=16, buffer=2, run=3)
    assert words(store) == [0x00003202, 16, 2, 0, 0, 0x00010003, 1] + [0] * 9
    conv = Conv(
        wait_load=True, wait_store=True, signal_load=True, signal_store=True,
        act_base=0x1111, wgt_base=0x2222, x_step=0x3333, y_step=0x4444, kx_step=0x5555, ky_step=0x6666,
        kw=0x77, kh=0x88, cb=0x9999, out_w=0xAAAA, out_h=0xBBBB, groups=0xCCCC, tile=0xDDDD,
        out_base=0xEEEE, out_pitch=0x1212, par_base=0x1313, clear=True, drain=True,
        zero_point=-1, act_min=-128, act_max=127, rounding=2, table_en=True, table_sel=1, bypass=True,
    )  # fmt: skip
    assert words(conv) == [
        0x00005503, 0x22221111, 0x44443333, 0x66665555, 0x99998877, 0xBBBBAAAA, 0xDDDDCCCC, 0x1212EEEE,
        0x00031313, 0x1E7F80FF, 0, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    slide = Conv(window=True, kw=3, kh=2, x_stride=0x1111, y_stride=0x2222, out_pitch=0)
    assert words(slide) == [3, 0, 0, 0, 0x00010203, 0x00010001, 0x00010001, 0, 1 << 18, 0x007F8000] + [
        0x22221111, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    pool = Pool(
        kind=2, x_stride=0x1111, y_stride=0x2222, x_lo=3, x_hi=4, y_lo=5, y_hi=6, act_max=0, act_min=0
    )
    assert words(pool) == [
        4, 0, 0, 0, 0x00010101, 0x00010001, 2, 0x00010000, 0, 0, 0x22221111, 0x00040003, 0x00060005, 0, 0, 0,
    ]  # fmt: skip
    assert words(End()) == [15] + [0] * 15


def test_a_value_that_does_not_fit_its_field_is_not_encoded() -> None:
    for command, name in [
        (Load(run=65536), "run"),
        (Conv(zero_point=128), "zero_point"),
        (Store(address=-16), "address"),
        (Pool(kind=4), "kind"),
    ]:
        with pytest.raises(ValueError, match=name):
            command.encode()


def test_unknown_opcodes_are_refused() -> None:
    for opcode in range(256):
        raw = bytes([opcode]) + End().encode()[1:]
        assert (cause_of(raw, CONFIG) is Cause.BAD_OPCODE) == (opcode not in COMMANDS)


def zero(command: Command, names: str) -> list[Command]:
    changes: list[dict[str, Any]] = [{name: 0} for name in names.split()]
    return [dataclasses.replace(command, **change) for change in changes]


SLIDE = Conv(clear=True, drain=True, window=True, kw=5, kh=3, x_stride=1, y_stride=1)
REFUSED = [
    *zero(Load(), "run count_x count_y"),
    *zero(Store(), "run count_x count_y"),
    *zero(Conv(clear=True, drain=True), "kw kh cb out_w out_h groups tile"),
    *zero(Pool(), "kw kh cb out_w out_h"),
    Conv(clear=True, drain=True, tile=65),
    Conv(clear=True, drain=True, rounding=3),
    Conv(clear=True, drain=False, elem=1),
    Load(dest=5),
    Pool(rounding=3),
    Pool(kind=3),
    # Sums that outlive their command fill one bank.
    Conv(clear=True, groups=2),
    Conv(drain=True, groups=2),
    Conv(clear=True, out_w=3, tile=2),
    Conv(drain=True, out_h=65, tile=64),
    Conv(clear=True, wait_store=True),
    Conv(clear=True, signal_store=True),
    # Windows: 3 x 5 taps, 32 words a row.
    *zero(SLIDE, "x_stride y_stride"),
    *(dataclasses.replace(SLIDE, kw=kw) for kw in (1, 6)),
    dataclasses.replace(SLIDE, kh=4),
    dataclasses.replace(SLIDE, cb=2),
    dataclasses.replace(SLIDE, out_w=29),
    dataclasses.replace(SLIDE, out_w=2, x_stride=28),
    # Queues that do not exist.
    Load(wait_load=True),
    Load(signal_load=True),
    Load(signal_store=True),
    Store(wait_load=True),
    Store(wait_store=True),
    Store(signal_store=True),
    Conv(clear=True, drain=True, wait_compute=True),
    Pool(signal_compute=True),
    *(End(**{f"{verb}_{engine}": True}) for verb in ("wait", "signal") for engine in ("load", "store")),
]

TAKEN = [
    Load(wait_compute=True, wait_store=True, signal_compute=True, pad_value=-128),
    Store(wait_compute=True, signal_load=True, signal_compute=True),
    Conv(clear=True, drain=True, groups=3, out_w=99, tile=64, wait_store=True, signal_store=True),
    Conv(out_w=64, tile=64, wait_load=True, signal_load=True),
    Conv(drain=True, out_w=8, out_h=8, tile=64, zero_point=-128),
    Conv(clear=True, drain=True, x_stride=0, y_stride=0),
    dataclasses.replace(SLIDE, kw=2, kh=1, out_w=31, out_h=300, groups=9, y_stride=65535),
    dataclasses.replace(SLIDE, out_w=28),
    dataclasses.replace(SLIDE, out_w=2, x_stride=27),
    dataclasses.replace(SLIDE, out_w=8, tile=8, drain=False),
    Pool(kind=2, x_stride=0, x_hi=0, wait_load=True, signal_store=True),
    End(stamp=True),
]


@pytest.mark.parametrize("command", REFUSED, ids=lambda c: type(c).__name__)
def test_bad_fields_are_refused(command: Command) -> None:
    assert cause_of(command.encode(), CONFIG) is Cause.BAD_FIELD
    with pytest.raises(BadCommand) as caught:
        decode(command.encode(), CONFIG)
    assert caught.value.field in {f.name for f in dataclasses.fields(command)}


@pytest.mark.parametrize("command", TAKEN, ids=lambda c: type(c).__name__)
def test_good_commands_are_taken(command: Command) -> None:
    assert decode(command.encode(), CONFIG) == command


def test_impossible_configurations_are_refused() -> None:
    for bad in ({"n": 12}, {"act_words": 1000}, {"par_words": 8}, {"line_words": 0}, {"out_words": 131072}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Config(**bad)
