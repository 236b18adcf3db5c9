"""post: every output word, parameter read, drain, token and stamp against the models, in order."""

from __future__ import annotations

from itertools import product

import cocotb
import numpy as np

from models.config import PARAM_WORDS
from models.quantize import Rounding
from tb.agents.env import start
from tb.agents.pins import Stalls
from tb.agents.scoreboard import Idle, Mismatch, Missing
from tb.bench import Bench, lighter
from tb.common.compute import ContractError, spoil
from tb.common.watch import Gate
from tb.post.coverage import STATES
from tb.post.env import PostEnv
from tb.post.stimulus import FIRST_FLOAT

BENCH = Bench(toplevel="npu_post", params=[{"N": 4, "LOG_DEPTH": 3}, {"N": 16, "LOG_DEPTH": 8}])


WAYS = (0, 1), (0, 1, 2, 3), (0, 1)  # bypass, elem, table_en: through the lanes


def tiles(env, count, pixels=None, **fixed):
    """Random descriptors; the first one starts at its out_addr."""
    sizes = [pixels or env.rng.randint(1, min(env.config.acc_depth, 30)) for _ in range(count)]
    first = {"restart": 1}
    return [env.descs.draw(size, **{**(first if k == 0 else {}), **fixed}) for k, size in enumerate(sizes)]


@cocotb.test()
@cocotb.parametrize(stalled=[False, True], salt=range(2))
async def post_matches_model_on_random_tiles(dut, stalled, salt):
    async with start(PostEnv, dut, stalled=stalled, salt=salt) as env:
        await env.write_table(1, Stalls(env.rng))
        ways = [dict(zip(("bypass", "elem", "table_en"), way, strict=True)) for way in product(*WAYS)]
        decks = [env.rng.sample(ways, len(ways)) for _ in range(2)]  # of each table
        for batch in range(lighter(6)):
            # The other table is written while this one is in use.
            sel = 1 - batch % 2
            writing = cocotb.start_soon(env.write_table(1 - sel, Stalls(env.rng, 0.5)))
            # No bank limits what comes from pool.
            descs = [*tiles(env, lighter(12, 3)), *tiles(env, 1, env.rng.randint(1, 600), from_pool=1)]
            descs += [tile for _ in range(6) if decks[sel] for tile in tiles(env, 1, **decks[sel].pop())]
            await env.run(desc._replace(table_sel=sel) if desc.table_en else desc for desc in descs)
            await writing


@cocotb.test()
async def post_requantises_a_million_sums_like_the_model(dut):
    async with start(PostEnv, dut, stalled=False) as env:
        depth, n = env.config.acc_depth, env.config.n
        pixels = (lighter(1_000_000, 25) if n == 16 else lighter(20_000, 4)) // n
        # Short tiles where there are few: many parameter records must be met.
        size = lighter(depth, 16) if depth > 16 else depth
        for _ in range(100):  # few sums may miss a rare one
            await env.run(tiles(env, pixels // size + 1, size, bypass=0, table_en=0, wait=0), patience=2000)
            points = {point: env.cover.bins[point] for point in ("mode_x_tie", "edge", "out")}
            missed = [f"{p}.{name}" for p, bins in points.items() for name, hits in bins.items() if not hits]
            if not missed:
                break
    assert not missed, f"no sum met {missed}"
    assert env.outputs.compared >= pixels


@cocotb.test()
async def post_uses_every_shift_of_every_lane(dut):
    async with start(PostEnv, dut, stalled=False) as env:
        seen: set[tuple[int, int]] = set()
        shifts = env.params.words.view(np.int8)
        rows = [(env.params.base + PARAM_WORDS * k + 8) % len(shifts) for k in range(FIRST_FLOAT)]
        for record, row in enumerate(rows):
            new = {(lane, int(shift)) for lane, shift in enumerate(shifts[row])} - seen
            if new and len(new) >= env.config.n // 2 or (record > FIRST_FLOAT // 2 and new):
                seen |= new
                desc = tiles(
                    env,
                    1,
                    min(8, env.config.acc_depth),
                    par_addr=env.params.address(record),
                    mode=env.rng.choice((Rounding.DOUBLE, Rounding.SINGLE)),
                    bypass=0,
                    table_en=0,
                )[0]
                await env.run([desc])
            if len(seen) == 62 * env.config.n or (lighter(2) == 1 and record == 30):
                break
        assert len(seen) == 62 * env.config.n or lighter(2) == 1


@cocotb.test()
async def post_drains_a_pixel_a_cycle_as_soon_as_the_bank_is_full(dut):
    async with start(PostEnv, dut, stalled=False) as env:
        for pixels in (1, 2, env.config.acc_depth):
            env.banks.wait = [50, 50]
            desc = tiles(env, 1, pixels, from_pool=0, bypass=0, table_en=0)[0]
            drained = len(env.watch.drain_cycles)
            begin = env.watch.cycle
            await env.run([desc])
            cycles = env.watch.drain_cycles[drained:]
            assert cycles == list(range(cycles[0], cycles[0] + pixels)), cycles
            # bank_full rises 51 cycles after the descriptor; the record was read long before.
            assert cycles[0] - begin <= 56, cycles[0] - begin


@cocotb.test()
async def post_writes_nothing_until_its_store_token_comes(dut):
    async with start(PostEnv, dut, stalled=False) as env:
        env.wait.stalls = Stalls(env.rng, 1 - 1e-12)
        await env.cycles(3)
        await env.reset()  # takes back the token that is already offered
        waiting, free = (tiles(env, 1, wait=wait, table_en=0)[0] for wait in (1, 0))
        before = env.outputs.compared
        running = cocotb.start_soon(env.run([free, waiting]))
        await env.cycles(200)
        assert env.outputs.compared - before == free.pixels + free.signal + free.stamp
        env.wait.stalls = Stalls(env.rng)
        await running


@cocotb.test()
async def post_works_after_reset_in_flight(dut):
    async with start(PostEnv, dut) as env:
        for _ in range(lighter(12, 3)):
            sending = cocotb.start_soon(env.send(tiles(env, 3, restart=1, table_en=0)))
            await env.cycles(env.rng.randint(5, 120))
            await env.reset(env.rng.choice((0, 0, 1, 3)))
            await sending
            await env.cycles(env.rng.randint(1, 60))
            await env.reset(env.rng.choice((0, 3)))
        await env.write_table(0, Stalls(env.rng))
        await env.run(tiles(env, lighter(20, 4), table_sel=0))


@cocotb.test()
async def post_works_after_reset_in_every_state(dut):
    async with start(PostEnv, dut) as env:
        met = env.cover.bins["reset"]
        # Those that last one cycle are held: there is no token, or nobody takes one.
        gates = {"wait": Gate(), "done": Gate(), "stamp": Gate()}
        env.wait.stalls, env.signal.sink.stalls, env.stamp.sink.stalls = gates.values()
        tile = {"restart": 1, "from_pool": 0, "table_en": 0, "bypass": 0}  # there is a record to read
        tile |= {"wait": 1, "signal": 1, "stamp": 1}
        for state in env.rng.sample([*STATES], len(STATES)):
            for name, gate in gates.items():
                gate.closed = name == state
            await env.reset()  # takes back a token that is on offer
            sending = cocotb.start_soon(env.send(tiles(env, 1, env.config.acc_depth, **tile)))
            await env.until(lambda: env.watch.state() == state)  # noqa: B023
            await env.reset(env.rng.choice((0, 1, 3)))
            await sending
        assert all(met.values()), met
        for gate in gates.values():
            gate.closed = False
        await env.run(tiles(env, 3, table_en=0))


@cocotb.test()
async def post_forgets_the_words_in_its_pipeline_at_reset(dut):
    # Without stalls half of the resets hit a drain.
    async with start(PostEnv, dut, stalled=False) as env:
        for _ in range(lighter(20, 2)):
            sending = cocotb.start_soon(env.send(tiles(env, 2, 8, table_en=0, wait=0, restart=1)))
            await env.cycles(env.rng.randint(10, 50))
            await env.reset(0)
            await sending
            await env.cycles(env.rng.randint(1, 30))
            await env.reset(0)
        await env.run(tiles(env, 3, table_en=0))


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(
    spoilt=[
        ("outputs", lambda event: event._replace(where=event.where ^ 1)),
        ("outputs", lambda event: event._replace(data=bytes([event.data[0] ^ 1]) + event.data[1:])),
        ("outputs", lambda event: event._replace(kind="signal")),
        ("inputs", lambda event: event._replace(where=event.where + 1)),
        ("inputs", lambda event: event._replace(kind="wait")),
    ]
)
async def scoreboards_catch_a_wrong_event(dut, spoilt):
    name, change = spoilt
    async with start(PostEnv, dut) as env:
        spoil(getattr(env, name), change)
        await env.run(tiles(env, 3, 4, bypass=0, table_en=0))


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(wrong=["rounding", "table", "parameters"])
async def scoreboard_catches_a_wrong_model(dut, wrong):
    async with start(PostEnv, dut) as env:
        if wrong == "rounding":  # sums one off change the result where they lie on a border
            honest = env.sums_of
            env.sums_of = lambda desc: honest(desc) + np.int32(1)
            predict = env.predict
            env.watch.accepted = lambda desc: (predict(desc), shift_sums(env))
        elif wrong == "table":
            await env.write_table(0, Stalls(env.rng))
            env.table ^= 1
        else:
            env.par.words = env.par.words ^ np.uint8(1)
        fixed = {"table_en": int(wrong == "table"), "table_sel": 0, "bypass": 0, "from_pool": 0}
        # Some records make the same of it; most do not.
        await env.run(tiles(env, 100, 8, act_min=0x80, act_max=0x7F, **fixed))


def shift_sums(env):
    """Lower the sums that the banks hold by one: what a wrong rounding constant would look like."""
    n = env.config.n
    for bank in env.banks.tiles:
        for tile in bank:
            for k, word in enumerate(tile):
                data = np.frombuffer(word.to_bytes(4 * n, "little"), dtype="<i4") - np.int32(1)
                tile[k] = int.from_bytes(data.tobytes(), "little")


@cocotb.test(expect_error=Missing)
async def scoreboard_catches_a_tile_that_never_comes(dut):
    async with start(PostEnv, dut) as env:
        env.banks.delay = 10**6
        env.banks.wait = [10**6] * 2
        await env.run(tiles(env, 1, from_pool=0, table_en=0), patience=300)


@cocotb.test(expect_error=ContractError)
@cocotb.parametrize(pending=[0, 1])
async def watch_catches_a_wrong_idle(dut, pending):
    async with start(PostEnv, dut) as env:
        env.watch.pending = lambda: pending
        await env.run(tiles(env, 2, table_en=0))


@cocotb.test(expect_error=ContractError)
async def bank_that_is_not_full_must_not_be_drained(dut):
    async with start(PostEnv, dut, stalled=False) as env:
        env.banks.wait = [500, 500]
        dut.bank_full.value = 3
        await env.run(tiles(env, 1, 8, from_pool=0, table_en=0))


@cocotb.test(expect_error=Idle)
async def idle_scoreboards_fail(dut):
    async with start(PostEnv, dut):
        pass
