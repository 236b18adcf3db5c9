"""The command set: what the 64 bytes of a command mean, and which commands the core refuses.

docs/architecture.md ("Commands", "Errors and stopping") is the text this file follows. Every field is
declared once, in the dataclass of its command; encoding, decoding and the core's "bad field" rule are derived
from that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar

from models.config import Config
from models.fields import Bits, bits, count, flag

COMMAND_BYTES = 64
COMMAND_WORDS = COMMAND_BYTES // 4
TOKEN_MAX = 63
FETCH_COMMANDS = 4  # commands in one fetch burst
PAGE = 4096  # no burst crosses this boundary

ID_FETCH, ID_LOAD, ID_STORE = 0, 1, 2


class Opcode(IntEnum):
    LOAD = 1
    STORE = 2
    CONV = 3
    POOL = 4
    END = 15


class Dest(IntEnum):
    """LOAD's target buffer."""

    ACT = 0
    WGT = 1
    PAR = 2
    TABLE = 3
    RES = 4


class PoolKind(IntEnum):
    MAX = 0
    AVERAGE = 1
    SUM = 2


class Cause(IntEnum):
    """ERR_CAUSE."""

    BAD_OPCODE = 1
    BAD_FIELD = 2
    OVERRUN = 3
    READ_SLVERR = 4
    READ_DECERR = 5
    WRITE_SLVERR = 6
    WRITE_DECERR = 7
    WATCHDOG = 8
    STOPPED = 9
    READ_WINDOW = 10
    WRITE_WINDOW = 11


ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True)
class Windows:
    """The pages that a program may touch, as READ_BASE and READ_LIMIT, WRITE_BASE and WRITE_LIMIT say: (byte
    address of the first, of the last). A last page before the first: none."""

    read: tuple[int, int] = (0, ADDRESS_SPACE - PAGE)
    write: tuple[int, int] = (0, ADDRESS_SPACE - PAGE)

    def permits(self, direction: str, address: int) -> bool:
        """Whether a burst that starts at this byte may go out. direction: read or write."""
        first, last = self.read if direction == "read" else self.write
        return first <= address % ADDRESS_SPACE < last + PAGE


ROUNDING_MODES = (0, 1, 2)  # values of models.quantize.Rounding that the core implements


class BadCommand(ValueError):
    """A command that the core refuses. cause: BAD_OPCODE or BAD_FIELD; field: the first field at fault."""

    def __init__(self, cause: Cause, field_name: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause
        self.field = field_name


@dataclass(frozen=True, kw_only=True)
class Command:
    """w0, common to every command, and the machinery that reads the field declarations."""

    opcode: ClassVar[Opcode]
    waits: ClassVar[tuple[str, ...]] = ()  # engines this command may take a token from
    signals: ClassVar[tuple[str, ...]] = ()  # engines this command may give a token to

    wait_load: bool = flag(0, 8)
    wait_compute: bool = flag(0, 9)
    wait_store: bool = flag(0, 10)
    signal_load: bool = flag(0, 12)
    signal_compute: bool = flag(0, 13)
    signal_store: bool = flag(0, 14)
    stamp: bool = flag(0, 15)
    layer: int = bits(0, 31, 16)

    @classmethod
    def layout(cls) -> dict[str, Bits]:
        """Field name -> place, in declaration order."""
        found = _LAYOUTS.get(cls)
        if found is None:
            found = _LAYOUTS[cls] = {f.name: f.metadata["bits"] for f in fields(cls)}
        return found

    def words(self) -> list[int]:
        """The 16 words. Raises ValueError when a value does not fit its field; what fits is encoded even if
        the core refuses it."""
        words = [0] * COMMAND_WORDS
        words[0] = int(self.opcode)
        for name, place in self.layout().items():
            value = int(getattr(self, name))
            place.check(f"{type(self).__name__}.{name}", value)
            words[place.word] |= (value & ((1 << place.width) - 1)) << place.low
        return words

    def encode(self) -> bytes:
        """The command as it lies in DRAM, 64 bytes. Raises as words()."""
        return struct.pack("<16I", *self.words())

    def check(self, config: Config) -> None:
        """Raise BadCommand (cause BAD_FIELD) where the core would."""
        for name, place in self.layout().items():
            if place.count and getattr(self, name) == 0:
                raise BadCommand(Cause.BAD_FIELD, name, f"{name} is 0; it is a count and must be at least 1")
        for engine in ("load", "compute", "store"):
            for verb, allowed in (("wait", self.waits), ("signal", self.signals)):
                name = f"{verb}_{engine}"
                if getattr(self, name) and engine not in allowed:
                    known = ", ".join(f"{verb}_{other}" for other in allowed) or "none"
                    raise BadCommand(
                        Cause.BAD_FIELD, name, f"{self.opcode.name} has no {name}; it may have: {known}"
                    )
        self._check_more(config)

    def _check_more(self, config: Config) -> None:
        """The rules beyond counts and tokens: see subclasses."""


@dataclass(frozen=True, kw_only=True)
class Window(Command):
    """What LOAD and STORE share: address (bytes, multiple of n), buffer address, 3-D window of DRAM."""

    address: int = bits(1, 31, 0)
    buffer: int = bits(2, 15, 0)
    stride_y: int = bits(3, 31, 0)
    stride_x: int = bits(4, 31, 0)
    run: int = count(5, 15, 0)
    count_x: int = count(5, 31, 16)
    count_y: int = count(6, 15, 0)

    def _check_more(self, config: Config) -> None:
        for name in ("address", "stride_y", "stride_x"):
            if (value := getattr(self, name)) % config.n:
                raise BadCommand(
                    Cause.BAD_FIELD, name, f"{name} is {value:#x}; it must be a multiple of {config.n}"
                )


@dataclass(frozen=True, kw_only=True)
class Load(Window):
    """DRAM to a buffer. Padding is in rows (top, bottom) and words (left, right); pad_value is an int8."""

    opcode = Opcode.LOAD
    waits = ("compute", "store")
    signals = ("compute",)

    dest: int = bits(2, 18, 16)
    pad_top: int = bits(7, 15, 0)
    pad_bottom: int = bits(7, 31, 16)
    pad_left: int = bits(8, 15, 0)
    pad_right: int = bits(8, 31, 16)
    pad_value: int = bits(9, 7, 0, signed=True)

    def _check_more(self, config: Config) -> None:
        super()._check_more(config)
        if self.dest not in tuple(Dest):
            known = ", ".join(str(int(dest)) for dest in Dest)
            raise BadCommand(Cause.BAD_FIELD, "dest", f"dest is {self.dest}; known: {known}")


@dataclass(frozen=True, kw_only=True)
class Store(Window):
    """Output buffer to DRAM."""

    opcode = Opcode.STORE
    waits = ("compute",)
    signals = ("load", "compute")


@dataclass(frozen=True, kw_only=True)
class Compute(Command):
    """What CONV and POOL share: addressing of the window, of the output, and post's settings."""

    waits = ("load", "store")
    signals = ("load", "store")

    act_base: int = bits(1, 15, 0)
    x_step: int = bits(2, 15, 0)
    y_step: int = bits(2, 31, 16)
    kx_step: int = bits(3, 15, 0)
    ky_step: int = bits(3, 31, 16)
    kw: int = count(4, 7, 0)
    kh: int = count(4, 15, 8)
    cb: int = count(4, 31, 16)
    out_w: int = count(5, 15, 0)
    out_h: int = count(5, 31, 16)
    out_base: int = bits(7, 15, 0)
    out_pitch: int = bits(7, 31, 16, default=1)
    par_base: int = bits(8, 15, 0)
    zero_point: int = bits(9, 7, 0, signed=True)
    act_min: int = bits(9, 15, 8, signed=True, default=-128)
    act_max: int = bits(9, 23, 16, signed=True, default=127)
    rounding: int = bits(9, 25, 24)
    table_en: bool = flag(9, 26)
    table_sel: int = bits(9, 27, 27)
    bypass: bool = flag(9, 28)
    res_base: int = bits(13, 15, 0)
    res_pitch: int = bits(13, 31, 16)
    elem_base: int = bits(14, 15, 0)
    elem: int = bits(14, 17, 16)

    @property
    def pixels(self) -> int:
        """Output pixels of one channel block."""
        return self.out_w * self.out_h

    def _check_more(self, config: Config) -> None:
        if self.rounding not in ROUNDING_MODES:
            raise BadCommand(
                Cause.BAD_FIELD,
                "rounding",
                f"rounding is {self.rounding}; known: {', '.join(map(str, ROUNDING_MODES))}",
            )


@dataclass(frozen=True, kw_only=True)
class Conv(Compute):
    """Convolution. All steps in words; groups: output-channel blocks; tile: pixels of one bank.

    window: output block g sees input block g alone, all taps at once; x_stride, y_stride: its step in pixels.
    """

    opcode = Opcode.CONV

    wgt_base: int = bits(1, 31, 16)
    groups: int = count(6, 15, 0)
    tile: int = count(6, 31, 16)
    clear: bool = flag(8, 16)
    drain: bool = flag(8, 17)
    window: bool = flag(8, 18)
    x_stride: int = bits(10, 15, 0)
    y_stride: int = bits(10, 31, 16)

    @property
    def in_w(self) -> int:
        """Input columns that a CONV with `window` reads."""
        return (self.out_w - 1) * self.x_stride + self.kw

    @property
    def in_h(self) -> int:
        """Input rows that a CONV with `window` reads."""
        return (self.out_h - 1) * self.y_stride + self.kh

    @property
    def weight_blocks(self) -> int:
        """Weight blocks of one output-channel block."""
        return 1 if self.window else self.kh * self.kw * self.cb

    @property
    def words_read(self) -> int:
        """Activation words read for one output-channel block."""
        return self.in_w * self.in_h if self.window else self.pixels * self.weight_blocks

    def _check_more(self, config: Config) -> None:
        super()._check_more(config)
        if self.window:
            self._check_window(config)
        if self.tile > config.acc_depth:
            raise BadCommand(Cause.BAD_FIELD, "tile", f"tile is {self.tile}; ACC_DEPTH is {config.acc_depth}")
        if not (self.clear and self.drain) and (self.groups != 1 or self.pixels > self.tile):
            raise BadCommand(
                Cause.BAD_FIELD,
                "groups" if self.groups != 1 else "tile",
                f"sums that outlive their command fill one bank: groups {self.groups}, {self.pixels} pixels, "
                f"tile {self.tile}; groups must be 1 and the pixels one tile",
            )
        if not self.drain:
            for name in ("wait_store", "signal_store", "stamp", "elem"):
                if getattr(self, name):
                    message = f"a CONV without drain sends nothing through post: it has no {name}"
                    raise BadCommand(Cause.BAD_FIELD, name, message)

    def _check_window(self, config: Config) -> None:
        rows, columns = config.window
        bounds = {
            "kw": (2, columns),
            "kh": (1, rows),
            "cb": (1, 1),
            "x_stride": (1, 65535),
            "y_stride": (1, 65535),
        }
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                message = f"{name} is {getattr(self, name)}; a CONV with window takes {low} to {high}"
                raise BadCommand(Cause.BAD_FIELD, name, message)
        if self.in_w > config.line_words:
            raise BadCommand(
                Cause.BAD_FIELD,
                "out_w",
                f"a row of the input is {self.in_w} words; LINE_WORDS is {config.line_words}",
            )


@dataclass(frozen=True, kw_only=True)
class Pool(Compute):
    """Pooling, per channel block. x_stride, y_stride: window step in pixels; [x_lo, x_hi) and [y_lo, y_hi):
    the coordinates of the padded tile that count."""

    opcode = Opcode.POOL

    kind: int = bits(6, 1, 0)
    x_stride: int = bits(10, 15, 0)
    y_stride: int = bits(10, 31, 16)
    x_lo: int = bits(11, 15, 0)
    x_hi: int = bits(11, 31, 16)
    y_lo: int = bits(12, 15, 0)
    y_hi: int = bits(12, 31, 16)

    def _check_more(self, config: Config) -> None:
        super()._check_more(config)
        if self.kind not in tuple(PoolKind):
            raise BadCommand(
                Cause.BAD_FIELD,
                "kind",
                f"kind is {self.kind}; known: {', '.join(str(int(k)) for k in PoolKind)}",
            )


@dataclass(frozen=True, kw_only=True)
class End(Command):
    """The last command: the program is done when every earlier one is."""

    opcode = Opcode.END


_LAYOUTS: dict[type[Command], dict[str, Bits]] = {}
