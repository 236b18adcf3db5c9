"""What a buffer can meet: its ports alone and together, on one word or two, and what is around a read."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

COVERAGE = Coverage(
    "buffer",
    # ---------------------------------------------------------------- a sample a cycle
    Point("ports", ["none", "write", "read", "both"], "what a cycle does"),
    Point("meet", {"apart": 0, "same_word": 1}, "addresses of the two ports, enabled or not"),
    Cross("ports_x_meet", ("ports", "meet")),
    # ---------------------------------------------------------------- a sample a read
    Point("word", ["first", "last", "inside"], "of the buffer"),
    Point("before", ["nothing", "write_to_it", "write_elsewhere"], "by the write port in the cycle before"),
    Cross("word_x_before", ("word", "before")),
    # ---------------------------------------------------------------- a sample a read that another one ends
    Point("held", {"one": 1, "few": range(2, 5), "long": range(5, 1 << 30)}, "cycles that rd_data stays"),
    Point(
        "meanwhile",
        ["nothing", "write_elsewhere", "write_to_it"],
        "what is written after the read and before the next",
    ),
    Cross(
        "hold",
        ("held", "meanwhile"),
        [Never("no cycle lies between", held="one", meanwhile=("write_elsewhere", "write_to_it"))],
    ),
)
