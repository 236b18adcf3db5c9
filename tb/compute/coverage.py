"""What compute can meet: every turn between the units, every reason to hold a command, tokens."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

COVERAGE = Coverage(
    "compute",
    # ---------------------------------------------------------------- a sample a command that went
    Point("unit", ["conv", "pool"], "that a command goes to"),
    Point("before", ["none", "conv", "pool"], "unit of the command before; none since a reset"),
    Cross("before_x_unit", ("before", "unit")),
    Point("work", ["idle", "busy"], "its unit still works on the command before"),
    Cross(
        "turn",
        ("before", "unit", "work"),
        [
            Never("nothing to work on", before="none", work="busy"),
            Never("the units take turns", before="conv", unit="pool", work="busy"),
            Never("the units take turns", before="pool", unit="conv", work="busy"),
        ],
    ),
    Point("token", ["taken", "left", "none"], "from load; left: it is there, for another command"),
    Cross("unit_x_token", ("unit", "token")),
    # ---------------------------------------------------------------- a sample a cycle
    Point("held", ["token", "other_busy", "not_ready", "several"], "what alone holds back a command"),
    Cross("unit_x_held", ("unit", "held")),
    Point("wait", ["no_command", "token_waits"], "nothing to do; token_waits: and a token is there"),
    # ---------------------------------------------------------------- a sample a reset
    Point("reset", ["no_command", "held", "went"], "what the cycle before a reset did"),
)
