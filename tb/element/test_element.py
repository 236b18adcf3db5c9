"""Arithmetic of npu_element: sums, differences and products in every mode against models/elementwise.py.

VALUES in the environment sets the results per mode and operation.
"""

from __future__ import annotations

import os
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from models.elementwise import PLAIN_TIES, Element, Elementwise, element
from models.quantize import Rounding
from tb.agents import transactions
from tb.agents.scoreboard import Mismatch
from tb.bench import Bench, light, params, seed

BENCH = Bench("npu_element", [{"N": 32}], timeout=1800)
STAGES = 11
BATCH = 64  # words between two configurations


def random_record(rng: np.random.Generator, mode: Rounding, op: Elementwise) -> Element:
    """Scales as networks have them, sometimes anything that the fields can hold."""
    zp1, zp2, zero_point = (int(z) for z in rng.integers(-128, 128, 3))
    low, high = sorted(int(z) for z in rng.integers(-128, 128, 2)) if rng.random() < 0.2 else (-128, 127)
    wild = rng.random() < 0.2
    m1, m2, m = (int(v) for v in rng.integers(2**30, 2**31, 3))
    if wild or rng.random() < 0.2:
        m1, m2, m = (int(rng.choice([2**30, 2**31 - 1, v])) for v in (m1, m2, m))
    if mode == Rounding.FP32:
        shift = int(rng.integers(0, 63)) if wild else int(rng.integers(26, 34))
        # The product's scale, as float32 bits; without a fraction half of the odd products are ties.
        fraction = int(rng.integers(0, 2**23)) if rng.random() < 0.7 else 0
        m = int(rng.integers(97, 128) if fraction else rng.integers(118, 127)) << 23 | fraction
        signs = rng.choice([1, -1], 2) if wild else (1, 1)
        if rng.random() < 0.5:
            # XNNPACK's multipliers have 21 bits; with few of them that are 1, sums are ties more often.
            m1, m2, shift = (m1 >> 10, m2 >> 10, max(shift - 10, 0)) if wild else (1 << 20, 3 << 18, 20)
        ties = PLAIN_TIES * int(rng.integers(2))
        m1, m2 = m1 * int(signs[0]), m2 * int(signs[1])
        return Element(zp1, zp2, zero_point, low, high, 0, 0, shift + ties, m1, m2, m)
    if wild:
        s1, s2, s = (int(v) for v in rng.integers(-31, 31, 3))
    elif op == Elementwise.MUL:
        s1, s2, s = 0, 0, int(rng.integers(-10, 1))
    else:
        s1, s2, s = int(rng.integers(-3, 1)), int(rng.integers(-3, 1)), int(rng.integers(-21, -17))
    return Element(zp1, zp2, zero_point, low, high, s1, s2, s, m1, m2, m)


async def run(
    dut: Any, mode: Rounding, op: Elementwise, values: int, model: Elementwise | None = None
) -> None:
    """Compare `values` results. Raises Mismatch. model: another operation for the model, a twin."""
    n = params()["N"]
    rng = np.random.default_rng([seed(), int(mode), int(op)])
    edge, done = RisingEdge(dut.clk), 0
    dut.cfg_mode.value, dut.cfg_op.value = int(mode), int(op)
    while done < values:
        record = random_record(rng, mode, op)
        dut.cfg_record.value = int.from_bytes(record.encode(), "little")
        x1, x2 = rng.integers(-128, 128, (2, BATCH, n)).astype(np.int8)
        got = []
        for step in range(BATCH + STAGES + 1):
            dut.in_valid.value = step < BATCH
            if step < BATCH:
                dut.in_data.value = int.from_bytes(x1[step].tobytes(), "little")
                dut.in_other.value = int.from_bytes(x2[step].tobytes(), "little")
            await edge
            if dut.out_valid.value:
                got.append(int(dut.out_data.value).to_bytes(n, "little"))
        found = np.frombuffer(b"".join(got), np.int8).reshape(-1, n)
        transactions.saw("results", found)
        wanted = element(x1, x2, model or op, record, mode)
        if found.shape != wanted.shape or not np.array_equal(found, wanted):
            at = np.argwhere(found != wanted)[0] if found.shape == wanted.shape else None
            where = "" if at is None else f" of {x1[*at]} and {x2[*at]}: {found[*at]}, expected {wanted[*at]}"
            raise Mismatch(f"{mode.name} {op.name}, {record}{where} ({len(found)} of {len(wanted)} words)")
        done += found.size
    dut._log.info(f"{mode.name} {op.name}: {done} results compared, 0 mismatches")


async def open_bench(dut: Any) -> int:
    """Clock, reset; returns how many results each operation is to be tested with."""
    transactions.begin()
    Clock(dut.clk, 10, "ns", impl="gpi").start()
    dut.rst_n.value, dut.in_valid.value = 0, 0
    # The second edge shows what the first has reset.
    await RisingEdge(dut.clk)
    await RisingEdge(dut.clk)
    dut.rst_n.value = 1
    return int(os.environ.get("VALUES", 10_000 if light() else 300_000))


@cocotb.test()
async def element_matches_model_in_every_mode(dut: Any) -> None:
    """Add, subtract and multiply; double, single and fp32."""
    values = await open_bench(dut)
    for mode in Rounding:
        for op in (Elementwise.ADD, Elementwise.SUB, Elementwise.MUL):
            await run(dut, mode, op, values)


@cocotb.test(expect_error=Mismatch)
async def element_score_tells_add_from_subtract(dut: Any) -> None:
    """The twin: the model subtracts."""
    await open_bench(dut)
    await run(dut, Rounding.DOUBLE, Elementwise.ADD, 10_000, model=Elementwise.SUB)
