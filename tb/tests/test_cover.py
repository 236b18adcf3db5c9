"""Functional coverage counts what was sampled and nothing else, and contradictions do not pass in silence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tb.common import cover
from tb.common.cover import Coverage, CoverageError, Cross, Hits, Never, Point


def toy() -> Coverage:
    return Coverage(
        "toy",
        Point("mode", {"double": 0, "single": 1}, "m"),
        Point("shift", {"left": range(1, 31), "none": 0, "right": range(-31, 0)}, "s"),
        Point("tie", ["up", "down"], "t"),
        Cross("mode_x_tie", ("mode", "tie"), [Never("ties of single go up", mode="single", tie="down")]),
    )


def test_values_find_their_bins_and_crosses() -> None:
    hits = Hits(toy())
    hits.sample(mode=0, tie="down")
    hits.sample(3, mode=1, tie="up")
    hits.sample(0, tie="down")
    hits.sample(shift=30)
    assert hits.bins == {
        "mode": {"double": 1, "single": 3},
        "shift": {"left": 1, "none": 0, "right": 0},
        "tie": {"up": 3, "down": 1},
        "mode_x_tie": {"double_x_up": 0, "double_x_down": 1, "single_x_up": 3},
    }


def test_arrays_count_every_element() -> None:
    one, each = Hits(toy()), Hits(toy())
    rng = np.random.default_rng(1)
    shift, mode = rng.integers(-31, 31, (40, 7)), rng.integers(0, 2, 7)
    each.sample_each(mode=mode, shift=shift)
    for row in shift:
        for m, s in zip(mode, row, strict=True):
            one.sample(mode=int(m), shift=int(s))
    assert each.bins == one.bins
    wide = Hits(toy())
    wide.sample_each(mode=np.array([0, 1]), shift=np.array([1, 30]))
    assert wide.bins["shift"]["left"] == 2


@pytest.mark.parametrize(
    "values, words",
    [
        ({"mode": 7}, "mode has no bin for 7"),
        ({"tie": "sideways"}, "no bin for 'sideways'"),
        ({"speed": 1}, "no point speed"),
        ({"mode": 1, "tie": "down"}, r"toy.mode_x_tie: \('single', 'down'\) can never be"),
    ],
)
def test_what_has_no_place_is_an_error(values: dict, words: str) -> None:
    with pytest.raises(CoverageError, match=words):
        Hits(toy()).sample(**values)


def test_others_may_be_left_out_when_the_point_says_so() -> None:
    hits = Hits(Coverage("toy", Point("edge", {"zero": 0}, "e", others=True)))
    hits.sample(edge=5)
    assert hits.bins == {"edge": {"zero": 0}}


A, B = Point("a", ["x", "y"], ""), Point("b", ["z"], "")


@pytest.mark.parametrize(
    "parts, words",
    [
        ((A, A), "one name"),
        ((A, Cross("c", ("a", "d"))), "crosses d, which is no point"),
        ((A, B, Cross("c", ("a", "b"), [Never("r", a="w")])), "names a"),
        ((A, B, Cross("c", ("a", "b"), [Never("r", e="x")])), "names e"),
        ((A, B, Cross("c", ("a", "b"), [Never("r", a="x"), Never("again", a="x")])), "takes nothing away"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_an_error(parts: tuple, words: str) -> None:
    with pytest.raises(CoverageError, match=words):
        Coverage("toy", *parts)


def test_the_tests_of_a_simulation_add_up_and_failed_ones_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cover, "_simulation", {})
    model = toy()
    for _ in range(2):
        with cover.counted(model) as hits:
            hits.sample(tie="up")
    with pytest.raises(ValueError), cover.counted(model) as hits:
        hits.sample(tie="down")
        raise ValueError("a test that fails")
    written = json.loads(cover.FILE.read_text())["toy"]
    assert written["tie"] == {"up": 2, "down": 0}
    assert written["shift"] == {"left": 0, "none": 0, "right": 0}
