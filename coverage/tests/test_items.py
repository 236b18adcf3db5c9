"""Items of a file: what counts as a line, a branch, a state; what a missing result is."""

from __future__ import annotations

import pytest

from coverage import fsm, holes, items
from coverage.dat import Counts, Point
from coverage.items import Item
from scripts.tools import UserError

SOURCE = """\
module toy;
  localparam [1:0] S_IDLE = 2'd0;
  localparam [1:0] S_RUN = 2'd1;
  always @(posedge clk) begin
    if (!rst_n) state <= S_IDLE;
    else begin
      case (state)
        S_IDLE:  if (start) state <= S_RUN;
        S_RUN:   if (stop) state <= S_IDLE;
 else if (go) state <= S_RUN;
        default: state <= S_IDLE;
      endcase
    end
  end
endmodule
"""


def point(line: int, column: int, kind: str, text: str, lines: str = "") -> Point:
    return Point("toy.v", line, column, kind, text, lines)


def counts(**changed: int) -> Counts:
    return Counts(
        {
            point(4, 3, "line", "block", "4"): 100,
            point(5, 5, "branch", "if", "5"): changed.get("reset", 2),
            point(5, 6, "branch", "else", "6-7"): 98,
            point(8, 9, "branch", "case", "8"): changed.get("idle", 50),
            point(8, 18, "branch", "if", "8"): changed.get("start", 4),
            point(8, 19, "branch", "else"): 46,
            point(9, 9, "branch", "case", "9"): 48,
            point(9, 18, "branch", "elsif", "9"): 3,
            point(10, 7, "branch", "if", "10"): changed.get("go", 1),
            point(10, 8, "branch", "else"): 44,
            point(11, 9, "branch", "case", "11"): changed.get("default", 0),
        }
    )


def test_states_and_transitions_are_the_points_of_their_arms() -> None:
    assert {(step.name, step.hits) for step in fsm.steps(SOURCE, counts())} == {
        ("S_IDLE", 50),
        ("S_IDLE -> S_RUN", 4),
        ("S_RUN", 48),
        ("S_RUN -> S_IDLE", 3),
        ("S_RUN -> S_RUN", 1),
        ("reset -> S_IDLE", 2),
    }


@pytest.mark.parametrize(
    "name, what", [("start", "S_IDLE -> S_RUN"), ("idle", "S_IDLE"), ("go", "S_RUN -> S_RUN")]
)
def test_a_state_or_transition_that_never_was_is_a_hole(name: str, what: str) -> None:
    found = items.of_file("toy.v", SOURCE, counts(**{name: 0}))
    assert [item.text for item in found if item.kind == "fsm" and item.open] == [what]


def test_both_sides_of_a_choice_are_transitions() -> None:
    found = counts()
    found |= {point(8, 39, "branch", "cond_then", "8"): 3, point(8, 40, "branch", "cond_else", "8"): 0}
    source = SOURCE.replace("state <= S_RUN;", "state <= x ? S_RUN : S_IDLE;", 1)
    steps = {step.name: step.hits for step in fsm.steps(source, found)}
    assert steps["S_IDLE -> S_RUN"] == 3 and steps["S_IDLE -> S_IDLE"] == 0


def test_default_is_the_arm_of_the_one_state_that_fills_the_register() -> None:
    full = SOURCE.replace(
        "  always", "  localparam [1:0] S_A = 2'd2;\n  localparam [1:0] S_B = 2'd3;\n  always", 1
    )
    full = full.replace("        default", "        S_A: state <= S_B;\n        default")
    assert "S_B -> S_IDLE" in {step.name for step in fsm.steps(full, Counts())}


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("case (state)", "case (other)", "needs both"),
        ("state <= S_RUN", "state <= next", "is given S_X or"),
        ("state <= S_RUN", "state <= x ? S_RUN : y ? S_RUN : S_IDLE", "is given S_X or"),
        ("        S_RUN:   if", "        S_GO:   if", "without an arm in the case: S_RUN"),
        ("if (start) state <= S_RUN;", "if (start) state <= S_RUN; else state <= S_IDLE;", "a line each"),
    ],
)
def test_a_machine_in_another_form_is_an_error(old: str, new: str, words: str) -> None:
    found = counts()
    found[point(8, 19, "branch", "else", "8")] = 1
    with pytest.raises(UserError, match=words):
        fsm.steps(SOURCE.replace(old, new, 1), found)


def test_a_line_has_run_when_something_on_it_has() -> None:
    found = items.of_file("toy.v", SOURCE, counts(start=0))
    lines = {item.line: item.hits for item in found if item.kind == "line"}
    assert lines[8] == 50 and lines[11] == 0 and 1 not in lines
    assert [i.line for i in found if i.kind == "branch" and i.open] == [8, 11]


def test_a_file_without_a_result_has_nothing_covered() -> None:
    found = items.of_file("toy.v", SOURCE, Counts())
    assert [item.kind for item in found] == list(items.ALWAYS) and all(item.open for item in found)


def test_files_belong_to_the_block_of_their_name_or_of_their_folder() -> None:
    blocks = ["npu", "post", "requant"]
    assert items.block_of("rtl/post/npu_requant.v", blocks) == "requant"
    assert items.block_of("rtl/post/npu_scale.v", blocks) == "post"
    assert items.block_of("rtl/npu.v", blocks) == items.block_of("rtl/npu_engines.v", blocks) == "npu"
    with pytest.raises(UserError, match="belongs to no block"):
        items.block_of("rtl/lib/npu_fifo.v", blocks)


def bit(text: str, hits: int = 0) -> Item:
    return Item("toggle", "toy.v", 3, text, "reg [7:0] a;", hits)


def test_words_of_a_memory_are_no_toggles_and_registers_in_an_array_are() -> None:
    deep = Counts({point(3, 1, "toggle", f"mem[{n}][{b}]:0->1"): 0 for n in range(64) for b in (0, 1)})
    few = Counts({point(4, 1, "toggle", f"count[{n}][0]:0->1"): 0 for n in range(13)})
    lane = Counts({point(5, 1, "toggle", f"g_lane[{n}].a[0]:0->1"): 0 for n in range(64)})
    found = items.of_file("toy.v", "module toy;\n", Counts({**deep, **few, **lane}))
    assert len([item for item in found if item.text.startswith("mem")]) == 0
    assert len([item for item in found if item.kind == "toggle"]) == 13 + 64


def test_holes_name_bits_in_ranges() -> None:
    missing = [bit(f"a[{n}]:0->1") for n in (0, 3, 4, 5, 7)] + [
        bit("a[7]:1->0"),
        bit("b:1->0"),
        bit("c:1->0", 1),
    ]
    assert holes.of_file(missing) == [
        "3: toggle: a[5:3,0] 0->1",
        "3: toggle: a[7] 0->1 1->0",
        "3: toggle: b 1->0",
    ]
