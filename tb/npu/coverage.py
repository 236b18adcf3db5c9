"""What the core can meet with a memory of any temper: every wait, who works at once, every error."""

from __future__ import annotations

from models.isa import ID_FETCH, ID_LOAD, ID_STORE
from tb.common.cover import Coverage, Cross, Never, Point

ENGINES = ("load", "compute", "store")
WORK = {"idle": 0, "works": 1}


def work(when: str, about: str) -> tuple[Point | Cross, ...]:
    """What each engine does at some time, and which of them work together."""
    names = tuple(f"{when}_{engine}" for engine in ENGINES)
    return *(Point(name, WORK, about) for name in names), Cross(when, names)


COVERAGE = Coverage(
    "npu",
    # ---------------------------------------------------------------- a sample a cycle
    Point("channel", ["ar", "r", "aw", "w", "b"], "of the bus"),
    Point("hold", ["neither", "valid_waits", "ready_waits", "moves"], "valid and ready"),
    Cross(
        "bus",
        ("channel", "hold"),
        [Never("store always takes a response", channel="b", hold=("neither", "valid_waits"))],
    ),
    *work("runs", "engine in a cycle of a program"),
    Point("reads", ["none", "fetch", "load", "both"], "managers with reads under way"),
    Point("writes", {"none": 0, "one": 1, "more": range(2, 1 << 16)}, "bursts under way"),
    # ---------------------------------------------------------------- a sample a burst
    Point("order", ["kept", "changed"], "a read ends before one of the other manager that asked earlier"),
    # ---------------------------------------------------------------- a sample a program that was stopped
    Point("response", {"slverr": 2, "decerr": 3}, "of the burst that failed"),
    Point("engine", {"fetch": ID_FETCH, "load": ID_LOAD, "store": ID_STORE}, "whose burst failed"),
    Cross("error", ("response", "engine")),
    Point("halt_reads", ["none", "some"], "under way besides, when the error comes"),
    Point("halt_writes", ["none", "some"], "under way besides, when the error comes"),
    # ---------------------------------------------------------------- a sample a reset
    *(Point(f"reset_{engine}", WORK, "engine that a reset finds") for engine in ENGINES),
    Point("reset_reads", ["none", "some"], "under way"),
    Point("reset_writes", ["none", "some"], "under way"),
)
