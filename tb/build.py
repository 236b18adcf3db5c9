"""Build a bench's HDL for a simulator, only when something it is made from has changed."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.runner

from scripts.tools import BUILD, ROOT, UserError, install
from tb.bench import Bench, Params

FILE_LIST = ROOT / "rtl" / "npu.f"
WAIVERS = ROOT / "scripts" / "verilator.vlt"

# X is random, and so are registers before reset: a missing reset shows. -Wall: a warning stops the build.
# One C++ file: for more than one the wheel's makefile wants precompiled headers, and gets their flag wrong.
VERILATOR = "--x-assign unique --x-initial unique -Wall --no-public-flat-rw --output-split 0".split()
# Verilator only schedules delays in C++20 coroutines; the other benches build faster without.
TIMING = ["--timing", "-CFLAGS", "-std=c++20 -fcoroutines"]
QUICK_BUILD = ["-CFLAGS", "-O1"]
# A waveform a tenth the size of the VCD that --trace alone gives. Verilator's writer wants these headers.
FST = ["--trace-fst"]
FST_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}
FAST_RUN = ["-O3", "-CFLAGS", "-O3 -march=native"]
# The wheel's makefile was configured for a compiler without precompiled headers, but asks for them when a
# design is split over several files: this is the flag it then lacks.
PRECOMPILED = "-- CFG_CXXFLAGS_PCH_I=-include"
# Verilator leaves out signals wider than its limit: none here is this wide. No FSMs: coverage/fsm.py.
COVERAGE = "--coverage-line --coverage-toggle --coverage-expr --coverage-max-width 65536".split()
ICARUS = ["-g2005", "-Wall", "-Wno-timescale"]


@dataclass(frozen=True)
class Build:
    """One bench, one set of parameters, one simulator."""

    name: str
    bench: Bench
    params: Params
    sim: str
    waves: bool = False
    coverage: bool = False  # count lines, toggles and expressions (verilator)

    @property
    def label(self) -> str:
        """The parameters as part of a file name."""
        return "_".join(f"{k}{v}" for k, v in self.params.items()) or "default"

    @property
    def title(self) -> str:
        return " ".join([self.name, self.sim, *(f"{k}={v}" for k, v in self.params.items())])

    @property
    def folder(self) -> Path:
        kind = ("-waves" if self.waves else "") + ("-coverage" if self.coverage else "")
        return BUILD / "sim" / self.name / self.sim / (self.label + kind)


def _list() -> list[str]:
    """The lines of rtl/npu.f without comments. Raises UserError if there is no such list."""
    if not FILE_LIST.exists():
        raise UserError(f"{FILE_LIST.relative_to(ROOT)} does not exist: it lists the RTL, one path a line")
    lines = (line.partition("//")[0].strip() for line in FILE_LIST.read_text().splitlines())
    return [line for line in lines if line]


def listed() -> list[Path]:
    """The files of rtl/npu.f, in order."""
    return [ROOT / line for line in _list() if not line.startswith("+")]


def include_folders() -> list[Path]:
    """The +incdir+ lines of rtl/npu.f."""
    return [ROOT / line.removeprefix("+incdir+") for line in _list() if line.startswith("+incdir+")]


def sources(bench: Bench) -> list[Path]:
    """What the bench's top module is made of: its own HDL and, of rtl/npu.f, the files it reaches.

    A module has the name of its file, so a file is reached when a reached file says that name in its code,
    not in a comment. Editing one block then rebuilds what contains it and nothing else. Raises UserError for
    a file that does not exist.
    """
    own = [ROOT / source for source in bench.sources]
    files = {file.stem: file for file in [*listed(), *own]}
    for file in own:
        if not file.exists():
            raise UserError(f"{file.relative_to(ROOT)}, a source of the bench, does not exist")
    if bench.toplevel not in files:
        raise UserError(f"no file {bench.toplevel}.v in rtl/npu.f or in the bench's sources")
    reached = {bench.toplevel}
    new = [bench.toplevel]
    while new:
        file = files[new.pop()]
        if not file.exists():
            raise UserError(f"{file.relative_to(ROOT)} does not exist; {bench.toplevel} needs it")
        code = re.sub(r"//.*", "", file.read_text())
        found = (set(re.findall(r"\w+", code)) & files.keys()) - reached
        reached |= found
        new += found
    return [file for name, file in files.items() if name in reached]


@functools.cache
def _tools(sim: str) -> str:
    """The versions a build depends on."""
    command = ["g++", "--version"] if sim == "verilator" else ["iverilog", "-V"]
    first = subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]
    return f"{first}, verilator {version('verilator')}, cocotb {version('cocotb')}"


@functools.cache
def fst() -> bool:
    """Whether Verilator can write FST here; what is missing for it is installed if that is allowed."""

    def found(header: str) -> bool:
        command = ["g++", "-E", "-x", "c++", "-", "-o", os.devnull]
        return not subprocess.run(
            command, input=f"#include <{header}>", text=True, capture_output=True
        ).returncode

    return all(
        found(header) or (install(package) and found(header)) for header, package in FST_HEADERS.items()
    )


def _flags(build: Build) -> list[str]:
    if build.sim == "icarus":
        # cocotb's own module that writes the waveform is SystemVerilog.
        return [flag for flag in ICARUS if not (build.waves and flag == "-g2005")]
    flags = VERILATOR + (FAST_RUN if build.bench.fast else QUICK_BUILD)
    flags += COVERAGE if build.coverage else []
    flags += FST if build.waves and fst() else []
    return flags + (TIMING if build.bench.timing else ["--no-timing"])


def _control_file(build: Build) -> str:
    rows = [f'public_flat_rw -module "{module}" -var "{name}"' for module, name in build.bench.visible()]
    if build.coverage:  # of the core, not of what tests it
        rows.append(f'coverage_off -file "{ROOT}/tb/*"')
    return "\n".join(["`verilator_config", *rows, ""])


@contextlib.contextmanager
def alone(build: Build) -> Iterator[None]:
    """Hold the build's folder: another run of the same bench waits its turn."""
    build.folder.parent.mkdir(parents=True, exist_ok=True)
    with build.folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(build: Build, jobs: int, verbose: bool = False) -> bool:
    """Bring the build up to date. jobs: parallel compilers. True if there was something to do.

    Raises UserError, with what the compiler said, if the HDL does not compile. What an earlier run left is
    removed in any case: it must not stand in for the next.
    """
    shutil.rmtree(build.folder / "run", ignore_errors=True)
    files, flags, folder = sources(build.bench), _flags(build), build.folder
    tools, control = _tools(build.sim), _control_file(build)
    made_from = json.dumps([build.bench.toplevel, dict(build.params), flags, tools, control])
    digest = hashlib.sha256(made_from.encode())
    headers = [file for folder in include_folders() for file in sorted(folder.glob("*.vh"))]
    for file in [*files, *headers, WAIVERS]:
        digest.update(str(file).encode() + file.read_bytes())
    stamp = folder / "made-from"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return False

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kind = hashlib.sha256(json.dumps([flags, build.waves, tools]).encode())
    runtime = BUILD / "sim" / ".runtime" / kind.hexdigest()[:16]
    if build.sim == "verilator":
        public = folder / "public.vlt"
        public.write_text(control)
        files = [WAIVERS, public, *files]
        _reuse_runtime(runtime, folder)
    cocotb_tools.runner.MAX_PARALLEL_BUILD_JOBS = jobs
    os.environ["MAKEFLAGS"] = PRECOMPILED
    log = folder / "build.log"
    try:
        cocotb_tools.runner.get_runner(build.sim).build(
            sources=files,
            includes=include_folders(),
            hdl_toplevel=build.bench.toplevel,
            parameters=build.params,
            build_args=flags,
            build_dir=folder,
            cwd=ROOT,
            timescale=("1ns", "1ps"),
            waves=build.waves,
            always=True,
            log_file=None if verbose else log,
        )
    except RuntimeError:
        text = "" if verbose else "\n" + _complaints(log)
        raise UserError(f"does not build{text}") from None
    if build.sim == "verilator" and not runtime.exists():
        _keep_runtime(folder, runtime)
    stamp.write_text(digest.hexdigest())
    return True


def _complaints(log: Path) -> str:
    """The part of a build log that says what is wrong."""
    lines = log.read_text().splitlines()
    bad = (i for i, line in enumerate(lines) if re.search(r"%Error|%Warning|error:|warning:", line))
    first = next(bad, -30)
    return "\n".join(lines[first:][:40])


def _reuse_runtime(runtime: Path, folder: Path) -> None:
    """Put Verilator's own library, compiled by an earlier build, where this build's make finds it.

    It is most of a small build's time. Its rule depends on the makefile that Verilator is about to write,
    hence a date in the future.
    """
    for kept in runtime.glob("*.o"):
        copy = folder / kept.name
        shutil.copyfile(kept, copy)
        os.utime(copy, (time.time() + 3600,) * 2)


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Keep the library that this build compiled, for the builds with the same flags."""
    runtime.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(dir=runtime.parent))
    for file in folder.glob("verilated*.o"):
        shutil.copy(file, staged)
    with contextlib.suppress(OSError):  # another build of the same kind was first
        os.rename(staged, runtime)
        return
    shutil.rmtree(staged)
