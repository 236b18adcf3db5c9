"""Hostile programs: good ones with something broken, and commands made of noise.

A program lies on pages of its own behind the tensors, so that a write window can keep stores away from it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.config import Config
from models.decode import COMMANDS
from models.fields import Bits
from models.isa import COMMAND_BYTES, PAGE, Command, Conv, End, Load, Opcode, Pool, Windows
from tb.chip.programs import Image, random_image
from tb.common.draws import Draws, Weights

BASES = 12  # good programs that are broken in turn
_TOKENS = (8, 9, 10, 12, 13, 14)


@dataclass(frozen=True)
class Faults:
    """What the memory does. stall: chance in 256 of the channels in stall_on (AR, R, AW, W, B from bit 0).
    fault: a read or write that fails, counted from the program's first, at one beat (None: all), with this
    response."""

    latency: int = 2
    jitter: int = 0
    stall: int = 0
    stall_on: int = 31
    fault: tuple[str, int, int | None, int] | None = None


@dataclass(frozen=True)
class Hostile:
    """One program. memory: uint8, all of DRAM. base: bytes; length: PROG_LEN; commands: as many as were made.
    stop_at: cycle, from 1, in which the host stops it, None for not before the bench's limit. reset_at: of a
    reset."""

    what: str
    memory: NDArray[np.uint8]
    base: int
    length: int
    commands: int
    windows: Windows
    faults: Faults
    stop_at: int | None = None
    reset_at: int | None = None

    def read(self, address: int) -> bytes | None:
        """The command at an address, None beyond the memory."""
        raw = self.memory[address : address + COMMAND_BYTES].tobytes()
        return raw if len(raw) == COMMAND_BYTES else None


def fill(config: Config) -> list[Command]:
    """A program that writes every word of every buffer, both banks and both tables, from a DRAM of zeros.
    Hostile programs read what was never written, and on Icarus that is X."""
    sizes = (config.act_words, config.wgt_words, config.par_words, 2 * config.table_words, config.res_words)
    loads = [Load(dest=dest, address=PAGE, run=size) for dest, size in enumerate(sizes)]
    out, tile = config.out_words, config.acc_depth
    pool = Pool(bypass=True, wait_load=True, out_w=out, x_step=1, x_stride=1, x_hi=out, y_hi=1)
    conv = Conv(clear=True, drain=True, out_w=tile, out_h=2, tile=tile)
    return [*loads[:-1], replace(loads[-1], signal_compute=True), pool, conv, End()]


def base_image(seed: int, index: int, config: Config, size: int) -> Image:
    """One of the good programs of a seed, with its data in the lower half of a memory of `size` bytes."""
    rng = np.random.default_rng([seed, index % BASES])
    while True:
        image = random_image(rng, config, int(rng.integers(1, 4)), most=5)
        if image.dram.size <= size // 2 and image.length <= 200:
            return image


# What surrounds a program, as weights.
WEIGHTS: dict[str, Weights] = {
    "mutations": {1: 2, 2: 1, 4: 1},
    "place": {"first": 1, "corner": 1, "last": 1, "anywhere": 1},
    "length": {"right": 28, 0: 1, 1: 1, "less": 1, "more": 1, "much_more": 1, 65535: 1, range(65536): 1},
    "stop_at": {None: 24, range(1, 2000): 1},
    "reset_at": {None: 24, range(1, 2000): 1},
    # Pages: mostly what the program needs.
    **dict.fromkeys(
        ("read_window", "write_window"), {"needed": 75, "all": 5, "none": 3, "later": 9, "shorter": 8}
    ),
    # The memory.
    "latency": {2: 48, 10: 24, 100: 24, range(1000, 5000): 3},
    "jitter": {0: 2, 30: 1},
    "stall": {0: 14, 60: 3, 200: 3},
    "stall_on": {31: 1, 1: 1, 2: 1, 4: 1, 8: 1, 16: 1},
    "fault": {None: 18, "read": 1, "write": 1},
    "fault_at": {range(60): 1},
    "fault_beat": {None: 1, range(16): 1},
    "fault_response": {2: 1, 3: 1},
}
_RNG = random.Random()
_DRAWS = Draws(_RNG, WEIGHTS)


def hostile(rng: np.random.Generator, image: Image, config: Config, size: int) -> Hostile:
    """A program for a memory of `size` bytes, a power of two."""
    _RNG.seed(int(rng.integers(1 << 63)))
    drawn = _DRAWS.draw()
    commands = _commands(image)
    what = "+".join(_mutate(rng, commands, config) for _ in range(drawn["mutations"]))
    memory = rng.integers(0, 256, size).astype(np.uint8)
    memory[: image.dram.size] = image.dram
    raw = np.frombuffer(b"".join(commands), np.uint8)
    first = (image.dram.size + PAGE - 1) // PAGE * PAGE
    last = (size - raw.size) // COMMAND_BYTES * COMMAND_BYTES
    base = {
        "first": first,
        "corner": first + PAGE - COMMAND_BYTES * int(rng.integers(1, 10)),
        "last": last,
        "anywhere": int(rng.integers(first // 64, last // 64 + 1)) * 64,
    }[drawn["place"]]
    memory[base : base + raw.size] = raw
    right = len(commands)
    lengths = {"right": right, "less": max(0, right - 1), "more": right + 1, "much_more": right + 40}
    length = lengths.get(drawn["length"], drawn["length"])
    if drawn["length"] != "right":
        what += "+length"
    written = image.compiled.image_base // PAGE * PAGE
    windows = Windows(
        _pages(rng, drawn["read_window"], (0, size - PAGE)),
        _pages(rng, drawn["write_window"], (written, base // PAGE * PAGE - PAGE)),
    )
    stop_at = drawn["stop_at"]
    reset_at = drawn["reset_at"] if stop_at is None else None
    return Hostile(what, memory, base, length, right, windows, _faults(drawn), stop_at, reset_at)


def _commands(image: Image) -> list[bytes]:
    raw = image.dram[image.base : image.base + image.length * COMMAND_BYTES].tobytes()
    return [raw[at : at + COMMAND_BYTES] for at in range(0, len(raw), COMMAND_BYTES)]


def _pages(rng: np.random.Generator, kind: str, needed: tuple[int, int]) -> tuple[int, int]:
    """A window: what is needed, everything, nothing, or a part."""
    some = PAGE * int(rng.integers((needed[1] - needed[0]) // PAGE + 2))
    return {
        "needed": needed,
        "all": (0, (1 << 32) - PAGE),
        "none": (PAGE, 0),
        "later": (needed[0] + some, needed[1]),
        "shorter": (needed[0], needed[0] + some),
    }[kind]


def _faults(drawn: dict[str, Any]) -> Faults:
    failing = None
    if drawn["fault"]:
        failing = (drawn["fault"], drawn["fault_at"], drawn["fault_beat"], drawn["fault_response"])
    stall_on = drawn["stall_on"] if drawn["stall"] else 31
    return Faults(drawn["latency"], drawn["jitter"], drawn["stall"], stall_on, failing)


# ---------------------------------------------------------------- mutations, in place, of a list of commands

Commands = list[bytes]


def _mutate(rng: np.random.Generator, commands: Commands, config: Config) -> str:
    kinds = list(MUTATIONS)
    weights = np.array([MUTATIONS[kind][1] for kind in kinds], float)
    kind = str(rng.choice(kinds, p=weights / weights.sum()))
    if commands:
        MUTATIONS[kind][0](rng, commands, config)
    return kind


def _at(rng: np.random.Generator, commands: Commands) -> int:
    return int(rng.integers(len(commands)))


def _bits(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """A few bits of one command."""
    at = _at(rng, commands)
    raw = bytearray(commands[at])
    for bit in rng.integers(0, 8 * COMMAND_BYTES, int(rng.integers(1, 5))).tolist():
        raw[bit // 8] ^= 1 << bit % 8
    commands[at] = bytes(raw)


def _set(raw: bytes, place: Bits, value: int) -> bytes:
    number = int.from_bytes(raw, "little")
    low = 32 * place.word + place.low
    mask = ((1 << place.width) - 1) << low
    return (number & ~mask | value << low & mask).to_bytes(COMMAND_BYTES, "little")


def _field(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """One field of one command: at its ends, near what it was, or anything."""
    at = _at(rng, commands)
    kind = COMMANDS.get(commands[at][0])
    if kind is None:
        return
    place = list(kind.layout().values())[int(rng.integers(len(kind.layout())))]
    old = int.from_bytes(commands[at], "little") >> (32 * place.word + place.low)
    value = [
        0,
        1,
        old + 1,
        old - 1,
        old + config.n,
        (1 << place.width) - 1,
        int(rng.integers(1 << place.width)),
    ]
    commands[at] = _set(commands[at], place, int(value[int(rng.integers(len(value)))]))


def _address(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """The address or a stride of a LOAD or STORE, a multiple of n, near or far."""
    at = [i for i, raw in enumerate(commands) if raw[0] in (Opcode.LOAD, Opcode.STORE)]
    if not at:
        return
    which = int(rng.choice(at))
    place = COMMANDS[commands[which][0]].layout()[
        str(rng.choice(["address", "address", "stride_y", "stride_x"]))
    ]
    value = int(rng.choice([*(int(rng.integers(1 << bits)) for bits in (14, 17, 32)), (1 << 32) - 64]))
    commands[which] = _set(commands[which], place, value // config.n * config.n)


def _huge(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """Every count of one command, or some of them, as large as it goes."""
    at = _at(rng, commands)
    kind = COMMANDS.get(commands[at][0])
    if kind is None:
        return
    for name, place in kind.layout().items():
        if (place.count or name.startswith("pad_")) and name != "tile" and rng.random() < 0.6:
            commands[at] = _set(commands[at], place, (1 << place.width) - 1)


def _token(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """One wait or signal bit more or less."""
    at = _at(rng, commands)
    raw = bytearray(commands[at])
    bit = int(rng.choice(_TOKENS))
    raw[bit // 8] ^= 1 << bit % 8
    commands[at] = bytes(raw)


def _swap(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    first, second = _at(rng, commands), _at(rng, commands)
    commands[first], commands[second] = commands[second], commands[first]


def _again(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """A command once more, sometimes so often that tokens and queues are full."""
    copies = int(rng.choice([1, 1, 8, 9, 70]))
    commands[_at(rng, commands) : 0] = [commands[_at(rng, commands)]] * copies


def _drop(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    del commands[_at(rng, commands)]


def _noise(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    """64 random bytes, mostly with a known opcode and legal tokens."""
    raw = bytearray(rng.bytes(COMMAND_BYTES))
    if rng.random() < 0.9:
        raw[0] = int(rng.choice(list(COMMANDS)))
        kind = COMMANDS[raw[0]]
        raw[1] = 0
        for bit, name in zip(_TOKENS, ("load", "compute", "store") * 2, strict=True):
            allowed = kind.waits if bit < 11 else kind.signals
            raw[1] |= (name in allowed and bool(rng.integers(2))) << (bit - 8)
        if kind.opcode in (Opcode.LOAD, Opcode.STORE):
            raw[10:12], raw[4], raw[12], raw[16] = bytes(2), 0, 0, 0
        if kind.opcode == Opcode.CONV:
            raw[26:28], raw[34] = bytes((int(rng.integers(1, config.acc_depth + 1)), 0)), 3
        raw[39] &= 0xFC
    at = _at(rng, commands)
    commands[at] = bytes(raw)


def _no_end(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    del commands[-1]


def _shuffle(rng: np.random.Generator, commands: Commands, config: Config) -> None:
    rng.shuffle(commands)


Mutation = Callable[[np.random.Generator, Commands, Config], None]
MUTATIONS: dict[str, tuple[Mutation, int]] = {
    "bits": (_bits, 8),
    "field": (_field, 8),
    "address": (_address, 4),
    "huge": (_huge, 2),
    "token": (_token, 4),
    "swap": (_swap, 3),
    "again": (_again, 2),
    "drop": (_drop, 3),
    "noise": (_noise, 5),
    "no_end": (_no_end, 1),
    "shuffle": (_shuffle, 1),
}
