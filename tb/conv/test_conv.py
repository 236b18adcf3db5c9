"""conv: sums, addresses, descriptors and tokens against the models; every cycle accounted for (env.py)."""

from __future__ import annotations

from collections import deque
from itertools import product

import cocotb
import numpy as np

from tb.agents.env import start
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, lighter, params, some
from tb.common.compute import ContractError, spoil, without_bubble
from tb.common.watch import Gate
from tb.conv.env import ConvEnv
from tb.conv.shapes import every_reach, every_slide, every_tiling, extremes
from tb.conv.stimulus import any_conv, random_conv, random_convs, split_conv, window_conv

# Every size of window: 1 x 4, 2 x 4, 3 x 5, 5 x 6.
BENCH = Bench(
    toplevel="npu_conv",
    params=[
        {"N": 4, "LOG_DEPTH": 3, "LOG_LINE": 9},
        {"N": 8, "LOG_DEPTH": 4, "LOG_LINE": 5},
        {"N": 16, "LOG_DEPTH": 8, "LOG_LINE": 8},
        {"N": 32, "LOG_DEPTH": 5, "LOG_LINE": 4},
    ],
)

ONE_PIXEL = {"groups": 1, "out_w": 1, "out_h": 1}
ONE_WORD = {"kw": 1, "kh": 1, "cb": 1, **ONE_PIXEL}


@cocotb.test()
@cocotb.parametrize(pressure=["none", "random"], salt=some(range(2)))
async def conv_matches_model_on_random_commands(dut, pressure, salt):
    async with start(ConvEnv, dut, pressure=pressure, salt=salt) as env:
        await env.run(random_convs(env.rng, env.config, lighter(24, 2, 12), env.words))


@cocotb.test()
async def conv_does_every_kernel_step_and_tiling(dut):
    """All of them where weights and banks are small, some of them elsewhere."""
    async with start(ConvEnv, dut, pressure="none") as env:
        rng, config = env.rng, env.config
        commands = extremes(rng, config, env.act_words, env.wgt_words)
        slides = every_slide(rng, config)
        if config.n == 4:
            reaches = every_reach(rng, config)
            commands += reaches[: lighter(len(reaches), 10, 30)]
            tilings = every_tiling(rng, config)
            commands += tilings[: lighter(len(tilings), 10, 30)]
        wraps = {"act_base": 0xFFFF, "wgt_base": 0xFFFF, "kw": 2, "kx_step": 1}
        commands += [make(rng, config, 1, **wraps) for make in (random_conv, window_conv)]
        for make, tile in product((random_conv, window_conv), (2, 3)):  # cut at a row's end, and within one
            square = {"kw": 2, "kh": 1, "groups": 1, "out_w": 2, "out_h": 2, "x_stride": 1}
            commands.append(make(rng, config, 1, **square, tile=tile))
        for kernel in slides.values():
            commands += rng.sample(kernel, lighter(len(kernel)) if config.n == 8 else 1)
        await env.run(commands)


@cocotb.test()
async def conv_stalls_for_every_cause_and_loses_nothing(dut):
    async with start(ConvEnv, dut, pressure="heavy") as env:
        await env.run(random_convs(env.rng, env.config, lighter(16, 2, 8), env.words // 4))
        for _ in range(20):  # the pace of post and load may hide a cause for a while
            # Commands of one word: descriptor and token must be taken in the same cycle, or neither.
            await env.run(
                [random_conv(env.rng, env.config, 1, **ONE_WORD, signal_load=True) for _ in range(20)]
            )
            times = range(lighter(15, 1, 5))
            await env.run([part for _ in times for part in split_conv(env.rng, env.config, 1, largest=2)])
            if len(env.watch.causes) == 4:
                break
    assert set(env.watch.causes) == {"weights", "bank", "desc", "token"}, env.watch.causes


@cocotb.test()
async def conv_windows_stall_for_every_cause_and_lose_nothing(dut):
    """Between the words of a row, too: a tile may start anywhere in it."""
    async with start(ConvEnv, dut, pressure="heavy") as env:
        tiles = [{"tile": env.rng.randint(1, 4), "signal_load": True} for _ in range(lighter(12, 3, 6))]
        await env.run([window_conv(env.rng, env.config, env.words // 4, **tile) for tile in tiles])
        for _ in range(20):  # post's pace may hide a cause for a while
            small = [window_conv(env.rng, env.config, 1, **ONE_PIXEL, signal_load=True) for _ in range(20)]
            await env.run(small)
            if len(env.watch.causes) == 4:
                break
    assert set(env.watch.causes) == {"weights", "bank", "desc", "token"}, env.watch.causes


@cocotb.test()
async def conv_adds_up_one_pixel_of_both_kinds(dut):
    """The shortest way from a sum to the next addition to it."""
    async with start(ConvEnv, dut, pressure="none") as env:
        times = range(lighter(40, 1, 8))
        await env.run([part for _ in times for part in split_conv(env.rng, env.config, 1, largest=1)])


def long_passes(env, count):
    """Commands whose passes all have at least n pixels and whose tiles, of one size, have passes enough to
    hide a drain."""
    n, depth = env.config.n, env.config.acc_depth
    tile = env.rng.randint(max(n, 8), min(depth, 40))
    commands = []
    for _ in range(count):
        shape = {"out_w": tile, "out_h": env.rng.randint(1, 3), "tile": tile}
        taps = {"kw": env.rng.randint(2, 3), "kh": env.rng.randint(1, 2), "cb": env.rng.randint(1, 2)}
        commands.append(random_conv(env.rng, env.config, 1 << 20, **shape, **taps, signal_load=True))
    return commands


def long_windows(env, count):
    """Commands with windows, of n words or more, tiles of one size and at most one sum in two cycles, so that
    post keeps up."""
    rows, _ = env.config.window
    shape = {"out_w": env.rng.randint(2, 5), "out_h": max(env.config.n // 2, 8), "kw": 2, "kh": rows}
    commands = []
    for _ in range(count):
        steps = {"x_stride": 2, "y_stride": env.rng.randint(1, 2), "tile": env.config.acc_depth}
        commands.append(window_conv(env.rng, env.config, 1, **shape, **steps, signal_load=True))
    return commands


async def words_without_bubble(env, commands):
    """Run the commands; a word a cycle."""
    await without_bubble(env, commands, lambda: env.watch.fed, sum(c.groups * c.words_read for c in commands))


@cocotb.test()
async def conv_has_no_bubble_between_passes_tiles_and_commands(dut):
    async with start(ConvEnv, dut, pressure="none") as env:
        await words_without_bubble(env, long_passes(env, lighter(12, 3, 6)))


@cocotb.test()
async def conv_has_no_bubble_between_rows_tiles_and_commands_of_windows(dut):
    async with start(ConvEnv, dut, pressure="none") as env:
        await words_without_bubble(env, long_windows(env, lighter(12, 3, 6)))


@cocotb.test(expect_error=ContractError)
async def bubble_is_noticed(dut):
    async with start(ConvEnv, dut, pressure="none") as env:
        env.post.stalls = gate = Gate()
        gate.closed = True  # until both banks are full, and the third tile waits

        async def drain() -> None:
            await env.until(lambda: env.watch.causes["bank"])
            gate.closed = False

        cocotb.start_soon(drain())
        await words_without_bubble(env, long_passes(env, 4))


@cocotb.test()
async def conv_counts_beyond_eight_bits(dut):
    one = {"kw": 1, "kh": 1, "cb": 1, "groups": 1, "out_w": 1, "out_h": 1, "tile": 1}
    tile = {"tile": 1 << params()["LOG_DEPTH"]}
    passes = [
        {**one, "kw": 200},
        {**one, "kh": 200},
        {**one, "cb": 300},
        {**one, "groups": 260},
        {**one, **tile, "out_w": 300},
        {**one, **tile, "out_h": 300},
    ]
    small = {"kw": 2, "kh": 1, "groups": 1, "out_w": 1, "out_h": 1, "x_stride": 1, "y_stride": 1, **tile}
    windows = [{**small, "groups": 260}, {**small, "out_h": 300}, {**small, "out_h": 2, "y_stride": 300}]
    if 1 << params()["LOG_LINE"] > 300:
        windows += [{**small, "out_w": 300}, {**small, "out_w": 2, "x_stride": 300}]
    wide = [(random_conv, fields) for fields in passes] + [(window_conv, fields) for fields in windows]
    async with start(ConvEnv, dut, pressure="none") as env:
        # All of them only where a weight block takes few cycles.
        for make, fields in env.rng.sample(wide, lighter(len(wide), 3, 6) if env.config.n == 4 else 1):
            await env.run([make(env.rng, env.config, 1, **fields)])


async def abort(env, commands, cycles):
    """Send commands, reset after 5 to `cycles` cycles, and once more when the rest is sent."""
    sending = cocotb.start_soon(env.send(commands))
    await env.cycles(env.rng.randint(5, cycles))
    await env.reset(env.rng.choice((0, 0, 1, 3)))
    await sending
    await env.reset(env.rng.choice((0, 3)))


@cocotb.test()
async def conv_works_after_reset_in_flight(dut):
    async with start(ConvEnv, dut) as env:
        for _ in range(lighter(8, 2)):
            await abort(
                env, [any_conv(env.rng, env.config, env.words // 4) for _ in range(2)], env.words // 2
            )
        # The weights of a first pass are waited for.
        sending = cocotb.start_soon(env.send([random_conv(env.rng, env.config, env.words // 4)]))
        await env.until(lambda: env.watch.doing == "held")
        await env.reset(0)
        await sending
        await env.run(random_convs(env.rng, env.config, lighter(6, 2), env.words // 4))


@cocotb.test()
async def conv_forgets_a_command_before_its_first_word(dut):
    async with start(ConvEnv, dut, pressure="none") as env:
        for make in (random_conv, window_conv) * 2:
            sending = cocotb.start_soon(env.send([make(env.rng, env.config, 1, **ONE_PIXEL)]))
            await env.until(lambda: env.watch.words)
            await env.cycles(env.rng.randint(0, 1))
            await env.reset(env.rng.choice((0, 3)))
            await sending
            await env.cycles(10)  # nothing may be read: env.watch
        await env.run(random_convs(env.rng, env.config, 3, env.words // 4))


@cocotb.test()
async def conv_forgets_the_words_in_its_pipeline_at_reset(dut):
    async with start(ConvEnv, dut, pressure="none") as env:
        window = {"window": True, "kw": 2, "kh": 1, "x_stride": 1, "y_stride": 1}
        for delay in range(12):  # cycles, from the read of a first word: up to 5 after a tile's last
            fields = ONE_WORD | (window if delay % 2 else {})
            sending = cocotb.start_soon(env.send([random_conv(env.rng, env.config, 1, **fields)]))
            await env.next_word()
            await env.cycles(delay // 2)
            await env.reset(0)
            await sending
            await env.cycles(10)  # bank_full must stay low: env.watch
        await env.run(random_convs(env.rng, env.config, 3, env.words // 4))


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(
    spoilt=[
        ("reads", lambda read: read._replace(addr=read.addr ^ 1)),
        ("reads", lambda read: read._replace(token=1 - read.token)),
        ("reads", lambda read: read._replace(desc=1 - read.desc)),
        ("weights", lambda addr: addr + 1),
        ("descs", lambda desc: desc._replace(restart=1 - desc.restart)),
        ("sums", lambda item: item._replace(bank=1 - item.bank)),
        ("sums", lambda item: item._replace(data=bytes([item.data[0] ^ 1]) + item.data[1:])),
    ]
)
async def scoreboards_catch_a_wrong_item(dut, spoilt):
    name, change = spoilt
    async with start(ConvEnv, dut) as env:
        spoil(getattr(env, name), change)
        await env.run(random_convs(env.rng, env.config, 5, env.words // 4))


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_one_wrong_weight(dut):
    async with start(ConvEnv, dut) as env:
        env.wgt.words = env.wgt_words.copy()
        env.wgt.words[:, 0] ^= 1
        nonzero = int(np.flatnonzero(env.act_words[:, 0])[0])  # the one tap, of the channel that is wrong
        await env.run([random_conv(env.rng, env.config, 100, **ONE_WORD, act_base=nonzero)])


@cocotb.test(expect_error=Missing)
async def scoreboard_catches_a_lost_tile(dut):
    async with start(ConvEnv, dut) as env:
        env.post.tiles = deque(maxlen=0)
        await env.run([random_conv(env.rng, env.config, 100)], patience=400)


@cocotb.test(expect_error=ContractError)
@cocotb.parametrize(fact=[("weights", -999), ("used", [True, True]), ("full", 1), ("passes", -9)])
async def watch_catches_a_cycle_that_breaks_the_contract(dut, fact):
    async with start(ConvEnv, dut, pressure="none") as env:
        setattr(env.watch, *fact)
        await env.run(random_convs(env.rng, env.config, 2, 100))


@cocotb.test(expect_error=Idle)
async def idle_scoreboards_fail(dut):
    async with start(ConvEnv, dut):
        pass
