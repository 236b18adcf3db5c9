"""A chip with seeded programs, as the tests of tb/chip have it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import cycle, product
from typing import Any

import numpy as np
from cocotb.triggers import Timer

from compiler.ir import CONTRACTS
from models.isa import Cause
from tb.bench import light, lighter, seed
from tb.chip import host
from tb.chip.coverage import COVERAGE, FOUND
from tb.chip.host import PERIOD_NS, ErrorRecord
from tb.chip.programs import KINDS, Image, random_image
from tb.chip.score import ProgramScore
from tb.chip.session import Outcome, Session, check, fetched
from tb.common.cover import counted

# Operators that a network can be too small for, or that the compiler can make part of the next one.
COPIES = {"pad": "PAD", "concat": "CONCATENATION", "cut": "STRIDED_SLICE"}
LIMIT = 1_000_000  # cycles; the longest of these programs takes a tenth of it


class Decks:
    """What the good programs of a simulation go through, in whatever test: each contract with every
    kind of operator, and every temper of the memory."""

    def __init__(self) -> None:
        rng = np.random.default_rng(seed())
        networks = []
        for contract in CONTRACTS:
            kinds = rng.permutation(list(KINDS)).tolist()
            networks += [(contract, kinds[at : at + 3]) for at in range(0, len(kinds), 3)]
        tempers = list(product((2, 10, 100), (0, 60, 200)))
        self.networks = cycle([networks[i] for i in rng.permutation(len(networks))])
        self.tempers = cycle([tempers[i] for i in rng.permutation(len(tempers))])


decks = cache(Decks)


class Chip:
    """A session with seeded programs and a memory that behaves differently for each."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.host = session.host
        self.memory = session.host.dut.u_system.u_memory
        self.rng = np.random.default_rng([seed(), session.config.n])
        self.repeats = 1 if light() else 4
        self.cuts: set[tuple[str, str]] = set()  # engine and its state, that were cut off
        self.after = -1  # how the program before has ended, as coverage.py counts it: by a reset

    @classmethod
    async def open(cls, dut: Any) -> Chip:
        return cls(await Session.open(dut))

    async def prepare(
        self, operators: int | Sequence[str] | None = None, contract: str | None = None
    ) -> Image:
        """A new random network in the memory, and new latency and stalls."""
        operators = operators or lighter(3, 1, 3)
        copies = (
            set() if isinstance(operators, int) else {COPIES[kind] for kind in operators if kind in COPIES}
        )
        for _ in range(20):
            image = random_image(self.rng, self.session.config, operators, contract=contract)
            if copies <= {layer.op for layer in image.compiled.layers}:
                break
        await self.session.load(image.dram)
        self.temper = next(decks().tempers)
        latency, stall = self.temper
        self.pace(latency, int(self.rng.choice([0, 30])), stall)
        return image

    def saw(self, **values: Any) -> None:
        """Count an outcome, of a program that was compared."""
        with counted(COVERAGE) as hits:
            hits.sample(**values)

    def ended(self, record: ErrorRecord | None) -> None:
        """Count how a program has ended, and keep it for the next."""
        self.after = 0
        if record:
            self.saw(cause=int(record.cause), engine=record.id)
            self.after = int(record.cause)

    def pace(self, latency: int, jitter: int = 0, stall: int = 0) -> None:
        """How the memory answers from now on: the plusargs of these names."""
        self.memory.latency.value = latency
        self.memory.jitter.value = jitter
        self.memory.stall.value = stall

    async def run(self, image: Image) -> Outcome:
        return await self.session.run(image.base, image.length, LIMIT)

    async def good_program(self) -> ProgramScore:
        """Run a random network and compare everything; tensors also with the operator models."""
        contract, kinds = next(decks().networks)
        image = await self.prepare(kinds, contract)
        outcome = await self.run(image)
        score = check(outcome, self.session)
        for name in (layer.target for layer in image.compiled.layers):
            got = image.compiled.read_tensor(self.session.shadow, 0, name)
            assert np.array_equal(got, image.values[name].reshape(got.shape)), f"tensor {name}"
        # Layers end one after the other, and each account adds up (which stamps() checks).
        stamps = await self.host.stamps(len(image.compiled.layers))
        ends = [0, *(stamp["cycles"] for stamp in stamps), outcome.counters["cycles"]]
        assert ends == sorted(ends), f"layers end at {ends}"
        for layer in image.compiled.layers:
            for operator in layer.op.split("+"):  # that were made one
                self.saw(operator=operator, contract=contract)
        self.saw(latency=self.temper[0], stall=self.temper[1], after=self.after)
        self.spent(outcome.counters)
        self.ended(None)
        return score

    def spent(self, counters: Mapping[str, int]) -> None:
        """Count what a program spent its time with."""
        for name in (*host.ACCOUNT, "load_wait", "store_wait"):
            if counters[name]:
                self.saw(spent=name)

    async def stopped_program(self, image: Image, cause: Cause) -> Outcome:
        """Run a program that must stop with this cause; what it did before must be right."""
        outcome = await self.run(image)
        assert outcome.error is not None, f"the program ended well; it had to stop with {cause!r}"
        assert outcome.error.cause == cause, f"{outcome.error}, expected {cause!r}"
        session = self.session
        fetch = fetched(session.memory, image.base, image.length, session.config)
        score = ProgramScore()
        score.compare(replace(outcome.trace, fetch=fetch), outcome.table, prefix=True)
        assert not score.mismatches, str(score.mismatches[0])
        self.ended(outcome.error)
        return outcome

    def found(self) -> dict[str, str]:
        """What the engines are doing, by the wires between them."""
        core = self.host.dut.u_system.u_npu
        wires = core.u_engines
        idle = {"load": wires.l_idle, "compute": wires.d_idle, "store": wires.s_idle}
        waits = {
            "load": (wires.load_wait,),
            "compute": (wires.load_missing, wires.room_missing),
            "store": (wires.store_wait,),
        }
        states = {"fetch": "quiet" if int(core.f_quiet.value) else "reads"}
        for name in idle:
            waiting = any(int(wire.value) for wire in waits[name])
            states[name] = "waits" if waiting else "idle" if int(idle[name].value) else "works"
        return states

    def cut_off(self, way: str, found: Mapping[str, str]) -> None:
        """Count what a reset or the host has cut off."""
        self.cuts |= found.items()
        self.saw(cut_off=way, **{f"{engine}_was": state for engine, state in found.items()})

    async def under_way(self) -> AsyncIterator[Image]:
        """Programs to be cut off: some at a random cycle, then some in which each engine is in each state.
        Then again one that is not cut off."""
        for _ in range(self.repeats):
            image = await self.prepare()
            await self.host.start(image.base, image.length)
            await Timer(int(self.rng.integers(1500)) * PERIOD_NS, "ns")
            yield image
            await self.good_program()
        if light():
            return
        for engine, states in FOUND.items():
            for state in states:
                for _ in range(50):  # until it was cut off there, and not at its end before that
                    if (engine, state) in self.cuts:
                        break
                    image = await self.prepare()
                    self.pace(2)  # load has to wait for nothing but others
                    await self.host.start(image.base, image.length)
                    await self.comes_to(engine, state)
                    yield image
            await self.good_program()

    async def comes_to(self, engine: str, state: str) -> None:
        """Wait until an engine is in that state, unless the program ends, or takes very long, before."""
        for _ in range(2000):
            await Timer(2 * PERIOD_NS, "ns")
            if int(self.host.dut.irq.value) or self.found()[engine] == state:
                break
