"""Our AXI agents against agents of other authors, cocotbext-axi, on bare wires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import MethodType
from typing import Any

import cocotb
from cocotbext.axi import AxiBurstType

from tb.agents.axi4 import Axi4Item, ManagerTiming
from tb.agents.burst import DECERR, EXOKAY, FIXED, INCR, OKAY, SLVERR, WRAP, Burst
from tb.agents.env import start
from tb.agents.rules import HDL_RULES
from tb.agents.scoreboard import Mismatch
from tb.axi_peers.coverage import COVERAGE
from tb.axi_peers.env import LitePeerEnv, PeerEnv, WireEnv
from tb.axi_peers.traffic import BAD_PAGES, PAGE, PAGES, Shape, answer_of, resps_of, shapes
from tb.bench import Bench, light, lighter, some
from tb.common.cover import counted

BENCH = Bench(
    toplevel="axi_peers",
    params=[{"DATA_W": 32}, {"DATA_W": 64}, {"DATA_W": 128}, {"DATA_W": 256}],
    sources=["tb/hdl/axi_peers.v", "tb/hdl/axi_rules.v"],
    public=[("axi_peers", "*"), ("axi_rules", "rule")],
)

# Of a test that waits for answers: ten times what the slowest has taken. One that hangs has failed at once.
LIMITED: dict[str, Any] = {"timeout_time": 1500, "timeout_unit": "us"}


async def our_traffic(env: PeerEnv, count: int, break_item: Callable[[Axi4Item], None] | None = None) -> None:
    """Random bursts of our manager, as many under way as it takes; each answer against the model."""
    theirs = hasattr(env, "ram")
    rng = env.rng

    async def one(shape: Shape, item: Axi4Item, claim: Any, data: bytes, strobes: Any) -> None:
        expected = env.model.load(shape.addresses)
        await env.manager.transfer(item)
        if theirs:
            given = env.given[("b" if shape.write else "r", shape.id)]
            resps = tuple(given.pop(0) for _ in range(1 if shape.write else shape.beats))
        else:
            resps = resps_of(shape)
        if shape.write:
            if theirs or resps == (OKAY,):
                env.model.store(shape.addresses, data, strobes)
            env.compare(shape, item.resps, b"", resps, b"")
        else:
            env.compare(shape, item.resps, readable(shape, item.data), resps, readable(shape, expected))
        env.model.release(claim)

    for shape in shapes(rng, env.data_bytes, count, PAGES if theirs else PAGES + 1):
        claim = await env.model.claim(shape.write, shape.addresses)
        env.planned["b" if shape.write else "r", shape.id].append(answer_of(shape.addr))
        data = rng.randbytes(len(shape.addresses)) if shape.write else b""
        strobes = [rng.getrandbits(2) != 0 for _ in data] if shape.write and rng.getrandbits(1) else None
        item = Axi4Item(shape.write, shape.addr, shape.beats, shape.size, shape.kind, shape.id, data, strobes)
        if break_item:
            break_item(item)
        env.tasks.append(cocotb.start_soon(one(shape, item, claim, data, strobes)))
    for task in env.tasks:
        await task


def readable(shape: Shape, data: bytes | bytearray) -> bytes:
    """Data beyond the end of the memory have no meaning."""
    return bytes(data) if shape.addr < PAGES * PAGE else b""


def named(rule: str) -> None:
    """Functional coverage: a rule that was broken and called by its name."""
    with counted(COVERAGE) as hits:
        hits.sample(rule=rule)


def count() -> int:
    return 30 if light() else 60


def check_bursts(env: PeerEnv) -> None:
    """The passive monitor saw every kind of burst that was sent."""
    bursts: list[Burst] = env.monitor.bursts
    env.count()
    assert {burst.kind for burst in bursts} == {FIXED, INCR, WRAP}
    assert {burst.write for burst in bursts} == {False, True}
    assert {OKAY, SLVERR, DECERR} == {burst.resp for burst in bursts}
    assert any(burst.size is not None for burst in bursts), "no narrow burst"


@cocotb.test(**LIMITED)
@cocotb.parametrize(memory=["theirs", "ours"], run=some(range(2)))
async def our_manager_agrees_with_the_memory(dut: Any, memory: str, run: int) -> None:
    async with start(PeerEnv, dut, manager="ours", memory=memory) as env:
        await our_traffic(env, count())
        env.check_memory()
        check_bursts(env)
        assert env.scoreboard.compared > count() // 2
        assert overlap(env.monitor.bursts), "reads and writes never under way together"
    env.no_violation()


def overlap(bursts: list[Burst]) -> bool:
    """Whether a read and a write were under way at the same time."""
    reads = [burst for burst in bursts if not burst.write]
    return any(r.start < w.end and w.start < r.end for w in bursts if w.write for r in reads)


def their_shape(env: PeerEnv, shape: Shape) -> Shape:
    """Made a burst that AxiMaster sends as the specification says: it puts data of a FIXED burst on the right
    lanes only if it is aligned and full width, and of a WRAP one only if it is no smaller than the bus (see
    a_fault_of_their_master_is_named); and it cuts a WRAP burst where an INCR one would cross 4 KiB."""
    full = env.data_bytes.bit_length() - 1
    if shape.kind == FIXED:
        return replace(shape, size=full, addr=shape.addr // env.data_bytes * env.data_bytes)
    if shape.kind == WRAP:
        size = max(shape.size, full - (shape.beats.bit_length() - 1))
        total = shape.beats << size
        page, offset = shape.addr // PAGE * PAGE, shape.addr % PAGE >> size << size
        return replace(shape, size=size, addr=page + min(offset, PAGE - total))
    return shape


async def their_transfer(env: PeerEnv, shape: Shape, length: int) -> None:
    """A transfer of AxiMaster; an INCR one may be longer than a burst."""
    addresses = shape.addresses if shape.kind != INCR else list(range(shape.addr, shape.addr + length))
    pages = sorted({addr // PAGE for addr in addresses})
    resp = ([OKAY] + [BAD_PAGES[page] for page in pages if page in BAD_PAGES])[-1]
    claim = await env.model.claim(shape.write, addresses)
    options = {"burst": AxiBurstType(shape.kind), "size": shape.size}
    expected = b"" if shape.write else env.model.load(addresses)
    data = env.rng.randbytes(len(addresses))

    async def one() -> None:
        if shape.write:
            answer = await env.master.write(shape.addr, data, awid=shape.id, **options)
            good = [addr // PAGE not in BAD_PAGES for addr in addresses]
            env.model.store(addresses, data, good)
            env.compare(shape, [answer.resp], b"", [resp], b"")
        else:
            answer = await env.master.read(shape.addr, len(addresses), arid=shape.id, **options)
            env.compare(shape, [answer.resp], bytes(answer.data), [resp], expected)
        env.model.release(claim)

    env.tasks.append(cocotb.start_soon(one()))


async def their_traffic(env: PeerEnv, count: int) -> None:
    for drawn in shapes(env.rng, env.data_bytes, count):
        shape = their_shape(env, drawn)
        length = env.rng.randint(1, len(shape.addresses))
        if env.rng.random() < 0.1:
            length = env.rng.randint(1, 600)  # more than 256 beats, over a page
        await their_transfer(env, shape, min(length, PAGES * PAGE - shape.addr))
    for task in env.tasks:
        await task


@cocotb.test(**LIMITED)
@cocotb.parametrize(run=some(range(2)))
async def their_manager_agrees_with_our_memory(dut: Any, run: int) -> None:
    async with start(PeerEnv, dut, manager="theirs", memory="ours") as env:
        for _ in range(20):  # their pace may leave nothing to overtake
            await their_traffic(env, count())
            if out_of_order(env.monitor.bursts):
                break
        env.check_memory()
        check_bursts(env)
        assert out_of_order(env.monitor.bursts), "no answer overtook another"
    env.no_violation()


def out_of_order(bursts: Sequence[Burst]) -> bool:
    """Whether an answer of one ID overtook one of another, in one direction."""
    for write in (False, True):
        starts = [burst.start for burst in bursts if burst.write == write]
        if starts != sorted(starts):
            return True
    return False


@cocotb.test()
@cocotb.parametrize(kind_size=[(FIXED, 0), (WRAP, 0)])
async def a_fault_of_their_master_is_named(dut: Any, kind_size: tuple[int, int]) -> None:
    """AxiMaster 0.1.28 moves on to the next lanes in narrow FIXED and in small WRAP bursts (A3.4.4)."""
    kind, size = kind_size
    async with start(PeerEnv, dut, manager="theirs", memory="ours") as env:
        env.scoreboard.minimum = 0
        await env.master.write(1, b"ab", awid=0, burst=AxiBurstType(kind), size=size)
    assert {violation.rule for violation in env.violations} == {"STROBE_LANES"}
    named("STROBE_LANES")


@cocotb.test(**LIMITED)
async def exokay_without_an_exclusive_access_is_named(dut: Any) -> None:
    async with start(PeerEnv, dut, manager="ours", memory="theirs") as env:
        env.scoreboard.minimum = 0
        for write in (True, False):
            env.planned["b" if write else "r", 0].append(EXOKAY)
            item = Axi4Item(write, 64, 1, 2, data=bytes(4) if write else b"")
            await env.manager.transfer(item)
            assert set(item.resps) == {EXOKAY}
    assert {violation.rule for violation in env.violations} == {"RESP_EXOKAY"}
    named("RESP_EXOKAY")


@cocotb.test(**LIMITED)
async def manager_loses_what_reset_cuts_off(dut: Any) -> None:
    async with start(PeerEnv, dut, manager="ours", memory="ours") as env:
        for _ in range(lighter(24, 1, 24)):
            items = [Axi4Item(False, 64 * i, 4, 2, id=i % 3) for i in range(12)]
            items += [Axi4Item(True, PAGES * PAGE, 2, 2, data=bytes(8)) for _ in range(12)]
            env.rng.shuffle(items)  # the manager takes them in this order
            tasks = [cocotb.start_soon(env.manager.transfer(item)) for item in items]
            await env.cycles(env.rng.randint(1, env.rng.choice((4, 60))))
            await env.reset()
            for task in tasks:
                await task
            assert all(len(item.resps) in (0, 1 if item.write else item.beats) for item in items)
            for item in items:
                env.cover.sample(way=item.write, lost="answered" if item.resps else "cut_off")
        await our_traffic(env, lighter(30, 1, 2))
        env.check_memory()
    env.no_violation()


def ignore_strobes(env: PeerEnv) -> None:
    driver = env.subordinate.driver
    store = driver._store

    def broken(self: Any, request: Any) -> None:
        request.data = [(data, -1) for data, _ in request.data]
        store(request)

    driver._store = MethodType(broken, driver)  # type: ignore[method-assign]


def wrap_on_and_on(env: PeerEnv) -> None:
    driver = env.subordinate.driver
    take = driver._take

    def broken(self: Any, name: str, payload: dict[str, int]) -> None:
        take(name, {**payload, "burst": INCR} if payload.get("burst") == WRAP else payload)

    driver._take = MethodType(broken, driver)  # type: ignore[method-assign]


def overtake_within_an_id(env: PeerEnv) -> None:
    driver = env.subordinate.driver

    def broken(self: Any, requests: list[Any]) -> Any:
        return self.rng.choice(requests) if requests else None

    driver._choose = MethodType(broken, driver)  # type: ignore[method-assign]


@cocotb.test(expect_error=Mismatch, **LIMITED)
@cocotb.parametrize(break_memory=some([ignore_strobes, wrap_on_and_on, overtake_within_an_id]))
async def a_broken_memory_is_caught(dut: Any, break_memory: Callable[[PeerEnv], None]) -> None:
    async with start(PeerEnv, dut, manager="ours", memory="ours") as env:
        env.manager.driver.timing = ManagerTiming()
        break_memory(env)
        await our_traffic(env, 200)
        env.check_memory()


def moving_lanes(item: Axi4Item) -> None:
    """The lanes of a FIXED burst move on from beat to beat."""
    if item.kind == FIXED:
        item.ranges = [range(beat.start + i, beat.stop + i) for i, beat in enumerate(item.ranges)]


def narrow_low(item: Axi4Item) -> None:
    """Narrow data always on the lowest lanes."""
    item.ranges = [range(0, len(beat)) for beat in item.ranges]


def no_strobes(item: Axi4Item) -> None:
    item.strobes = None


@cocotb.test(expect_error=Mismatch, **LIMITED)
@cocotb.parametrize(break_item=some([moving_lanes, narrow_low, no_strobes]))
async def a_broken_manager_is_caught(dut: Any, break_item: Callable[[Axi4Item], None]) -> None:
    async with start(PeerEnv, dut, manager="ours", memory="theirs") as env:
        await our_traffic(env, 200, break_item)
        env.check_memory()


# ---------------------------------------------------------------- AXI4-Lite


@cocotb.test(**LIMITED)
@cocotb.parametrize(run=some(range(2)))
async def our_axi_lite_manager_agrees_with_their_memory(dut: Any, run: int) -> None:
    async with start(LitePeerEnv, dut, codes=(OKAY, SLVERR, DECERR)) as env:
        writing = cocotb.start_soon(env.accesses(True, count()))
        await env.accesses(False, count())
        await writing
        assert env.ram.read(0, 256) == env.model.held.tobytes()
    assert not env.violations
    assert env.scoreboard.compared == 2 * count()


@cocotb.test(**LIMITED)
async def exokay_on_axi_lite_is_named(dut: Any) -> None:
    async with start(LitePeerEnv, dut, codes=(EXOKAY,)) as env:
        await env.accesses(True, 2)
        await env.accesses(False, 2)
    assert {violation.rule for violation in env.violations} == {"RESP_EXOKAY"}
    assert "B1.1.1" in str(env.violations[0])


# ---------------------------------------------------------------- the rules, bound here and in axi_rules.v


BAD_ADDRESSES = {
    "reserved": ("BURST_TYPE", {"burst": 3}),
    "wrap_of_three": ("BURST_TYPE", {"burst": WRAP, "len": 2}),
    "wrap_unaligned": ("BURST_TYPE", {"burst": WRAP, "addr": 2, "len": 3, "size": 2}),
    "fixed_of_17": ("BURST_TYPE", {"burst": FIXED, "len": 16}),
    "wider_than_the_bus": ("BURST_SIZE", {"size": 7}),
    "over_a_page": ("BOUNDARY_4K", {"addr": 0xFFD, "len": 1, "size": 2}),
}


@cocotb.test()
@cocotb.parametrize(channel=["ar", "aw"], case=some(list(BAD_ADDRESSES)))
async def axi_rules_names_a_bad_address(dut: Any, channel: str, case: str) -> None:
    rule, fields = BAD_ADDRESSES[case]
    values = {"id": 1, "addr": 0, "len": 0, "size": 0, "burst": INCR, "lock": 0, **fields}
    async with start(WireEnv, dut) as env:
        await env.pins.channels[channel].send([values[name] for name in env.pins.channels[channel].payload])
        await env.cycles(2)
        assert HDL_RULES[int(dut.rule.value)] == rule
    assert {violation.rule for violation in env.violations} == {rule, "UNFINISHED"}
    named(rule)


@cocotb.test()
@cocotb.parametrize(beats_sent=[1, 3], data_first=[False, True])
async def axi_rules_names_a_wrong_last_beat(dut: Any, beats_sent: int, data_first: bool) -> None:
    """Two beats asked for, one or three sent, before and after the address."""
    async with start(WireEnv, dut) as env:
        channels = env.pins.channels
        values = {"id": 0, "addr": 0, "len": 1, "size": 0, "burst": INCR, "lock": 0}
        strobes = {"data": 0, "strb": 0}

        async def address() -> None:
            await channels["aw"].send([values[name] for name in channels["aw"].payload])

        if not data_first:
            await address()
        for i in range(beats_sent):
            beat = {**strobes, "last": i + 1 == beats_sent}
            await channels["w"].send([beat[name] for name in channels["w"].payload])
        if data_first:
            await address()
        await env.cycles(2)
        assert HDL_RULES[int(dut.rule.value)] == "WLAST"
    assert env.violations[0].rule == "WLAST"
    named("WLAST")
