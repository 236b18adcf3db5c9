"""csr: every register of rtl/csr/npu.rdl, its reset value, access, strobes, responses and interrupt."""

from __future__ import annotations

import itertools
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from tb.agents.axi_checks import Access
from tb.agents.burst import OKAY, SLVERR
from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, lighter, some
from tb.common.watch import Gate, value_of
from tb.csr.env import OFFSETS, CsrEnv, every_word
from tb.csr.registers import ACCOUNTS, STAMPS, WRITABLE
from tb.csr.stimulus import Actions

LOGS = ("LOG_ACT", "LOG_WGT", "LOG_OUT", "LOG_PAR", "LOG_RES", "LOG_DEPTH", "LOG_LINE", "LOG_BURST")
SMALL = dict(zip(LOGS, (10, 11, 9, 8, 7, 5, 4, 2), strict=True))
CHIP = dict(zip(LOGS, (13, 13, 12, 10, 12, 8, 8, 6), strict=True))
BENCH = Bench(toplevel="npu_csr", params=[{"N": 4, **SMALL}, {"N": 16, **CHIP}], timeout=120)


@cocotb.test()
async def csr_resets_every_register_to_its_value(dut: Any) -> None:
    """All 4096 words: values of the RDL, SLVERR and 0 in every hole."""
    async with start(CsrEnv, dut, stalls=False) as env:
        assert len(env.model.registers) == 35 and len(STAMPS) == 256 and len(ACCOUNTS) == 2048
        await env.walk()


@cocotb.test()
@cocotb.parametrize(profile=some(range(3)))
async def csr_obeys_the_rdl_in_random_accesses(dut: Any, profile: int) -> None:
    """Any address, data and strobes, busy or not, events and error records between."""
    async with start(CsrEnv, dut) as env:
        actions = Actions(env.rng)
        for _ in range(lighter(200, 1, 2)):
            drawn = actions.draw()
            match drawn["action"]:
                case "event":
                    await env.event(*drawn["events"])
                case "inputs":
                    env.set_busy(drawn["busy"])
                    env.set_errors()
                case "write":
                    await env.write(drawn["addr"], drawn["data"], drawn["strobe"])
                case "read":
                    await env.read(drawn["addr"])
        await env.pulses.drained(dut.clk)


@cocotb.test()
async def csr_writes_each_lane_alone(dut: Any) -> None:
    """Every set of strobes over every writable register, from all zero and from all ones."""
    async with start(CsrEnv, dut, stalls=False) as env:
        for name in WRITABLE:
            for fill in (0, 0xFFFF_FFFF):
                for strobe in range(16):
                    await env.write(OFFSETS[name], fill)
                    await env.write(OFFSETS[name], ~fill & 0xFFFF_FFFF, strobe)
                    await env.read(OFFSETS[name])


@cocotb.test()
async def csr_refuses_writes_to_ro_and_holes(dut: Any) -> None:
    """Every word that is not writable answers SLVERR, and nothing anywhere has changed afterwards."""
    async with start(CsrEnv, dut, stalls=False) as env:
        env.set_errors()
        for addr in every_word(env.rng):
            register = env.model.registers.get(addr)
            if register is None or not register.writable:
                await env.write(addr, 0xFFFF_FFFF)
        await env.walk()


@cocotb.test()
async def csr_refuses_start_while_busy(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        for busy, data in ((0, 1), (1, 1), (1, 3), (1, 2), (0, 2), (0, 3), (1, 0), (0, 0)):
            env.set_busy(busy)
            await env.write(OFFSETS["CTRL"], data)
        await env.write(OFFSETS["CTRL"], 3, 0xE)  # the lane that matters is not written
        await env.pulses.drained(dut.clk)
        assert env.pulses.compared == 5


@cocotb.test()
async def csr_clears_done_and_error_at_start(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        for done, error in ((1, 0), (0, 1), (1, 1)):
            await env.event(done, error)
            assert await env.read(OFFSETS["STATUS"]) == done << 1 | error << 2
            await env.write(OFFSETS["CTRL"], 2)
            assert await env.read(OFFSETS["STATUS"]) == done << 1 | error << 2
            await env.write(OFFSETS["CTRL"], 1)
            assert await env.read(OFFSETS["STATUS"]) == 0
            await env.read(OFFSETS["IRQ_STATUS"])


@cocotb.test()
async def csr_raises_irq_only_for_enabled_events(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        for enable in range(4):
            for events in range(1, 4):
                await env.write(OFFSETS["IRQ_ENABLE"], enable)
                await env.event(events & 1, events >> 1)
                assert value_of(dut.irq) == bool(enable & events)
                for bit in (1, 2):
                    await env.write(OFFSETS["IRQ_STATUS"], bit)  # also checks irq
                await env.read(OFFSETS["IRQ_STATUS"])
        assert env.irq.rises > 0


@cocotb.test()
@cocotb.parametrize(bit=[0, 1])
async def csr_loses_no_event_in_the_cycle_of_a_clear(dut: Any, bit: int) -> None:
    """An event before the clear is cleared, one in the same cycle or later stays. Both must occur."""
    async with start(CsrEnv, dut, stalls=False) as env:
        edge, seen = RisingEdge(dut.clk), set()
        for delay in range(7):
            env.model.value["IRQ_STATUS"] = 0
            await env.event(1 - bit, bit)  # something to clear, in any case
            cocotb.start_soon(env.axi.write(OFFSETS["IRQ_STATUS"], 3))
            env.accesses.expect(Access(True, OFFSETS["IRQ_STATUS"], 3, 0xF, OKAY))
            written = None
            pin = dut.error_event if bit else dut.done_event
            for cycle in range(12):
                pin.value = cycle == delay
                await edge
                if written is None and value_of(dut.s_axi_bvalid):
                    written = cycle - 1
            assert written is not None
            env.model.value["IRQ_STATUS"] = (delay >= written) << bit
            seen.add((delay > written) - (delay < written))
            await env.read(OFFSETS["IRQ_STATUS"])
            await env.write(OFFSETS["IRQ_STATUS"], 3)
            event = "error" if bit else "done"
            env.cover.sample(event=event, when=(delay > written) - (delay < written))
        assert seen == {-1, 0, 1}


@cocotb.test()
@cocotb.parametrize(profile=some(range(3)))
async def csr_takes_requests_before_it_has_answered(dut: Any, profile: int) -> None:
    """Addresses and data at paces of their own, without waiting for responses: none is lost or swapped."""
    async with start(CsrEnv, dut) as env:
        rng = env.rng
        env.axi.driver.stalls = Stalls(rng, 0.5)  # of B and R

        async def feed(channel: str, items: list[Any]) -> None:
            for item in items:
                await env.cycles(rng.choice((0, 0, 0, 1, 5)))
                await env.axi.driver.pins.channels[channel].send(item)

        names = [rng.choice(("WATCHDOG", "PROG_BASE", "PROG_LEN", "ID")) for _ in range(40)]
        writes = [(OFFSETS[name], rng.getrandbits(32), rng.randrange(16)) for name in names]
        for addr, data, strobe in writes:
            env.accesses.expect(Access(True, addr, data, strobe, env.model.write(addr, data, strobe)))
        sending = cocotb.start_soon(feed("aw", [write[0] for write in writes]))
        await feed("w", [write[1:] for write in writes])
        await sending
        await env.accesses.drained(dut.clk)
        env.check_outputs()
        reads = [rng.choice((*OFFSETS.values(), STAMPS[9], ACCOUNTS[77], 0x7C)) for _ in range(40)]
        for addr in reads:
            data, resp = env.model.read(addr)
            env.accesses.expect(Access(False, addr, data, 0, resp))
        await feed("ar", reads)
        await env.accesses.drained(dut.clk)


@cocotb.test()
async def csr_serves_reads_beside_writes(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        env.accesses.minimum = 0
        env.axi.port.subscribers.clear()

        async def reads() -> None:
            for _ in range(60):
                addr = env.rng.choice(
                    (0, 12, 0x40 + 4 * env.rng.randrange(15), *env.rng.sample([*STAMPS, *ACCOUNTS], 3), 0x7C)
                )
                assert await env.axi.read(addr) == env.model.read(addr)

        reading = cocotb.start_soon(reads())
        for _ in range(60):
            value = env.rng.getrandbits(32)
            assert await env.axi.write(OFFSETS["WATCHDOG"], value) == OKAY
            assert value_of(dut.watchdog_limit) == value
            assert await env.axi.write(0, value) == SLVERR
        await reading


@cocotb.test()
async def csr_works_after_reset_in_every_state(dut: Any) -> None:
    """With half a write, with both halves, with an answer that is not taken, with and without such a read."""
    async with start(CsrEnv, dut, stalls=False) as env:
        channels, taken = env.axi.driver.pins.channels, Gate()
        for writing, reading in itertools.product(
            ("none", "address", "data", "both", "answer"), (False, True)
        ):
            env.axi.driver.stalls, taken.closed = taken, True
            await env.cycles(2)  # the answers' ready is low by then
            if reading:
                await channels["ar"].send(OFFSETS["ID"])
                await env.cycles(1)
            halves = []
            if writing in ("address", "both", "answer"):
                halves.append(cocotb.start_soon(channels["aw"].send(OFFSETS["WATCHDOG"])))
            if writing in ("data", "both", "answer"):
                halves.append(cocotb.start_soon(channels["w"].send((0, 0xF))))
            for half in halves:
                await half
            await env.cycles(3 if writing == "answer" else 0)
            await env.reset(env.rng.randint(1, 2))
            env.axi.driver.stalls = Stalls(env.rng)
            await env.cycles(2)
            await env.read(OFFSETS["WATCHDOG"])
            await env.write(OFFSETS["WATCHDOG"], env.rng.getrandbits(32))
        assert all(env.cover.bins["reset"].values()), env.cover.bins["reset"]


@cocotb.test()
async def csr_works_after_reset_in_flight(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        for _ in range(6):
            for name in WRITABLE:
                await env.write(OFFSETS[name], 0xFFFF_FFFF)
            await env.event(1, 1)
            accesses: tuple[Any, ...] = (env.axi.write(OFFSETS["CTRL"], 0), env.axi.read(0))
            lost = [cocotb.start_soon(access) for access in accesses]
            await env.cycles(env.rng.randint(0, 6))
            await env.reset()
            for task in lost:
                await task
            for offset in OFFSETS.values():
                await env.read(offset)
            env.check_outputs()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_reset_value(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        env.model.value["WATCHDOG"] ^= 1 << 31
        await env.walk()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_response(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        env.accesses.expect(Access(True, 0, 0, 0xF, OKAY))
        await env.axi.write(0, 0)
        await env.cycles(5)


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_a_start_that_never_comes(dut: Any) -> None:
    async with start(CsrEnv, dut) as env:
        await env.read(0)
        env.pulses.expect("start")
        await env.pulses.drained(dut.clk, 50)


@cocotb.test(expect_error=Idle)
async def csr_bench_without_accesses_fails(dut: Any) -> None:
    async with start(CsrEnv, dut):
        pass
