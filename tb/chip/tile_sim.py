"""Inside the simulator: run the job of one tile and score it (tb/chip/tile.py)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from tb.chip.activity import SHORTEST
from tb.chip.score import ProgramScore
from tb.chip.session import Session
from tb.chip.tile import DRAM, TileJob, located


@cocotb.test()
async def tile_runs(dut: Any) -> None:
    """Differences are written down, not raised."""
    folder = Path(os.environ["TILE_JOB"])
    job = TileJob.read(folder)
    session = await Session.open(dut)
    await session.load(np.fromfile(folder / DRAM, np.uint8))
    if os.environ["TILE_SPOIL"] == "1":
        session.memory[0] ^= 1  # the first byte that a LOAD reads
    dut.sample.value = SHORTEST
    outcome = await session.run(job.base, job.length)
    assert outcome.error is None, f"the core stopped with {outcome.error}"
    score = ProgramScore(job.layers)
    score.compare(outcome.trace, outcome.table)
    found = []
    if score.mismatches:
        first, _ = located(score.first(), outcome.trace, session.config)
        number = first.command
        if number is not None and number < len(job.numbers):
            # As the whole program and its tiles are numbered.
            first = replace(first, command=job.numbers[number], tile=job.mismatch["tile"])
        found = [asdict(first)]
    cycles = outcome.counters["cycles"]
    result = {"cycles": cycles, "bursts": score.bursts, "mismatches": found}
    Path("tile.json").write_text(json.dumps(result))
