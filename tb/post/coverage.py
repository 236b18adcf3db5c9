"""What post can meet: every rounding, both ends of the clamp, every way through, every wait and reset."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point
from tb.common.rounding import CLAMP, MODE, SCALE

# The states of npu_post, as its register holds them.
STATES = {"param": 0, "wait": 1, "drain": 2, "flush": 3, "done": 4, "stamp": 5}

COVERAGE = Coverage(
    "post",
    # ---------------------------------------------------------------- arithmetic, a sample a lane and pixel
    *MODE,
    *SCALE,
    # ---------------------------------------------------------------- tiles, a sample a tile
    *CLAMP,
    Point("bypass", {"off": 0, "on": 1}, "sums that are not requantised"),
    Point("elem", {"none": 0, "add": 1, "subtract": 2, "multiply": 3}, "what is done with the residual"),
    Point("table", ["off", "first", "second"], "which table the results go through"),
    Cross("path", ("bypass", "elem", "table"), about="every way through the lanes"),
    Point("elem_mode", {"double": 0, "single": 1, "fp32": 2}, "rounding mode of a tile"),
    Cross("elem_x_mode", ("elem", "elem_mode")),
    Point("tie_rule", {"even": False, "plain": True}, "of fp32: bit 6 of an element record's s_out"),
    Cross("elem_x_tie_rule", ("elem", "tie_rule"), [Never("no record, no rule", elem="none")]),
    Point("source", ["bank_0", "bank_1", "pool"], "where a tile's sums come from"),
    Point("start", {"restart": 1, "continue": 0}, "at its own address, or behind the last tile"),
    Cross("source_x_start", ("source", "start")),
    Point("pixels", ["one", "some", "bank", "beyond_bank"], "of a tile"),
    Cross(
        "source_x_pixels",
        ("source", "pixels"),
        [Never("a bank holds no more", source=("bank_0", "bank_1"), pixels="beyond_bank")],
    ),
    Point("token", ["none", "wait", "signal", "both"], "what a tile waits for and gives"),
    Point("stamp", {"off": 0, "on": 1}, "a time stamp at a tile's end"),
    Cross("ends", ("token", "stamp")),
    Point("wrap", {"no": 0, "yes": 1}, "output addresses that go round 16 bits"),
    # ---------------------------------------------------------------- time, a sample a cycle
    Point(
        "stall",
        [
            "no_descriptor",
            "queue_full",
            "bank_not_full",
            "no_pool_word",
            "no_store_token",
            "no_room_for_token",
            "stamp_not_taken",
        ],
        "why nothing moves",
    ),
    Point("reset", ["empty", *STATES], "the state that a reset ends; empty: no descriptor"),
)
