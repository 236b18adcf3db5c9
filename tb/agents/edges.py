"""Work of every clock cycle, done by one task.

A coroutine that awaits each edge costs cocotb more than what most of them do there: components that only look
and answer give a function to `at_every` instead.
"""

from __future__ import annotations

from collections.abc import Callable

import cocotb
from cocotb.task import Task
from cocotb.triggers import Event, RisingEdge

Step = Callable[[], None]


class _Steps:
    """The steps of one edge, in the order in which they came, and the task that calls them."""

    def __init__(self, edge: RisingEdge) -> None:
        self.edge = edge
        self.steps: list[Step] = []
        self.task: Task[None] = cocotb.start_soon(self._run())

    async def _run(self) -> None:
        while True:
            await self.edge
            for step in self.steps:
                step()


_all: dict[RisingEdge, _Steps] = {}


async def at_every(edge: RisingEdge, step: Step) -> None:
    """Call `step` at each of these edges until the test ends; what it raises fails the test."""
    steps = _all.get(edge)
    if steps is None or steps.task.done():  # cocotb ends a test's tasks with the test
        steps = _all[edge] = _Steps(edge)
    steps.steps.append(step)
    await Event().wait()
