"""What the parts of lib can meet: both ends of the queues, every end of a burst, every turn of the mux."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

LEVELS = ["empty", "some", "full"]
MOVES = ["none", "push", "pop", "both"]


def queue(name: str) -> tuple[Point | Cross, ...]:
    """Fill level and transfers of a queue, a sample a cycle."""
    level, move = f"{name}_level", f"{name}_move"
    return (
        Point(level, LEVELS, f"how full {name} is"),
        Point(move, MOVES, f"what goes in or out of {name}"),
        Cross(
            f"{name}_level_x_move",
            (level, move),
            [
                Never("nothing leaves an empty queue", **{level: "empty", move: ("pop", "both")}),
                Never("a full one takes nothing", **{level: "full", move: ("push", "both")}),
            ],
        ),
    )


COVERAGE = Coverage(
    "lib",
    *queue("fifo"),
    *queue("tokens"),
    # ---------------------------------------------------------------- walk: a sample a burst
    Point(
        "burst_end",
        ["run", "run_at_max", "run_at_page", "run_at_both", "max", "page", "max_at_page"],
        "why a burst ends: its run does (also just where it must be cut), or it is cut by MAX_BURST or 4 KiB",
    ),
    Point("beats", ["one", "some", "max"], "of a burst"),
    Point("behind", ["run", "row", "command", "nothing"], "what else ends with a burst"),
    Cross("beats_x_behind", ("beats", "behind")),
    # a sample a command
    Point("rows", ["one", "more"], "count_y"),
    Point("runs", ["one", "more"], "count_x"),
    Point("cuts", ["none", "some"], "runs that are more than one burst"),
    Cross("window", ("rows", "runs", "cuts")),
    Point(
        "stride_x", ["none", "next", "up", "down"], "from run to run: the same, the next, a later, an earlier"
    ),
    Point(
        "stride_y", ["none", "next", "up", "down"], "from row to row: the same, the next, a later, an earlier"
    ),
    # ---------------------------------------------------------------- mux: a sample a cycle with an address
    Point("asks", ["fetch", "load", "both"], "managers with an address to show"),
    Point("shown", ["first", "again"], "an address is new to the memory, or waits for it"),
    Point("chosen", {"fetch": 0, "load": 1}, "whose address the memory sees"),
    Cross(
        "choice",
        ("asks", "shown", "chosen"),
        [
            Never("load asks for nothing", asks="fetch", chosen="load"),
            Never("fetch asks for nothing", asks="load", chosen="fetch"),
            Never("fetch goes first", asks="both", shown="first", chosen="load"),
        ],
    ),
    Point("taken", {"no": 0, "yes": 1}, "by the memory"),
    Cross("choice_x_taken", ("chosen", "taken")),
    Point("beats_held", LEVELS, "data on their way to the managers"),
    Point("data_for", {"fetch": 0, "load": 1}, "whose data are the oldest"),
    Point("accepted", {"no": 0, "yes": 1}, "by the manager"),
    Cross("data", ("data_for", "accepted")),
    Point("order", ["kept", "changed"], "a burst ends before one of the other manager that asked earlier"),
    # ---------------------------------------------------------------- time
    Point(
        "stall",
        [
            "fifo_full",
            "fifo_empty",
            "tokens_full",
            "tokens_empty",
            "walk_busy",
            "walk_idle",
            "burst_not_taken",
        ],
        "why something waits",
    ),
    Point("reset_fifo", LEVELS, "fill level that a reset ends"),
    Point("reset_tokens", LEVELS, "fill level that a reset ends"),
    Point("reset_walk", {"idle": 0, "busy": 1}, "what a reset ends"),
    Point("reset_mux", ["free", "fetch_waits", "load_waits"], "what a reset ends"),
    Point("reset_beats", LEVELS, "what a reset ends"),
)
