"""Arithmetic of npu_element: sums, differences and products in every mode against models/elementwise.py.

VALUES in the environment sets the results per mode and operation.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.elementwise import Elementwise, element
from models.quantize import Rounding
from tb.agents import transactions
from tb.agents.scoreboard import Mismatch
from tb.bench import Bench, light, params, seed
from tb.common.cover import Hits, counted
from tb.common.lanes import forgets, open_lanes, through
from tb.element.coverage import COVERAGE
from tb.element.outcomes import sample
from tb.element.stimulus import Records

BENCH = Bench("npu_element", [{"N": 32}], timeout=1800)
STAGES = 11
BATCH = 64  # words between two configurations


async def run(
    dut: Any, cover: Hits, mode: Rounding, op: Elementwise, values: int, model: Elementwise | None = None
) -> None:
    """Compare `values` results. Raises Mismatch. model: another operation for the model, a twin."""
    n = params()["N"]
    rng = np.random.default_rng([seed(), int(mode), int(op)])
    records = Records(random.Random(f"{seed()} {int(mode)} {int(op)}"), mode, op)
    done = 0
    dut.cfg_mode.value, dut.cfg_op.value = int(mode), int(op)
    while done < values:
        record = records.draw()
        dut.cfg_record.value = int.from_bytes(record.encode(), "little")
        pairs = rng.integers(-128, 128, (2, BATCH, n)).astype(np.int8)
        pairs[:, :4] = np.array([[-128, -128, 127, 127], [-128, 127, -128, 127]], np.int8)[:, :, None]
        x1, x2 = pairs

        def show(word: int, pairs: NDArray[np.int8] = pairs) -> None:
            dut.in_data.value = int.from_bytes(pairs[0, word].tobytes(), "little")
            dut.in_other.value = int.from_bytes(pairs[1, word].tobytes(), "little")

        gaps = rng.random() < 0.05
        got = await through(dut, BATCH, show, STAGES, (lambda: rng.random() < 0.5) if gaps else None)
        found = np.frombuffer(b"".join(word.to_bytes(n, "little") for word in got), np.int8).reshape(-1, n)
        transactions.saw("results", found)
        wanted = element(x1, x2, model or op, record, mode)
        if found.shape != wanted.shape or not np.array_equal(found, wanted):
            at = np.argwhere(found != wanted)[0] if found.shape == wanted.shape else None
            where = "" if at is None else f" of {x1[*at]} and {x2[*at]}: {found[*at]}, expected {wanted[*at]}"
            raise Mismatch(f"{mode.name} {op.name}, {record}{where} ({len(found)} of {len(wanted)} words)")
        cover.sample(pace="gaps" if gaps else "every_cycle")
        sample(cover, mode, op, record, x1, x2)
        done += found.size
    dut._log.info(f"{mode.name} {op.name}: {done} results compared, 0 mismatches")


def wanted_values() -> int:
    """Results per mode and operation."""
    return int(os.environ.get("VALUES", 10_000 if light() else 300_000))


@cocotb.test()
async def element_matches_model_in_every_mode(dut: Any) -> None:
    """Add, subtract and multiply; double, single and fp32."""
    await open_lanes(dut)
    with counted(COVERAGE) as cover:
        for mode in Rounding:
            for op in (Elementwise.ADD, Elementwise.SUB, Elementwise.MUL):
                await run(dut, cover, mode, op, wanted_values())


@cocotb.test()
async def element_forgets_words_at_reset(dut: Any) -> None:
    """With one word in it, with two, up to full."""
    await open_lanes(dut)
    dut.cfg_mode.value, dut.cfg_op.value, dut.cfg_record.value = 0, int(Elementwise.ADD), 0
    rng = np.random.default_rng(seed())

    def show(word: int) -> None:
        dut.in_data.value = int.from_bytes(rng.bytes(params()["N"]), "little")
        dut.in_other.value = int.from_bytes(rng.bytes(params()["N"]), "little")

    with counted(COVERAGE) as cover:
        await forgets(dut, cover, show, STAGES)


@cocotb.test(expect_error=Mismatch)
async def element_score_tells_add_from_subtract(dut: Any) -> None:
    """The twin: the model subtracts. Some records make nothing of it; most do."""
    await open_lanes(dut)
    await run(dut, Hits(COVERAGE), Rounding.DOUBLE, Elementwise.ADD, 1_000_000, model=Elementwise.SUB)
