"""What pool can meet: every window, step and border, every rounding, every wait, every state at reset."""

from __future__ import annotations

from models.isa import PoolKind
from tb.common.cover import Coverage, Cross, Never, Point

OVERLAP = "windows of one tap cannot overlap"

COVERAGE = Coverage(
    "pool",
    # ---------------------------------------------------------------- a sample a command that ended
    Point("kind", {kind.name.lower(): int(kind) for kind in PoolKind}, "of a command"),
    Point("window", ["1x1", "row", "column", "square", "other"], "rows and columns of taps"),
    Point("x_step", ["one_column", "overlap", "touch", "gap"], "from window to window"),
    Point("y_step", ["one_row", "overlap", "touch", "gap"], "from row to row of windows"),
    Cross(
        "slide",
        ("window", "x_step", "y_step"),
        [
            Never(OVERLAP, window=("1x1", "column"), x_step="overlap"),
            Never(OVERLAP, window=("1x1", "row"), y_step="overlap"),
        ],
    ),
    Point("cut_x", ["none", "left", "right", "both", "all"], "columns of the tile that are padding"),
    Point("cut_y", ["none", "top", "bottom", "both", "all"], "rows of the tile that are padding"),
    Cross("border", ("cut_x", "cut_y"), about="every set of sides"),
    Point(
        "taps",
        {"one": 1, "waits": range(2, 9), "hides": range(9, 65025), "largest": 65025},
        "of a window; a division hides behind nine",
    ),
    Point("blocks", ["one", "two", "more"], "blocks of N channels"),
    Point("wrap", {"no": False, "yes": True}, "addresses that go round 16 bits"),
    Point("signal_load", {"off": False, "on": True}, "a token for load"),
    Point("wait_store", {"off": False, "on": True}, "what is passed on to post"),
    Point("signal_store", {"off": False, "on": True}, "the same"),
    Point("stamp", {"off": False, "on": True}, "the same"),
    Cross("ends", ("signal_load", "wait_store", "signal_store", "stamp")),
    # ---------------------------------------------------------------- a sample a window, or a lane of it
    Point("inside", ["none", "part", "all"], "taps of a window that count"),
    Cross("kind_x_inside", ("kind", "inside")),
    Point("tie", ["up", "down"], "averages half-way between two results"),
    Point("extreme", ["lowest", "highest"], "several taps that are all -128, or all 127"),
    Cross("kind_x_extreme", ("kind", "extreme")),
    # ---------------------------------------------------------------- a sample a cycle
    Point(
        "stall",
        ["no_command", "busy", "division", "result", "descriptor", "token", "several"],
        "why nothing is taken or read; busy: with the command before",
    ),
    # ---------------------------------------------------------------- a sample a reset
    Point("reset", ["idle", "starting", "reading", "held", "dividing", "result"], "what a reset ends"),
)
