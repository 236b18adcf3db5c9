"""Walks over every register by the bus: reset values, access, holes."""

from __future__ import annotations

from collections import defaultdict

from tb.agents.burst import SLVERR
from tb.bench import fewer
from tb.registers.coverage import KEPT, KINDS, bin_of
from tb.registers.env import RegistersEnv
from tb.registers.model import by_name
from tb.registers.rdl import SPACE, Field
from tb.registers.stimulus import Writes

ROUNDS = 6  # writes of every register


def after_write(field: Field, old: int, data: int, mask: int) -> int:
    """A register's bits of one field after a write of the bits of `mask`."""
    if field.access == "RW":
        return (old & ~mask | data & mask) & field.mask
    if field.access == "W1C":
        return old & ~(data & mask) & field.mask
    return old & field.mask


async def walk_resets(env: RegistersEnv) -> None:
    """After a reset in the middle every field has its reset value; what has none keeps what it had."""
    kept = {}
    some_words = {r.offset for r in fewer(env.rng, [r for r in env.registers if r.index], 8)}
    walked = [register for register in env.registers if not register.index or register.offset in some_words]
    for register in walked:
        if register.reset is None:
            kept[register.name] = await env.poke(register, env.rng.getrandbits(32))
    await dirty_named(env)
    await env.reset()
    env.block.reset()
    for register in walked:
        expected = kept.get(register.name, register.reset)
        assert expected is not None
        if register.reset is not None:
            env.same(f"{register.name} in the model", by_name(env.block, register.name).get(), expected)
        await env.check(register, expected)
        env.cover.sample(register=KINDS[register.name], moment="reset")


async def dirty_named(env: RegistersEnv) -> None:
    """Every register with a reset value holds something else."""
    for register in env.named:
        if register.writable and register.mask:
            await env.write(register, env.rng.getrandbits(32) | 0x8101_0101)
        await env.poke(register, 0xFFFF_FFFF)


async def walk_access(env: RegistersEnv) -> None:
    """Writes of any data with any strobes to every register: what changes, what not, what is answered."""
    arrays = defaultdict(list)
    for register in env.registers:
        if register.index:
            arrays[KINDS[register.name]].append(register)
    kept = [register for register in env.named if register.name in {name.split(".")[0] for name in KEPT}]
    changes = env.cover.bins["field_x_change"]
    writes = Writes(env.rng)
    for turn in range(50 * ROUNDS):
        words = [*env.named, *(word for array in arrays.values() for word in env.rng.sample(array, 4))]
        if turn >= ROUNDS:  # what is left to be seen of fields of a bit or two
            words = kept
            if all(changes.values()):
                break
        env.rng.shuffle(words)
        for register in words:
            held, data, strobe = writes.draw() if turn else writes.every_bit()
            value = await env.poke(register, held)
            before = env.snapshot()
            if register.name == "CTRL":
                data &= ~1  # what a start does is another test's
            await env.write(register, data, strobe)
            mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
            expected = sum(after_write(field, value, data, mask) for field in register.fields)
            await env.check(register, expected)
            env.cover.sample(register=KINDS[register.name], moment="write")
            for field in register.fields:
                if (name := f"{register.name}.{field.name}") in KEPT:
                    old, new = value & field.mask, expected & field.mask
                    spared = old == new or (old ^ data) & field.mask & ~mask
                    for change, seen in (("set", new & ~old), ("cleared", old & ~new), ("kept", spared)):
                        env.cover.sample(bool(seen), field=bin_of(name), change=change)
            for name, inside in env.snapshot().items():
                if not name.startswith(f"{register.name}."):
                    env.same(f"{name} after a write of {register.name}", inside, before[name] or 0)


async def walk_holes(env: RegistersEnv) -> None:
    """Every word that is no register answers reads and writes with an error, reads 0 and changes nothing."""
    before = env.snapshot()
    taken = {register.offset for register in env.registers}
    holes = sorted(set(range(0, SPACE, 4)) - taken)
    beside = {hole for hole in holes if {hole - 4, hole + 4} & taken}  # the first and the last of each gap
    for offset in sorted(beside | {*fewer(env.rng, holes, 8)}):
        data, resp = await env.host.read(offset)
        env.same(f"hole {offset:#x}", data, 0)
        env.same(f"the answer to a read of hole {offset:#x}", resp, SLVERR)
        env.cover.sample(hole="read")
        resp = await env.host.write(offset, 0xFFFF_FFFF)
        env.same(f"the answer to a write of hole {offset:#x}", resp, SLVERR)
        env.cover.sample(hole="write")
    for name, inside in env.snapshot().items():
        env.same(f"{name} after writes to holes", inside, before[name] or 0)
