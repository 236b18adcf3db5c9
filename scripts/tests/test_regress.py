"""A regression loses no job and says the truth about each, whatever a job does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.regress import __main__ as regress
from scripts.regress import job as jobs
from scripts.regress.job import STATUSES, Job, Processes
from scripts.regress.plan import Plan, plan
from scripts.regress.schedule import run_all
from scripts.tests.conftest import Tree
from scripts.tools import ROOT

# A job that writes these results, then does something. FOLDER is where a job must leave them.
SCRIPT = """\
import os, signal, subprocess, sys, time
FOLDER = sys.argv[sys.argv.index("--folder") + 1]
WAVES = "--waves" in sys.argv
def results(text):
    open(FOLDER + "/results.xml", "w").write(text)
def cases(*inner):
    results("<testsuites><testsuite>" + "".join(
        f'<testcase name="t{i}" time="1">{text}</testcase>' for i, text in enumerate(inner)
    ) + "</testsuite></testsuites>")
"""
BAD = "'<failure message=\"1 is not 2\"/>'"
# name: (what the job does, how it ends)
FAKES = {
    "passes": ("cases('', '')", "passed"),
    "fails": (f"cases('', {BAD}); sys.exit(1)", "failed"),
    "hangs": ("cases(''); time.sleep(600)", "timed_out"),
    "says_it_timed_out": ("cases(''); sys.exit(124)", "timed_out"),
    "is_killed": ("cases(''); os.kill(os.getpid(), signal.SIGKILL)", "crashed"),
    "aborts": ("cases(''); os.abort()", "crashed"),
    "prints_nothing": ("pass", "crashed"),
    "runs_no_test": ("cases(); sys.exit(0)", "crashed"),
    "skips_all": ("cases('<skipped/>')", "crashed"),
    "is_cut_off": ("results('<testsuites><testsuite>')", "crashed"),
    "is_not_xml": ("results('all tests passed')", "crashed"),
    "exits_oddly": ("cases(''); sys.exit(7)", "crashed"),
    "says_passed_with_a_failed_test": (f"cases({BAD})", "crashed"),
    "says_failed_without_one": ("cases(''); sys.exit(1)", "crashed"),
}


def fake(name: str, text: str, build: str = "", after: str = "", alone: str = "") -> Job:
    limit = 2.0 if "sleep(600)" in text else 60.0
    return Job(name, "verilator", 1, ["-c", SCRIPT + text], f"repeat {name}", limit, build, after, alone)


def run(tmp_path: Path, *work: Job, at_once: int = 4) -> tuple[int, dict]:
    """The exit code and the summary of a regression of these jobs."""
    code = regress.regress(Plan([], work), [1], "make regress SEED=1", at_once, tmp_path / "regress")
    return code, json.loads((tmp_path / "regress" / "summary.json").read_text())


@pytest.mark.parametrize("name", FAKES)
def test_a_job_ends_as_what_it_did(tmp_path: Path, name: str) -> None:
    text, status = FAKES[name]
    code, summary = run(tmp_path, fake(name, text))
    assert [result["status"] for result in summary["results"]] == [status]
    assert (code == 0) == (status == "passed")


def test_no_job_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, summary = run(tmp_path, *(fake(name, text) for name, (text, _) in FAKES.items()))
    assert code == 1
    assert [result["name"] for result in summary["results"]] == list(FAKES)
    expected = [status for _, status in FAKES.values()]
    assert {status: summary[status] for status in STATUSES} == {s: expected.count(s) for s in STATUSES}
    assert summary["jobs"] == len(FAKES) and summary["seeds"] == [1]
    suite = ElementTree.parse(tmp_path / "regress" / "junit.xml").getroot()[0]
    assert int(suite.get("tests", 0)) == len(FAKES)
    assert len(suite.findall("testcase/failure")) == expected.count("failed")
    assert len(suite.findall("testcase/error")) == expected.count("crashed") + expected.count("timed_out")
    printed = capsys.readouterr().out
    for name, (_, status) in FAKES.items():
        assert (f"repeat: repeat {name}\n" in printed) == (status != "passed")
    assert printed.splitlines()[-1].startswith("FAILED  14 jobs: 1 passed, 1 failed, 2 timed out, 10 crashed")


def test_a_failure_runs_again_with_waves_and_says_where_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"cases({BAD}); WAVES and open(FOLDER + '/wave.fst', 'w').write('x'); sys.exit(1)"
    _, summary = run(tmp_path, fake("bad", text), fake("good", "cases('')"))
    bad, good = summary["results"]
    assert bad["again"] == "failed" and Path(bad["waveform"]).read_text() == "x"
    assert f"again with waves: failed; waveform: {bad['waveform']}" in capsys.readouterr().out
    assert good["again"] == "" and good["waveform"] == ""


def test_a_failure_that_does_not_come_again_stays_a_failure(tmp_path: Path) -> None:
    code, summary = run(tmp_path, fake("shy", f"cases('' if WAVES else {BAD}); sys.exit(not WAVES)"))
    assert code == 1 and summary["failed"] == 1
    assert summary["results"][0]["again"] == "passed"


def test_a_crash_says_the_last_that_was_heard_of_it(tmp_path: Path) -> None:
    _, summary = run(tmp_path, fake("crash", "print('one'); print('out of memory'); sys.exit(3)"))
    assert summary["results"][0]["message"] == "ended with exit code 3: out of memory"


def test_nothing_to_do_is_not_a_pass(tmp_path: Path) -> None:
    assert run(tmp_path)[0] == 1


def test_what_a_stopped_job_started_is_stopped_too(tmp_path: Path) -> None:
    child = "subprocess.Popen(['sh', '-c', f'sleep 5; touch {FOLDER}/late']); "
    for name, rest in (("hangs", "time.sleep(600)"), ("dies", "os.abort()")):
        jobs.run(fake(name, child + rest), tmp_path / name, Processes())
    time.sleep(5.5)
    assert not list(tmp_path.glob("*/late"))


def test_jobs_with_a_build_that_failed_crash_and_are_not_run(tmp_path: Path) -> None:
    bad, good = fake("bad", "print('line 3: no'); sys.exit(3)"), fake("good", "pass")
    work = [fake(f"on_{build}", "cases('')", build=build) for build in ("bad", "good")]
    code = regress.regress(Plan([bad, good], work), [1], "", 2, tmp_path / "regress")
    summary = json.loads((tmp_path / "regress" / "summary.json").read_text())
    assert code == 1
    assert [result["status"] for result in summary["results"]] == ["crashed", "passed"]
    assert "line 3: no" in summary["results"][0]["message"]


def test_results_of_an_earlier_regression_do_not_stand_in(tmp_path: Path) -> None:
    run(tmp_path, fake("job", "cases('')"))
    assert run(tmp_path, fake("job", "pass"))[1]["crashed"] == 1


def test_jobs_that_must_be_alone_are(tmp_path: Path) -> None:
    text = "open(FOLDER + '/../one', 'x'); time.sleep(0.3); os.remove(FOLDER + '/../one'); cases('')"
    (tmp_path / "regress").mkdir()
    assert run(tmp_path, *(fake(f"j{i}", text, alone="one") for i in range(3)))[0] == 0
    assert run(tmp_path, *(fake(f"j{i}", text) for i in range(3)))[0] == 1, "the twin: they do meet"


def test_a_job_starts_after_the_one_it_needs(tmp_path: Path) -> None:
    first = fake("first", "time.sleep(0.5); cases('')")
    text = "assert os.path.exists(FOLDER + '/../first/results.xml'); cases('')"
    assert run(tmp_path, fake("second", text, after="first"), first)[0] == 0
    assert run(tmp_path, fake("second", text), first)[0] == 1, "the twin"


def test_a_job_that_cannot_even_be_run_has_an_end() -> None:
    def work(job: Job) -> jobs.Outcome:
        raise OSError("no space left on device")

    (outcome,) = run_all([fake("job", "")], 1, work, lambda outcome: None, Processes())
    assert outcome.status == "crashed" and "no space left" in outcome.message


@pytest.mark.parametrize("during", ["builds", "jobs"])
def test_a_regression_that_is_stopped_accounts_for_every_job(tmp_path: Path, during: str) -> None:
    program = f"""
import pathlib, signal, sys
from scripts.regress import __main__ as regress
from scripts.regress.plan import Plan
from scripts.tests.test_regress import fake
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell has in the background
work = [fake("quick", "cases('')"), fake("slow", "time.sleep(60)"), fake("never", "cases('')")]
builds = [fake("slow", "time.sleep(60)")] if {during!r} == "builds" else []
sys.exit(regress.regress(Plan(builds, work), [1], "", 1, pathlib.Path({str(tmp_path)!r}) / "regress"))
"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    for _ in range(300):
        if list(tmp_path.glob("regress/**/slow/job.log")):
            break
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.2)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGINT)  # it comes twice, from make
    assert process.wait(30) == 130
    summary = json.loads((tmp_path / "regress" / "summary.json").read_text())
    first = "passed" if during == "jobs" else "crashed"
    assert [result["status"] for result in summary["results"]] == [first, "crashed", "crashed"]
    assert summary["results"][2]["message"] == "it was never started"


def test_the_plan_has_every_block_on_both_simulators_with_every_seed() -> None:
    found = plan([5, 6])
    builds = {build.name for build in found.builds}
    assert len(builds) == len(found.builds)
    assert {job.build for job in found.jobs} == builds | {""}
    for build in builds:
        assert [job.seed for job in found.jobs if job.build == build and job.sim != "both"] == [5, 6]
    compared = {job.after for job in found.jobs if job.sim == "both"}
    assert compared == {job.name for job in found.jobs if job.sim == "icarus" and job.build}
    for sim in ("verilator", "icarus"):
        assert {f"digits.{sim}.5", f"networks.{sim}.6"} <= {job.name for job in found.jobs}
    assert {job.sim for job in plan([1], "store", "icarus").jobs} == {"icarus"}


def test_make_regress_from_the_front_door(warm_tree: Tree) -> None:
    """A real block on a real simulator: built once for three seeds, all run; then a bug in it."""
    tree = warm_tree
    done = tree.make("regress", "BLOCK=toy", "SEEDS=3", "SEED=7", "SIM=verilator", "JOBS=2")
    assert done.returncode == 0, done.stdout
    summary = json.loads((tree.root / "build/regress/summary.json").read_text())
    assert (summary["jobs"], summary["passed"], summary["seeds"]) == (3, 3, [7, 8, 9])
    assert len(list((tree.root / "build/regress/builds").iterdir())) == 1

    tree.edit("rtl/npu.v", "count + 8'd1", "count + 8'd2")
    broken = tree.make("regress", "BLOCK=toy", "SEEDS=1", "SIM=verilator")
    assert broken.returncode != 0
    summary = json.loads((tree.root / "build/regress/summary.json").read_text())
    (result,) = summary["results"]
    assert (result["status"], result["again"]) == ("failed", "failed")
    assert (tree.root / result["waveform"]).stat().st_size > 0
    assert summary["seeds"][0] != 7, "fresh seeds"
    assert (
        f"repeat: make sim BLOCK=toy SIM=verilator SEED={summary['seeds'][0]} FULL=1 WAVES=1" in broken.stdout
    )
