"""Which words of which buffer a command reads and writes: what races and dependencies are made of."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models import blocks
from models.config import TABLE_BYTES, Config
from models.isa import Command, Compute, Conv, Dest, Load, Pool, Store

OUTPUT = "output buffer"
NAMES = {
    Dest.ACT: "activation buffer",
    Dest.WGT: "weight buffer",
    Dest.PAR: "parameter buffer",
    Dest.TABLE: "table",
    Dest.RES: "residual buffer",
}


def sizes(config: Config) -> dict[str, int]:
    """Words of every buffer, by name."""
    tables = 2 * config.table_words
    words = (config.act_words, config.wgt_words, config.par_words, tables, config.res_words)
    return {NAMES[dest]: size for dest, size in zip(Dest, words, strict=True)} | {OUTPUT: config.out_words}


def reads(command: Command, config: Config) -> Iterator[tuple[str, NDArray]]:
    """(buffer, words) that a command reads; a buffer may come twice."""
    if isinstance(command, Store):
        yield OUTPUT, blocks.store_reads(command, config)
    if not isinstance(command, Compute):
        return
    if isinstance(command, Conv):
        yield NAMES[Dest.WGT], blocks.weight_reads(command, config)
        words = (blocks.window_reads if command.window else blocks.conv_reads)(command, config)
        yield NAMES[Dest.ACT], words
    else:
        assert isinstance(command, Pool)
        channels, inside = blocks.pool_reads(command, config)
        yield NAMES[Dest.ACT], channels[:, inside]
    if isinstance(command, Conv) and not command.drain:
        return
    if not command.bypass:
        yield NAMES[Dest.PAR], blocks.param_reads(command, config)
    if command.elem:
        yield NAMES[Dest.PAR], blocks.elem_reads(command, config)
        yield NAMES[Dest.RES], blocks.res_addresses(command, config)
    if command.table_en:
        size = TABLE_BYTES // config.n
        yield NAMES[Dest.TABLE], command.table_sel * size + np.arange(size)


def writes(command: Command, config: Config) -> Iterator[tuple[str, NDArray]]:
    """(buffer, words) that a command writes."""
    if isinstance(command, Load):
        words = command.buffer + np.arange(blocks.load_size(command), dtype=np.int64)
        yield NAMES[Dest(command.dest)], words % blocks.dest_words(command, config)
    elif isinstance(command, Compute) and not (isinstance(command, Conv) and not command.drain):
        yield OUTPUT, blocks.out_addresses(command, config)
