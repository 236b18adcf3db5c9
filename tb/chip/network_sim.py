"""Inside the simulator: run a job's network on the chip, image by image, and score it (tb/chip/job.py)."""

from __future__ import annotations

import json
import pickle
import time
from collections import Counter, defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from compiler.network import Compiled
from tb.chip.host import ACCOUNT, LAYERS, check_account
from tb.chip.job import LayerResult, Result
from tb.chip.score import ProgramScore
from tb.chip.session import Outcome, Session

# A program that takes longer than this is stuck. Cycles per image, in multiples of the array's own time.
PATIENCE = 1000
LARGE = 10_000_000  # multiplications from which the machine is worth a process of its own


@cocotb.test()
async def network_runs(dut: Any) -> None:
    """Every image's program ends well; differences are counted, not raised."""
    with Path("job.pickle").open("rb") as file:
        compiled, inputs = pickle.load(file)
    assert isinstance(compiled, Compiled)
    image = compiled.dram.copy()
    for index, tensors in enumerate(inputs):
        for name, tensor in tensors.items():
            compiled.write_input(image, index, tensor, name)
    session = await Session.open(dut)
    seconds: defaultdict[str, float] = defaultdict(float)
    start = time.monotonic()
    await session.load(image)
    seconds["load"] = time.monotonic() - start
    score = ProgramScore([layer.name for layer in compiled.layers])
    result = Result(layers=[LayerResult(layer.name, layer.op, layer.macs) for layer in compiled.layers])
    counters: Counter[str] = Counter()
    macs = sum(layer.macs for layer in compiled.layers)
    limit = max(PATIENCE * macs // compiled.config.n**2, 10_000_000)
    for index, (base, length) in enumerate(compiled.programs):
        outcome = await session.run(base, length, limit, beside=macs > LARGE)
        assert outcome.error is None, f"image {index}: the core stopped with {outcome.error}"
        start = time.monotonic()
        score.compare(outcome.trace, outcome.table)
        counters.update(outcome.counters)
        _compare_tensors(session, compiled, index, result)
        if len(compiled.layers) <= LAYERS:
            _add_cycles(result, await session.host.stamps(len(compiled.layers)), outcome)
        seconds["score"] += time.monotonic() - start
        for part, taken in outcome.seconds.items():
            seconds[part] += taken
        Path("progress").write_text(str(index + 1))
    for number, layer in enumerate(result.layers):
        layer.bytes_read, layer.bytes_written = score.read[number], score.written[number]
    result.images, result.bursts = len(inputs), score.bursts
    result.cycles, result.counters = counters["cycles"], dict(counters)
    result.seconds = dict(seconds)
    result.burst_mismatches = len(score.mismatches)
    result.first_mismatch = str(score.mismatches[0]) if score.mismatches else ""
    np.save("rtl.npy", session.shadow)
    np.save("machine.npy", session.memory)
    Path("result.json").write_text(json.dumps(asdict(result)))


def _compare_tensors(session: Session, compiled: Compiled, index: int, result: Result) -> None:
    """Add to the layers what of one image's tensors differs from the machine's."""
    for layer, info in zip(result.layers, compiled.layers, strict=True):
        rtl = compiled.read_tensor(session.shadow, index, info.target)
        machine = compiled.read_tensor(session.memory, index, info.target)
        layer.mismatches += int(np.count_nonzero(rtl != machine))


def _add_cycles(result: Result, stamps: list[dict[str, int]], outcome: Outcome) -> None:
    """Add one image's cycles and account to the layers: the differences between their stamps."""
    # What follows the last layer's last response is its own, too: the end of the program itself.
    ends = [*stamps[:-1], outcome.counters]
    before = dict.fromkeys(("cycles", *ACCOUNT), 0)
    for layer, end in zip(result.layers, ends, strict=True):
        spent = {name: end[name] - before[name] for name in before}
        assert min(spent.values()) >= 0, f"layer {layer.name} ends before the one in front of it: {spent}"
        check_account(spent, f"layer {layer.name}")
        layer.cycles += spent["cycles"]
        for name in ACCOUNT:
            layer.account[name] += spent[name]
        before = {name: end[name] for name in before}
