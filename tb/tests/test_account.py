"""The account of a program and of its layers: what the host and the simulation refuse."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tb.chip.host import ACCOUNT, HostError, check_account
from tb.chip.job import LayerResult, Result
from tb.chip.network_sim import _add_cycles
from tb.chip.session import Outcome


def counts(*account: int, more: int = 0) -> dict[str, int]:
    """A stamp with this account; more: cycles beyond it."""
    return {"cycles": sum(account) + more, **dict(zip(ACCOUNT, account, strict=True))}


def ended(**counters: int) -> Outcome:
    """A program that ended with these counters."""
    return cast(Outcome, type("Ended", (), {"counters": counters})())


FIRST, SECOND, END = (counts(*[k + image for k in range(8)]) for image in (0, 10, 11))


def layers() -> Result:
    return Result(layers=[LayerResult(name, "CONV_2D", 1) for name in "ab"])


def test_layers_get_the_difference_between_stamps_and_the_last_one_the_end() -> None:
    result = layers()
    for _ in range(2):
        _add_cycles(result, [FIRST, SECOND], ended(**END, load_wait=3))
    first, last = result.layers
    assert (first.cycles, last.cycles) == (2 * FIRST["cycles"], 2 * (END["cycles"] - FIRST["cycles"]))
    assert first.account == {name: 2 * FIRST[name] for name in ACCOUNT}
    assert last.account == dict.fromkeys(ACCOUNT, 22)
    assert sum(last.account.values()) == last.cycles


@pytest.mark.parametrize("more", [-1, 1])
def test_an_account_that_does_not_add_up_is_refused(more: int) -> None:
    check_account(counts(*range(8)), "the program")
    with pytest.raises(HostError, match=r"the account of the program adds up to 28, not to its 2[79] cycles"):
        check_account(counts(*range(8), more=more), "the program")


@pytest.mark.parametrize(
    ("stamps", "text"),
    [
        ([counts(*range(8), more=1), SECOND], "the account of layer a adds up to 28, not to its 29"),
        ([SECOND, FIRST], "layer b ends before"),
    ],
)
def test_a_layer_whose_account_is_wrong_fails_the_run(stamps: list[dict[str, Any]], text: str) -> None:
    end = ended(**(FIRST if stamps[0] is SECOND else END))
    with pytest.raises(AssertionError, match=text):
        _add_cycles(layers(), stamps, end)
