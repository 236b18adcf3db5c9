"""What conv can meet: every kernel and step, every tiling, every wait, every state at reset."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point

ONE_TAP = "a row of one tap has no dilation"

COVERAGE = Coverage(
    "conv",
    # ---------------------------------------------------------------- a sample a command that ended
    Point("kind", {"passes": False, "windows": True}, "of a command"),
    # Padding is load's: conv reads it like any other word.
    Point("kernel", ["1x1", "row", "column", "3x3", "7x7", "other"], "of a command of passes"),
    Point("stride", ["one_column", "1", "2", "far"], "from pixel to pixel, in blocks of channels"),
    Point("dilation", ["one_tap", "1", "2", "far"], "from tap to tap of a row, in blocks of channels"),
    Cross(
        "kernel_x_stride_x_dilation",
        ("kernel", "stride", "dilation"),
        [
            Never(ONE_TAP, kernel=("1x1", "column"), dilation=("1", "2", "far")),
            Never("several taps have one", kernel=("row", "3x3", "7x7", "other"), dilation="one_tap"),
        ],
    ),
    Point("blocks", ["one", "two", "more"], "blocks of N input channels of a command of passes"),
    Point("window", ["1x4", "2x4", "3x5", "5x6"], "rows and columns that the core has"),
    Point("window_kernel", ["smallest", "row", "largest", "inside"], "of a command of windows"),
    Cross(
        "window_x_kernel",
        ("window", "window_kernel"),
        [Never("every kernel is a row", window="1x4", window_kernel="inside")],
    ),
    Point("x_stride", ["one_column", "1", "2", "more"], "of windows"),
    Point("y_stride", ["one_row", "1", "2", "more"], "of windows"),
    Cross("slide", ("window_kernel", "x_stride", "y_stride")),
    Point(
        "row", ["two", "some", "line"], "words in a row of a windowed input; line: as many as the core holds"
    ),
    Point("tile", ["one_pixel", "part", "bank"], "pixels of a tile against a bank of accumulators"),
    Point("tiles", ["one", "two", "more"], "of a group"),
    Point("last_tile", ["whole", "short"], "of a group"),
    Cross(
        "tiling",
        ("kind", "tile", "tiles", "last_tile"),
        [Never("one pixel is not less than one", tile="one_pixel", last_tile="short")],
    ),
    Point("cut", ["row_end", "in_row"], "where a group's first tile ends"),
    Cross("kind_x_cut", ("kind", "cut")),
    Point("groups", ["one", "two", "more"], "of output channels"),
    Cross("kind_x_groups", ("kind", "groups")),
    Point("part", ["whole", "first", "middle", "last"], "of a sum that several commands add up"),
    Cross("kind_x_part", ("kind", "part")),
    Point("before", {"passes": False, "windows": True}, "kind of the command that began the same sum"),
    Cross("before_x_kind", ("before", "kind")),
    Point("extreme", ["highest", "lowest"], "sums of products that are all 128 * 128, or all -128 * 127"),
    Cross("kind_x_extreme", ("kind", "extreme")),
    Point("act_wrap", {"no": False, "yes": True}, "activation addresses that go round 16 bits"),
    Point("wgt_wrap", {"no": False, "yes": True}, "weight addresses that do"),
    Point("signal_load", {"off": False, "on": True}, "a token for load, of any command"),
    Point("wait_store", {"off": False, "on": True}, "what a command that drains passes on to post"),
    Point("signal_store", {"off": False, "on": True}, "the same"),
    Point("stamp", {"off": False, "on": True}, "the same"),
    Cross("ends", ("signal_load", "wait_store", "signal_store", "stamp")),
    # ---------------------------------------------------------------- a sample a cycle
    Point(
        "held",
        ["weights", "bank", "descriptor", "token", "several"],
        "what alone holds back a word that is due",
    ),
    Cross("kind_x_held", ("kind", "held")),
    Point("wait", ["no_command", "commands_full", "turn"], "other waits; turn: the kind changes"),
    Point("full", {"none": 0, "first": 1, "second": 2, "both": 3}, "banks that wait for their drain"),
    # ---------------------------------------------------------------- a sample a reset
    Point("reset", ["idle", "starting", "held", "reading"], "where the words are that a reset ends"),
    Point("reset_banks", ["empty", "filling", "full"], "and the sums"),
)
