"""What the agents can meet: every pace of a stream, every answer and wait on AXI4-Lite, interrupt, reset."""

from __future__ import annotations

from tb.agents.burst import OKAY, SLVERR
from tb.common.cover import Coverage, Cross, Point
from tb.common.pace import CYCLES, RUN

COVERAGE = Coverage(
    "agents",
    # ---------------------------------------------------------------- streams, a sample a run of like cycles
    Point("side", ["in", "out"], "of the probe: our source, our sink"),
    Point("cycle", CYCLES, "no item, one that waits, one that is taken"),
    Point("run", RUN, "like cycles in a row"),
    Cross("pace", ("side", "cycle", "run"), about="gaps, back-pressure and full rate, short and long"),
    # ---------------------------------------------------------------- AXI4-Lite, a sample an access
    Point("manager", ["ours", "theirs"], "who asks; theirs: cocotbext-axi's"),
    Point("access", {"read": False, "write": True}, "what is asked"),
    Point("answer", {"okay": OKAY, "slverr": SLVERR}, "response; the others are met in the block axi_peers"),
    Cross("accesses", ("manager", "access", "answer")),
    Point("strobe", {"none": 0, "some": range(1, 15), "all": 15}, "bytes of a write"),
    Point("order", ["address_first", "together", "data_first"], "of a write, as the probe takes them"),
    Point("channel", ["aw", "w", "b", "ar", "r"], "of AXI4-Lite"),
    Point("hold", RUN, "cycles that VALID waits for READY"),
    Cross("lite_stall", ("channel", "hold")),
    # ---------------------------------------------------------------- interrupt
    Point("irq", ["rises", "falls", "cleared_by_reset"], "edges"),
    Point("irq_at_start", {"low": "0", "high": "1"}, "its register before the first edge in reset"),
    Point("irq_wait", {"at_once": 0, "later": range(1, 1000), "never": -1}, "a test waits for a level"),
    # ---------------------------------------------------------------- a sample a reset
    Point("cut_side", ["in", "out"], "of the probe, when a reset comes"),
    Point("cut", CYCLES, "what a reset cuts off"),
    Cross("stream_reset", ("cut_side", "cut")),
    Point("cut_channel", ["aw", "w", "b", "ar", "r"], "of AXI4-Lite, when a reset comes"),
    Point("pending", ["gap", "held"], "whether something waits there"),
    Cross("lite_reset", ("cut_channel", "pending")),
    # ------------------------------------------------- rules that a probe broke and that were named
    Point(
        "rule",
        [
            "VALID_STABLE",
            "PAYLOAD_STABLE",
            "VALID_IN_RESET",
            "B_BEFORE_DATA",
            "R_UNREQUESTED",
            "RESP_EXOKAY",
            "UNFINISHED",
        ],
        "on Verilator; those that need X show on Icarus alone",
        others=True,
    ),
)
