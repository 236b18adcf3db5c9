"""Arithmetic of npu_requant: every mode, shift and edge, by the million, against models/quantize.py.

Back-pressure, tokens and descriptors are post's bench; here words go in as fast as they can. VALUES in the
environment sets the sums per mode (1,000,000 on Verilator; docs/operators.md quotes ten million).
"""

from __future__ import annotations

import os
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from models.quantize import Rounding, clamp, requantize
from tb.agents import transactions
from tb.agents.scoreboard import Mismatch
from tb.bench import Bench, light, params, seed
from tb.common.cover import Hits, counted
from tb.common.lanes import forgets, open_lanes, through
from tb.requant.coverage import COVERAGE
from tb.requant.outcomes import sample
from tb.requant.stimulus import BATCH, INT32, Source, pack

BENCH = Bench("npu_requant", [{"N": 32}], timeout=1800)
STAGES = 5


async def run(dut: Any, cover: Hits, mode: Rounding, values: int, model: Rounding | None = None) -> int:
    """Compare `values` sums; returns how many. Raises Mismatch. model: another mode for the model, a twin."""
    n = params()["N"]
    await open_lanes(dut)
    dut.cfg_mode.value = int(mode)
    source, done = Source(mode, n), 0
    rng = source.rng
    while done < values:
        settings = source.settings.draw()
        bypass, zero_point, low, high = (settings[name] for name in ("bypass", "zero_point", "low", "high"))
        multiplier, shift = source.scale()
        bias = (rng.integers(*INT32, n) >> rng.integers(0, 32, n)).astype(np.int32)
        sums = source.sums(multiplier, shift)
        if bypass:
            sums >>= rng.integers(0, 32, sums.shape, dtype=np.int32)
        dut.cfg_bypass.value = bypass
        dut.cfg_multiplier.value, dut.cfg_shift.value = pack(multiplier), pack(shift)
        dut.cfg_bias.value, dut.cfg_zero_point.value = pack(bias), zero_point & 0xFF
        dut.cfg_act_min.value, dut.cfg_act_max.value = low & 0xFF, high & 0xFF
        before = sums if bypass else (sums.astype(np.int64) - bias).astype(np.int32)

        def show(word: int, before: NDArray[np.int32] = before) -> None:
            dut.in_acc.value = pack(before[word])

        hold = (lambda: rng.random() < 0.5) if settings["gaps"] else None
        got = await through(dut, BATCH, show, STAGES, hold)
        found = np.frombuffer(b"".join(word.to_bytes(n, "little") for word in got), np.int8).reshape(-1, n)
        transactions.saw("results", found)
        scaled = sums if bypass else requantize(sums, multiplier, shift, model or mode)
        wanted = clamp(scaled, zero_point, low, high)
        if found.shape != wanted.shape or not np.array_equal(found, wanted):
            place = np.argwhere(found != wanted)[0] if found.shape == wanted.shape else (0, 0)
            at, lane = int(place[0]), int(place[1])
            raise Mismatch(
                f"{mode.name}{' bypass' * bypass}: sum {sums[at, lane]} multiplier {multiplier[lane]} shift "
                f"{shift[lane]} zero point {zero_point} clamp [{low}, {high}]: expected {wanted[at, lane]}, "
                f"found {found[at, lane] if at < len(found) else 'nothing'} "
                f"({len(found)} of {len(wanted)} words)"
            )
        cover.sample(pace="gaps" if settings["gaps"] else "every_cycle")
        sample(cover, mode, sums, None if bypass else (multiplier, shift), (zero_point, low, high))
        done += found.size
    dut._log.info(f"{mode.name}: {done} sums compared, 0 mismatches")
    return done


def wanted_values() -> int:
    """Sums per mode."""
    return int(os.environ.get("VALUES", 20_000 if light() else 1_000_000))


@cocotb.test()
async def requant_double_matches_model(dut: Any) -> None:
    """TFLite's two roundings."""
    with counted(COVERAGE) as cover:
        assert await run(dut, cover, Rounding.DOUBLE, wanted_values()) >= wanted_values()


@cocotb.test()
async def requant_single_matches_model(dut: Any) -> None:
    """One rounding."""
    with counted(COVERAGE) as cover:
        assert await run(dut, cover, Rounding.SINGLE, wanted_values()) >= wanted_values()


@cocotb.test()
async def requant_fp32_matches_model(dut: Any) -> None:
    """float32, rounded three times to even."""
    with counted(COVERAGE) as cover:
        assert await run(dut, cover, Rounding.FP32, wanted_values()) >= wanted_values()


@cocotb.test()
async def requant_forgets_words_at_reset(dut: Any) -> None:
    """With one word in it, with two, up to full."""
    await open_lanes(dut)
    rng = np.random.default_rng(seed())
    for name in ("mode", "bypass", "multiplier", "shift", "bias", "zero_point", "act_min", "act_max"):
        getattr(dut, f"cfg_{name}").value = 0

    def show(word: int) -> None:
        dut.in_acc.value = pack(rng.integers(*INT32, params()["N"]).astype(np.int32))

    with counted(COVERAGE) as cover:
        await forgets(dut, cover, show, STAGES)


@cocotb.test(expect_error=Mismatch)
async def requant_score_tells_double_from_single(dut: Any) -> None:
    """The twin: the modes differ in one sum of a thousand, and that is found."""
    await run(dut, Hits(COVERAGE), Rounding.DOUBLE, 100_000, model=Rounding.SINGLE)
