"""What make does with good and with bad requests, and on a machine where something is missing."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from scripts import front, setup, test_all, tools
from scripts.tests.conftest import Tree
from scripts.tools import ROOT, UserError

BAD = {
    "sim BLOCK=nope": ["BLOCK=nope", "toy"],
    "sim BLOCK=../tb": ["BLOCK=../tb", "toy"],
    "sim SIM=vcs": ["SIM=vcs", "verilator, icarus"],
    "sim SEED=abc": ["SEED=abc", "whole number"],
    "sim SEED=1.5": ["SEED=1.5", "whole number"],
    "sim SEED=-1": ["SEED=-1", "whole number"],
    "sim SEED=0": ["SEED=0", "from 1 to 2147483647"],
    "sim SEED=99999999999999999999": ["whole number"],
    "sim IMAGES=0": ["IMAGES=0", "whole number"],
    "sim IMAGES=many": ["IMAGES=many", "whole number"],
    "sim WAVES=yes": ["WAVES=yes", "0, 1"],
    "sim VERBOSE=2": ["VERBOSE=2", "0, 1"],
    "sim BLOCK=toy TEST=(": ["TEST=(", "regular expression"],
    "sim TEST=counts": ["BLOCK"],
    "sim FULL=1": ["FULL", "BLOCK"],
    "sim BLOCK=toy FULL=2": ["FULL=2", "0, 1"],
    "regress FULL=1": ["make regress takes no FULL"],
    "sim BLOCK=toy IMAGES=3": ["IMAGES", "BLOCK"],
    "sim BLCOK=toy": ["BLCOK", "BLOCK"],
    "test SEED=x": ["SEED=x", "whole number"],
    "test SIM=verilator": ["SIM"],
    "check SEED=1": ["SEED"],
    "regress SEEDS=0": ["SEEDS=0", "from 1 to 100000"],
    "regress SEEDS=some": ["SEEDS=some", "whole number"],
    "regress JOBS=0": ["JOBS=0", "from 1 to 1024"],
    "regress BLOCK=nope": ["BLOCK=nope", "toy"],
    "regress SIM=vcs": ["SIM=vcs", "verilator, icarus"],
    "regress WAVES=1": ["WAVES", "SEEDS"],
    "coverage SIM=icarus": ["SIM", "SEEDS"],
    "sim SEEDS=2": ["SEEDS", "SEED"],
    "net": ["MODEL="],
    "net MODEL=nowhere.tflite": ["MODEL=nowhere.tflite", "no such file"],
    "net MODEL=Makefile INPUT=nowhere": ["INPUT=nowhere", "no such file"],
    "net MODEL=Makefile CONTRACT=onnx": ["CONTRACT=onnx", "tflite"],
    "net TILE=nowhere": ["TILE=nowhere", "no such file"],
    "net TILE=rtl MODEL=Makefile": ["TILE", "leave MODEL out"],
    "sim TILE=rtl": ["make sim takes no TILE"],
    "net MODEL=Makefile FC=float": ["FC=float", "integer, litert"],
    **{f"{name}": [name, "does not exist yet"] for name in "formal mutate report".split()},
}


@pytest.mark.parametrize("request_line", BAD)
def test_a_bad_request_is_one_line_and_leaves_nothing(tree: Tree, request_line: str) -> None:
    (tree.root / ".venv").unlink()
    before = tree.files()
    done = tree.make(*request_line.split())
    assert done.returncode == 2
    error, *rest = done.stdout.splitlines()
    assert error.startswith("error: ")
    assert all(word in error for word in BAD[request_line]), error
    assert len(rest) == 1 and rest[0].startswith("make: ***"), done.stdout
    assert "Error 2" in rest[0]
    assert tree.files() == before


def test_bare_make_is_help_and_names_every_target_and_variable(tree: Tree) -> None:
    done = tree.make()
    assert done.returncode == 0
    assert done.stdout == tree.make("help").stdout
    for name in [*front.targets(), *front.VARIABLES]:
        assert re.search(rf"\b{name}\b", done.stdout)
    assert {v for _, variables in front.targets().values() for v in variables} == set(front.VARIABLES)


def test_blocks_prints_names_one_a_line(tree: Tree) -> None:
    tree.write("tb/other/test_other.py", "")
    tree.write("tb/other/test_more.py", "")
    assert tree.make("blocks").stdout == "other\ntoy\n"


def path_without(tmp_path: Path, *missing: str) -> dict[str, str]:
    """An environment whose PATH has what the front door needs, but for these programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in {"make", "sh", "sed", "perl", "g++", "iverilog"} - set(missing):
        if found := shutil.which(program):
            (folder / program).symlink_to(found)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    "missing, arguments, package",
    [
        ("iverilog", ["sim", "BLOCK=toy", "SIM=icarus"], "iverilog"),
        ("iverilog", ["sim", "SIM=icarus"], "iverilog"),
        ("g++", ["sim", "BLOCK=toy"], "g++"),
        ("perl", ["check"], "perl"),
    ],
)
def test_a_missing_program_says_what_to_install(
    tree: Tree, tmp_path_factory: pytest.TempPathFactory, missing: str, arguments: list[str], package: str
) -> None:
    done = tree.make(*arguments, env=path_without(tmp_path_factory.mktemp("path"), missing))
    assert done.returncode == 2
    assert f"apt-get install -y {package}" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (tree.root / "build").exists()


def test_without_icarus_its_jobs_are_skipped_and_never_passed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(test_all, "missing_icarus", lambda: "sudo apt-get install -y iverilog")
    monkeypatch.setattr(test_all, "RESULTS", tmp_path)
    jobs = [job for job in test_all.simulations(seed=1) if job.name.endswith((".icarus", ".same"))]
    assert jobs
    for job in jobs:
        outcome = test_all.run(job, verbose=False)
        assert outcome.status == "skip"
        assert "apt-get install -y iverilog" in outcome.message
        assert "<skipped" in (tmp_path / f"{job.name}.xml").read_text()


def test_a_failing_job_fails_make_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(test_all, "RESULTS", tmp_path)
    good = test_all.Job("good", ["this", "-h"])
    bad = test_all.Job("bad", ["no_such_module"])
    monkeypatch.setattr(test_all, "simulations", lambda seed: [])
    monkeypatch.setattr(test_all, "python_jobs", lambda: [good])
    assert test_all.test_all(seed=1, verbose=False)
    monkeypatch.setattr(test_all, "python_jobs", lambda: [good, bad])
    assert not test_all.test_all(seed=1, verbose=False)
    assert 'failures="1"' in (tmp_path / "jobs.xml").read_text()


def test_results_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / "old.xml").write_text("")
    test_all.clear(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_old_python_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(UserError, match="3.9; 3.11 or newer"):
        setup.ensure()


def test_python_without_venv_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setenv("ASSAY_APT", "0")
    with pytest.raises(UserError, match="apt-get install -y python3-venv"):
        setup.create_venv()


def test_every_requirement_is_pinned_and_has_a_reason() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    for line in packages:
        assert re.fullmatch(r"[\w.-]+==[\w.]+ +# \w.*", line), line


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """setup.ensure() on a machine with no .venv, where every command only pretends."""
    run: list[list[str]] = []
    python = tmp_path / "python"

    def pretend(command: list[str], failure: str) -> None:
        run.append(command)
        python.touch()

    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(setup, "BUILD", tmp_path)
    monkeypatch.setattr(setup, "REQUIREMENTS", tmp_path / "requirements.txt")
    monkeypatch.setattr(setup, "run_logged", pretend)
    monkeypatch.setattr(setup, "check_libpython", lambda: None)
    setup.REQUIREMENTS.write_text("one==1")
    return run


def test_set_up_happens_once_and_again_when_the_requirements_change(commands: list[list[str]]) -> None:
    setup.ensure()
    assert ["venv" in commands[0], "install" in commands[1]] == [True, True]
    setup.ensure()
    assert len(commands) == 2
    setup.REQUIREMENTS.write_text("one==2")
    setup.ensure()
    assert len(commands) == 3 and "install" in commands[2]


def test_a_set_up_cut_short_is_done_again(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise UserError("no libpython")

    with monkeypatch.context() as patch:
        patch.setattr(setup, "check_libpython", fail)
        with pytest.raises(UserError):
            setup.ensure()
    setup.ensure()
    assert [command[2] for command in commands] == ["venv", "pip", "venv", "pip"]


def test_a_failed_command_shows_the_end_of_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "BUILD", tmp_path)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    with pytest.raises(UserError, match="it broke(.|\n)*no such host"):
        setup.run_logged(["sh", "-c", "echo no such host; exit 1"], "it broke")


@pytest.mark.parametrize("allowed", [True, False])
def test_icarus_is_installed_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, allowed: bool
) -> None:
    apt = tmp_path / "apt-get"
    apt.write_text(f'#!/bin/sh\n: >"{tmp_path}/iverilog"\n/bin/chmod +x "{tmp_path}/iverilog"\n')
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ASSAY_APT", "1" if allowed else "0")
    monkeypatch.setattr(tools.os, "geteuid", lambda: 0)
    assert tools.missing_icarus() == (None if allowed else "sudo apt-get install -y iverilog")
