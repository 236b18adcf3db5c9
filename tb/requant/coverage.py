"""What requant can meet: every rounding and shift, every size of operand, both ends of the clamp."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point
from tb.common.lanes import STREAM
from tb.common.rounding import CLAMP, MODE, SCALE

COVERAGE = Coverage(
    "requant",
    # ---------------------------------------------------------------- a sample a lane and word
    *MODE,
    *SCALE,
    Point("amount", {str(shift): shift for shift in range(-31, 31)}, "every shift"),
    Cross("mode_x_amount", ("mode", "amount"), [Never("fp32 takes no shift", mode="fp32")]),
    Point("bits", {str(bits): bits for bits in range(33)}, "of a sum's magnitude, which fp32 normalises"),
    Point(
        "operand",
        ["exact", "down", "up", "tie_down", "tie_up", "carry"],
        "a sum to float32; carry: to the next power of two",
    ),
    Point("sign", ["negative", "positive"], "of a float32 multiplier"),
    # ---------------------------------------------------------------- a sample a batch
    *CLAMP,
    Point("bypass", {"off": False, "on": True}, "sums that are not scaled"),
    Cross("bypass_x_out", ("bypass", "out")),
    *STREAM,
)
