"""How a test brings fetch to a state, and stops it there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from models.isa import (
    PAGE,
    Command,
    End,
)
from tb.agents.axi4 import MemoryTiming
from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.common.commands import random_command
from tb.common.watch import EngineError, Gate, value_of
from tb.fetch.env import FetchEnv
from tb.fetch.stimulus import anywhere

FAST = MemoryTiming()


def commands(env: FetchEnv, count: int) -> list[Command]:
    return [random_command(env.rng, env.config) for _ in range(count)]


async def bring_to(env: FetchEnv, held: str, bus: str) -> None:
    """Start a program and go on until the exit holds this and the bus does that, or is about to."""
    out, ar = Gate(), Gate()
    for agent in env.engines.values():
        agent.sink.stalls = out
    out.closed = True
    env.memory.driver.timing = MemoryTiming((100, 100), stalls={"ar": ar})

    async def until(wanted: Callable[[tuple[str, str]], bool]) -> None:
        for _ in range(500):
            if wanted(env.cycle.state()):
                return
            await env.cycles(1)

    program = commands(env, 4 if bus == "idle" else 16)  # of one burst: nothing is asked for behind it
    if held == "ended":
        program[env.rng.randrange(3)] = End()
    base = env.rng.randrange(1 << 19) * PAGE
    await env.start(base, env.load_program(base, program))
    ar.closed = (held, bus) == ("none", "address")
    if held == "none":
        if bus != "idle":  # which lasts one cycle
            await until(lambda now: now[1] == bus)
        return
    await until(lambda now: now[1] == "data")
    ar.closed = bus == "address"
    await until(lambda now: now[0] in ("held", "ended") and now[1] == bus)
    out.closed = held == "held"
    if held == "ended":
        await until(lambda now: now[0] == "ended")
    elif held == "part":
        await env.cycles(env.rng.randrange(5))


async def stop_everywhere(dut: Any, cross: str, stop: Callable[[FetchEnv], Awaitable[None]]) -> None:
    """Stop with every state of the command at the exit and of the bus."""
    async with start(FetchEnv, dut) as env:
        met = env.cover.bins[cross]
        await env.cycles(2)
        await stop(env)  # without a program
        for _ in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if not unmet:
                break
            held, bus = env.rng.choice(unmet).split("_x_")
            await bring_to(env, held, bus)
            await stop(env)
        assert not unmet, unmet
        for agent in env.engines.values():
            agent.sink.stalls = Stalls(env.rng)
        env.memory.driver.timing = FAST
        await env.execute(anywhere(env.rng), [*commands(env, 5), End()])


async def quiet(env: FetchEnv) -> None:
    """Wait, after halt, until nothing is under way."""
    for _ in range(2000):
        await env.cycles(1)
        if value_of(env.dut.quiet):
            return
    raise EngineError("never quiet after halt")
