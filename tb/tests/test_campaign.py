"""The command line of a campaign, and the command that repeats it."""

from __future__ import annotations

import pytest

from scripts.tools import UserError
from tb.chip.campaign import Campaign, command_line, launch

SOAK = Campaign("soak", "network", 50, 7, 10, {"sim": ("icarus", "verilator"), "config": ("n16", "n16")})


def test_the_command_names_what_is_not_as_usual() -> None:
    start = ".venv/bin/python -m tb.chip.soak"
    assert SOAK.command() == f"{start} --count 50 --seed 7 --first 10 --sim icarus"
    assert SOAK.command(3) == f"{start} --count 1 --seed 7 --first 3 --sim icarus"
    assert SOAK.command(0) == f"{start} --count 1 --seed 7 --sim icarus"


def test_a_failure_says_how_to_repeat_it(capsys: pytest.CaptureFixture[str]) -> None:
    SOAK.failed(12, "a mismatch")
    SOAK.end(False)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "FAILED  network 12: a mismatch"
    assert second == f"  repeat: {SOAK.command(12)}"
    assert last == f"FAILED  {SOAK.command()}"


@pytest.mark.parametrize(
    "wrong", [["--count", "0"], ["--seed", "0"], ["--seed", str(2**31)], ["--first", "-1"]]
)
def test_numbers_that_mean_nothing_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        launch(command_line("", 5), lambda **_: pytest.fail("started"), wrong)
    assert stopped.value.code == 2


def test_the_exit_code_is_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    def broken(**_: object) -> bool:
        raise UserError("no such thing")

    given: dict[str, object] = {}
    line = ["--seed", "3", "--count", "4"]
    assert launch(command_line("", 5), lambda **options: not given.update(options), line) == 0
    assert (given["seed"], given["count"], given["first"], given["sim"]) == (3, 4, 0, "verilator")
    assert launch(command_line("", 5), lambda **_: False, line) == 1
    assert launch(command_line("", 5), broken, line) == 2
    assert capsys.readouterr().err == "error: no such thing\n"
