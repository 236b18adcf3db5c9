"""What hostile programs can meet: every field in and out of its range, every end, window and wait."""

from __future__ import annotations

import random

from models.config import Config
from models.isa import ID_FETCH, ID_LOAD, ID_STORE, Cause
from tb.chip.mutate import MUTATIONS
from tb.common.cores import HOSTILE
from tb.common.cover import Coverage, Cross, Never, Point
from tb.hostile.fields import FIELDS, variant

# Bits of ERR_ADDR after the watchdog, as rtl/csr/npu_waits.v has them.
WAITS = {
    "ar": 0,
    "fetch_r": 1,
    "load_r": 2,
    "aw": 3,
    "w": 4,
    "b": 5,
    "load_lacks_compute": 8,
    "load_lacks_store": 9,
    "compute_lacks_load": 10,
    "post_lacks_store": 11,
    "store_lacks_compute": 12,
    "load_full": 16,
    "compute_full": 17,
    "store_full": 18,
}
CHANNELS = ["ar", "r", "aw", "w", "b"]
ENDS = {"done": 0, "reset": -1, **{cause.name.lower(): int(cause) for cause in Cause}}
_NAMES = {f"{op}.{name}": (op, name) for op, name in FIELDS}


def _have(good: bool) -> list[str]:
    """The fields that have such a value on any of the cores."""
    configs = [
        Config(
            **{
                name.lower(): value
                for name, value in core.items()
                if name not in ("OUTSTANDING", "MEM_WORDS")
            }
        )
        for core in HOSTILE.values()
    ]
    return [
        bin
        for bin, (op, name) in _NAMES.items()
        if any(variant(op, name, good, config, random.Random(0)) for config in configs)
    ]


COVERAGE = Coverage(
    "hostile",
    # ---------------------------------------------------------------- a sample a program
    Point("end", ENDS, "how it ended"),
    Point("recovered", ENDS, "how a program ended behind which a good one was right"),
    Point("mutation", [*MUTATIONS, "length"], "what was done to it"),
    # ---------------------------------------------------------------- a sample a program of one command
    Point("field", [*_NAMES], "the one that is not as it was"),
    Point("range", ["in", "out"], "where its value lies"),
    Cross(
        "fields",
        ("field", "range"),
        [
            Never("every value is legal", field=sorted(_NAMES.keys() - set(_have(False))), range="out"),
            Never(
                "this command has no such token", field=sorted(_NAMES.keys() - set(_have(True))), range="in"
            ),
        ],
    ),
    # ---------------------------------------------------------------- windows, a sample an error
    Point("engine", {"fetch": ID_FETCH, "load": ID_LOAD, "store": ID_STORE}, "whose burst was not allowed"),
    Point("side", ["below", "above"], "of the window, where it would have begun"),
    Cross("window", ("engine", "side")),
    # ---------------------------------------------------------------- the watchdog
    Point("wait", WAITS, "that it named"),
    Point("stalled", CHANNELS, "the one channel that stalls under a good program"),
    Point("never", CHANNELS, "the one channel that never answers"),
)
