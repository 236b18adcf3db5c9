"""What the chip says of its time: counters, account, stamps, and the bench's log of its units."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from models.blocks import groups_of
from models.isa import COMMAND_BYTES, TOKEN_MAX, Cause, Compute, Conv, Dest, End, Load, Pool, PoolKind, Store
from tb.chip import host
from tb.chip.activity import UNIT_RECORD, UNITS_LOG
from tb.chip.env import LIMIT, Chip
from tb.chip.host import COUNTER_NAMES
from tb.chip.session import check


@cocotb.test()
async def chip_counts_a_wait_where_it_happens(dut: Any) -> None:
    """Commands that wait for ever: the category of the account, or load's or store's own counter, that says
    so; everything else stands still."""
    chip = await Chip.open(dut)
    limit, few = 2000, 100
    chip.pace(latency=2)
    pool = Pool(bypass=True, x_hi=1, y_hi=1)
    conv = Conv(out_w=4, clear=True, drain=True, wait_store=True)  # a pixel a tile: two banks, then none
    full = TOKEN_MAX + 1
    for commands, waits, where in (
        ([Load(wait_compute=True)], {"fill", "load_wait"}, "compute_load empty"),
        ([Load(wait_store=True)], {"fill", "load_wait"}, "store_load empty"),
        ([Load(wait_compute=True), replace(pool, wait_load=True)], {"fill", "load_wait"}, ""),
        ([Store(wait_compute=True)], {"fill", "store_wait"}, "compute_store empty"),
        ([replace(pool, wait_load=True)], {"load"}, "load_compute empty"),
        ([replace(pool, wait_store=True)], {"store"}, "store_compute empty"),
        ([conv], {"store"}, ""),
        # The array, or pool, has words to read that post has no room for.
        ([conv, replace(pool, wait_load=True)], {"store"}, ""),
        ([replace(pool, out_w=9, wait_store=True), replace(pool, wait_load=True)], {"store"}, ""),
        ([replace(pool, signal_load=True)] * full, {"token"}, "compute_load full"),
        ([replace(pool, signal_store=True)] * full, {"token"}, "compute_store full"),
        ([Load(signal_compute=True)] * full, {"fill"}, "load_compute full"),
        ([Store(signal_compute=True)] * full, {"drain"}, "store_compute full"),
        ([Store(signal_load=True)] * full, {"drain"}, "store_load full"),
        # Post waits with what conv has handed it; the array needs data for anything more.
        ([replace(conv, out_w=1), replace(pool, wait_load=True)], {"load"}, ""),
    ):
        image = np.zeros(0x2000, np.uint8)
        raw = b"".join(command.encode() for command in (*commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        await chip.host.write(host.WATCHDOG, limit)
        record = await chip.host.run(0, len(commands) + 1, 20 * limit)
        assert record is not None and record.cause == Cause.WATCHDOG, f"{commands[-1]}: {record}"
        counters = await chip.host.counters()
        names = {*host.ACCOUNT, "load_wait", "store_wait"}
        found = {name for name in names if counters[name] >= limit}
        assert found == waits, f"{commands[-1]}: {counters}"
        # Sixty-four commands take their time to be read and done: drain and fill have their share.
        rest = {"load", "weights", "store", "token", "load_wait", "store_wait"} - waits
        assert all(counters[name] < few for name in rest), f"{commands[-1]}: {counters}"
        if where:
            chip.saw(**dict(zip(("channel", "queue"), where.split(), strict=True)))
        chip.spent(counters)
        await chip.session.traffic()
    await chip.host.write(host.WATCHDOG, 0x100000)


@cocotb.test()
async def chip_accounts_for_what_a_program_is_made_to_wait_for(dut: Any) -> None:
    """Programs whose time can be told beforehand: a pass of one pixel, a long load, a long store."""
    chip = await Chip.open(dut)
    n = chip.session.config.n
    taps, words, latency = 16, 16, 100
    chip.pace(latency)
    fed = Load(dest=Dest.ACT, address=0x2000, run=words, signal_compute=True)
    record = Load(dest=Dest.PAR, address=0x5000, run=9)  # zeros: any shift would not do
    blocks = Load(dest=Dest.WGT, address=0x2000, run=taps * n)
    pool = Pool(x_hi=1, y_hi=1, bypass=True, wait_load=True, signal_store=True)
    conv = Conv(cb=taps, clear=True, drain=True, wait_load=True, signal_store=True)
    again = replace(fed, wait_compute=True, signal_compute=False)
    gone = Store(address=0x4000, wait_compute=True)
    line = replace(pool, out_w=words, x_step=1, x_stride=1, x_hi=words)
    average = replace(line, kind=PoolKind.AVERAGE, signal_load=True, signal_store=False)
    # The data are on their way while the command that waits for them is read.
    waits = latency + words - COMMAND_BYTES // n - 10
    for commands, least in (
        # Of a pass of one pixel and n weights, n - 1 cycles have no pixel.
        ([record, blocks, fed, conv, gone], {"busy": taps, "weights": (taps - 1) * (n - 1)}),
        ([fed, pool, gone], {"pool": 1, "load": waits, "drain": latency}),
        (
            [fed, line, replace(gone, run=words)],
            {"pool": words, "load": waits, "drain": latency + words},
        ),
        # Load has a command that it cannot begin, but is what is waited for: its data are under way.
        (
            [fed, again, replace(pool, signal_load=True), gone],
            {"pool": 1, "load": waits - COMMAND_BYTES // n},
        ),
        # Post has no end of dividing, and there is nothing to store.
        ([fed, average, again], {"pool": words, "load": waits, "drain": 8 * words}),
    ):
        image = chip.rng.integers(0, 256, 0x6000).astype(np.uint8)
        image[0x5000:] = 0
        raw = b"".join(command.encode() for command in (*commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        outcome = await chip.session.run(0, len(commands) + 1, LIMIT)
        counters = outcome.counters
        check(outcome, chip.session)
        for name, cycles in least.items():
            most = cycles if name in ("busy", "pool") else cycles + 2 * n + 30
            assert cycles <= counters[name] <= most, f"{name}: not {cycles} to {most}: {counters}"
        # The program and the first data are read before anything else can be known to wait.
        assert counters["fill"] >= latency and counters["store"] == counters["token"] == 0, f"{counters}"


@cocotb.test()
async def chip_keeps_every_stamp(dut: Any) -> None:
    """A stamp from every command of three engines that run without tokens: each in its engine's order, and
    each with an account that adds up. The second program numbers the layers backwards, so that a stamp of the
    first shows where one of the second is lost."""
    chip = await Chip.open(dut)
    per_engine = 80
    pool = Pool(bypass=True, x_hi=1, y_hi=1, out_base=8)
    first = (
        Load(dest=Dest.ACT, address=0x6000, run=4, signal_compute=True),
        replace(pool, out_base=0, wait_load=True, signal_store=True),
        Store(address=0x7000, wait_compute=True),
    )
    for step in (1, -1):
        kinds = [kind for kind in range(3) for _ in range(per_engine)]
        chip.rng.shuffle(kinds)
        free = [list(range(k * per_engine, (k + 1) * per_engine))[::step] for k in range(3)]
        layers = [list(part) for part in free]
        what = (Load(dest=Dest.ACT, address=0x6000, buffer=16), pool, Store(address=0x7000))
        commands = [replace(what[kind], stamp=True, layer=free[kind].pop(0)) for kind in kinds]
        image = chip.rng.integers(0, 256, 0x8000).astype(np.uint8)
        raw = b"".join(command.encode() for command in (*first, *commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        chip.pace(int(chip.rng.choice([2, 30])), int(chip.rng.choice([0, 60])))
        outcome = await chip.session.run(0, len(first) + len(commands) + 1, LIMIT)
        check(outcome, chip.session)
        stamps = await chip.host.stamps(3 * per_engine)
        for part in layers:
            ends = [0, *(stamps[layer]["cycles"] for layer in part), outcome.counters["cycles"]]
            assert all(a < b for a, b in pairwise(ends)), f"a stamp is not of this program: {ends}"


@cocotb.test()
async def chip_logs_what_its_units_do(dut: Any) -> None:
    """Windows end where they should; the last record is what the registers say, post wrote what it had to."""
    chip = await Chip.open(dut)
    log, window = Path(UNITS_LOG), 64
    for _ in range(max(2, chip.repeats)):
        image = await chip.prepare()
        before = log.stat().st_size
        dut.sample.value = window
        outcome = await chip.run(image)
        dut.sample.value = 0
        with log.open("rb") as file:
            file.seek(before)
            records = np.frombuffer(file.read(), UNIT_RECORD)
        assert records["cycles"][:-1].tolist() == list(range(0, outcome.counters["cycles"], window))
        last = {name: int(records[name][-1]) for name in COUNTER_NAMES}
        assert last == outcome.counters, f"{last}, not {outcome.counters}"
        drained = [c for c in outcome.trace.commands if isinstance(c, Pool) or getattr(c, "drain", False)]
        words = sum(groups_of(c) * c.pixels for c in drained if isinstance(c, Compute))
        assert records["post_words"][-1] == words
        # The account gives a wait of post only to cycles that nothing nearer to the array explains.
        assert outcome.counters["store"] <= records["post_waits"][-1] <= outcome.counters["cycles"]
        assert records["layers"][-1] == len(image.compiled.layers)
        assert np.all(np.diff(records["memory_cycle"].astype(int)) == np.diff(records["cycles"].astype(int)))
    size = log.stat().st_size
    await chip.good_program()
    assert log.stat().st_size == size, "logged although nobody asked for it"
