"""What fetch can meet: every end of a program, every rule that refuses, every cut of a burst, halt, reset."""

from __future__ import annotations

from models.isa import Cause
from tb.common.cover import Coverage, Cross, Never, Point

_WINDOW = ("run", "count_x", "count_y", "address", "stride_y", "stride_x")
_COMPUTE = ("kw", "kh", "cb", "out_w", "out_h", "rounding", "wait_compute", "signal_compute")
_SLIDE = ("x_stride", "y_stride")
# The fields of each command that can be at fault, as models/isa.py names them.
REFUSED = {
    "LOAD": (*_WINDOW, "dest", "wait_load", "signal_load", "signal_store"),
    "STORE": (*_WINDOW, "wait_load", "wait_store", "signal_store"),
    "CONV": (*_COMPUTE, "groups", "tile", *_SLIDE, "wait_store", "signal_store", "stamp", "elem"),
    "POOL": (*_COMPUTE, "kind"),
    "END": tuple(f"{verb}_{to}" for verb in ("wait", "signal") for to in ("load", "compute", "store")),
}
LIMITS = ("tile", "bank", "line", "kw", "kh")  # of a CONV, all of which depend on the core's parameters

COVERAGE = Coverage(
    "fetch",
    # ---------------------------------------------------------------- a sample a command
    Point("opcode", ["load", "store", "conv", "pool"], "handed out"),
    Point("after", ["nothing", "load", "store", "conv", "pool"], "the command handed out before it"),
    Cross("sequence", ("after", "opcode")),
    Point(
        "refused",
        [f"{opcode}_{field}" for opcode, fields in REFUSED.items() for field in fields],
        "command and field at fault",
    ),
    Point("limit", LIMITS, "what of a CONV has a bound that is the core's"),
    Point("side", ["most", "over"], "at the bound, and handed out; one beyond, and refused"),
    Cross("limit_x_side", ("limit", "side")),
    # ---------------------------------------------------------------- a sample a program
    Point(
        "stop",
        {
            "end": 0,
            "opcode": Cause.BAD_OPCODE,
            "field": Cause.BAD_FIELD,
            "overrun": Cause.OVERRUN,
            "slverr": Cause.READ_SLVERR,
            "decerr": Cause.READ_DECERR,
            "window": Cause.READ_WINDOW,
        },
        "why it stopped",
    ),
    Point(
        "where", {"first": 0, "ahead": range(1, 9), "later": range(9, 65536)}, "command that it stopped at"
    ),
    Cross("stop_x_where", ("stop", "where")),
    Point("behind", ["nothing", "in_burst", "more_bursts"], "what PROG_LEN says to be behind END"),
    Point("number", {"byte": range(256), "wide": range(256, 65536)}, "of the command that it stopped at"),
    # ---------------------------------------------------------------- a sample a burst
    Point("size", {"one": 1, "two": 2, "three": 3, "four": 4}, "commands of a burst"),
    Point(
        "burst_end",
        ["program", "page", "four", "program_at_page", "four_at_page"],
        "why a burst ends: the program does (also where it must be cut), or it is cut",
    ),
    Cross(
        "cut",
        ("size", "burst_end"),
        [
            Never("cut by its length", size=("one", "two", "three"), burst_end=("four", "four_at_page")),
            Never("that is four_at_page", size="four", burst_end="page"),
        ],
    ),
    Point("response", {"slverr": 2, "decerr": 3}, "of the first beat that fails"),
    Point("beat", ["first", "middle", "last"], "which beat of its burst fails"),
    Cross("error", ("response", "beat")),
    # ---------------------------------------------------------------- a sample a cycle
    Point(
        "stall",
        ["load_busy", "compute_busy", "store_busy", "address_not_taken", "no_data", "no_room"],
        "who waits for whom; no_room: a burst for which not enough commands were handed out",
    ),
    Point(
        "ahead",
        {"none": 0, "some": range(1, 8), "full": 8},
        "commands asked for and not handed out, of eight",
    ),
    Point("bus", ["off", "idle", "address", "data"], "reading when halt or a reset comes; off: no program"),
    Point("halt", ["none", "part", "held", "ended"], "beats of the command at the exit when halt comes"),
    Point("reset", ["none", "part", "held", "ended"], "and when a reset comes"),
    Cross("halt_x_bus", ("halt", "bus"), [Never("no beats", halt=("part", "held", "ended"), bus="off")]),
    Cross("reset_x_bus", ("reset", "bus"), [Never("no beats", reset=("part", "held", "ended"), bus="off")]),
)
