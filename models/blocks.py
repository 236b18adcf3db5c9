"""What one command makes each block do: pure functions of the command and the buffers it reads.

The reference machine is built from these, and the block tests score against them, so a block and the whole
chip are held to one definition. Buffers are uint8 [words, n]; addresses wrap at the buffer's size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.config import PARAM_WORDS, TABLE_BYTES, Config
from models.elementwise import RECORD_BYTES, Element, Elementwise, element
from models.isa import (
    ADDRESS_SPACE,
    COMMAND_BYTES,
    FETCH_COMMANDS,
    PAGE,
    Compute,
    Conv,
    Load,
    Pool,
    PoolKind,
    Window,
)
from models.quantize import Rounding, clamp, requantize

Bytes = NDArray[np.uint8]
Index = NDArray[np.int64]

CACHED = 128  # index arrays kept: the programs of many images repeat their compute commands
_FLOAT32_TERMS = 1024  # int8 products a float32 sum holds exactly: 1024 * 2^14 = 2^24


def _shared(array: Index) -> Index:
    """An array that a cache hands to several callers: none may change it."""
    array.flags.writeable = False
    return array


# --- load and store -----------------------------------------------------------------------------------


def run_addresses(command: Window) -> Index:
    """DRAM byte address of each run, in order of issue: int64 [count_y * count_x], modulo 2^32."""
    rows = np.arange(command.count_y, dtype=np.int64)[:, None] * command.stride_y
    runs = np.arange(command.count_x, dtype=np.int64)[None, :] * command.stride_x
    return ((command.address + rows + runs) % ADDRESS_SPACE).reshape(-1)


def window_bursts(command: Window, config: Config) -> tuple[Index, Index]:
    """(byte addresses, beats) of the bursts of a LOAD or STORE, in order."""
    starts, size = run_addresses(command), command.run
    if size <= config.max_burst and np.all(starts % PAGE + size * config.n <= PAGE):
        return starts, np.full(len(starts), size, dtype=np.int64)
    offsets, beats = [], []
    for start in starts.tolist():
        offset, count = _split(start % PAGE, size, config.n, config.max_burst)
        offsets.append(offset + start)
        beats.append(count)
    return np.concatenate(offsets), np.concatenate(beats)


@lru_cache(maxsize=4096)
def _split(in_page: int, run: int, n: int, max_burst: int) -> tuple[Index, Index]:
    """One run cut into bursts: byte offsets from its start, beats."""
    offsets, beats, done = [], [], 0
    while done < run:
        to_page = (PAGE - (in_page + done * n) % PAGE) // n
        count = min(run - done, max_burst, to_page)
        offsets.append(done * n)
        beats.append(count)
        done += count
    return _shared(np.array(offsets, dtype=np.int64)), _shared(np.array(beats, dtype=np.int64))


def window_words(command: Window, config: Config) -> Index:
    """DRAM word index (address / n) of every word that a LOAD or STORE moves, in order."""
    run = np.arange(command.run, dtype=np.int64)
    return ((run_addresses(command) // config.n)[:, None] + run).reshape(-1)


def load_size(command: Load) -> int:
    """Words that a LOAD writes, padding included."""
    row = command.pad_left + command.count_x * command.run + command.pad_right
    return (command.pad_top + command.count_y + command.pad_bottom) * row


def load_writes(command: Load, config: Config, words: Bytes) -> tuple[Index, Bytes]:
    """Buffer writes of a LOAD in order: (buffer word addresses [k], words [k, n]).

    words: uint8 [count_y * count_x * run, n], the words as they arrive from DRAM.
    """
    shape = (command.count_y, command.count_x * command.run, config.n)
    border = ((command.pad_top, command.pad_bottom), (command.pad_left, command.pad_right), (0, 0))
    rows = words.reshape(shape)
    if any(side for pair in border for side in pair):
        rows = np.pad(rows, border, constant_values=command.pad_value & 0xFF)
    block = rows.reshape(-1, config.n)
    size = dest_words(command, config)
    return (command.buffer + np.arange(len(block), dtype=np.int64)) % size, block


def dest_words(command: Load, config: Config) -> int:
    """Words of the buffer that a LOAD writes."""
    tables = 2 * config.table_words
    sizes = (config.act_words, config.wgt_words, config.par_words, tables, config.res_words)
    return sizes[command.dest]


def store_reads(command: Window, config: Config) -> Index:
    """Output-buffer word addresses that a STORE reads, in order."""
    count = command.count_y * command.count_x * command.run
    return (command.buffer + np.arange(count, dtype=np.int64)) % config.out_words


def fetch_bursts(base: int, length: int, config: Config) -> tuple[Index, Index]:
    """(byte addresses, beats) of the bursts that fetch a whole program of `length` commands."""
    addresses, beats, done = [], [], 0
    while done < length:
        address = base + done * COMMAND_BYTES
        count = min(FETCH_COMMANDS, length - done, (PAGE - address % PAGE) // COMMAND_BYTES)
        addresses.append(address)
        beats.append(count * COMMAND_BYTES // config.n)
        done += count
    return np.array(addresses, dtype=np.int64), np.array(beats, dtype=np.int64)


# --- conv and pool ------------------------------------------------------------------------------------


def pixel_offsets(command: Compute) -> Index:
    """Word offset of each output pixel's window, raster order: int64 [out_h * out_w]."""
    rows = np.arange(command.out_h, dtype=np.int64)[:, None] * command.y_step
    columns = np.arange(command.out_w, dtype=np.int64)[None, :] * command.x_step
    return (rows + columns).reshape(-1)


def tap_offsets(command: Compute) -> Index:
    """Word offset of each kernel tap: int64 [kh * kw]."""
    rows = np.arange(command.kh, dtype=np.int64)[:, None] * command.ky_step
    columns = np.arange(command.kw, dtype=np.int64)[None, :] * command.kx_step
    return (rows + columns).reshape(-1)


@lru_cache(maxsize=CACHED)
def conv_reads(command: Conv, config: Config) -> Index:
    """Activation words that one group of a CONV without `window` reads: int64 [pixel, pass], passes in the
    order ky, kx, c."""
    passes = (tap_offsets(command)[:, None] + np.arange(command.cb, dtype=np.int64)).reshape(-1)
    return _shared((command.act_base + pixel_offsets(command)[:, None] + passes) % config.act_words)


@lru_cache(maxsize=CACHED)
def window_reads(command: Conv, config: Config) -> Index:
    """Activation words that a CONV with `window` reads, in order: int64 [groups, in_h, in_w]."""
    groups = np.arange(command.groups, dtype=np.int64)[:, None, None]
    rows = np.arange(command.in_h, dtype=np.int64)[:, None] * command.ky_step
    columns = np.arange(command.in_w, dtype=np.int64) * command.kx_step
    return _shared((command.act_base + groups + rows + columns) % config.act_words)


def conv_tiles(command: Conv) -> list[tuple[int, int, int]]:
    """(group, first pixel, pixel after the last) of every accumulator tile, in the order of work."""
    cuts = range(0, command.pixels, command.tile)
    return [(g, p, min(p + command.tile, command.pixels)) for g in range(command.groups) for p in cuts]


@lru_cache(maxsize=CACHED)
def weight_reads(command: Conv, config: Config) -> Index:
    """Weight words in order of use for one pixel tile: int64 [groups * weight_blocks * n]."""
    count = command.groups * command.weight_blocks * config.n
    return _shared((command.wgt_base + np.arange(count, dtype=np.int64)) % config.wgt_words)


def conv_sums(command: Conv, config: Config, act: Bytes, wgt: Bytes) -> NDArray[np.int32]:
    """Sums of this command alone, before post: int32 [groups, pixels, n], wrapped.

    A tile's accumulators are a slice of it (`conv_tiles`); a command without `clear` adds them to the bank.
    """
    if command.window:
        return _window_sums(command, config, act, wgt)
    n, passes = config.n, command.weight_blocks
    x = act.view(np.int8)[conv_reads(command, config)].reshape(command.pixels, passes * n)
    array = wgt.view(np.int8)[weight_reads(command, config)].reshape(command.groups, passes, n, n)
    w = array.transpose(0, 2, 1, 3).reshape(command.groups * n, passes * n)
    total: NDArray | None = None
    for k in range(0, passes * n, _FLOAT32_TERMS):
        cut = slice(k, k + _FLOAT32_TERMS)
        part = x[:, cut].astype(np.float32) @ w[:, cut].astype(np.float32).T
        total = part if total is None else total + part.astype(np.float64)
    assert total is not None  # a command has at least one pass
    sums = total.astype(np.int64).astype(np.int32)
    return sums.reshape(command.pixels, command.groups, n).transpose(1, 0, 2)


def _window_sums(command: Conv, config: Config, act: Bytes, wgt: Bytes) -> NDArray[np.int32]:
    """conv_sums() of a CONV with `window`: no sum of at most n taps comes near 32 bits."""
    n, groups = config.n, command.groups
    rows, columns = config.window
    x = act.view(np.int8)[window_reads(command, config)].astype(np.int32)
    array = wgt.view(np.int8)[weight_reads(command, config)].reshape(groups, n, n)
    # Byte 0 of a weight word belongs to the newest row and column, the window's last.
    newest = array[:, :, : rows * columns].reshape(groups, n, rows, columns).astype(np.int32)
    sums = np.zeros((groups, command.out_h, command.out_w, n), dtype=np.int32)
    for ky in range(command.kh):
        for kx in range(command.kw):
            down = slice(ky, ky + (command.out_h - 1) * command.y_stride + 1, command.y_stride)
            along = slice(kx, kx + (command.out_w - 1) * command.x_stride + 1, command.x_stride)
            w = newest[:, None, None, :, command.kh - 1 - ky, command.kw - 1 - kx]
            sums += x[:, down, along] * w
    return sums.reshape(groups, command.pixels, n)


@lru_cache(maxsize=CACHED)
def pool_reads(command: Pool, config: Config) -> tuple[Index, NDArray[np.bool_]]:
    """(activation words [cb, pixel, tap], which taps count [pixel, tap])."""
    channels = np.arange(command.cb, dtype=np.int64)[:, None, None]
    window = pixel_offsets(command)[:, None] + tap_offsets(command)
    words = (command.act_base + window + channels) % config.act_words
    y = np.arange(command.out_h)[:, None] * command.y_stride + np.arange(command.kh)
    x = np.arange(command.out_w)[:, None] * command.x_stride + np.arange(command.kw)
    inside_y = (y >= command.y_lo) & (y < command.y_hi)
    inside_x = (x >= command.x_lo) & (x < command.x_hi)
    inside = inside_y[:, None, :, None] & inside_x[None, :, None, :]
    inside = inside.reshape(command.pixels, command.kh * command.kw)
    inside.flags.writeable = False
    return _shared(words), inside


def pool_results(command: Pool, config: Config, act: Bytes) -> NDArray[np.int32]:
    """What pool hands to post: int32 [cb, pixels, n]."""
    words, inside = pool_reads(command, config)
    x = act.view(np.int8)[words].astype(np.int32)
    counts = inside[None, :, :, None]
    if command.kind == PoolKind.MAX:
        return np.where(counts, x, -128).max(axis=2)
    total = np.where(counts, x, 0).sum(axis=2, dtype=np.int32)
    if command.kind == PoolKind.SUM:
        return total
    taps = np.maximum(inside.sum(axis=1), 1)[None, :, None]
    return (np.sign(total) * ((np.abs(total) + taps // 2) // taps)).astype(np.int32)


# --- post ---------------------------------------------------------------------------------------------


def groups_of(command: Compute) -> int:
    """Output-channel blocks of a command."""
    return command.groups if isinstance(command, Conv) else command.cb


@lru_cache(maxsize=CACHED)
def param_reads(command: Compute, config: Config) -> Index:
    """Parameter-buffer words of all records of a command: int64 [groups, 9]."""
    first = command.par_base + PARAM_WORDS * np.arange(groups_of(command), dtype=np.int64)
    return _shared((first[:, None] + np.arange(PARAM_WORDS)) % config.par_words)


def param_records(command: Compute, config: Config, par: Bytes) -> tuple[NDArray, NDArray, NDArray]:
    """(bias int32, multiplier int32, shift int8) of a command's groups, each [groups, n]."""
    raw = np.ascontiguousarray(par[param_reads(command, config)]).reshape(groups_of(command), -1)
    side = 4 * config.n
    bias = np.ascontiguousarray(raw[:, :side]).view("<i4")
    multiplier = np.ascontiguousarray(raw[:, side : 2 * side]).view("<i4")
    return bias, multiplier, np.ascontiguousarray(raw[:, 2 * side :]).view(np.int8)


def post_words(
    command: Compute, config: Config, values: NDArray[np.int32], par: Bytes, table: Bytes, res: Bytes
) -> NDArray[np.int8]:
    """Output words: int8 [groups, pixels, n] for accumulators or pool results of that shape.

    par: uint8 [par_words, n]. table: uint8 [2 * 256 / n, n]. res: uint8 [res_words, n]. Raises ValueError
    where docs/numerics.md defines nothing: a shift outside [-31, 30], act_min above act_max.
    """
    if not command.bypass:
        bias, multiplier, shift = param_records(command, config, par)
        wide = values.astype(np.int64) + bias[:, None, :]
        values = requantize(
            wide.astype(np.int32), multiplier[:, None, :], shift[:, None, :], Rounding(command.rounding)
        )
    out = clamp(values, command.zero_point, command.act_min, command.act_max)
    if command.elem:
        other = res.view(np.int8)[res_addresses(command, config)]
        record, mode = elem_record(command, config, par), Rounding(command.rounding)
        out = element(out, other, Elementwise(command.elem), record, mode)
    if command.table_en:
        first = command.table_sel * TABLE_BYTES
        out = table.reshape(-1)[first : first + TABLE_BYTES].view(np.int8)[out.view(np.uint8)]
    return out


@lru_cache(maxsize=CACHED)
def elem_reads(command: Compute, config: Config) -> Index:
    """Parameter-buffer words of a command's element record: int64 [words]."""
    words = np.arange(config.elem_words, dtype=np.int64)
    return _shared((command.elem_base + words) % config.par_words)


def elem_record(command: Compute, config: Config, par: Bytes) -> Element:
    """The element record of a command."""
    raw = par[elem_reads(command, config)].tobytes()[:RECORD_BYTES]
    small, wide = np.frombuffer(raw[:8], "<i1"), np.frombuffer(raw[8:], "<i4")
    return Element(*small.tolist(), *wide.tolist())


@lru_cache(maxsize=CACHED)
def res_addresses(command: Compute, config: Config) -> Index:
    """Residual-buffer word that meets each output word: int64 [groups, pixels]."""
    pixels = np.arange(command.pixels, dtype=np.int64) * command.res_pitch
    groups = np.arange(groups_of(command), dtype=np.int64)[:, None]
    return _shared((command.res_base + pixels + groups) % config.res_words)


@lru_cache(maxsize=CACHED)
def out_addresses(command: Compute, config: Config) -> Index:
    """Output-buffer word of each output word: int64 [groups, pixels], written in this order."""
    pixels = np.arange(command.pixels, dtype=np.int64) * command.out_pitch
    groups = np.arange(groups_of(command), dtype=np.int64)[:, None]
    return _shared((command.out_base + pixels + groups) % config.out_words)
