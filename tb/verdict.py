"""Did a simulation pass? Read from its JUnit results and its exit code, and never assumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree


@dataclass(frozen=True)
class Test:
    """One test of a run. status: pass, fail or skip. seconds: of wall time."""

    name: str
    status: str
    seconds: float
    message: str = ""


@dataclass(frozen=True)
class Verdict:
    """All tests of one simulation; `problem` says why the run as a whole counts for nothing, `timed_out` that
    it was stopped because it took too long."""

    tests: Sequence[Test]
    problem: str | None = None
    timed_out: bool = False

    @property
    def passed(self) -> bool:
        return self.problem is None and all(test.status != "fail" for test in self.tests)

    @property
    def why(self) -> str:
        """What went wrong, in a line; "" if it passed."""
        messages = [test.message for test in self.tests if test.status == "fail"]
        return self.problem or "; ".join(messages)


def read(results: Path, failure: str | None = None) -> Verdict:
    """The verdict on a finished simulation.

    results: the JUnit file it should have written. failure: what went wrong with the process itself, if
    anything did. A run without results, without one executed test, or that ended badly has not passed.
    """
    try:
        cases = ElementTree.parse(results).getroot().iter("testcase")
        tests = [_test(case) for case in cases]
    except FileNotFoundError:
        return Verdict([], failure or "the simulation wrote no results")
    except ElementTree.ParseError as error:
        return Verdict([], failure or f"the simulation's results cannot be read: {error}")
    if failure is None and all(test.status == "skip" for test in tests):
        failure = "no test was executed"
    return Verdict(tests, failure)


def _test(case: ElementTree.Element) -> Test:
    name, seconds = case.get("name", "?"), float(case.get("time", 0))
    for tag in ("failure", "error"):
        if (found := case.find(tag)) is not None:
            return Test(name, "fail", seconds, found.get("message") or found.text or "")
    return Test(name, "skip" if case.find("skipped") is not None else "pass", seconds)


def write_junit(path: Path, suite: str, verdict: Verdict) -> None:
    """Write a verdict as JUnit, for what does not write its own. A problem is one more test, in error."""
    tests = list(verdict.tests)
    if verdict.problem:
        tests.append(Test("run", "error", 0.0, verdict.problem))
    counts = Counter(test.status for test in tests)
    numbers = {"failures": counts["fail"], "errors": counts["error"], "skipped": counts["skip"]}
    root = ElementTree.Element("testsuites")
    parent = ElementTree.SubElement(root, "testsuite", name=suite, tests=str(len(tests)))
    for name, number in numbers.items():
        parent.set(name, str(number))
    for test in tests:
        case = ElementTree.SubElement(
            parent, "testcase", classname=suite, name=test.name, time=f"{test.seconds:.3f}"
        )
        if test.status != "pass":
            tag = {"fail": "failure", "error": "error", "skip": "skipped"}[test.status]
            ElementTree.SubElement(case, tag, message=test.message)
    path.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
