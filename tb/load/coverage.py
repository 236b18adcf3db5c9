"""What load can meet: every buffer and padding, every end of a burst, every error, wait, halt and reset."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

# The states of npu_load_fill, as its register holds them.
STATES = {"idle": 0, "fill": 1, "done": 2, "stamp": 3}

COVERAGE = Coverage(
    "load",
    # ---------------------------------------------------------------- a sample a command that ended
    Point("dest", {"act": 0, "wgt": 1, "par": 2, "table": 3, "res": 4}, "target buffer"),
    Point("padding", ["none", "rows", "columns", "both"], "what is padded"),
    Cross("dest_x_padding", ("dest", "padding")),
    Point("pad_rows", ["none", "top", "bottom", "both"], "rows of padding"),
    Point("pad_columns", ["none", "left", "right", "both"], "words of padding in a row"),
    Cross("pad_sides", ("pad_rows", "pad_columns"), about="every set of sides"),
    Point(
        "pad_value", {"lowest": -128, "zero": 0, "highest": 127, "other": range(-127, 127)}, "of a command"
    ),
    Point("rows", {"one": 1, "few": range(2, 256), "wide": range(256, 65536)}, "count_y"),
    Point("runs", {"one": 1, "few": range(2, 256), "wide": range(256, 65536)}, "count_x"),
    Cross("window", ("rows", "runs"), [Never("65,536 words at least", rows="wide", runs="wide")]),
    Point(
        "stride", ["none", "next", "up", "down"], "from run to run: the same, the next, a later, an earlier"
    ),
    Point("buffer_wrap", {"no": 0, "yes": 1}, "buffer addresses that go round 16 bits"),
    Point("wait", ["none", "compute", "store", "both"], "tokens that a command takes"),
    Point("signal", {"off": 0, "on": 1}, "a token at its end"),
    Point("stamp", {"off": 0, "on": 1}, "a time stamp at its end"),
    Cross("tokens", ("wait", "signal", "stamp")),
    # ---------------------------------------------------------------- a sample a burst
    Point(
        "burst_end",
        ["run", "run_at_max", "run_at_page", "max", "page", "max_at_page"],
        "why a burst ends: its run does (also just where it must be cut), or it is cut by MAX_BURST or 4 KiB",
    ),
    Point("beats", ["one", "some", "max"], "of a burst"),
    Point("response", {"slverr": 2, "decerr": 3}, "of the first beat that fails"),
    Point("beat", ["only", "first", "middle", "last"], "which beat of its burst fails"),
    Cross("error", ("response", "beat")),
    # ---------------------------------------------------------------- a sample a cycle
    Point("in_flight", ["none", "some", "limit"], "bursts on the bus against OUTSTANDING"),
    Point(
        "stall",
        [
            "no_command",
            "no_compute_token",
            "no_store_token",
            "no_room_for_token",
            "stamp_not_taken",
            "busy",
            "address_not_taken",
            "no_data",
            "data_waits_for_padding",
        ],
        "why something waits; busy: a command whose tokens are there",
    ),
    Point("halt", list(STATES), "the state in which halt comes"),
    Point("reset", list(STATES), "the state that a reset ends"),
    Point("bus", ["quiet", "in_flight"], "what is on the bus when halt or a reset comes"),
    Cross("halt_x_bus", ("halt", "bus")),
    Cross("reset_x_bus", ("reset", "bus")),
)
