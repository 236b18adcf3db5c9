"""What the tests of the agents share."""

from __future__ import annotations

import os

# How source and sink hold back: (probability, mean length).
NEVER, OFTEN, LONG = (0.0, 1), (0.5, 1), (0.8, 10)
PROFILES = [(NEVER, LONG), (LONG, NEVER), (OFTEN, OFTEN), None]


def if_x(bug: int, rule: str) -> list[tuple[int, str]]:
    """A bug that shows as X, on the simulator that has X."""
    return [(bug, rule)] if os.environ.get("ASSAY_SIM") == "icarus" else []
