"""The whole core against the memory in Python: answers in any order, an error on any beat, any stall.

The chip bench (tb/chip) runs the same kind of programs fast; here every channel can be made to misbehave.
Both compare with the same machine by the same score, so both memories see the same traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import cycle, product
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer

from models.isa import ADDRESS_SPACE, COMMAND_BYTES, PAGE, Cause, Windows
from tb.agents.axi4 import Fault, MemoryTiming
from tb.agents.burst import SLVERR
from tb.agents.env import start
from tb.agents.pins import Stalls, to_int
from tb.bench import Bench, fewer, light, lighter
from tb.chip import host
from tb.chip.mutate import MUTATIONS
from tb.chip.score import expected_columns
from tb.chip.session import fetched
from tb.common.cores import SMALL_BUFFERS
from tb.npu.env import DRAM, STILL, NpuEnv, Program

BENCH = Bench(
    "npu",
    [
        {"N": 4, **SMALL_BUFFERS, "MAX_BURST": 8, "OUTSTANDING": 2},
        {"N": 8, **SMALL_BUFFERS, "MAX_BURST": 16, "OUTSTANDING": 4},
    ],
    public=[("npu", "*"), *(("npu_engines", name) for name in ("l_idle", "d_idle", "s_idle"))],
    timeout=900,
)
# Inputs and outputs of the two ports, channel by channel.
TO_CORE = ("s_axi_aw", "s_axi_w", "s_axi_ar", "m_axi_r", "m_axi_b")
# Inside the core there is such a path.
INSIDE = ("l_ar_ready", "m_axi_arready")


def repeats(count: int) -> int:
    """`count`, or 1 in a light run."""
    return 1 if light() else count


@cocotb.test()
async def npu_runs_random_networks_with_any_memory(dut: Any) -> None:
    """Random latency, stalls on all five channels, answers out of order between IDs."""
    async with start(NpuEnv, dut) as env:
        for _ in range(repeats(4)):
            await env.good_program()


@cocotb.test()
async def npu_stops_on_an_error_on_any_beat(dut: Any) -> None:
    """One beat of one read, or one write response; recorded with address, ID and command."""
    async with start(NpuEnv, dut) as env:
        # The first read is of fetch, the last one of load.
        places = [(False, "first"), (False, "last"), (True, "any"), (False, "any")]
        for resp, (write, place) in fewer(env.rng, [*product((2, 3), places)], 4):
            image = env.prepare()
            trace = env.predict(image)
            count = trace.counters()["write_bursts" if write else "read_bursts"]
            index = {"first": 0, "last": count - 1}.get(place, env.rng.randrange(count))
            if write:  # others are on their way when the error comes
                env.memory.driver.timing = MemoryTiming(write_latency=(60, 80))
            env.memory.faults.append(
                Fault(write, resp, env.memory.driver._count["w" if write else "r"] + index)
            )
            await env.start(image)
            assert await env.finish() == host.ERROR
            env.memory.faults.clear()
            record = await env.record()
            fetch = fetched(env.expected, image.base, image.length, env.config)
            env.score(replace(trace, fetch=fetch), prefix=True)
            (bad,) = [burst for burst in env.memory.bursts if burst.resp]
            same = [burst for burst in env.memory.bursts if burst.id == bad.id]
            parts = (fetch, trace.load, trace.store)[bad.id]
            command = int(expected_columns(parts, env.config.n).command[same.index(bad)])
            base = Cause.WRITE_SLVERR if write else Cause.READ_SLVERR
            assert record == [base + resp - 2, bad.addr, bad.id, command], f"{record} for {bad}"
            env.cover.sample(response=resp, engine=bad.id)
            if place == "any":
                await env.good_program()


@cocotb.test()
async def npu_survives_reset_in_flight(dut: Any) -> None:
    """Reset at a random cycle, and as soon as each engine works; the next program is right."""
    async with start(NpuEnv, dut) as env:
        watch = env.watch
        moments: list[Callable[[], Any]] = [lambda: True, lambda: watch.writes]
        moments += [partial(watch.works.get, engine) for engine in watch.idle]
        for there in fewer(env.rng, moments, 4):
            await env.start(env.prepare())
            await env.until(there)
            await env.reset()
        for _ in range(repeats(2)):
            await env.start(env.prepare())
            await env.cycles(env.rng.randrange(2000))
            await env.reset()
            await env.good_program()


@cocotb.test()
async def npu_survives_any_command(dut: Any) -> None:
    """Commands of noise from anywhere in the address space, within any windows: each program ends, or does
    so when it is told to; no burst lies outside the windows; a good program after them is right."""
    async with start(NpuEnv, dut) as env:
        rng, n = env.numbers, env.config.n
        await env.fill()
        for i in range(lighter(160, 20, 80)):
            env.memory.driver.timing = MemoryTiming()
            env.memory.bursts.clear()
            commands = [bytes(COMMAND_BYTES)]
            MUTATIONS["noise"][0](rng, commands, env.config)
            base = int(rng.integers(ADDRESS_SPACE if i % 4 == 0 else DRAM)) // COMMAND_BYTES * COMMAND_BYTES
            if base < DRAM:
                env.memory.memory[base : base + COMMAND_BYTES] = np.frombuffer(commands[0], np.uint8)
            pages = [int(page) * PAGE for page in rng.integers(ADDRESS_SPACE // PAGE, size=4)]
            if i % 8 == 7:
                windows = Windows((pages[0], pages[1]), (pages[2], pages[3]))
            elif i % 8 == 3:  # all but the highest, or the lowest, pages
                windows = Windows((0, pages[1] | 1 << 31), (pages[2] & ~(1 << 31), ADDRESS_SPACE - PAGE))
            else:
                windows = Windows()
            await env.allow(windows)
            await env.start(Program(base, int(rng.integers(1, 1 << 16))))
            try:
                await env.irq.wait(150)
            except TimeoutError:
                assert await env.host.write(host.CTRL, host.STOP) == 0
            assert await env.finish(STILL) in (host.DONE, host.ERROR)  # noise may be END
            await env.record()
            for burst in env.memory.bursts:
                low, high = windows.write if burst.write else windows.read
                inside = low <= burst.addr and burst.addr + burst.beats * n <= high + PAGE
                assert inside, f"{burst} outside {low:#x} to {high:#x}"
        hole = 0xFFC
        assert (await env.host.write(hole, 0), (await env.host.read(hole))[1]) == (SLVERR, SLVERR)
        await env.allow(Windows())
        await env.good_program()


class Seldom(Stalls):
    """Lets one cycle in `every` pass."""

    def __init__(self, every: int) -> None:
        self.pattern = cycle([True] * (every - 1) + [False])

    def __call__(self) -> bool:
        return next(self.pattern)


@cocotb.test()
async def npu_watchdog_lets_slow_work_pass(dut: Any) -> None:
    """A word of write data now and then is progress, and so is a pass that outlasts the watchdog's limit."""
    async with start(NpuEnv, dut) as env:
        env.memory.driver.timing = MemoryTiming(stalls={"w": Seldom(40)})
        await env.fill(watchdog=200)
        await env.good_program()


def ports(dut: Any) -> tuple[list[Any], list[Any]]:
    """Inputs and outputs of the two AXI ports."""
    pins = [pin for pin in dut if pin._name.startswith(("s_axi_", "m_axi_"))]
    given = {pin: pin._name.startswith(TO_CORE) != pin._name.endswith("ready") for pin in pins}
    return [pin for pin in pins if given[pin]], [pin for pin in pins if not given[pin]]


@cocotb.test()
async def npu_outputs_follow_no_input_within_a_cycle(dut: Any) -> None:
    """IHI 0022H A3.1.1 allows no path between them. Each input is inverted between two edges, while programs
    run; the test must find one inside the core, or it would find nothing."""
    found: set[tuple[str, str]] = set()
    async with start(NpuEnv, dut) as env:
        inputs, outputs = ports(dut)
        assert len(inputs) == 20 and len(outputs) == 26, f"{len(inputs)} inputs, {len(outputs)} outputs"
        outputs.append(getattr(dut, INSIDE[0]))
        for _ in range(repeats(3)):
            await env.start(env.prepare())
            for _ in range(lighter(100, 1, 5)):
                await env.cycles(env.rng.randint(1, 30))
                await FallingEdge(dut.clk)
                for pin, flip in product(inputs, (1, -1)):  # the lowest bit, and all
                    if (value := to_int(pin)) is None:
                        continue
                    before = [to_int(output) for output in outputs]
                    pin.value = value ^ flip & (1 << len(pin)) - 1
                    await Timer(1, "step")
                    for output, old in zip(outputs, before, strict=True):
                        if to_int(output) != old:
                            found.add((output._name, pin._name))
                    pin.value = value
                    await Timer(1, "step")
            assert await env.finish() == host.DONE, f"{await env.record()}"
        await env.good_program()
    assert found == {INSIDE}, f"paths from inputs to outputs: {found - {INSIDE}}"


@cocotb.test()
async def npu_score_catches_a_changed_byte(dut: Any) -> None:
    """The twin of the score: one byte that load reads differs between the machine's memory and the core's.

    Of the input itself a network need not read every byte: a slice leaves some out.
    """
    async with start(NpuEnv, dut) as env:
        image = env.prepare()
        byte = int(env.predict(image).load[0].addresses[0])
        env.memory.memory[byte] ^= 1
        trace = env.predict(image)
        env.memory.memory[byte] ^= 1
        await env.start(image)
        await env.finish()
        try:
            env.score(trace)
        except AssertionError as caught:
            assert "load read" in str(caught), f"{caught}"
        else:
            raise AssertionError("the score let a changed byte pass")
        await env.good_program()
