"""A program's life as control must tell it, a cycle at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from models.isa import ID_FETCH, ID_LOAD, ID_STORE, Cause


class Seen(NamedTuple):
    """The outputs in one cycle."""

    busy: int
    go: int
    halt: int
    core_rst_n: int
    done_event: int
    error_event: int
    record: tuple[int, ...]


class Model:
    """architecture.md, "Errors and stopping", a cycle at a time.

    A program runs from start to its clear cycle. `stopping`: it has failed and waits for the bus.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """After reset: no program, no error."""
        self.running = self.stopping = self.clearing = self.failed = False
        self.still = 0
        self.record: tuple[int, ...] = (0, 0, 0, 0)

    def outputs(self, start: int) -> Seen:
        """In the cycle in which start has this value."""
        busy = self.running or self.clearing
        return Seen(
            int(busy),
            int(bool(start) and not busy),
            int(self.stopping),
            int(not self.clearing),
            int(self.clearing and not self.failed),
            int(self.clearing and self.failed),
            self.record,
        )

    def step(self, pins: dict[str, int], limit: int) -> None:
        """The end of a cycle with these inputs."""
        if self.clearing:
            self.clearing = False
        elif self.stopping:
            if pins["quiet"]:
                self.running = self.stopping = False
                self.clearing = True
        elif self.running:
            error = next(self.errors(pins, limit), None)
            if error is not None:
                self.record, self.failed, self.stopping = error, True, True
            elif pins["ended"] and pins["idle"] and pins["quiet"]:
                self.running, self.clearing = False, True
            self.still += 1
        elif pins["start"]:
            self.reset()
            self.running = True
        if pins["progress"]:
            self.still = 0

    def errors(self, pins: dict[str, int], limit: int) -> Iterator[tuple[int, ...]]:
        """Error records of this cycle, the one to keep first."""
        if pins["fetch_err_valid"]:
            yield pins["fetch_err_cause"], pins["fetch_err_addr"], ID_FETCH, pins["fetch_err_cmd"]
        for source, first, number in (
            ("load", Cause.READ_SLVERR, ID_LOAD),
            ("store", Cause.WRITE_SLVERR, ID_STORE),
        ):
            if pins[f"{source}_err_valid"]:
                cause = first + pins[f"{source}_err_decerr"]
                if pins[f"{source}_err_window"]:
                    cause = Cause.READ_WINDOW if source == "load" else Cause.WRITE_WINDOW
                yield cause, pins[f"{source}_err_addr"], number, pins[f"{source}_err_cmd"]
        if limit and self.still >= limit:
            yield Cause.WATCHDOG, pins["waits"], ID_FETCH, pins["waits_cmd"]
        if pins["stop"]:
            yield Cause.STOPPED, 0, ID_FETCH, 0


def state_of(model: Model) -> str:
    """idle, run, halt or clear."""
    states = {"clear": model.clearing, "halt": model.stopping, "run": model.running}
    return next((name for name, holds in states.items() if holds), "idle")
