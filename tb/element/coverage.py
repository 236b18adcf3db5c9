"""What element can meet: every operation, rounding and rule for ties, every edge of int32."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point
from tb.common.lanes import STREAM
from tb.common.rounding import CLAMP, MODE

COVERAGE = Coverage(
    "element",
    # ---------------------------------------------------------------- a sample a lane and word
    Point("op", {"add": 1, "subtract": 2, "multiply": 3}, "of a batch"),
    *MODE,
    Cross("op_x_mode_x_out", ("op", "mode", "out")),
    Cross(
        "op_x_mode_x_tie",
        ("op", "mode", "tie"),
        [
            Never("only double rounds twice", mode=("single", "fp32"), tie="first"),
            Never("ties of single go up", mode="single", tie="down"),
        ],
        about="of the last scaler; of the exact sum in fp32",
    ),
    Point("rule", {"even": False, "plain": True}, "bit 6 of s_out: ties of fp32 as in XNNPACK"),
    Point("parity", {"even": 0, "odd": 1}, "of the output's zero point"),
    Cross(
        "fp32_ties",
        ("op", "rule", "parity", "tie"),
        [
            Never("fp32 rounds once", tie="first"),
            Never("plain ties of sums go up", op=("add", "subtract"), rule="plain", tie="down"),
        ],
    ),
    Point(
        "fp32_shift", {"none": 0, "some": range(1, 43), "all": range(43, 63)}, "of an exact sum of 43 bits"
    ),
    Point(
        "edge",
        ["first_shift_wraps", "sum_wraps", "last_shift_wraps", "single_wraps", "fp32_saturates"],
        "intermediate results that int32 does not hold",
    ),
    Cross(
        "op_x_edge",
        ("op", "edge"),
        [
            Never(
                "a product has neither scaled operands nor a sum",
                op="multiply",
                edge=("first_shift_wraps", "sum_wraps"),
            ),
        ],
    ),
    Point("operand", ["lowest", "highest", "zero", "inside"], "less its zero point, from -255 to 255"),
    Point("other", ["lowest", "highest", "zero", "inside"], "the second operand"),
    Cross("operands", ("operand", "other")),
    # ---------------------------------------------------------------- a sample a batch
    *CLAMP,
    *STREAM,
)
