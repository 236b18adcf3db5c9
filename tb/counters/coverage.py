"""What the counters can meet: every category before every other, sets of stamps, reads, clear, reset."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

# In the order of docs/registers.md: a cycle belongs to the first that holds.
CATEGORIES = ("busy", "pool", "load", "weights", "store", "token", "drain", "fill")

COVERAGE = Coverage(
    "counters",
    # ---------------------------------------------------------------- a sample a busy cycle
    Point("category", CATEGORIES, "that a cycle belongs to"),
    Point("beside", ["nothing", *CATEGORIES[1:-1]], "another that holds, which is not counted"),
    Cross(
        "order",
        ("category", "beside"),
        [
            Never("the first that holds", category=CATEGORIES[k], beside=CATEGORIES[1 : min(k, 6) + 1])
            for k in range(1, len(CATEGORIES))
        ],
        about="every category before every later one",
    ),
    Point(
        "load",
        ["counts", "units_work", "held", "both"],
        "load's token is missing: it counts, or conv and pool have work, or load waits itself",
    ),
    Point("traffic", ["none", "read", "write", "both"], "beats in a cycle"),
    Point("bursts", ["none", "read", "write", "both"], "that begin in a cycle"),
    Point("waits", ["none", "load", "store", "both"], "engines that wait"),
    # ---------------------------------------------------------------- a sample a cycle
    Point("time", ["busy", "idle", "clear"], "what a cycle is"),
    Point(
        "offered",
        ["load", "post", "store", "load_post", "load_store", "post_store", "all"],
        "stamps in a cycle, of which one is taken",
    ),
    Cross("offered_in", ("time", "offered")),
    Point("again", {"no": 0, "yes": 1}, "a layer that had a stamp before"),
    Point("taken", ["load", "post", "store"], "whose stamp is taken"),
    Cross("taken_again", ("taken", "again")),
    # ---------------------------------------------------------------- a sample a read that was right
    Point("read", ["counter", "stamp", "account", "hole"], "what is read"),
    Point("counter", {str(k): k for k in range(15)}, "the counter that is read"),
    Point("part", {str(k): k for k in range(8)}, "of an account that is read"),
    Point("moving", {"no": 0, "yes": 1}, "read while it counts"),
    Cross("read_x_moving", ("read", "moving")),
    Point("meanwhile", ["no_stamp", "another", "the_same"], "whose stamp is taken in its cycle"),
    Point("value", {"zero": 0, "small": range(1, 1 << 16), "wide": range(1 << 16, 1 << 32)}, "that is read"),
    # ---------------------------------------------------------------- a sample a reset
    Point("reset", ["idle", "counting", "stamp"], "what a reset finds"),
)
