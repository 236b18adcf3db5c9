"""The reference machine's CONV, POOL and post, against loops written from docs/architecture.md."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from models import blocks
from models.config import Config
from models.conv import conv2d
from models.isa import Conv, Dest, End, Load, Pool, PoolKind, Store
from models.quantize import Rounding, requantize
from models.races import UndefinedError
from models.tests.litert import generator
from models.tests.programs import CONFIG, SIZE, WIDE, image, run

RES = np.zeros((CONFIG.res_words, CONFIG.n), np.uint8)


def naive_conv(c: Conv, config: Config, act: np.ndarray, wgt: np.ndarray) -> dict[int, list[int]]:
    """Sums by (pixel * groups + group), from the formulas of the architecture, with unlimited integers."""
    n, sums = config.n, {}
    block = c.wgt_base
    for g in range(c.groups):
        first = block
        for oy in range(c.out_h):
            for ox in range(c.out_w):
                total, block = [0] * n, first
                for ky in range(c.kh):
                    for kx in range(c.kw):
                        for cb in range(c.cb):
                            at = c.act_base + oy * c.y_step + ox * c.x_step + ky * c.ky_step + kx * c.kx_step
                            x = act[(at + cb) % config.act_words].view(np.int8).astype(int)
                            for j in range(n):
                                w = wgt[(block + j) % config.wgt_words].view(np.int8).astype(int)
                                total[j] += int((x * w).sum())
                            block += n
                sums[(oy * c.out_w + ox) * c.groups + g] = total
    return sums


def test_conv_sums_follow_the_address_rule() -> None:
    rng = generator("conv")
    for _ in range(25):
        act = rng.integers(0, 256, (64, 4)).astype(np.uint8)
        wgt = rng.integers(0, 256, (64, 4)).astype(np.uint8)
        counts = ("kw", "kh", "cb", "out_w", "out_h", "groups")
        values: dict[str, Any] = {name: int(rng.integers(1, 4)) for name in counts}
        steps = ("x_step", "y_step", "kx_step", "ky_step", "act_base", "wgt_base")
        values |= {name: int(rng.integers(0, 70)) for name in steps}
        command = Conv(**values, tile=8, clear=True, drain=True)
        sums = blocks.conv_sums(command, CONFIG, act, wgt)
        for key, total in naive_conv(command, CONFIG, act, wgt).items():
            assert sums[key % command.groups, key // command.groups].tolist() == total


@pytest.mark.parametrize("n", (4, 8, 16, 32))
def test_windows_are_a_depthwise_convolution(n: int) -> None:
    """Every kernel that fits, strides, block by block: models/conv.py, whose weights lie tap by tap."""
    rng = generator(f"windows{n}")
    config = Config(n=n, act_words=1024, wgt_words=128)
    rows, columns = config.window
    for kh, kw in [(kh, kw) for kh in range(1, rows + 1) for kw in range(2, columns + 1)]:
        groups, out_h, out_w = (int(size) for size in rng.integers(1, 4, 3))
        y_stride, x_stride = (int(step) for step in rng.integers(1, 4, 2))
        command = Conv(
            window=True, clear=True, drain=True, kw=kw, kh=kh, x_stride=x_stride, y_stride=y_stride,
            out_w=out_w, out_h=out_h, groups=groups, act_base=1000, wgt_base=100, tile=8,
            kx_step=groups, ky_step=groups * ((out_w - 1) * x_stride + kw),
        )  # fmt: skip
        command.check(config)
        assert columns * rows <= n and command.in_w == (out_w - 1) * x_stride + kw
        x = rng.integers(-128, 128, (command.in_h, command.in_w, groups * n)).astype(np.int8)
        w = rng.integers(-128, 128, (groups * n, kh, kw, 1)).astype(np.int8)
        act = rng.integers(0, 256, (1024, n)).astype(np.uint8)
        wgt = rng.integers(0, 256, (128, n)).astype(np.uint8)
        flat = x.view(np.uint8).reshape(-1, n)
        act[(1000 + np.arange(len(flat))) % 1024] = flat
        for channel in range(groups * n):
            for ky in range(kh):
                for kx in range(kw):
                    # The newest row and column, the window's last, has byte 0.
                    byte = (kh - 1 - ky) * columns + kw - 1 - kx
                    wgt[(100 + channel) % 128, byte] = w[channel, ky, kx, 0].view(np.uint8)
        sums = blocks.conv_sums(command, config, act, wgt)
        bias = np.zeros(groups * n, np.int32)
        expected = conv2d(x, w, bias, stride=(y_stride, x_stride), groups=groups * n)
        assert np.array_equal(sums.transpose(1, 0, 2).reshape(expected.shape), expected)


def test_windows_run_as_a_program_and_count_their_words() -> None:
    """Padding by LOAD, two channel blocks, two tiles: DRAM to DRAM, and every word read once per block."""
    rng, config = generator("window program"), WIDE
    n, size, groups = config.n, 9, 2
    dram = image(rng)
    x = rng.integers(-128, 128, (size, size, groups * n)).astype(np.int8)
    w = rng.integers(-128, 128, (groups * n, 3, 3, 1)).astype(np.int8)
    wgt = np.zeros((groups * n, n), np.int8)
    for ky in range(3):
        for kx in range(3):
            wgt[:, (2 - ky) * 5 + 2 - kx] = w[:, ky, kx, 0]
    dram[: x.size] = x.reshape(-1).view(np.uint8)
    dram[0x4000 : 0x4000 + wgt.size] = wgt.reshape(-1).view(np.uint8)
    row = (size + 2) * groups
    commands = [
        Load(
            address=0, run=size * groups, count_y=size, stride_y=size * groups * n, pad_top=1, pad_bottom=1,
            pad_left=groups, pad_right=groups, pad_value=-7,
        ),
        Load(address=0x4000, dest=Dest.WGT, run=groups * n, signal_compute=True),
        Conv(
            wait_load=True, signal_store=True, window=True, clear=True, drain=True, kw=3, kh=3, bypass=True,
            kx_step=groups, ky_step=row, x_stride=2, y_stride=1, out_w=5, out_h=9, groups=groups, tile=32,
            out_pitch=groups,
        ),
        Store(wait_compute=True, address=0x5000, run=45 * groups),
        End(),
    ]  # fmt: skip
    config = dataclasses.replace(config, line_words=16)
    trace = run(config, dram, commands)
    assert trace.stop is None
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=-7)
    sums = conv2d(padded, w, np.zeros(groups * n, np.int32), stride=(1, 2), groups=groups * n)
    expected = sums.clip(-128, 127).astype(np.int8).tobytes()
    assert dram[0x5000 : 0x5000 + len(expected)].tobytes() == expected
    assert trace.counters()["busy"] == groups * 11 * 11


def test_conv_sums_wrap_like_32_bit_accumulators() -> None:
    """255 x 255 taps of 4 channels at -128 x -128 are 4.26e9, beyond 2^32."""
    act = np.full((64, 4), 128, dtype=np.uint8)
    command = Conv(kw=255, kh=255, clear=True, drain=True)
    sums = blocks.conv_sums(command, CONFIG, act, act)
    exact = 255 * 255 * 4 * 128 * 128
    assert exact > 2**31
    assert set(sums.reshape(-1).tolist()) == {(exact + 2**31) % 2**32 - 2**31}


def test_conv_tiles_cut_the_pixels_in_raster_order() -> None:
    command = Conv(out_w=5, out_h=3, groups=2, tile=4)
    cuts = [(0, 4), (4, 8), (8, 12), (12, 15)]
    assert blocks.conv_tiles(command) == [(g, a, b) for g in (0, 1) for a, b in cuts]


@pytest.mark.parametrize("kind", list(PoolKind))
def test_pool_counts_only_taps_inside(kind: PoolKind) -> None:
    rng = generator(f"pool{kind}")
    empty = 0
    for _ in range(40):
        act = rng.integers(0, 256, (64, 4)).astype(np.uint8)
        counts = ("kw", "kh", "cb", "out_w", "out_h")
        values: dict[str, Any] = {name: int(rng.integers(1, 4)) for name in counts}
        values |= {name: int(rng.integers(0, 30)) for name in ("x_step", "y_step", "kx_step", "ky_step")}
        values |= {name: int(rng.integers(1, 3)) for name in ("x_stride", "y_stride")}
        values |= {name: int(rng.integers(0, 7)) for name in ("x_lo", "x_hi", "y_lo", "y_hi")}
        c = Pool(kind=kind, act_base=int(rng.integers(0, 64)), **values)
        results = blocks.pool_results(c, CONFIG, act)
        for block in range(c.cb):
            for oy in range(c.out_h):
                for ox in range(c.out_w):
                    taps = [
                        act[
                            (
                                c.act_base
                                + oy * c.y_step
                                + ox * c.x_step
                                + ky * c.ky_step
                                + kx * c.kx_step
                                + block
                            )
                            % 64
                        ].view(np.int8)
                        for ky in range(c.kh)
                        for kx in range(c.kw)
                        if c.x_lo <= ox * c.x_stride + kx < c.x_hi and c.y_lo <= oy * c.y_stride + ky < c.y_hi
                    ]
                    empty += not taps
                    for channel in range(4):
                        seen = [int(tap[channel]) for tap in taps]
                        if kind == PoolKind.MAX:
                            expected = max(seen, default=-128)
                        elif kind == PoolKind.SUM:
                            expected = sum(seen)
                        else:
                            exact = abs(sum(seen)) / max(len(seen), 1)
                            expected = int(exact + 0.5) * (1 if sum(seen) >= 0 else -1)
                        assert results[block, oy * c.out_w + ox, channel] == expected
    assert empty > 0


def test_post_applies_record_clamp_and_table_of_its_group() -> None:
    rng, n = generator("post"), CONFIG.n
    par = rng.integers(0, 256, (64, n)).astype(np.uint8)
    base = 60  # the records wrap
    for group in range(2):
        par[(base + 9 * group + 8) % 64] = rng.integers(-10, 1, n).astype(np.int8).view(np.uint8)
    table = rng.integers(0, 256, (128, n)).astype(np.uint8)
    values = rng.integers(-(2**20), 2**20, (2, 5, n)).astype(np.int32)
    command = Conv(
        groups=2, out_w=5, tile=5, clear=True, drain=True, par_base=base, zero_point=-3, act_min=-100,
        act_max=90, table_en=True, table_sel=1,
    )  # fmt: skip
    out = blocks.post_words(command, CONFIG, values, par, table, RES)
    for group in range(2):
        record = [par[(base + 9 * group + i) % 64] for i in range(9)]
        bias = np.concatenate(record[:4]).view("<i4").astype(np.int64)
        multiplier = np.concatenate(record[4:8]).view("<i4")
        acc = (values[group].astype(np.int64) + bias).astype(np.int32)
        scaled = requantize(acc, multiplier, record[8].view(np.int8), Rounding.DOUBLE).astype(np.int64)
        level = np.clip(scaled - 3, -100, 90).astype(np.int8)
        expected = table.reshape(-1)[256 + level.view(np.uint8).astype(int)].view(np.int8)
        assert np.array_equal(out[group], expected)


def test_sums_stay_in_the_bank_until_drained() -> None:
    """One reduction in three commands equals one command."""
    rng, n = generator("bank"), CONFIG.n
    dram = image(rng)
    common: dict[str, Any] = {"out_w": 4, "x_step": 3, "tile": 4}
    setup = [
        Load(address=0, dest=Dest.ACT, run=12),
        Load(address=0x400, dest=Dest.WGT, run=3 * n),
        Load(address=0x800, dest=Dest.PAR, run=9, signal_compute=True),
    ]
    record = np.concatenate([np.zeros(4, "<i4"), np.full(4, 2**30, "<i4")]).view(np.uint8)
    dram[0x800 : 0x800 + 32] = record
    dram[0x800 + 32 : 0x800 + 36] = np.full(4, -9, dtype=np.int8).view(np.uint8)
    one = Conv(wait_load=True, signal_store=True, cb=3, clear=True, drain=True, **common)
    parts = [
        Conv(wait_load=True, cb=1, clear=True, **common),
        Conv(cb=1, act_base=1, wgt_base=n, **common),
        Conv(signal_store=True, cb=1, act_base=2, wgt_base=2 * n, drain=True, **common),
    ]
    store = Store(wait_compute=True, address=0x4000, run=4)
    results = []
    for program in ([*setup, one, store, End()], [*setup, *parts, store, End()]):
        copy = dram.copy()
        assert run(CONFIG, copy, program).stop is None
        results.append(copy[0x4000 : 0x4000 + 4 * n])
    assert np.array_equal(results[0], results[1]) and len(set(results[0].tolist())) > 5


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([{"drain": True}], "that no CONV"),
        ([{"clear": True}, {"clear": True, "drain": True}], "drops the sums"),
        ([{"clear": True}, {"drain": True, "out_w": 2, "tile": 2}], "of the same size"),
    ],
)
def test_sums_that_do_not_belong_together_are_refused(parts: list[dict], text: str) -> None:
    setup = [Load(run=8), Load(dest=Dest.WGT, run=8), Load(dest=Dest.PAR, run=9, signal_compute=True)]
    commands = [Conv(wait_load=not i, **part) for i, part in enumerate(parts)]
    with pytest.raises(UndefinedError, match=text):
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), [*setup, *commands, End()])
