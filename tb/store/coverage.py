"""What store can meet: every end of a burst, every wait, every set of tokens, every error, halt and reset."""

from __future__ import annotations

from tb.common.cover import Accepts, Coverage, Cross, Never, Point

COUNT: dict[str, Accepts] = {"one": 1, "few": range(2, 256), "wide": range(256, 65536)}
# idle: no command; walk: bursts left to send; tail: all were sent, not all have been answered.
PHASES = ("idle", "walk", "tail")
BUS = ("quiet", "address", "data", "response", "token")

COVERAGE = Coverage(
    "store",
    # ---------------------------------------------------------------- a sample a command that ended
    Point("rows", COUNT, "count_y"),
    Point("runs", COUNT, "count_x"),
    Cross("window", ("rows", "runs"), [Never("65,536 words at least", rows="wide", runs="wide")]),
    Point("run", COUNT, "words of a run"),
    Point(
        "stride", ["none", "next", "up", "down"], "from run to run: the same, the next, a later, an earlier"
    ),
    Point("buffer_wrap", {"no": 0, "yes": 1}, "buffer addresses that go round 16 bits"),
    Point("wait", {"none": 0, "compute": 1}, "the token that a command takes"),
    Point("signal", ["none", "compute", "load", "both"], "tokens with its last response"),
    Point("stamp", {"off": 0, "on": 1}, "a time stamp with its last response"),
    Cross("tokens", ("wait", "signal", "stamp")),
    # ---------------------------------------------------------------- a sample a burst
    Point(
        "burst_end",
        ["run", "run_at_max", "run_at_page", "max", "page", "max_at_page"],
        "why a burst ends: its run does (also just where it must be cut), or it is cut by MAX_BURST or 4 KiB",
    ),
    Point("beats", ["one", "some", "max"], "of a burst"),
    Point("response", {"slverr": 2, "decerr": 3}, "of the first burst that fails"),
    Point("place", ["only", "first", "middle", "last"], "which burst of its command fails"),
    Cross("error", ("response", "place")),
    # ---------------------------------------------------------------- a sample a cycle
    Point("in_flight", ["none", "some", "limit"], "bursts on the bus against OUTSTANDING"),
    Point("words", {"empty": 0, "some": range(1, 4), "full": 4}, "held between the buffer and the bus"),
    Point(
        "stall",
        [
            "no_command",
            "no_compute_token",
            "no_room_for_compute",
            "no_room_for_load",
            "no_room_for_both",
            "busy",
            "address_not_taken",
            "data_not_taken",
            "too_many_bursts",
        ],
        "why something waits; busy: a command whose token is there",
    ),
    Point("halt", PHASES, "what halt finds of the command"),
    Point("reset", PHASES, "what a reset finds of the command"),
    Point(
        "bus", BUS, "what is waited for then: address or data are not taken, no response, no room for a token"
    ),
    Cross(
        "halt_x_bus",
        ("halt", "bus"),
        [
            Never("idle is quiet", halt="idle", bus=BUS[1:]),
            Never("something is to be answered", halt="tail", bus="quiet"),
        ],
    ),
    Cross(
        "reset_x_bus",
        ("reset", "bus"),
        [
            Never("idle is quiet", reset="idle", bus=BUS[1:]),
            Never("something is to be answered", reset="tail", bus="quiet"),
        ],
    ),
)
