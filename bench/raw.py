"""The yardstick: the RTL and its memory in a plain Verilator binary, without Python, VPI or log."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from compiler.network import Compiled
from scripts.tools import BUILD, UserError
from tb import build as hdl
from tb.bench import Bench
from tb.chip.job import LATENCY
from tb.chip.session import SYSTEM

SOURCES = (*SYSTEM, "tb/hdl/chip_raw.v")
TOP = "chip_raw"
FOLDER = BUILD / "bench" / "raw"
LIMIT = 1800  # seconds


@dataclass(frozen=True)
class Raw:
    """cycles of the program; seconds of wall time between its start and its interrupt."""

    cycles: int
    seconds: float


def build(parameters: Mapping[str, int], jobs: int = 2) -> Path:
    """Bring the binary for these parameters of the chip up to date, with the flags of the checked build.

    Raises UserError, with what the compiler said, if it does not build.
    """
    files = hdl.sources(Bench(TOP, sources=SOURCES))
    flags = [*hdl.VERILATOR, *hdl.FAST_RUN, *hdl.TIMING]
    generics = [f"-G{name}={value}" for name, value in parameters.items()]
    includes = [f"+incdir+{folder}" for folder in hdl.include_folders()]
    command = ["verilator", "--binary", "-j", str(jobs), "--timescale", "1ns/1ps", "--top-module", TOP]
    command += [*flags, *generics, *includes, str(hdl.WAIVERS), *map(str, files)]
    headers = [file for folder in hdl.include_folders() for file in sorted(folder.glob("*.vh"))]
    digest = sha256(shlex.join(command).encode())
    for file in [*files, *headers, hdl.WAIVERS]:
        digest.update(file.read_bytes())
    folder = FOLDER / sha256(shlex.join(generics).encode()).hexdigest()[:16]
    program, stamp = folder / TOP, folder / "made-from"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    env = {**os.environ, "MAKEFLAGS": hdl.PRECOMPILED}
    done = subprocess.run(
        [*command, "-Mdir", str(folder), "-o", TOP],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise UserError(f"{TOP} does not build\n{done.stdout[-3000:]}")
    stamp.write_text(digest.hexdigest())
    return program


def run(program: Path, compiled: Compiled, image: Path, seed: int) -> Raw:
    """Run the first program of a network on the binary. image: file with the DRAM's contents.

    Raises RuntimeError if the core does not end it well.
    """
    base, length = compiled.programs[0]
    settings = {"image": image, "base": base, "length": length, "latency": LATENCY, "seed": seed}
    command = [str(program), *(f"+{name}={value}" for name, value in settings.items())]
    command += [f"+verilator+seed+{seed}", "+verilator+rand+reset+2"]
    command = ["timeout", "-k", "5", str(LIMIT), *command]
    start, seconds, said = 0.0, 0.0, ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("raw start"):
                start = time.monotonic()
            elif line.startswith("raw end"):
                seconds = time.monotonic() - start
            said += line
    found = re.search(r"raw end (\d+) (\d+)", said)
    if not found or found[1] != "2":
        last = said.strip()[-300:] or "nothing"
        raise RuntimeError(f"the bare chip did not end its program well; it said: {last}")
    return Raw(int(found[2]), seconds)
