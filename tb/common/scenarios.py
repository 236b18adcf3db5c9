"""What load and store are both put through; each bench's tests name the claim and call these."""

from __future__ import annotations

from typing import Any

import cocotb

from models.isa import PAGE
from tb.agents.axi4 import Fault, MemoryTiming
from tb.agents.burst import DECERR, SLVERR
from tb.agents.env import start
from tb.bench import lighter
from tb.common.commands import SPACE, random_window, random_windows
from tb.common.dma import DmaEnv
from tb.common.watch import EngineError, value_of


async def random_commands(env_class: type[DmaEnv], dut: Any, count: int) -> None:
    """Commands back to back, every interface with a random pace of its own."""
    async with start(env_class, dut) as env:
        await env.run(random_windows(env.kind, env.rng, env.config, count))
        await env.drained()


async def reset_in_flight(env_class: type[DmaEnv], dut: Any) -> None:
    """Reset at random cycles; what is sent afterwards is done as if nothing had been."""
    async with start(env_class, dut) as env:
        commands = random_windows(env.kind, env.rng, env.config, lighter(40, 1, 4), words=40)
        sending = cocotb.start_soon(env.run(commands))
        for _ in range(lighter(4, 1, 2)):
            await env.cycles(env.rng.randint(1, 150))
            await env.reset(env.rng.randint(1, 3))
        await sending
        await env.run(random_windows(env.kind, env.rng, env.config, 3))
        await env.drained()


async def halt_in_flight(env_class: type[DmaEnv], dut: Any) -> None:
    """Halt at random cycles: the rules of EngineMonitor hold until quiet, and after a reset all is well."""
    async with start(env_class, dut) as env:
        for _ in range(lighter(4, 1, 4)):
            running = cocotb.start_soon(env.run(random_windows(env.kind, env.rng, env.config, 6, words=60)))
            await env.cycles(env.rng.randint(1, 200))
            env.watch.halt()
            await env.halted()
            await env.reset()
            await running
            await env.run(random_windows(env.kind, env.rng, env.config, 2, words=30))
            await env.drained()


async def first_error_is_reported(env_class: type[DmaEnv], dut: Any) -> None:
    """Error responses on random beats of random bursts, often with more behind them."""
    async with start(env_class, dut) as env:
        write, rng, faults = env.directions == "w", env.rng, env.memory.faults
        for _ in range(lighter(5, 1, 5)):
            first = env.predicted + rng.randint(0, 4)
            for index in (first, first + 1, first + rng.randint(1, 5)):
                beat = (
                    None
                    if write or rng.random() < 0.3
                    else rng.choice((0, rng.randrange(env.config.max_burst)))
                )
                faults.append(Fault(write, rng.choice((SLVERR, DECERR)), index, beat=beat))
            # A burst may be too short for its faulty beat: make sure that one is not.
            faults.append(Fault(write, rng.choice((SLVERR, DECERR)), first + 6))
            commands = random_windows(env.kind, rng, env.config, 12, words=24)
            reported = env.errors.compared
            running = cocotb.start_soon(env.run(commands))
            await env.halted()
            if env.errors.compared != reported + 1:
                raise EngineError(f"{env.errors.compared - reported} errors reported, not 1")
            faults.clear()
            await env.reset()
            await running
            await env.drained()


async def error_of_last_burst(env_class: type[DmaEnv], dut: Any, resp: int) -> None:
    """The last beat of the last burst fails: neither token nor stamp may follow."""
    async with start(env_class, dut) as env:
        n, longest = env.config.n, env.config.max_burst
        plain = {name: 0 for name in ("pad_left", "pad_right", "pad_top", "pad_bottom")}
        fixed: dict[str, Any] = plain if env.directions == "r" else {}
        fixed |= {f"signal_{engine}": True for engine in env.kind.signals}
        command = random_window(
            env.kind,
            env.rng,
            env.config,
            address=8192,
            run=2 * longest,
            count_x=1,
            count_y=1,
            stamp=True,
            **fixed,
        )
        where = 8192 + longest * n
        beat = None if env.directions == "w" else longest - 1
        env.memory.faults.append(Fault(env.directions == "w", resp, addr=range(where, where + n), beat=beat))
        await env.run([command])
        await env.halted()
        if env.errors.compared != 1:
            raise EngineError(f"{env.errors.compared} errors reported, not 1")


async def nothing_outside_its_window(env_class: type[DmaEnv], dut: Any) -> None:
    """Windows of random pages, or of none, around random commands: the first burst outside is not sent, its
    address and command are reported once all before it are answered, and the next commands are done."""
    async with start(env_class, dut) as env:
        rng = env.rng
        for _ in range(lighter(12, 1, 4)):
            command = random_window(env.kind, rng, env.config, 60)
            first = command.address // PAGE * PAGE
            base = max(0, first - PAGE * rng.choice((0, 0, 1, 3)))
            limit = min(SPACE - PAGE, first + PAGE * rng.choice((0, 0, 1, 3)))
            if rng.random() < 0.2:
                base, limit = rng.choice(((first + PAGE, first + PAGE), (base, base - PAGE)))
            env.set_window(base % SPACE, limit % SPACE)
            reported = env.errors.compared
            others = random_windows(env.kind, rng, env.config, 2, words=30)
            running = cocotb.start_soon(env.run([command, *others]))
            await env.halted()
            if env.errors.compared != reported + 1:
                raise EngineError(f"{env.errors.compared - reported} errors reported, not 1")
            env.set_window()
            await env.reset()
            await running
            await env.drained()


async def waits_for_tokens(env_class: type[DmaEnv], dut: Any) -> None:
    """No token, no start, and stat_wait says so; each token of two is needed."""
    async with start(env_class, dut, stalls=False, credits=0) as env:
        for queue in env.signals.values():
            queue.credits = None
        for missing in env.waits.values():
            for queue in env.waits.values():
                queue.credits = 1
            missing.credits = 0
            await env.cycles(5)
            waits = {name: True for name in env.wait_pins}
            command = random_window(env.kind, env.rng, env.config, 20, **waits)
            before = env.starts.compared
            cocotb.start_soon(env.run([command]))
            await env.cycles(5)
            for _ in range(50):
                await env.cycles(1)
                if env.starts.compared != before or not value_of(dut.stat_wait):
                    raise EngineError("started without its token, or did not say that it waits")
            missing.credits = 1
            await env.cycles(4)
            if env.starts.compared != before + 1 or value_of(dut.stat_wait):
                raise EngineError("did not start with its token")
            await env.drained()
            if any(queue.credits for queue in env.waits.values()):
                raise EngineError("a token is left over")


async def full_token_queue_holds(env_class: type[DmaEnv], dut: Any) -> None:
    """A token that nobody has room for is neither lost nor given twice, and the engine waits."""
    async with start(env_class, dut, credits=0) as env:
        for queue in env.waits.values():
            queue.credits = None
        for name, queue in env.signals.items():
            signals = {f"signal_{engine}": name == f"sig_{engine}" for engine in env.kind.signals}
            commands = random_windows(env.kind, env.rng, env.config, 3, words=12, **signals)
            running = cocotb.start_soon(env.run(commands))
            await env.cycles(lighter(1000, 1, 3))
            if env.events.pending == 0 or value_of(dut.idle):
                raise EngineError(f"done although {name} was never taken")
            queue.credits = 3
            await running
            await env.drained()
            await env.cycles(5)


async def halt_while_waiting(env_class: type[DmaEnv], dut: Any) -> None:
    """A halted engine takes no command, even when the token that it waited for comes."""
    async with start(env_class, dut, stalls=False, credits=0) as env:
        waits = {name: True for name in env.wait_pins}
        running = cocotb.start_soon(env.run([random_window(env.kind, env.rng, env.config, 20, **waits)]))
        await env.cycles(10)
        env.watch.halt()
        await env.cycles(2)
        for queue in (*env.waits.values(), *env.signals.values()):
            queue.credits = None
        await env.halted()
        if env.starts.compared:
            raise EngineError("a command was started")
        await env.reset()
        await env.run([random_window(env.kind, env.rng, env.config, 20)])
        await running
        await env.drained()


async def halt_with_full_token_queue(env_class: type[DmaEnv], dut: Any) -> None:
    """Halt while a token waits for room and later commands are on the bus: they must end all the same."""
    async with start(env_class, dut, credits=0, timing=MemoryTiming()) as env:
        for queue in env.waits.values():
            queue.credits = None
        signals = {f"signal_{engine}": True for engine in env.kind.signals}
        commands = random_windows(env.kind, env.rng, env.config, 4, words=12, **signals)
        running = cocotb.start_soon(env.run(commands))
        await env.cycles(300)
        if env.watch.under_way == 0:
            raise EngineError("nothing under way behind the token")
        env.watch.halt()
        await env.halted()
        for queue in env.signals.values():
            queue.credits = None
        await env.reset()
        await running
        await env.run([random_window(env.kind, env.rng, env.config, 20)])
        await env.drained()


async def fills_the_outstanding_limit(env_class: type[DmaEnv], dut: Any) -> None:
    """A slow memory: as many bursts are under way as OUTSTANDING says, and never more (the agent checks)."""
    slow = MemoryTiming((300, 300), (300, 300))
    async with start(env_class, dut, timing=slow, stalls=False) as env:
        stride = env.config.n
        many = random_window(
            env.kind,
            env.rng,
            env.config,
            60,
            run=1,
            count_x=6,
            count_y=4,
            stride_x=stride,
            stride_y=6 * stride,
        )
        await env.run([many])
        await env.drained()
        if env.watch.most != env.outstanding:
            raise EngineError(f"at most {env.watch.most} bursts under way, expected {env.outstanding}")


async def a_word_a_cycle(env_class: type[DmaEnv], dut: Any, ready: str) -> None:
    """Long runs over a fast bus: at least 95 % of the cycles from first to last word move one.

    With bursts of 4 beats and 2 under way the memory's latency shows: then only half.
    """
    async with start(env_class, dut, timing=MemoryTiming(), stalls=False) as env:
        command = random_window(env.kind, env.rng, env.config, run=300, count_x=1, count_y=1, address=4096)
        sent = cocotb.start_soon(env.run([command]))
        moved, cycles = 0, 0
        valid, pin = getattr(dut, f"{ready}_valid"), getattr(dut, f"{ready}_ready")
        while moved < 300 and cycles < 3000:
            await env.cycles(1)
            moved += value_of(valid) & value_of(pin)
            cycles += moved > 0
        await sent
        await env.drained()
        if cycles > (315 if env.config.max_burst > 4 else 600):
            raise EngineError(f"{moved} words in {cycles} cycles")


async def corrupt_expectation(env_class: type[DmaEnv], dut: Any, scoreboard: str, corrupt: Any) -> None:
    """For a twin test: the model of one scoreboard is wrong in one item."""
    async with start(env_class, dut) as env:
        board = getattr(env, scoreboard)
        expect = board.expect

        def wrong(item: Any) -> None:
            expect(corrupt(item))

        board.expect = wrong
        signals = {f"signal_{engine}": True for engine in env.kind.signals}
        await env.run(random_windows(env.kind, env.rng, env.config, 4, words=30, stamp=True, **signals))
        await env.drained()
