"""Exclusive accesses between our agents and those of other authors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotbext.axi import AxiBurstType, AxiLockType

from tb.agents.axi4 import Axi4Item, Fault
from tb.agents.axi4.exclusive import ExclusiveMonitor
from tb.agents.burst import OKAY, SLVERR
from tb.agents.env import start
from tb.agents.scoreboard import Mismatch
from tb.axi_peers.env import PeerEnv
from tb.axi_peers.exclusive import READ_FAILS, SEQUENCES, Access, exclusive_shape, shape_of
from tb.axi_peers.traffic import PAGE, Shape
from tb.bench import some


async def transfer(env: PeerEnv, shape: Shape, exclusive: bool, data: bytes) -> tuple[set[int], bytes]:
    """A burst by whoever is the manager; the responses that came, and of a read the data."""
    if env.peers.startswith("ours"):
        item = Axi4Item(
            shape.write, shape.addr, shape.beats, shape.size, shape.kind, shape.id, data, exclusive=exclusive
        )
        await env.manager.transfer(item)
        return set(item.resps), bytes(item.data)
    lock = AxiLockType.EXCLUSIVE if exclusive else AxiLockType.NORMAL
    options = {"burst": AxiBurstType(shape.kind), "size": shape.size, "lock": lock}
    if shape.write:
        return {(await env.master.write(shape.addr, data, awid=shape.id, **options)).resp}, data
    answer = await env.master.read(shape.addr, len(shape.addresses), arid=shape.id, **options)
    return {answer.resp}, bytes(answer.data)


async def access(env: PeerEnv, step: Access, shape: Shape, expected: int, stores: bool) -> None:
    """One step: its answer, its data, and what the memory then holds."""
    data = env.rng.randbytes(len(shape.addresses)) if step.write else b""
    held = b"" if step.write else env.model.load(shape.addresses)
    resps, read = await transfer(env, shape, step.exclusive, data)
    env.compare(shape, sorted(resps), b"" if step.write else read, [expected], held)
    if stores:
        env.model.store(shape.addresses, data, [True] * len(data))


async def every_sequence(env: PeerEnv) -> None:
    """Each once, somewhere in the memory."""
    failing = range(READ_FAILS * PAGE, (READ_FAILS + 1) * PAGE)
    env.subordinate.faults.append(Fault(False, SLVERR, addr=failing))
    for name in env.rng.sample(list(SEQUENCES), len(SEQUENCES)):
        page = READ_FAILS if name == "read_failed" else env.rng.choice((0, 1))
        drawn = exclusive_shape(env.rng, env.data_bytes, page)
        for step in SEQUENCES[name]:
            await access(env, step, shape_of(step, drawn), step.expected, step.stores)
        env.cover.sample(peers=env.peers, exclusive=name)
    env.check_memory()


@cocotb.test()
@cocotb.parametrize(manager=["ours", "theirs"])
async def exclusive_accesses_succeed_unless_disturbed(dut: Any, manager: str) -> None:
    async with start(PeerEnv, dut, manager=manager, memory="ours") as env:
        await every_sequence(env)
    env.no_violation()


class Forgives(ExclusiveMonitor):
    """Grants what it holds nothing for."""

    def claim(self, ident: int, beats: Sequence[range]) -> bool:
        """Always."""
        return True


class Overlooks(ExclusiveMonitor):
    """Does not see what is written between."""

    def written(self, beats: Sequence[range]) -> None:
        """Nothing."""


class Overreacts(ExclusiveMonitor):
    """Any write takes any reservation."""

    def written(self, beats: Sequence[range]) -> None:
        """Forgets all."""
        self._held.clear()


class Confuses(ExclusiveMonitor):
    """One reservation for all IDs."""

    def reserve(self, ident: int, beats: Sequence[range]) -> None:
        """As if it were ID 0."""
        super().reserve(0, beats)

    def claim(self, ident: int, beats: Sequence[range]) -> bool:
        """As if it were ID 0."""
        return super().claim(0, beats)


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(broken=some([Forgives, Overlooks, Overreacts, Confuses]))
async def a_broken_exclusive_monitor_is_caught(dut: Any, broken: type[ExclusiveMonitor]) -> None:
    async with start(PeerEnv, dut, manager="ours", memory="ours") as env:
        env.subordinate.driver._exclusive = broken()
        await every_sequence(env)


@cocotb.test()
async def a_memory_without_exclusive_accesses_answers_okay(dut: Any) -> None:
    """And does them as any other, which is what AxiRam makes of them."""
    async with start(PeerEnv, dut, manager="ours", memory="theirs") as env:
        for steps in SEQUENCES.values():
            drawn = exclusive_shape(env.rng, env.data_bytes, 0)
            for step in steps:
                shape = shape_of(step, drawn)
                env.planned["b" if step.write else "r", shape.id].append(OKAY)
                await access(env, step, shape, OKAY, step.write)
            env.cover.sample(peers=env.peers, exclusive="not_known")
        env.check_memory()
    env.no_violation()
