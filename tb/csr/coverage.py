"""What the registers can meet: reads and writes of all, every strobe, start, interrupt, bus, reset."""

from __future__ import annotations

from tb.agents.burst import OKAY, SLVERR
from tb.common.cover import Coverage, Cross, Never, Point
from tb.csr.registers import NAMED, WRITABLE

KINDS = [word.name for word in NAMED.values()] + ["STAMP", "ACCOUNT", "hole"]
_TAKES = [word.name for word in NAMED.values() if word.writable]  # a write
_REFUSES = [name for name in KINDS if name not in _TAKES]

COVERAGE = Coverage(
    "csr",
    # ---------------------------------------------------------------- a sample an access
    Point("register", KINDS, "a register, one of an array's, or a hole"),
    Point("access", ["read", "write"], "what is done"),
    Point("response", {"okay": OKAY, "slverr": SLVERR}, "of the access"),
    Cross(
        "access_to",
        ("register", "access", "response"),
        [
            Never("it is no hole", register=KINDS[:-1], access="read", response="slverr"),
            Never("a hole", register="hole", response="okay"),
            Never("read only", register=_REFUSES[:-1], access="write", response="okay"),
            Never(
                "it can be written",
                register=[name for name in _TAKES if name != "CTRL"],
                access="write",
                response="slverr",
            ),
        ],
        about="CTRL also refuses a start",
    ),
    Point("kept", list(WRITABLE), "a register that keeps what is written"),
    Point("strobe", {format(strobe, "04b"): strobe for strobe in range(16)}, "byte lanes that are written"),
    Cross("lanes", ("kept", "strobe")),
    Point("unaligned", {"no": 0, "yes": range(1, 4)}, "addresses within a word"),
    Point("command", {"none": 0, "start": 1, "stop": 2, "both": 3}, "written to CTRL"),
    Point("busy", {"no": 0, "yes": 1}, "whether a program runs then"),
    Cross("command_x_busy", ("command", "busy")),
    # ---------------------------------------------------------------- interrupt
    Point("enable", {"none": 0, "done": 1, "error": 2, "both": 3}, "IRQ_ENABLE"),
    Point("status", {"none": 0, "done": 1, "error": 2, "both": 3}, "IRQ_STATUS"),
    Cross("irq", ("enable", "status"), about="each with the interrupt as it must be"),
    Point("event", ["done", "error"], "beside a write that clears it"),
    Point("when", {"before": -1, "same": 0, "after": 1}, "against the cycle of that write"),
    Cross("event_x_when", ("event", "when")),
    # ---------------------------------------------------------------- a sample a cycle
    Point("half", ["address", "data", "both"], "of a write that is there; both: and it is carried out"),
    Point(
        "stall",
        ["b_not_taken", "r_not_taken", "aw_waits", "w_waits", "ar_waits", "write_waits"],
        "who waits for whom; write_waits: for the answer to the last one to be taken",
    ),
    Point("beside", ["read", "write", "read_and_write"], "what is carried out in a cycle"),
    # ---------------------------------------------------------------- a sample a reset
    Point("writing", ["none", "address", "data", "both", "answer"], "what a reset finds of a write"),
    Point("reading", ["none", "answer"], "what a reset finds of a read"),
    Cross("reset", ("writing", "reading")),
)
