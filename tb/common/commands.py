"""Random commands that look for the corners, and a DRAM that is never empty."""

from __future__ import annotations

import random
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.isa import (
    COMMAND_BYTES,
    PAGE,
    ROUNDING_MODES,
    Command,
    Compute,
    Config,
    Conv,
    Dest,
    Load,
    Pool,
    PoolKind,
    Store,
    Window,
)

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


def random_window(
    kind: type[WindowT], rng: random.Random, config: Config, words: int = 120, **fixed: Any
) -> WindowT:
    """A LOAD or STORE of about `words` words at most: runs around MAX_BURST, addresses around a 4 KiB
    boundary, strides that repeat, overlap, go down or jump. fixed: fields that are not to be random."""
    n, longest = config.n, config.max_burst
    near = (1, 1, 2, longest - 1, longest, longest + 1, 2 * longest, 2 * longest + 1, rng.randint(1, 40))
    run = fixed.get("run", min(max(1, rng.choice(near)), words))
    count_x = fixed.get("count_x", rng.choice((1, 1, 2, rng.randint(1, max(1, min(6, words // run))))))
    count_y = fixed.get("count_y", rng.randint(1, max(1, min(5, words // (run * count_x)))))
    address = rng.randrange(SPACE // n) * n
    if rng.random() < 0.6:
        address = address // PAGE * PAGE + (PAGE - n * rng.randint(0, min(run, PAGE // n - 1))) % PAGE

    def stride() -> int:
        close = rng.choice((0, run, 1, rng.randint(1, 3 * run), -run, -rng.randint(1, 64)))
        return rng.choice((close, close, PAGE // n, rng.randrange(SPACE // n))) * n % SPACE

    values: dict[str, Any] = {
        "address": address,
        "buffer": rng.choice((0, rng.getrandbits(16), 65536 - rng.randint(1, 40))),
        "stride_y": stride(),
        "stride_x": stride(),
        "run": run,
        "count_x": count_x,
        "count_y": count_y,
        "stamp": rng.random() < 0.5,
        "layer": rng.getrandbits(16),
        **{f"wait_{engine}": rng.random() < 0.5 for engine in kind.waits},
        **{f"signal_{engine}": rng.random() < 0.5 for engine in kind.signals},
    }
    if kind is Load:
        values |= {f"pad_{side}": rng.choice((0, 0, 1, rng.randint(2, 4))) for side in ("left", "right")}
        values |= {f"pad_{side}": rng.choice((0, 0, 1, 2)) for side in ("top", "bottom")}
        values |= {"dest": int(rng.choice(list(Dest))), "pad_value": rng.randint(-128, 127)}
    return kind(**values | fixed)


def random_windows(
    kind: type[WindowT], rng: random.Random, config: Config, count: int, words: int = 120, **fixed: Any
) -> list[WindowT]:
    """Several commands."""
    return [random_window(kind, rng, config, words, **fixed) for _ in range(count)]


def _random_slide(rng: random.Random, config: Config) -> dict[str, int]:
    """The fields of a CONV with `window` that have bounds: at them, or anything between."""
    rows, columns = config.window
    kw, kh = rng.choice((2, columns, rng.randint(2, columns))), rng.choice((1, rows, rng.randint(1, rows)))
    room = config.line_words - kw
    out_w = rng.choice((1, room + 1, rng.randint(1, room + 1)))
    most = room // (out_w - 1) if out_w > 1 else 65535
    x_stride, y_stride = rng.choice((1, most)), rng.choice((1, 65535, rng.randint(1, 65535)))
    return {"kw": kw, "kh": kh, "cb": 1, "out_w": out_w, "x_stride": x_stride, "y_stride": y_stride}


def random_compute(kind: type[ComputeT], rng: random.Random, config: Config, **fixed: Any) -> ComputeT:
    """A CONV or POOL that the core accepts, every field random."""
    values: dict[str, Any] = {}
    for name, place in kind.layout().items():
        value = rng.getrandbits(place.width)
        value = value - (1 << place.width) if place.signed and value >> (place.width - 1) else value
        values[name] = max(1, value) if place.count else value
    for engine in ("load", "compute", "store"):
        values[f"wait_{engine}"] &= engine in kind.waits
        values[f"signal_{engine}"] &= engine in kind.signals
    values["rounding"] = rng.choice(ROUNDING_MODES)
    if kind is Conv:
        values["tile"] = rng.choice((1, config.acc_depth, rng.randint(1, config.acc_depth)))
        if values["window"]:
            values |= _random_slide(rng, config)
        if not (values["clear"] and values["drain"]):
            most = values["tile"]
            if values["window"]:
                most = min(most, (config.line_words - values["kw"]) // values["x_stride"] + 1)
            values |= {"groups": 1, "out_h": 1, "out_w": rng.choice((1, most))}
        if not values["drain"]:
            values |= {"wait_store": 0, "signal_store": 0, "stamp": 0, "elem": 0}
    else:
        values["kind"] = int(rng.choice(list(PoolKind)))
    return kind(**values | fixed)


def random_command(rng: random.Random, config: Config) -> Command:
    """Any command that the core accepts, except END."""
    kind: Any = rng.choice((Load, Store, Conv, Pool))
    if issubclass(kind, Window):
        return random_window(kind, rng, config)
    return random_compute(kind, rng, config)
