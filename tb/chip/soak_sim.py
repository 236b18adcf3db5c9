"""Inside the simulator: one random deep network after the other on one chip (tb/chip/soak.py)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict
from typing import Any

import cocotb
import numpy as np

from compiler.errors import ProgramTooLong
from compiler.network import compile_network
from compiler.tests.deep_networks import deep_network
from compiler.tflite import read_contract
from tb.bench import seed
from tb.chip.campaign import jobs, log
from tb.chip.runtime import NAMES, Runtime
from tb.chip.score import ProgramScore
from tb.chip.session import Session
from tb.chip.soak import Tried


@cocotb.test()
async def networks_run_bit_for_bit(dut: Any) -> None:
    """Differences are counted, not raised."""
    session = await Session.open(dut)
    for index in jobs():
        rng = np.random.default_rng([seed(), index])
        tried = await _try(session, rng, index)
        log(asdict(tried))


async def _try(session: Session, rng: np.random.Generator, index: int) -> Tried:
    contract = os.environ["SOAK_CONTRACT"]
    while True:
        network = deep_network(rng, contract=contract)
        model = network.finish()
        graph = read_contract(model, contract)
        # Buffers of a few words cut a large layer into tens of thousands of tiles.
        with contextlib.suppress(ProgramTooLong):
            compiled = compile_network(graph, session.config)
            break
    dram = compiled.dram.copy()
    # What nobody writes is noise, so that a read of it shows.
    area = dram[compiled.image_base :]
    area[:] = rng.integers(0, 256, area.size)
    spoil = os.environ["SOAK_SPOIL"] == "1"
    x = network.values["x"]
    compiled.write_input(dram, 0, ~x if spoil else x)
    await session.load(dram)
    # The first byte is a parameter or weight that a LOAD reads.
    session.memory[0] ^= spoil
    outcome = await session.run(*compiled.programs[0])
    assert outcome.error is None, f"network {index}: the core stopped with {outcome.error}"
    score = ProgramScore([layer.name for layer in compiled.layers])
    score.compare(outcome.trace, outcome.table)
    runtime = None
    if contract in NAMES:
        runtime = Runtime(model, graph, contract=contract)
        runtime.run({"x": network.values["x"]})
    macs = sum(layer.macs for layer in compiled.layers)
    tried = Tried(
        index,
        len(compiled.layers),
        macs,
        outcome.counters["cycles"],
        score.bursts,
        0,
        len(score.mismatches),
        0,
        0,
    )
    if score.mismatches:
        tried.first = str(score.first()).replace("\n", ", ")
    for layer in compiled.layers:
        got = compiled.read_tensor(session.shadow, 0, layer.target)
        tried.values += got.size
        wrong = int(np.count_nonzero(got != network.values[layer.target].reshape(got.shape)))
        other = 0
        if runtime is not None:
            other = int(np.count_nonzero(got != runtime.tensor(layer.target).reshape(got.shape)))
        tried.model_mismatches += wrong
        tried.runtime_mismatches += other
        if (wrong or other) and not tried.first:
            tried.first = (
                f"{layer.op} {layer.name}: {wrong} values differ from the model, {other} from LiteRT"
            )
    return tried
