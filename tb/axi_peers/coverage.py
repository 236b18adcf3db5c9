"""What agents of two authors can meet on one bus: every burst at every width, response, order and loss."""

from __future__ import annotations

from tb.agents.burst import DECERR, FIXED, INCR, OKAY, SLVERR, WRAP
from tb.axi_peers.exclusive import SEQUENCES
from tb.axi_peers.traffic import LANES
from tb.common.cover import Coverage, Cross, Never, Point

RESPONSES = {"okay": OKAY, "slverr": SLVERR, "decerr": DECERR}
_ALIGNED = Never("WRAP is aligned", kind="wrap", lanes=("unaligned", "narrow_unaligned"))

COVERAGE = Coverage(
    "axi_peers",
    # ---------------------------------------------------------------- AXI4, a sample a burst on the wires
    Point("width", {f"bits_{8 * width}": width for width in (4, 8, 16, 32)}, "of the bus"),
    Point("peers", ["ours_theirs", "ours_ours", "theirs_ours"], "whose manager and whose memory"),
    Point("way", {"read": False, "write": True}, "direction"),
    Point("kind", {"fixed": FIXED, "incr": INCR, "wrap": WRAP}, "burst type"),
    Point("lanes", LANES, "a beat of full width or narrow; the first one aligned or not"),
    Cross("shape", ("width", "way", "kind", "lanes"), [_ALIGNED]),
    Cross(
        "shape_of",
        ("peers", "way", "kind", "lanes"),
        [
            _ALIGNED,
            Never(
                "AxiMaster puts these on the wrong lanes",
                peers="theirs_ours",
                kind="fixed",
                lanes=("narrow", "unaligned", "narrow_unaligned"),
            ),
        ],
    ),
    Point("beats", {"one": 1, "some": range(2, 16), "sixteen": 16, "more": range(17, 257)}, "of a burst"),
    Cross(
        "length",
        ("kind", "beats"),
        [
            Never("16 at most", kind=("fixed", "wrap"), beats="more"),
            Never("WRAP has two at least", kind="wrap", beats="one"),
        ],
    ),
    Point("response", RESPONSES, "of a burst: the worst of its beats"),
    Cross("answer", ("peers", "way", "kind", "response")),
    Cross("answer_at", ("width", "response")),
    Point("id", {f"id_{i}": i for i in range(4)}, "of a burst"),
    Cross("ids", ("peers", "way", "id")),
    Point("order", ["in_order", "overtaken"], "answers; overtaken: by one to a later request"),
    Cross(
        "order_of",
        ("peers", "order"),
        [Never("AxiRam answers in order", peers="ours_theirs", order="overtaken")],
    ),
    # ---------------------------------------------------------------- exclusive accesses, a sample a sequence
    Point("exclusive", [*SEQUENCES, "not_known"], "what comes between a read and its write"),
    Cross(
        "exclusive_at",
        ("peers", "exclusive"),
        [
            Never("AxiRam knows none", peers="ours_theirs", exclusive=tuple(SEQUENCES)),
            Never("our memory knows them", peers=("ours_ours", "theirs_ours"), exclusive="not_known"),
        ],
    ),
    Point("lost", ["answered", "cut_off"], "what a reset does to a burst"),
    Cross("reset", ("way", "lost")),
    # ---------------------------------------------------------------- AXI4-Lite, a sample an access
    Point("lite_way", {"read": False, "write": True}, "direction"),
    Point("lite_answer", RESPONSES, "of AxiLiteRam"),
    Cross("lite", ("lite_way", "lite_answer")),
    Point("lite_strobe", ["none", "some", "all"], "bytes of a write"),
    # ---------------------------------------------------------------- rules that both checkers named
    Point(
        "rule", ["BURST_TYPE", "BURST_SIZE", "BOUNDARY_4K", "WLAST", "RESP_EXOKAY", "STROBE_LANES"], "broken"
    ),
)
