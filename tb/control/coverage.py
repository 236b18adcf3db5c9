"""What control can meet: every end of a program, every error before every other, the watchdog, reset."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

STATES = ("idle", "run", "halt", "clear")
# In the order in which they are kept.
ERRORS = ("fetch", "load", "store", "watchdog", "stop")

COVERAGE = Coverage(
    "control",
    # ---------------------------------------------------------------- a sample an end
    Point("kept", ERRORS, "whose error ends a program"),
    Point("beside", ["nothing", *ERRORS[1:]], "an error in the same cycle, which is lost"),
    Cross(
        "kept_x_beside",
        ("kept", "beside"),
        [
            Never("it comes first", kept="load", beside="load"),
            Never("they come first", kept="store", beside=("load", "store")),
            Never("they are kept instead", kept="watchdog", beside=("load", "store", "watchdog")),
            Never("all others come first", kept="stop", beside=ERRORS[1:]),
        ],
    ),
    Point("fetch_cause", {str(cause): cause for cause in (*range(1, 6), 10)}, "kept of fetch's error"),
    Point("response", ["slverr", "decerr", "window"], "kept of load's or store's error"),
    Point("dma", ["load", "store"], "whose it is"),
    Cross("dma_x_response", ("dma", "response")),
    Point("finished", ["no", "yes"], "whether the program had come to its end in the cycle of the error"),
    Point(
        "halted", {"one": 1, "few": range(2, 10), "long": range(10, 10000)}, "cycles until the bus is quiet"
    ),
    # ---------------------------------------------------------------- a sample a cycle
    Point(
        "missing",
        {
            "nothing": lambda names: not names,
            "ended": frozenset([("ended",)]),
            "idle": frozenset([("idle",)]),
            "quiet": frozenset([("quiet",)]),
            "more": lambda names: len(names) > 1,
        },
        "what keeps a program that has not failed from its end",
    ),
    Point("state", STATES, "in which an error comes"),
    Point("source", ["fetch", "load", "store", "stop"], "of an error; outside run nobody listens"),
    Cross("state_x_source", ("state", "source")),
    Point(
        "watchdog",
        ["off", "counts", "progress_at_the_last_moment", "expires"],
        "a running program against its limit",
    ),
    Point(
        "limit", {"never": 0, "one": 1, "few": range(2, 100), "many": range(100, 1 << 32)}, "of the watchdog"
    ),
    Point("reset", STATES, "the state that a reset ends"),
)
