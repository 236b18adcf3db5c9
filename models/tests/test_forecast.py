"""The forecast against the reference machine where both know the program, and by hand where only it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.config import Config
from models.forecast import Forecast, cycles_at_most, forecast, words_moved
from models.isa import COMMAND_BYTES, TOKEN_MAX, Cause, Command, Conv, End, Load, Pool, Store, Windows
from models.tests.programs import PROGRAM, SIZE, run
from models.trace import Stop

CONFIG = Config(n=4, act_words=64, wgt_words=64, out_words=64, par_words=16, acc_depth=16, max_burst=8)
POOL = Pool(bypass=True, x_hi=1, y_hi=1)
LIMIT = 10_000


def both(
    commands: Sequence[Command | bytes], windows: Windows | None = None, length: int | None = None
) -> tuple[Forecast, Forecast]:
    """The bounds of a program at PROGRAM."""
    raw = b"".join(c if isinstance(c, bytes) else c.encode() for c in commands)

    def read(address: int) -> bytes | None:
        return raw[address - PROGRAM :][:COMMAND_BYTES] or None

    length = len(commands) if length is None else length
    return forecast(read, PROGRAM, length, CONFIG, windows or Windows(), LIMIT, 100)


@pytest.mark.parametrize("windows", [Windows(), Windows((0, 0x8000), (0x4000, 0x3000)), Windows((0, 0x1000))])
def test_the_machine_s_bursts_and_stop_are_in_both_bounds(windows: Windows) -> None:
    program = [
        Load(run=20, count_y=3, stride_y=0x400, address=0xFC0, signal_compute=True),
        Pool(wait_load=True, signal_store=True, x_step=1, out_w=20, x_hi=20, y_hi=1, x_stride=1, bypass=True),
        Store(wait_compute=True, run=20, address=0x3FF0),
        End(),
    ]
    trace = run(CONFIG, np.zeros(SIZE, np.uint8), program, windows=windows)
    for bound in both(program, windows):
        for axi_id in range(3):
            addresses, beats, commands = bound.streams[axi_id].columns()
            want = [(burst.address, burst.beats, burst.command) for burst in trace.bursts(axi_id)]
            found = zip(addresses.tolist(), beats.tolist(), commands.tolist(), strict=True)
            assert list(found) == want
        assert bound.finished == (trace.stop is None)
        assert bound.stops == ([trace.stop] if trace.stop else [])


def test_what_is_refused_is_the_machine_s_stop() -> None:
    load = Load(run=4)
    programs: list[list[Command | bytes]] = [
        [load, b"\x07" * COMMAND_BYTES, End()],
        [load, Load(run=0), End()],
        [load, load],
    ]
    for commands in programs:
        trace = run(CONFIG, np.zeros(SIZE, np.uint8), commands)
        for bound in both(commands):
            assert bound.stops == [trace.stop] and not bound.finished


def test_tokens_that_never_come_are_named() -> None:
    cases: list[tuple[list[Command], int]] = [
        ([Load(wait_compute=True)], 1 << 8),
        ([Load(wait_store=True), POOL], 1 << 9),
        ([Pool(bypass=True, wait_load=True)], 1 << 10),
        ([Pool(bypass=True, wait_store=True)], 1 << 11),
        ([Store(wait_compute=True)], 1 << 12),
    ]
    for commands, waits in cases:
        for bound in both([*commands, End()]):
            assert not bound.finished and not bound.stops and bound.waits == waits, commands


def test_a_bad_command_behind_a_full_queue_is_never_seen() -> None:
    stuck = [Load(wait_compute=True)] * 9
    for bound in both([*stuck[:8], b"\x07" * COMMAND_BYTES]):
        assert [stop.cause for stop in bound.stops] == [Cause.BAD_OPCODE]
    for bound in both([*stuck, b"\x07" * COMMAND_BYTES]):
        assert not bound.stops


def test_the_bounds_differ_where_it_depends_on_time() -> None:
    """Compute reads ahead of post: whether the load behind its token runs is a matter of depth."""
    waiting = Pool(bypass=True, x_hi=1, y_hi=1, wait_store=True)
    strict, loose = both([waiting, Pool(bypass=True, signal_load=True), Load(wait_compute=True), End()])
    assert not len(strict.streams[1].columns()[0]) and len(loose.streams[1].columns()[0])
    full = [Load(signal_compute=True)] * (TOKEN_MAX + 1)
    strict, loose = both([*full, End()])
    assert not strict.finished and loose.finished


def test_an_endless_command_ends_the_strict_bound_only() -> None:
    endless = Load(run=65535, count_x=65535, count_y=65535, stride_x=4)
    strict, loose = both([endless, Load(), End()])
    assert strict.long and not strict.finished and loose.long
    assert strict.streams[1].columns()[1].sum() >= LIMIT
    assert words_moved(endless) == 65535**3
    away = Load(run=65535, count_x=65535, count_y=65535, stride_x=4, address=0xFFFFFF00)
    bounds = both([away, End()], Windows((0x8000, 0xFFFFF000)))
    assert bounds[0].stops == [Stop(Cause.READ_WINDOW, 0, 1, 0)]


def test_commands_that_never_begin_are_fetched_all_the_same() -> None:
    """From a late memory that alone took the hostile program 11268 of seed 2026 longer than it was given."""
    assert cycles_at_most([], CONFIG, 9046, fetches=7) == cycles_at_most([], CONFIG, 9046) + 7 * 9046


def test_more_work_takes_more_cycles() -> None:
    few = cycles_at_most([Load(run=4), POOL], CONFIG, 10)
    many = cycles_at_most([Load(run=4), POOL, Conv(clear=True, drain=True, groups=3)], CONFIG, 10)
    assert 4 < few < many < cycles_at_most([Load(run=4), POOL, Conv(groups=3)], CONFIG, 100)
