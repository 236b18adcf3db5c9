"""How the reference machine reads a program, and how a program ends: errors, windows, tokens, counters."""

from __future__ import annotations

import numpy as np
import pytest

from models.config import Config
from models.isa import COMMAND_BYTES, Cause, Command, Conv, Dest, End, Load, Pool, Store, Windows
from models.machine import DeadlockError
from models.tests.programs import CONFIG, PROGRAM, SIZE, WIDE, run
from models.trace import Stop


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
