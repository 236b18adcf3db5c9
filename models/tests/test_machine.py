"""The reference machine: what commands do, word by word, against loops written from docs/architecture.md."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from models import blocks
from models.conv import conv2d
from models.isa import (
    COMMAND_BYTES,
    Cause,
    Command,
    Config,
    Conv,
    Dest,
    End,
    Load,
    Pool,
    PoolKind,
    Store,
    Windows,
)
from models.machine import DeadlockError, Stop, UndefinedError
from models.quantize import Rounding, requantize
from models.tests.litert import SEED
from models.tests.programs import PROGRAM, SIZE, image, run

CONFIG = Config(n=4, act_words=64, wgt_words=64, out_words=32, par_words=64, acc_depth=8, max_burst=8)
WIDE = Config(n=16, act_words=256, wgt_words=256, out_words=256, par_words=64, acc_depth=64, max_burst=16)

RES = np.zeros((CONFIG.res_words, CONFIG.n), np.uint8)


def generator(name: str) -> np.random.Generator:
    return np.random.default_rng([SEED, *name.encode()])


# --- load and store -----------------------------------------------------------------------------------


def naive_window(command: Load | Store, n: int, max_burst: int) -> tuple[list[tuple[int, int]], list[int]]:
    """(bursts as (address, beats), word addresses), one word at a time."""
    bursts, words = [], []
    for y in range(command.count_y):
        for x in range(command.count_x):
            address, left = command.address + y * command.stride_y + x * command.stride_x, command.run
            while left:
                beats = 1
                while beats < min(left, max_burst) and (address + beats * n) % 4096:
                    beats += 1
                bursts.append((address, beats))
                words += [address + i * n for i in range(beats)]
                address, left = address + beats * n, left - beats
    return bursts, words


@pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["n4", "n16"])
def test_window_bursts_and_words(config: Config) -> None:
    rng, n = generator("window"), config.n
    crossings = 0
    for _ in range(150):
        command = Load(
            address=4096 - int(rng.integers(0, 80)) * n,
            run=int(rng.integers(1, 60)),
            count_x=int(rng.integers(1, 4)),
            count_y=int(rng.integers(1, 4)),
            stride_x=int(rng.integers(0, 100)) * n,
            stride_y=int(rng.integers(0, 300)) * n,
        )
        bursts, words = naive_window(command, n, config.max_burst)
        addresses, beats = blocks.window_bursts(command, config)
        assert list(zip(addresses.tolist(), beats.tolist(), strict=True)) == bursts
        assert (blocks.window_words(command, config) * n).tolist() == words
        crossings += any((a + b * n) % 4096 == 0 for a, b in bursts)
    assert crossings > 10


@pytest.mark.parametrize("seed", range(10))
def test_load_pads_and_wraps_and_store_scatters(seed: int) -> None:
    """A LOAD with a border, copied through a 1 x 1 maximum, stored with strides."""
    rng, n = generator(f"copy{seed}"), CONFIG.n
    dram = image(rng)
    load = Load(
        signal_compute=True, address=int(rng.integers(0, 500)) * n, buffer=int(rng.integers(0, 64)),
        run=int(rng.integers(1, 4)), count_x=int(rng.integers(1, 3)), count_y=int(rng.integers(1, 3)),
        stride_x=int(rng.integers(4, 40)) * n, stride_y=int(rng.integers(4, 40)) * n,
        pad_top=int(rng.integers(0, 2)), pad_bottom=int(rng.integers(0, 2)),
        pad_left=int(rng.integers(0, 2)), pad_right=int(rng.integers(0, 2)), pad_value=-77,
    )  # fmt: skip
    expected = []
    blank = np.full(n, -77, dtype=np.int8)
    row = load.pad_left + load.count_x * load.run + load.pad_right
    expected += [blank] * row * load.pad_top
    for y in range(load.count_y):
        expected += [blank] * load.pad_left
        for x in range(load.count_x):
            for i in range(load.run):
                at = load.address + y * load.stride_y + x * load.stride_x + i * n
                expected.append(dram[at : at + n].view(np.int8).copy())
        expected += [blank] * load.pad_right
    expected += [blank] * row * load.pad_bottom
    count = len(expected)
    assert count == blocks.load_size(load)
    pool = Pool(
        wait_load=True, signal_store=True, act_base=load.buffer, x_step=1, out_w=count, out_base=20,
        x_stride=1, x_hi=count, y_hi=1, bypass=True,
    )  # fmt: skip
    store = Store(wait_compute=True, address=0x4000, buffer=20, run=1, count_x=count, stride_x=8 * n)
    trace = run(CONFIG, dram, [load, pool, store, End()])
    assert trace.stop is None
    for i, word in enumerate(expected):
        at = 0x4000 + 8 * n * i
        assert np.array_equal(dram[at : at + n].view(np.int8), word)
    bursts = list(trace.bursts(2))
    assert [b.address for b in bursts] == [0x4000 + 8 * n * i for i in range(count)]
    assert b"".join(b.data for b in bursts) == np.stack(expected).tobytes()
    assert all(b.beats == 1 and b.direction == "write" and b.command == 2 for b in bursts)


# --- conv, pool, post ---------------------------------------------------------------------------------


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


# --- fetch and stopping -------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["n4", "n16"])
def test_fetch_reads_four_commands_but_never_across_a_page_or_the_end(config: Config) -> None:
    dram = np.zeros(SIZE, dtype=np.uint8)
    commands = [Load(run=1) for _ in range(9)] + [End()]
    trace = run(config, dram, commands, base=0x8F40)
    beats = COMMAND_BYTES // config.n
    assert [(b.address, b.beats // beats) for b in trace.bursts(0)] == [
        (0x8F40, 3),
        (0x9000, 4),
        (0x9100, 3),
    ]
    raw = b"".join(command.encode() for command in commands)
    assert b"".join(b.data for b in trace.bursts(0)) == raw


def test_stops_name_cause_address_and_command() -> None:
    load = Load(run=4)
    cases: list[tuple[list[Command | bytes], Stop]] = [
        ([load, load, b"\x07" * COMMAND_BYTES, End()], Stop(Cause.BAD_OPCODE, PROGRAM + 128, 0, 2)),
        ([load, Load(run=0), End()], Stop(Cause.BAD_FIELD, PROGRAM + 64, 0, 1)),
        ([load, load, load], Stop(Cause.OVERRUN, PROGRAM + 192, 0, 3)),
        ([load, Load(run=20, address=SIZE - 40), End()], Stop(Cause.READ_DECERR, SIZE, 1, 1)),
    ]
    for commands, stop in cases:
        assert run(CONFIG, np.zeros(SIZE, dtype=np.uint8), commands).stop == stop


def test_a_burst_outside_its_window_ends_its_engine() -> None:
    """The bursts before it stay, none of its engine follows, no token comes of it."""
    crossing = Load(run=2, count_x=3, stride_x=0x800, address=0xF00, signal_compute=True)
    program = [
        Load(run=20),
        crossing,
        Load(run=1, buffer=100),
        Pool(wait_load=True, signal_store=True, x_hi=1, y_hi=1, bypass=True),
        Store(wait_compute=True, address=0x4000),
        End(),
    ]
    near = Windows(read=(0, 0), write=(0, 0))
    trace = run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program, base=0x200, windows=near)
    assert trace.stop == Stop(Cause.READ_WINDOW, crossing.address + 0x800, 1, 1)
    assert [burst.command for burst in trace.bursts(1)][-1] == 1
    assert [b.address for b in trace.bursts(1) if b.command == 1] == [crossing.address]
    assert not list(trace.bursts(2)) and 3 not in trace.executed
    far = Windows(read=(0, 0x10000), write=(0x5000, 0x4000))
    trace = run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program, base=0x200, windows=far)
    assert trace.stop == Stop(Cause.WRITE_WINDOW, 0x4000, 2, 4)
    trace = run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program, windows=near)
    assert trace.stop == Stop(Cause.READ_WINDOW, PROGRAM, 0, 0) and not trace.commands


def test_axi_errors_stop_with_the_burst_that_failed() -> None:
    dram = np.zeros(SIZE, dtype=np.uint8)
    program = [
        Load(run=20, signal_compute=True),
        Pool(wait_load=True, signal_store=True, x_step=1, out_w=20, x_hi=20, y_hi=1, x_stride=1, bypass=True),
        Store(wait_compute=True, run=20, address=0x4000),
        End(),
    ]
    cases = {
        ("read", 32): Stop(Cause.READ_SLVERR, 32, 1, 0),
        ("write", 0x4040): Stop(Cause.WRITE_DECERR, 0x4040, 2, 2),
        ("read", PROGRAM): Stop(Cause.READ_SLVERR, PROGRAM, 0, 0),
    }
    for where, stop in cases.items():
        trace = run(CONFIG, dram, program, faults={where: stop.cause})
        assert trace.stop == stop
    # The first in the program is kept.
    both = {("write", 0x4000): Cause.WRITE_SLVERR, ("read", 64): Cause.READ_DECERR}
    assert run(CONFIG, dram, program, faults=both).stop == Stop(Cause.READ_DECERR, 64, 1, 0)
    assert run(CONFIG, dram, program).stop is None


def test_missing_token_is_a_deadlock_and_says_who_waits_for_whom() -> None:
    program = [Load(run=1), Load(run=1, wait_compute=True), Store(wait_compute=True), End()]
    with pytest.raises(DeadlockError) as caught:
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program)
    assert str(caught.value) == (
        "command 1 (LOAD, load) waits for a token from compute; "
        "command 2 (STORE, store) waits for a token from compute"
    )


def test_a_token_queue_holds_63() -> None:
    dram = np.zeros(SIZE, dtype=np.uint8)
    assert run(CONFIG, dram, [Load(signal_compute=True)] * 63 + [End()]).stop is None
    with pytest.raises(DeadlockError, match="command 63 .* no room for its token to compute"):
        run(CONFIG, dram, [Load(signal_compute=True)] * 64 + [End()])


def test_a_token_of_a_later_command_is_waited_for() -> None:
    """Legal, but it needs queues deep enough: the trace says so."""
    dram = np.zeros(SIZE, dtype=np.uint8)
    pool = Pool(wait_load=True, bypass=True, x_hi=1, y_hi=1)
    late = run(CONFIG, dram, [pool, Load(signal_compute=True), End()])
    assert late.executed == [1, 0] and not late.in_program_order
    assert run(CONFIG, dram, [Load(signal_compute=True), pool, End()]).in_program_order


def test_counters_add_up() -> None:
    dram = np.zeros(SIZE, dtype=np.uint8)
    trace = run(
        CONFIG,
        dram,
        [
            Load(run=12, signal_compute=True),
            Load(dest=Dest.WGT, run=8),
            Load(dest=Dest.PAR, run=18, signal_compute=True),
            Pool(wait_load=True, cb=2, kw=3, x_step=2, kx_step=2, out_w=2, x_hi=9, y_hi=1, bypass=True),
            Conv(wait_load=True, signal_store=True, out_w=3, tile=3, cb=2, clear=True, drain=True, x_step=2),
            Store(wait_compute=True, run=3, address=0x4000),
            End(),
        ],
    )
    assert trace.counters() == {
        "busy": 6,
        "pool": 12,
        "read_bytes": 7 * 64 + (12 + 8 + 18) * 4,
        "write_bytes": 12,
        "read_bursts": 2 + 2 + 1 + 3,
        "write_bursts": 1,
    }
