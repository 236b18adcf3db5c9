"""Words through a pipeline that never waits: in_valid, out_valid, busy (npu_requant, npu_element)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from tb.agents import transactions
from tb.agents.scoreboard import Mismatch
from tb.common.compute import ContractError
from tb.common.cover import Hits, Point

STREAM = (
    Point("pace", ["every_cycle", "gaps"], "of the words"),
    Point("reset", ["filling", "full"], "the pipeline that a reset empties"),
)


async def open_lanes(dut: Any) -> None:
    """Clock and reset."""
    transactions.begin()
    Clock(dut.clk, 10, "ns", impl="gpi").start()
    dut.rst_n.value, dut.in_valid.value = 0, 0
    # The second edge shows what the first has reset.
    await ClockCycles(dut.clk, 2)
    dut.rst_n.value = 1


async def through(
    dut: Any, words: int, show: Callable[[int], None], stages: int, hold: Callable[[], bool] | None = None
) -> list[int]:
    """Send `words` words, after as many cycles without one as `hold` says; show(k) puts word k on the pins.

    Returns what comes out. Raises ContractError when busy is low with a result, or high when all are out.
    """
    edge, got, sent, left = RisingEdge(dut.clk), [], 0, stages + 1
    while left:
        go = sent < words and not (hold and hold())
        dut.in_valid.value = go
        if go:
            show(sent)
            sent += 1
        elif sent == words:
            left -= 1
        await edge
        if dut.out_valid.value:
            got.append(int(dut.out_data.value))
            if not dut.busy.value:
                raise ContractError("not busy with a result to come")
    if dut.busy.value:
        raise ContractError(f"still busy {stages + 1} cycles after the last word")
    return got


async def forgets(dut: Any, cover: Hits, show: Callable[[int], None], stages: int) -> None:
    """Resets of one cycle, each behind one more word: no result may come afterwards. Raises Mismatch."""
    for words in range(1, stages + 2):
        for word in range(words):
            dut.in_valid.value = 1
            show(word)
            await RisingEdge(dut.clk)
        dut.in_valid.value, dut.rst_n.value = 0, 0
        await RisingEdge(dut.clk)
        dut.rst_n.value = 1
        for _ in range(stages + 1):
            await RisingEdge(dut.clk)
            if dut.out_valid.value or dut.busy.value:
                raise Mismatch(f"out_valid or busy after a reset behind {words} words")
        cover.sample(reset="full" if words >= stages else "filling")
