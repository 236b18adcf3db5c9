"""The bench of control: random inputs in every cycle, all outputs against the model."""

from __future__ import annotations

from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.env import BlockEnv
from tb.agents.pins import to_int
from tb.agents.scoreboard import Scoreboard
from tb.common.changes import Changes
from tb.common.collector import Collector
from tb.common.watch import value_of
from tb.control.coverage import COVERAGE, ERRORS
from tb.control.model import Model, Seen, state_of
from tb.control.stimulus import SOURCES, Reports

FLAGS = ("start", "stop", "ended", "idle", "quiet", "progress")
OUTPUTS = ("busy", "go", "halt", "core_rst_n", "done_event", "error_event")
RECORD = ("err_cause", "err_addr", "err_id", "err_cmd")


class Cycles(uvm_component):
    """Drives the inputs of a cycle, compares all outputs in it."""

    def __init__(self, name: str, parent: ControlEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut = parent, dut
        self.pins = Changes(dut)

    async def run_phase(self) -> None:
        env, dut, edge = self.env, self.dut, RisingEdge(self.dut.clk)
        ran = False  # since the last reset
        while True:
            pins = env.inputs()
            limit = env.limit
            self.pins.drive(pins | {"watchdog_limit": limit})
            await edge
            if to_int(dut.rst_n) != 1:
                if ran:
                    env.cover.sample(reset=state_of(env.model))
                ran = False
                env.model.reset()
                continue
            ran = True
            env.scoreboard.expect(env.model.outputs(pins["start"]))
            record = tuple(value_of(getattr(dut, name)) for name in RECORD)
            env.scoreboard.observe(Seen._make([*(value_of(getattr(dut, name)) for name in OUTPUTS), record]))
            env.sample(pins, limit)
            env.model.step(pins, limit)
            env.count(pins)


class ControlEnv(BlockEnv):
    """Every input random with a probability of its own (`chance`, 0..1); `fixed` inputs have a value."""

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.chance = dict.fromkeys((*FLAGS, *(f"{source}_err_valid" for source in SOURCES)), 0.0)
        self.limit = 0
        self.reports = Reports(self.rng)
        self.outcomes: set[Any] = set()
        self.cover = Collector("cover", self, COVERAGE).hits
        self.halted = 0  # cycles since the error
        self.model = Model()
        self.scoreboard = Scoreboard("scoreboard", self, minimum=10)
        self.driver = Cycles("driver", self, dut)

    def inputs(self) -> dict[str, int]:
        """One cycle's inputs; a payload without its valid is noise."""
        pins = {name: int(self.rng.random() < chance) for name, chance in self.chance.items()}
        pins["start"] &= not self.model.outputs(0).busy  # csr refuses it otherwise
        return pins | self.reports.draw([source for source in SOURCES if pins[f"{source}_err_valid"]])

    def sample(self, pins: dict[str, int], limit: int) -> None:
        """A cycle whose outputs were right, before its end."""
        cover, model, state = self.cover.sample, self.model, state_of(self.model)
        raised = [source for source in SOURCES if pins[f"{source}_err_valid"]]
        for source in (*raised, *(("stop",) if pins["stop"] else ())):
            cover(state=state, source=source)
        if state == "halt":
            self.halted += 1
            cover(pins["quiet"], halted=self.halted)
        if state != "run":
            return
        self.halted = 0
        expired = bool(limit and model.still >= limit)
        errors = [
            name for name in ERRORS if {"watchdog": expired, "stop": pins["stop"]}.get(name, name in raised)
        ]
        last = limit and model.still == limit - 1 and pins["progress"]
        cover(limit=limit)
        if limit:
            counts = "progress_at_the_last_moment" if last else "counts"
            cover(watchdog="expires" if errors[:1] == ["watchdog"] else counts)
        else:
            cover(watchdog="off")
        missing = tuple(name for name in ("ended", "idle", "quiet") if not pins[name])
        if not errors:
            cover(missing=missing)
            return
        kept = errors[0]
        for beside in errors[1:] or ["nothing"]:
            cover(kept=kept, beside=beside)
        cover(finished="no" if missing else "yes")
        if kept == "fetch":
            cover(fetch_cause=pins["fetch_err_cause"])
        elif kept in ("load", "store"):
            kinds = [kind for kind in ("window", "decerr") if pins[f"{kept}_err_{kind}"]]
            cover(dma=kept, response=(*kinds, "slverr")[0])

    def count(self, pins: dict[str, int]) -> None:
        """Which outcomes there were."""
        if self.model.clearing:
            self.outcomes.add(self.model.record[0] if self.model.failed else "done")
