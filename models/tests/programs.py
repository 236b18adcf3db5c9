"""Programs written by hand for the reference machine's tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from models.config import Config
from models.isa import COMMAND_BYTES, Cause, Command, Windows
from models.machine import Machine
from models.trace import Trace

CONFIG = Config(n=4, act_words=64, wgt_words=64, out_words=32, par_words=64, acc_depth=8, max_burst=8)
WIDE = Config(n=16, act_words=256, wgt_words=256, out_words=256, par_words=64, acc_depth=64, max_burst=16)

PROGRAM = 0x8000  # where programs lie; the data are below
SIZE = 0x10000


def image(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A DRAM image full of noise."""
    return rng.integers(0, 256, SIZE).astype(np.uint8)


def run(
    config: Config,
    dram: NDArray[np.uint8],
    commands: Sequence[Command | bytes],
    *,
    base: int = PROGRAM,
    length: int | None = None,
    faults: Mapping[tuple[str, int], Cause] | None = None,
    windows: Windows | None = None,
) -> Trace:
    """Put a program into dram and execute it with race checks on. length: default, all commands."""
    raw = b"".join(c if isinstance(c, bytes) else c.encode() for c in commands)
    dram[base : base + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
    length = len(raw) // COMMAND_BYTES if length is None else length
    return Machine(config).run(dram, base, length, faults, windows)
