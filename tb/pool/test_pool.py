"""pool: results, addresses, descriptors and tokens against the models."""

from __future__ import annotations

from collections import deque

import cocotb
import numpy as np

from models.isa import PoolKind
from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, lighter
from tb.common.compute import ContractError, spoil, without_bubble
from tb.pool.env import DIVISION, PoolEnv
from tb.pool.stimulus import every_border, every_slide, random_pool, random_pools

BENCH = Bench(toplevel="npu_pool", params=[{"N": 4}, {"N": 16}])

# What the windows of a run must have met at least once, or the run proves little.
OUTCOMES = ("kind_x_inside", "kind_x_extreme", "tie")


def missed(env):
    """Outcomes that no window has met so far."""
    return [
        f"{point}.{name}" for point in OUTCOMES for name, hits in env.cover.bins[point].items() if not hits
    ]


@cocotb.test()
@cocotb.parametrize(pressure=["none", "random"], salt=range(2))
async def pool_matches_model_on_random_commands(dut, pressure, salt):
    async with start(PoolEnv, dut, pressure=pressure, salt=salt) as env:
        await env.run(random_pools(env.rng, env.config, env.words, lighter(60, 2), lighter(400, 4)))
        # Some seeds meet the rare outcomes later than others.
        for _ in range(20):
            if not missed(env):
                break
            await env.run(random_pools(env.rng, env.config, env.words, 20, 400))
    assert not missed(env), f"no window met: {missed(env)}"


@cocotb.test()
async def pool_does_every_window_step_and_border(dut):
    async with start(PoolEnv, dut, pressure="none") as env:
        commands = every_slide(env.rng, env.config), every_border(env.rng, env.config)
        await env.run([command for some in commands for command in some[: lighter(len(some))]])


@cocotb.test()
async def pool_stalls_for_every_cause_and_loses_nothing(dut):
    async with start(PoolEnv, dut, pressure="heavy") as env:
        one = {"kw": 1, "kh": 1, "out_w": 1, "out_h": 1, "cb": 1, "signal_load": True}
        await env.run(random_pools(env.rng, env.config, env.words, lighter(30, 3), 100))
        wanted = {"result", "descriptor", "token"}
        for _ in range(100):  # one may hide another for a while
            await env.run([random_pool(env.rng, env.config, 1, **one) for _ in range(lighter(20, 2))])
            if wanted <= set(env.watch.causes):
                break
    assert wanted <= set(env.watch.causes), env.watch.causes


@cocotb.test()
async def pool_needs_no_word_once_it_is_idle(dut):
    # BufferPort takes act_data away when idle is high; here results wait for long.
    async with start(PoolEnv, dut, pressure="heavy") as env:
        for _ in range(lighter(40, 2)):
            window = {"kw": env.rng.randint(1, 2), "kh": 1, "out_w": 3, "out_h": 1, "cb": 1}
            inside = {"x_lo": 0, "x_hi": 99, "y_lo": 0, "y_hi": 99}
            await env.run([random_pool(env.rng, env.config, 1, **window, **inside)])


@cocotb.test()
async def pool_counts_beyond_eight_bits(dut):
    one = {"kw": 1, "kh": 1, "cb": 1, "out_w": 1, "out_h": 1}
    wide = [{**one, "cb": 300}, {**one, "out_w": 300}, {**one, "out_h": 300}]
    coordinates = [
        {"x_lo": 257, "x_hi": 0xFFFF, "y_lo": 0, "y_hi": 270},
        {"x_lo": 0, "x_hi": 270, "y_lo": 257},
    ]
    async with start(PoolEnv, dut, pressure="none") as env:
        for fields in wide:
            for inside in coordinates:
                await env.run([random_pool(env.rng, env.config, 1, **{"y_hi": 0xFFFF, **fields, **inside})])


@cocotb.test()
async def pool_averages_the_largest_window(dut):
    """All of it -128: the sum that needs the most bits."""
    async with start(PoolEnv, dut, pressure="none") as env:
        side = lighter(255, 8) if env.config.n == 16 else 30
        lowest = int(np.flatnonzero((env.words == 0x80).all(axis=1))[0])
        one_word = {"act_base": lowest, "kx_step": 0, "ky_step": 0, "out_w": 1, "out_h": 1, "cb": 1}
        inside = {"x_lo": 0, "x_hi": 255, "y_lo": 0, "y_hi": 255}
        taps = {"kw": side, "kh": side, **one_word, **inside}
        await env.run([random_pool(env.rng, env.config, 1, kind=PoolKind.AVERAGE, **taps)])


async def taps_without_bubble(env, commands):
    """Run the commands; a tap a cycle."""
    wanted = sum(c.pixels * c.kw * c.kh * c.cb for c in commands)
    await without_bubble(env, commands, lambda: env.watch.seen, wanted)


def commands_that_hide_division(env):
    """Windows of DIVISION + 1 taps or more, and maxima of any size."""
    commands = []
    for _ in range(lighter(20, 4)):
        kind = env.rng.choice(tuple(PoolKind))
        kw, kh = (3, 3) if kind == PoolKind.AVERAGE else (env.rng.randint(1, 3), env.rng.randint(1, 3))
        assert kind != PoolKind.AVERAGE or kw * kh > DIVISION
        # A division under way when smaller windows follow would be waited for.
        commands.append(random_pool(env.rng, env.config, 200, kind=kind, kw=kw, kh=kh))
    return sorted(commands, key=lambda command: command.kind == PoolKind.AVERAGE)


@cocotb.test()
async def pool_reads_a_tap_a_cycle(dut):
    async with start(PoolEnv, dut, pressure="none") as env:
        await taps_without_bubble(env, commands_that_hide_division(env))


@cocotb.test(expect_error=ContractError)
async def bubble_is_noticed(dut):
    async with start(PoolEnv, dut, pressure="heavy") as env:
        await taps_without_bubble(env, commands_that_hide_division(env))


@cocotb.test()
async def pool_works_after_reset_in_flight(dut):
    async with start(PoolEnv, dut) as env:
        met = env.cover.bins["reset"]
        for turn in range(200):
            unmet = [name for name, hits in met.items() if not hits]
            if turn >= lighter(12, 3) and not unmet:
                break
            commands = [random_pool(env.rng, env.config, 60) for _ in range(3)]
            sending = cocotb.start_soon(env.send(commands))
            await env.cycles(env.rng.randint(1, 100))
            state = env.rng.choice(unmet or [*met])
            for _ in range(100):  # or until the commands are done
                if env.watch.state() == state:
                    break
                await env.cycles(1)
            await env.reset(env.rng.choice((0, 0, 1, 3)))
            await sending
            await env.reset(env.rng.choice((0, 3)))
        assert not unmet, unmet
        await env.run(random_pools(env.rng, env.config, env.words, lighter(20, 3), 100))


@cocotb.test()
async def pool_forgets_a_window_at_reset(dut):
    async with start(PoolEnv, dut, pressure="none") as env:
        inside = {"x_lo": 0, "x_hi": 99, "y_lo": 0, "y_hi": 99}
        one = {"kw": 1, "kh": 1, "out_w": 1, "out_h": 1, "cb": 1, "kind": PoolKind.AVERAGE, **inside}
        for delay in range(14):  # cycles: from before the read of its tap until its result is out
            sending = cocotb.start_soon(env.send([random_pool(env.rng, env.config, 1, **one)]))
            await env.until(lambda: env.watch.due)
            await env.cycles(delay)
            await env.reset(0)
            await sending
            await env.cycles(12)  # no result may come: env.watch, the scoreboard
        await env.run(random_pools(env.rng, env.config, env.words, 5, 60))


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(
    spoilt=[
        ("taps", lambda tap: tap._replace(addr=tap.addr ^ 1)),
        ("taps", lambda tap: tap._replace(token=1 - tap.token)),
        ("taps", lambda tap: tap._replace(desc=1 - tap.desc)),
        ("descs", lambda desc: desc._replace(par_addr=desc.par_addr ^ 1)),
        ("results", lambda word: bytes([word[0] ^ 1]) + word[1:]),
    ]
)
async def scoreboards_catch_a_wrong_item(dut, spoilt):
    name, change = spoilt
    async with start(PoolEnv, dut) as env:
        spoil(getattr(env, name), change)
        await env.run(random_pools(env.rng, env.config, env.words, 6, 60))


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_one_wrong_activation(dut):
    async with start(PoolEnv, dut) as env:
        env.act.words = env.words ^ np.uint8(0x80)
        await env.run(random_pools(env.rng, env.config, env.words, 6, 60))


@cocotb.test(expect_error=Missing)
async def scoreboard_catches_a_command_that_is_never_done(dut):
    async with start(PoolEnv, dut) as env:
        env.desc_sink.stalls = Stalls(env.rng, 1 - 1e-12)
        await env.reset()
        await env.run([random_pool(env.rng, env.config, 60)], patience=300)


@cocotb.test(expect_error=ContractError)
async def watch_catches_reads_of_no_command(dut):
    async with start(PoolEnv, dut) as env:
        env.watch.due = NoTaps()
        await env.run([random_pool(env.rng, env.config, 60)])


class NoTaps(deque[int]):
    """A watch that forgets what it accepted."""

    def append(self, taps):
        pass


@cocotb.test(expect_error=Idle)
async def idle_scoreboards_fail(dut):
    async with start(PoolEnv, dut):
        pass
