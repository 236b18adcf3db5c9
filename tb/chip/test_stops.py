"""Programs of the chip that do not reach their end: errors, stops, resets, and a good program after each."""

from __future__ import annotations

import itertools
import random
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from models.isa import COMMAND_BYTES, ID_FETCH, ID_LOAD, ID_STORE, PAGE, Cause, Load, Windows
from tb.bench import fewer, seed
from tb.chip import host
from tb.chip.env import LIMIT, Chip
from tb.chip.host import PERIOD_NS, HostError
from tb.chip.score import ProgramScore, expected_columns

NEVER = 2**32 - 1


@cocotb.test()
async def chip_stops_on_any_failed_burst(dut: Any) -> None:
    """The n-th read or write fails: address, ID and command are recorded, the next program is right."""
    chip = await Chip.open(dut)
    bursts = [("read", "first"), ("read", "last"), ("read", "any"), ("write", "any")]
    for response, (kind, which) in fewer(random.Random(seed()), [*itertools.product((2, 3), bursts)], 4):
        image = await chip.prepare()
        machine = chip.session.machine.run(image.dram.copy(), image.base, image.length)
        count = machine.counters()[f"{kind}_bursts"]
        before = int(getattr(chip.memory, f"{kind}_count").value)
        chip.memory.err_resp.value = response
        # The first read is of fetch, the last one of load.
        nth = {"first": 0, "last": count - 1}.get(which, int(chip.rng.integers(count)))
        getattr(chip.memory, f"err_{kind}").value = before + nth
        first = {"read": Cause.READ_SLVERR, "write": Cause.WRITE_SLVERR}[kind]
        outcome = await chip.stopped_program(image, Cause(first + response - 2))
        getattr(chip.memory, f"err_{kind}").value = NEVER
        record, table = outcome.error, outcome.table
        assert record is not None
        (row,) = np.flatnonzero(table.resp)
        assert (record.id, record.address) == (table.id[row], table.addr[row]), f"{record}"
        parts = (machine.fetch, machine.load, machine.store)[record.id]
        nth = int(np.count_nonzero(table.id[: row + 1] == record.id)) - 1
        assert record.command == expected_columns(parts, chip.session.config.n).command[nth], f"{record}"
        await chip.good_program()


@cocotb.test()
async def chip_stops_at_its_windows(dut: Any) -> None:
    """No page to read for fetch, only the program's own for load, none to write: the record names each."""
    chip = await Chip.open(dut)
    for cause, engine in (
        (Cause.READ_WINDOW, ID_FETCH),
        (Cause.READ_WINDOW, ID_LOAD),
        (Cause.WRITE_WINDOW, ID_STORE),
    ):
        image = await chip.prepare()
        own = image.base // PAGE * PAGE, (image.base + image.length * COMMAND_BYTES - 1) // PAGE * PAGE
        nothing, everything = (PAGE, 0), Windows().read
        read = {ID_FETCH: nothing, ID_LOAD: own, ID_STORE: everything}[engine]
        await chip.host.allow(Windows(read, nothing))
        record = await chip.host.run(image.base, image.length, LIMIT)
        assert record and (record.cause, record.id) == (cause, engine), f"{record}, not {cause!r} of {engine}"
        table = await chip.session.traffic()
        assert not table.write.any() and (engine != ID_FETCH or not len(table)), (
            "a burst that no window allows"
        )
        chip.ended(record)
        await chip.host.allow(Windows())
        await chip.good_program()


@cocotb.test()
async def chip_refuses_bad_commands_and_runs_the_next_program(dut: Any) -> None:
    """Unknown opcode, a count of zero, a program without END."""
    chip = await Chip.open(dut)
    for broken in ("opcode", "field", "end"):
        image = await chip.prepare()
        number = int(chip.rng.integers(image.length - 1))
        if broken == "opcode":
            image.put(number, bytes([7]) + bytes(COMMAND_BYTES - 1))
            cause = Cause.BAD_OPCODE
        elif broken == "field":
            raw = bytearray(image.command(number).encode())
            raw[20:24] = bytes(4)  # w5: run and count_x, or out_w and out_h
            image.put(number, bytes(raw))
            cause = Cause.BAD_FIELD
        else:
            number = image.length
            image.compiled.programs[0] = (image.base, image.length - 1)
            number -= 1
            cause = Cause.OVERRUN
        await chip.session.load(image.dram)
        outcome = await chip.stopped_program(image, cause)
        assert outcome.error is not None
        want = (image.base + number * COMMAND_BYTES, 0, number)
        assert (outcome.error.address, outcome.error.id, outcome.error.command) == want, f"{outcome.error}"
        await chip.good_program()


@cocotb.test()
async def chip_ends_what_never_ends(dut: Any) -> None:
    """A token that nobody sends: the watchdog stops it, and so does the host."""
    chip = await Chip.open(dut)
    for cause in (Cause.WATCHDOG, Cause.STOPPED):
        image = await chip.prepare()
        first = next(i for i in range(image.length) if isinstance(image.command(i), Load))
        image.change(first, wait_compute=True)
        await chip.session.load(image.dram)
        await chip.host.write(host.WATCHDOG, 3000 if cause == Cause.WATCHDOG else 0)
        await chip.host.start(image.base, image.length)
        await Timer(4000 * PERIOD_NS, "ns")
        if cause == Cause.STOPPED:
            assert await chip.host.read(host.STATUS) == 1, "not busy: something else ended the program"
            await chip.host.write(host.CTRL, host.STOP)
        record = await chip.host.finish(10_000)
        assert record is not None and record.cause == cause, f"{record}"
        chip.ended(record)
        await chip.session.traffic()
        await chip.host.write(host.WATCHDOG, 0x100000)
        await chip.good_program()


@cocotb.test()
async def chip_stops_at_once_when_the_host_says_so(dut: Any) -> None:
    """In the middle of traffic: every burst under way ends, what was written is right."""
    chip = await Chip.open(dut)
    async for image in chip.under_way():
        found, busy = chip.found(), await chip.host.read(host.STATUS) == 1
        await chip.host.write(host.CTRL, host.STOP)
        record = await chip.host.finish(10_000)
        if busy and record is not None:
            assert record.cause == Cause.STOPPED, f"{record}"
            chip.cut_off("stop", found)
        chip.ended(record)
        machine = chip.session.machine.run(image.dram.copy(), image.base, image.length)
        score = ProgramScore()
        score.compare(machine, await chip.session.traffic(), prefix=True)
        assert not score.mismatches, str(score.mismatches[0])


@cocotb.test()
async def chip_survives_reset_in_flight(dut: Any) -> None:
    """Reset at a random cycle of a program; the next one is right."""
    chip = await Chip.open(dut)
    async for _ in chip.under_way():
        chip.cut_off("reset", chip.found())
        await chip.host.reset()
        chip.after = -1
        await chip.session.traffic()
        assert await chip.host.read(host.STATUS) == 0


@cocotb.test()
async def chip_refuses_start_while_busy(dut: Any) -> None:
    """A second start answers SLVERR and changes nothing."""
    chip = await Chip.open(dut)
    image = await chip.prepare()
    await chip.host.start(image.base, image.length)
    try:
        await chip.host.write(host.CTRL, host.START)
    except HostError:
        pass
    else:
        raise AssertionError("start while busy was accepted")
    assert await chip.host.finish(LIMIT) is None
    score = ProgramScore()
    machine = chip.session.machine.run(chip.session.memory, image.base, image.length)
    score.compare(machine, await chip.session.traffic())
    assert not score.mismatches, str(score.mismatches[0])


@cocotb.test()
async def chip_raises_only_the_interrupt_that_is_enabled(dut: Any) -> None:
    """A program without END, and a good one, each with the other's interrupt enabled: its own is pending, and
    the pin low until that is enabled."""
    chip = await Chip.open(dut)
    core = chip.host
    for pending, enabled, missing in ((host.ERROR, host.DONE, 1), (host.DONE, host.ERROR, 0)):
        image = await chip.prepare()
        for register, value in (
            (host.IRQ_ENABLE, enabled),
            (host.PROG_BASE, image.base),
            (host.PROG_LEN, image.length - missing),
            (host.CTRL, host.START),
        ):
            await core.write(register, value)
        for _ in range(LIMIT // 1000):
            await Timer(1000 * PERIOD_NS, "ns")
            if await core.read(host.STATUS) != 1:
                break
        found = await core.read(host.IRQ_STATUS), int(dut.irq.value)
        assert found == (pending, 0), f"pending {found[0]}, pin {found[1]}, enabled {enabled}"
        await core.write(host.IRQ_ENABLE, pending)
        assert int(dut.irq.value) == 1, f"pending and enabled {pending}, but the pin is low"
        await core.write(host.IRQ_STATUS, pending)
        assert int(dut.irq.value) == 0, "the pin stays high after the interrupt was cleared"
        await chip.session.traffic()
    chip.ended(None)
    await chip.good_program()
