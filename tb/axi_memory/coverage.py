"""What both memories can meet: bursts, page edges, waits on every channel, errors on every beat, resets."""

from __future__ import annotations

from tb.agents.burst import DECERR, OKAY, SLVERR
from tb.common.cover import Coverage, Cross, Never, Point
from tb.common.pace import RUN

CHANNELS = ["ar", "r", "aw", "w", "b"]
PLACES = ["only", "first", "middle", "last", "all"]

COVERAGE = Coverage(
    "axi_memory",
    Point("back_end", ["python", "verilog"], "which memory"),
    # ---------------------------------------------------------------- a sample a burst
    Point("access", {"read": False, "write": True}, "its direction"),
    Point("width", {"bits_32": 4, "bits_128": 16, "bits_256": 32}, "of the bus"),
    Point("beats", {"one": 1, "some": range(2, 16), "most": 16}, "of a burst; the traffic has 16 at most"),
    Cross("burst", ("back_end", "access", "width", "beats")),
    Point("page", ["inside", "begins", "ends"], "where a burst lies in its 4 KiB"),
    Cross("edge", ("back_end", "access", "page")),
    Point("strobes", {"all": True, "some": False}, "of a write"),
    Cross("strobed", ("back_end", "strobes")),
    Point(
        "wait", {"short": range(16), "long": range(16, 1000), "late": range(1000, 1 << 24)}, "for an answer"
    ),
    Cross("latency", ("back_end", "access", "wait"), about="cycles beyond one a beat"),
    Point("order", ["in_order", "overtaking", "interleaved"], "of answers to reads of two IDs"),
    Cross(
        "answers",
        ("back_end", "order"),
        [
            Never(
                "it answers in the order of the addresses",
                back_end="verilog",
                order=("overtaking", "interleaved"),
            )
        ],
    ),
    # ---------------------------------------------------------------- errors, a sample a burst
    Point("error", {"slverr": SLVERR, "decerr": DECERR}, "the answer"),
    Point("failing", PLACES, "beats of a read that fail; only: it has no other"),
    Cross("read_error", ("back_end", "error", "failing")),
    Point("written", {"okay": OKAY, "slverr": SLVERR, "decerr": DECERR}, "answer to a write"),
    Cross("write_answer", ("back_end", "written")),
    # ---------------------------------------------------------------- waits, a sample a run of like cycles
    Point("channel", CHANNELS, "of the port"),
    Point("stall", ["gap", "held"], "VALID low, or waiting for READY"),
    Point("run", RUN, "cycles"),
    Cross("pace", ("back_end", "channel", "stall", "run")),
    Point("alone", CHANNELS, "the one channel on which the memories hold back"),
    # ---------------------------------------------------------------- a sample a reset
    Point("cut_channel", CHANNELS, "when a reset comes"),
    Point("cut", ["gap", "held", "moves"], "what it cuts off there"),
    Cross("reset", ("cut_channel", "cut")),
    Point(
        "rule",
        ["VALID_STABLE", "PAYLOAD_STABLE", "WLAST", "BOUNDARY_4K", "FULL_WIDTH_INCR", "VALID_IN_RESET"],
        "broken",
    ),
)


def place(resps: tuple[int, ...]) -> str:
    """Which beats of a read failed, as a bin of `failing`."""
    bad = [i for i, resp in enumerate(resps) if resp != OKAY]
    if len(resps) == 1:
        return "only"
    if len(bad) == len(resps):
        return "all"
    return "first" if bad == [0] else "last" if bad == [len(resps) - 1] else "middle"
