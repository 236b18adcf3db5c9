"""Lint and format of Verilog and Python, types and testplans: nothing here runs the design.

`make check` runs every step, two at a time, and fails if one has anything at all to say.
`make format` (--fix) lets the two formatters write.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.tools import BUILD, ROOT, run_program, shell
from tb.build import FILE_LIST, WAIVERS, listed
from tb.verdict import Test, Verdict, write_junit

SIZES = (4, 16, 32)  # N at its ends, and as the chip has it
TOP = "npu"
LINES = 30  # of a failed step's output


def relative(file: Path) -> str:
    return str(file.relative_to(ROOT))


def hdl() -> list[str]:
    return sorted(relative(file) for top in ("rtl", "tb") for file in ROOT.glob(f"{top}/**/*.v*"))


def verilog_steps() -> Iterator[tuple[str, list[str]]]:
    for n in SIZES:
        verilator = ["verilator", "--lint-only", "-Wall", "--quiet", "--top-module", TOP, f"-GN={n}"]
        yield f"verilator lint N={n}", [*verilator, relative(WAIVERS), "-f", relative(FILE_LIST)]
        if shutil.which("iverilog"):
            icarus = [
                "iverilog",
                "-t",
                "null",
                "-g2005",
                "-Wall",
                "-Wno-timescale",
                "-s",
                TOP,
                f"-P{TOP}.N={n}",
            ]
            yield f"icarus lint N={n}", [*icarus, "-f", relative(FILE_LIST)]
    yield "verible lint", ["verible-verilog-lint", "--rules_config=.rules.verible_lint", *hdl()]
    yield "verible format", ["verible-verilog-format", "--verify", "--inplace", *hdl()]


def python_steps() -> Iterator[tuple[str, list[str]]]:
    yield "mypy", ["mypy", "--no-error-summary"]
    yield "ruff check", ["ruff", "check", "--quiet", "--output-format", "concise"]
    yield "ruff format", ["ruff", "format", "--check", "--quiet"]
    yield "testplans", [sys.executable, "-m", "scripts.testplan"]


def file_list() -> Test:
    """rtl/npu.f and rtl/ name the same files, and each module below the top is instantiated."""
    start = time.monotonic()
    files, there = set(listed()), set(ROOT.glob("rtl/**/*.v"))
    words = {file.stem: set(re.findall(r"\w+", file.read_text())) for file in files & there}
    used = {name for name in words for other in words if other != name and name in words[other]}
    problems = [f"{relative(file)} is not in rtl/npu.f" for file in there - files]
    problems += [f"{relative(file)} is in rtl/npu.f and does not exist" for file in files - there]
    problems += [f"nothing instantiates {name}" for name in words.keys() - used - {TOP}]
    status = "fail" if problems else "pass"
    return Test("rtl/npu.f", status, time.monotonic() - start, "\n".join(sorted(problems)))


def run(name: str, command: list[str]) -> Test:
    """One step. Output is a failure even when the exit code is 0: that is how Icarus warns."""
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = done.stdout.strip().splitlines()
    seconds = time.monotonic() - start
    if done.returncode == 0 and not said:
        return Test(name, "pass", seconds)
    more = [f"... and {len(said) - LINES} lines more"] if len(said) > LINES else []
    return Test(name, "fail", seconds, "\n".join([*said[:LINES], *more, f"repeat: {shell(command)}"]))


def check() -> bool:
    steps = [*python_steps(), *verilog_steps()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tests = [file_list(), *pool.map(lambda step: run(*step), steps)]
    for test in tests:
        print(f"{test.status if test.status == 'pass' else 'FAIL'}  {test.name}  {test.seconds:.1f} s")
        if test.status == "fail":
            print("      " + test.message.replace("\n", "\n      "))
    verdict = Verdict(tests)
    write_junit(BUILD / "test" / "check.xml", "check", verdict)
    return verdict.passed


def fix() -> bool:
    """Let the formatters write what `check` would ask for."""
    commands = [
        ["verible-verilog-format", "--inplace", *hdl()],
        ["ruff", "check", "--fix"],
        ["ruff", "format"],
    ]
    return all([subprocess.run(command, cwd=ROOT).returncode == 0 for command in commands])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fix", action="store_true")
    return 0 if (fix() if parser.parse_args().fix else check()) else 1


if __name__ == "__main__":
    run_program(main)
