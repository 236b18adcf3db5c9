"""One chip in one simulation: load a DRAM image, run programs, score each against the reference machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.blocks import fetch_bursts
from models.config import Config
from models.isa import COMMAND_BYTES, ID_FETCH, PAGE, Windows
from models.machine import Machine
from models.trace import CommandBursts, Trace
from tb.agents import transactions
from tb.agents.memory_log import MEMORY_HDL, BurstTable, MemoryLog
from tb.bench import Bench, params
from tb.chip.beside import Beside
from tb.chip.host import ErrorRecord, Host
from tb.chip.score import ProgramScore, apply_writes

# Of tb/hdl/chip_system.v, and of the bench around it.
SYSTEM = (*MEMORY_HDL, "tb/hdl/axi_lite_host.v", "tb/hdl/chip_system.v")
SOURCES = (
    *SYSTEM,
    *(f"tb/hdl/{name}.v" for name in ("axi_rules", "channel_rules", "unit_log", "chip_bench")),
)

# Cycles after which a program is taken for stuck.
LIMIT = 50_000_000


def bench(parameters: Sequence[dict[str, int]], **options: Any) -> Bench:
    """A Bench of the whole chip with these parameter sets."""
    return Bench("chip_bench", parameters, SOURCES, timing=True, **options)


def config() -> Config:
    """Inside a simulation: the core's parameters as the reference machine takes them."""
    given = {name.lower(): value for name, value in params().items() if name != "OUTSTANDING"}
    return Config(**{name: value for name, value in given.items() if name != "mem_words"})


@dataclass
class Outcome:
    """One program: how it ended, what it did, what the machine says it should have done."""

    error: ErrorRecord | None
    table: BurstTable
    trace: Trace
    counters: dict[str, int]
    # Wall time of the simulator (its calls into Python included), of reading the log, of the machine.
    seconds: dict[str, float]


class Session:
    """`await Session.open(dut)`, `await session.load(image)`, `await session.run(base, length)`.

    memory: what the machine makes of DRAM. shadow: what the writes that were seen on the bus make of it.
    """

    def __init__(self, dut: Any) -> None:
        self.host = Host(dut)
        self.config = config()
        self.log = MemoryLog("axi", self.config.n)
        self.machine = Machine(self.config)
        self.memory: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.shadow = self.memory.copy()
        self.windows = Windows()

    @classmethod
    async def open(cls, dut: Any) -> Session:
        """Reset the chip; forget what earlier tests of this simulation logged."""
        session = cls(dut)
        transactions.begin()
        await session.host.reset()
        await session.traffic()
        return session

    async def load(self, image: NDArray[np.uint8]) -> None:
        """Put `image` (uint8, a multiple of N bytes) into the memory, from address 0. Programs may then touch
        its pages and no others."""
        there = params()["MEM_WORDS"] * self.config.n
        assert image.size <= there, f"the image has {image.size} bytes, the bench's memory {there}"
        Path("load.bin").write_bytes(image.tobytes())
        await self.host.load_memory()
        self.memory = image.copy()
        self.shadow = image.copy()
        pages = (0, (image.size - 1) // PAGE * PAGE)
        self.windows = Windows(pages, pages)
        await self.host.allow(self.windows)

    async def traffic(self) -> BurstTable:
        """Bursts completed since the last call; checks the AXI rules."""
        await self.host.flush_log()
        table = self.log.read()
        self.host.check_bus()
        if transactions.ON:
            for burst in table.bursts():
                transactions.saw(f"axi{burst.id}", burst)
        return table

    async def run(
        self, base: int, length: int, limit: int = LIMIT, counters: bool = True, beside: bool = False
    ) -> Outcome:
        """Run one program on the chip and on the machine. Nothing is compared here.

        beside: both at the same time, on two processors. Worth its few milliseconds when the machine takes
        longer.
        """
        start = time.monotonic()
        golden = Beside(self.machine, self.memory, base, length, self.windows) if beside else None
        error = await self.host.run(base, length, limit)
        simulated = time.monotonic()
        table = await self.traffic()
        counts = await self.host.counters() if counters else {}
        apply_writes(self.shadow, table)
        logged = time.monotonic()
        if golden:
            trace, self.memory = golden.result()
        else:
            trace = self.machine.run(self.memory, base, length, windows=self.windows)
        seconds = {"simulation": simulated - start, "log": logged - simulated}
        seconds["machine"] = time.monotonic() - logged
        return Outcome(error, table, trace, counts, seconds)


def fetched(memory: NDArray[np.uint8], base: int, length: int, config: Config) -> list[CommandBursts]:
    """Every burst of a program's fetch. The machine predicts them up to a command that stops the program; the
    core reads ahead of it."""
    bursts = []
    for address, beats in zip(*fetch_bursts(base, length, config), strict=True):
        data = memory[address : address + beats * config.n].reshape(-1, config.n)
        where = (np.array([address]), np.array([beats]))
        bursts.append(CommandBursts("read", ID_FETCH, (address - base) // COMMAND_BYTES, 0, *where, data))
    return bursts


def check(outcome: Outcome, session: Session) -> ProgramScore:
    """Assert that a program that should end well did, burst for burst. Returns its score."""
    assert outcome.error is None, f"the core stopped with {outcome.error}"
    assert outcome.trace.stop is None, f"the machine stopped with {outcome.trace.stop}"
    score = ProgramScore()
    score.compare(outcome.trace, outcome.table)
    assert not score.mismatches, f"{len(score.mismatches)} mismatches, first:\n{score.mismatches[0]}"
    assert score.bursts, "no burst was compared"
    for name, value in outcome.trace.counters().items():
        assert outcome.counters.get(name, value) == value, (
            f"counter {name}: {outcome.counters[name]}, not {value}"
        )
    assert np.array_equal(session.shadow, session.memory), "the writes do not add up to the machine's DRAM"
    return score
