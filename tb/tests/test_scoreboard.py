"""What a mismatch says: every field of both items, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field

from tb.agents.scoreboard import field_table


@dataclass(frozen=True)
class Word:
    """An item with all that a field may be. note takes no part in a comparison."""

    address: int
    data: bytes
    last: bool = True
    note: str = field(default="", compare=False)


def test_table_marks_the_field_that_differs_and_no_other() -> None:
    table = field_table(Word(16, b"\1\2", note="a"), Word(20, b"\1\2", note="b")).splitlines()
    assert [line.split()[0] for line in table] == ["field", "address", "data", "last"]
    assert table[1].split() == ["address", "16", "(0x10)", "20", "(0x14)", "<--", "xor", "0x4"]
    assert [line for line in table if "<--" in line] == [table[1]]


def test_table_shows_16_bytes_around_the_first_that_differs() -> None:
    data = bytes(range(64))
    for at, shown, before, behind in ((2, 0, "", "..."), (20, 16, "...", "..."), (63, 59, "...", "")):
        wrong = data[:at] + b"\xff" + data[at + 1 :]
        row = field_table(Word(0, data), Word(0, wrong)).splitlines()[2]
        assert row.endswith(f"<-- from byte {at}")
        for side in (data, wrong):
            assert f"  {before}{side[shown : shown + 16].hex(' ')}{behind}  " in row


def test_table_says_that_lengths_differ() -> None:
    assert "<-- 3 and 2 bytes" in field_table(Word(0, b"\1\2\3"), Word(0, b"\1\2"))


def test_table_of_dicts_has_the_fields_of_both() -> None:
    lines = field_table({"a": 1}, {"b": 1}).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["a", "1", "-", "<--", "differs"],
        ["b", "-", "1", "<--", "differs"],
    ]
