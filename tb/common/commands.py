"""Random commands that look for the corners, and a DRAM that is never empty."""

from __future__ import annotations

import functools
import math
import random
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from models.config import Config
from models.isa import (
    COMMAND_BYTES,
    PAGE,
    ROUNDING_MODES,
    Command,
    Compute,
    Conv,
    Dest,
    Load,
    Pool,
    PoolKind,
    Store,
    Window,
)
from tb.common.draws import ANY16, FLAG, Draws, Weights, flags

WindowT = TypeVar("WindowT", bound=Window)
ComputeT = TypeVar("ComputeT", bound=Compute)
SPACE = 1 << 32


def wide_config(n: int, max_burst: int = 64, acc_depth: int = 256, line_words: int = 256) -> Config:
    """A core whose buffers are as large as a command can address: engines emit unwrapped addresses."""
    words = dict.fromkeys(("act_words", "wgt_words", "out_words", "par_words", "res_words"), 65536)
    return Config(n=n, acc_depth=acc_depth, line_words=line_words, max_burst=max_burst, **words)


class Noise:
    """4 GiB that hold a hash of their address until they are written; slices like those of a uint8 array."""

    def __init__(self, seed: int) -> None:
        self._seed = np.uint64(seed)
        self._written: dict[int, int] = {}

    def __len__(self) -> int:
        return SPACE

    def __getitem__(self, where: slice) -> NDArray[np.uint8]:
        x = np.arange(where.start, where.stop, dtype=np.uint64) + (self._seed << np.uint64(32))
        x = (x + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (x >> np.uint64(56)).astype(np.uint8)
        if self._written:
            for i, address in enumerate(range(where.start, where.stop)):
                found[i] = self._written.get(address, found[i])
        return found

    def __setitem__(self, address: int, value: int) -> None:
        self._written[address] = value

    def write(self, address: int, data: bytes) -> None:
        """Put bytes at an address."""
        self._written.update(enumerate(data, address))


def pack(command: Any, number: int) -> int:
    """cmd_data of an engine: {number, command}."""
    return number << (8 * COMMAND_BYTES) | int.from_bytes(command.encode(), "little")


WINDOW: dict[str, Weights] = {
    "buffer": {0: 1, range(1 << 16): 1, range((1 << 16) - 40, 1 << 16): 1},
    "layer": ANY16,
    **flags("stamp"),
}
PADDING: Weights = {0: 2, 1: 1, range(2, 5): 1}
LOAD: dict[str, Weights] = {
    "dest": {int(dest): 1 for dest in Dest},
    **dict.fromkeys(("pad_top", "pad_bottom", "pad_left", "pad_right"), PADDING),
    "pad_value": {-128: 1, 0: 1, 127: 1, range(-128, 128): 2},
}


class Windows:
    """LOADs or STOREs: runs around MAX_BURST, most of which end at a 4 KiB boundary or cross it; strides that
    repeat, overlap, go down or jump. words: of data in a command, at most, padding not counted."""

    def __init__(self, kind: type[Window], rng: random.Random, config: Config, words: int = 120) -> None:
        self.kind, self.rng, self.config, self.words = kind, rng, config, words
        tokens = [f"wait_{engine}" for engine in kind.waits] + [f"signal_{engine}" for engine in kind.signals]
        self.draws = Draws(
            rng,
            {**WINDOW, **(LOAD if kind is Load else {}), **flags(*tokens)},
            {
                "run": (self.run, ("words",)),
                "count_x": (partial(self.count, 6), ("words", "run")),
                "count_y": (partial(self.count, 5), ("words", "run", "count_x")),
                "address": (self.address, ("run",)),
                "stride_x": (self.stride, ("run",)),
                "stride_y": (self.stride, ("run",)),
            },
            given=("words",),
        )

    def run(self, words: int) -> int:
        """Words of a run: around one and two bursts of MAX_BURST."""
        longest = self.config.max_burst
        near = (1, 1, 2, longest - 1, longest, longest + 1, 2 * longest, 2 * longest + 1)
        return min(max(1, self.rng.choice((*near, *[self.rng.randint(1, 40)] * 2))), words)

    def count(self, most: int, words: int, *taken: int) -> int:
        """Runs, or rows, for which the words are left; often one."""
        room = max(1, min(most, words // math.prod(taken)))
        return min(self.rng.choice((1, 1, 2, self.rng.randint(1, room))), room)

    def address(self, run: int) -> int:
        """Of the first word."""
        n, rng = self.config.n, self.rng
        if rng.random() < 0.4:
            return rng.randrange(SPACE // n) * n
        return (rng.randrange(SPACE // PAGE) * PAGE - n * rng.randint(0, min(run, PAGE // n - 1))) % SPACE

    def stride(self, run: int) -> int:
        """From one run to the next: onto itself, next to it, over it, far away, down."""
        n, rng = self.config.n, self.rng
        close = rng.choice((0, run, run, 1, rng.randint(1, 3 * run), -run, -rng.randint(1, 64)))
        return rng.choice((close, close, PAGE // n, rng.randrange(SPACE // n))) * n % SPACE

    def draw(self, words: int | None = None, **fixed: Any) -> Any:
        """A command; `fixed` fields are taken as they are."""
        return self.kind(**self.draws.draw(words=self.words if words is None else words, **fixed))


@functools.lru_cache(maxsize=16)
def _windows(kind: type[Window], rng: random.Random, config: Config) -> Windows:
    return Windows(kind, rng, config)


def random_window(
    kind: type[WindowT], rng: random.Random, config: Config, words: int = 120, **fixed: Any
) -> WindowT:
    """See Windows."""
    return _windows(cast(Any, kind), rng, config).draw(words, **fixed)


def random_windows(
    kind: type[WindowT], rng: random.Random, config: Config, count: int, words: int = 120, **fixed: Any
) -> list[WindowT]:
    """Several commands."""
    return [random_window(kind, rng, config, words, **fixed) for _ in range(count)]


class Computes:
    """CONVs or POOLs that the core accepts, every field random; those that have bounds often at them."""

    def __init__(self, kind: type[Compute], rng: random.Random, config: Config) -> None:
        self.kind, self.rng, self.config = kind, rng, config
        weights = {name: anything(place) for name, place in kind.layout().items()}
        for engine in ("load", "compute", "store"):
            weights[f"wait_{engine}"] = FLAG if engine in kind.waits else {False: 1}
            weights[f"signal_{engine}"] = FLAG if engine in kind.signals else {False: 1}
        weights["rounding"] = dict.fromkeys(ROUNDING_MODES, 1)
        if kind is Pool:
            self.draws = Draws(rng, weights | {"kind": {int(pool): 1 for pool in PoolKind}})
            return
        depth = config.acc_depth
        weights["tile"] = {1: 1, depth: 1, range(1, depth + 1): 1}
        shape = ("kw", "kh", "cb", "groups", "out_w", "out_h", "x_stride", "y_stride")
        tokens = ("wait_store", "signal_store", "stamp", "elem")
        self.free = Draws(rng, {name: weights[name] for name in (*shape, *tokens)})
        self.draws = Draws(
            rng,
            {name: weight for name, weight in weights.items() if name not in (*shape, *tokens)},
            {
                shape: (self.shape, ("window", "clear", "drain", "tile")),
                tokens: (self.tokens, ("drain",)),
            },
        )

    def shape(self, window: int, clear: int, drain: int, tile: int) -> tuple[int, ...]:
        """The fields that a window and an accumulator bank bound."""
        values = self.free.draw()
        if window:
            values |= self.slide()
        if not (clear and drain):
            most = tile
            if window:
                most = min(most, (self.config.line_words - values["kw"]) // values["x_stride"] + 1)
            values |= {"groups": 1, "out_h": 1, "out_w": self.rng.choice((1, most))}
        names = ("kw", "kh", "cb", "groups", "out_w", "out_h", "x_stride", "y_stride")
        return tuple(values[name] for name in names)

    def slide(self) -> dict[str, int]:
        """The fields that a window bounds: at the bounds, or anything between."""
        rng, (rows, columns) = self.rng, self.config.window
        kw, kh = (
            rng.choice((2, columns, rng.randint(2, columns))),
            rng.choice((1, rows, rng.randint(1, rows))),
        )
        room = self.config.line_words - kw
        out_w = rng.choice((1, room + 1, rng.randint(1, room + 1)))
        most = room // (out_w - 1) if out_w > 1 else 65535
        x_stride, y_stride = rng.choice((1, most)), rng.choice((1, 65535, rng.randint(1, 65535)))
        return {"kw": kw, "kh": kh, "cb": 1, "out_w": out_w, "x_stride": x_stride, "y_stride": y_stride}

    def tokens(self, drain: int) -> tuple[int, ...]:
        """What only a CONV that drains has."""
        values = self.free.draw()
        return tuple(values[name] if drain else 0 for name in ("wait_store", "signal_store", "stamp", "elem"))

    def draw(self, **fixed: Any) -> Any:
        """A command; `fixed` fields are taken as they are."""
        return self.kind(**self.draws.draw(**fixed))


def anything(place: Any) -> Weights:
    """All values of a field; a count is at least 1."""
    if place.signed:
        return {range(-(1 << place.width - 1), 1 << place.width - 1): 1}
    return {range(1 if place.count else 0, 1 << place.width): 1}


@functools.lru_cache(maxsize=16)
def _computes(kind: type[Compute], rng: random.Random, config: Config) -> Computes:
    return Computes(kind, rng, config)


def random_compute(kind: type[ComputeT], rng: random.Random, config: Config, **fixed: Any) -> ComputeT:
    """See Computes."""
    return _computes(cast(Any, kind), rng, config).draw(**fixed)


def random_command(rng: random.Random, config: Config) -> Command:
    """Any command that the core accepts, except END."""
    kind: Any = rng.choice((Load, Store, Conv, Pool))
    if issubclass(kind, Window):
        return random_window(kind, rng, config)
    return random_compute(kind, rng, config)
