"""Every make target ends here: check the variables, set up what is missing, start the work.

Standard library only: this is the machine's python3. The Makefile is the list of targets; a target's
`## text [VARIABLES]` is both its help and the variables it takes.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts import setup
from scripts.tools import BUILD, ROOT, SIMULATORS, UserError, blocks, missing_icarus, run_program, tool_env

LARGEST_SEED = 2**31 - 1  # what Verilator takes


def one_of(values: Callable[[], list[str]], what: str) -> Callable[[str], str | None]:
    def problem(value: str) -> str | None:
        known = values()
        return None if value in known else f"no such {what}; there is: {', '.join(known) or 'none yet'}"

    return problem


def whole(low: int, high: int) -> Callable[[str], str | None]:
    def problem(value: str) -> str | None:
        good = re.fullmatch(r"[0-9]{1,12}", value) and low <= int(value) <= high
        return None if good else f"expected a whole number from {low} to {high}"

    return problem


def pattern(value: str) -> str | None:
    try:
        re.compile(value)
    except re.error as error:
        return f"expected a regular expression: {error}"
    return None


def some_path(value: str) -> str | None:
    return None if Path(value).exists() else "there is no such file or folder"


switch = one_of(lambda: ["0", "1"], "value")

# name: (what it means, what is wrong with a value)
VARIABLES: dict[str, tuple[str, Callable[[str], str | None]]] = {
    "BLOCK": ("run this block's tests only; `make blocks` lists them", one_of(blocks, "block")),
    "SIM": ("simulator: verilator or icarus (verilator)", one_of(lambda: list(SIMULATORS), "simulator")),
    "SEED": ("seed of everything random (fresh at each run)", whole(1, LARGEST_SEED)),
    "SEEDS": ("how many seeds: of regress (4), of coverage (1); SEED is the first", whole(1, 100_000)),
    "JOBS": ("jobs that run at the same time (one a core)", whole(1, 1024)),
    "IMAGES": ("test images of the main job", whole(1, 10000)),
    "TEST": ("only this block's tests whose name matches this regular expression", pattern),
    "MODEL": ("the network: a quantised .tflite file, or an .onnx file", some_path),
    "INPUT": ("its inputs: .npy, .npz, .png or a folder of them (seeded noise)", some_path),
    "TILE": ("instead of MODEL: the folder in which a run with a mismatch has left one tile", some_path),
    "CONTRACT": (
        "whose arithmetic: tflite or tflite-single for .tflite, fp32 for .onnx (the file's runtime's)",
        one_of(lambda: ["tflite", "tflite-single", "fp32"], "contract"),
    ),
    "FC": (
        "how fully connected layers are judged: integer or litert, in float (integer)",
        one_of(lambda: ["integer", "litert"], "form"),
    ),
    "FULL": ("1 runs a block's tests with all the counts of make test, not with small ones (0)", switch),
    "WAVES": ("1 writes a waveform and says where (0)", switch),
    "VERBOSE": ("1 shows the simulator's whole output (0)", switch),
}


def targets() -> dict[str, tuple[str, list[str]]]:
    """Target -> (its help, the variables it takes), in the order of the Makefile."""
    rows = re.findall(r"^(\w+):.*?## ([^[\n]*)(?:\[(.*)\])?$", (ROOT / "Makefile").read_text(), re.M)
    return {name: (text.strip(), variables.split()) for name, text, variables in rows}


def given(target: str) -> dict[str, str]:
    """The variables set for this run, each one known to the target and with a good value."""
    allowed = targets()[target][1]
    # make puts NAME=value from its command line into MAKEFLAGS, after a lone --.
    _, _, typed = os.environ.get("MAKEFLAGS", "").partition("-- ")
    for name in (word.partition("=")[0] for word in shlex.split(typed) if "=" in word):
        if name not in allowed and name != "PYTHON":
            raise UserError(
                f"make {target} takes no {name}; it takes: {', '.join(allowed) or 'no variables'}"
            )
    values = {name: os.environ[name] for name in allowed if os.environ.get(name)}
    for name, value in values.items():
        if problem := VARIABLES[name][1](value):
            raise UserError(f"{name}={value}: {problem}")
    if "BLOCK" in values and "IMAGES" in values:
        raise UserError("IMAGES belongs to the main job: leave BLOCK out")
    if target == "net" and "TILE" in values:
        if others := [name for name in ("MODEL", "INPUT", "CONTRACT", "FC") if name in values]:
            raise UserError(f"TILE is a run of its own, with its data: leave {' and '.join(others)} out")
    elif target == "net" and "MODEL" not in values:
        raise UserError("make net needs MODEL=<a quantised .tflite file or an .onnx file>")
    for name in ("TEST", "FULL"):
        if name in values and "BLOCK" not in values:
            raise UserError(f"{name} is about one block's tests: give BLOCK too")
    return values


def show_help() -> None:
    rows = targets()
    for name, (text, variables) in rows.items():
        print(f"  make {name:<9} {text}" + (f"  [{' '.join(variables)}]" if variables else ""))
    print("\nvariables (make sim BLOCK=... SEED=...):")
    for name, (meaning, _) in VARIABLES.items():
        print(f"  {name:<14} {meaning}")
    print("\nASSAY_APT=0 in the environment forbids installing missing system packages with apt-get.")


def options(values: dict[str, str], *names: str) -> list[str]:
    """The arguments for those of these variables that were given."""
    return [part for name in names if name in values for part in (f"--{name.lower()}", values[name])]


def work(target: str, values: dict[str, str]) -> int:
    """Run one of the targets that need .venv. Returns the exit code."""
    seed = values.get("SEED") or str(secrets.randbelow(LARGEST_SEED) + 1)
    sim = values.get("SIM", "verilator")
    switches = [f"--{name.lower()}" for name in ("FULL", "WAVES", "VERBOSE") if values.get(name) == "1"]
    setup.ensure()
    if sim == "icarus" and (command := missing_icarus()):
        raise UserError(f"icarus is not installed; run: {command}")
    if target == "sim":
        arguments = ["--sim", sim, "--seed", seed, *switches]
        if "BLOCK" in values:
            test = ["--test", values["TEST"]] if "TEST" in values else []
            arguments = ["tb.runner", "--block", values["BLOCK"], *test, *arguments]
        else:
            images = ["--images", values["IMAGES"]] if "IMAGES" in values else []
            arguments = ["tb.chip.digits", *images, *arguments]
    elif target == "net" and "TILE" in values:
        # Without SEED, that of the run which left the tile.
        given_seed = ["--seed", seed] if "SEED" in values else []
        arguments = ["tb.chip.tile", "--tile", values["TILE"], "--sim", sim, *given_seed, *switches]
    elif target == "net":
        chosen = options(values, "MODEL", "INPUT", "CONTRACT", "FC")
        arguments = ["tb.chip.net", *chosen, "--sim", sim, "--seed", seed, *switches]
    elif target == "bench":
        arguments = ["bench", "--seed", seed]
    elif target == "regress":
        arguments = ["scripts.regress", "--seed", seed, *options(values, "SEEDS", "BLOCK", "SIM", "JOBS")]
    elif target == "coverage":
        arguments = ["coverage", "--seed", seed, *options(values, "SEEDS", "BLOCK", "JOBS")]
    elif target == "registers":
        arguments = ["scripts.registers"]
    elif target == "test":
        arguments = ["scripts.test_all", "--seed", seed, *switches]
    else:
        arguments = ["scripts.check", *(["--fix"] if target == "format" else [])]
    # Values travel as arguments only: cocotb, for one, has a WAVES of its own.
    env = {name: value for name, value in tool_env().items() if name not in VARIABLES}
    process = subprocess.Popen([str(setup.PYTHON), "-m", *arguments], cwd=ROOT, env=env)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the process has had it too, and ends with its report
            continue


def main() -> int:
    target = sys.argv[1]
    values = given(target)
    if target == "help":
        show_help()
    elif target == "blocks":
        print("\n".join(blocks()))
    elif target == "clean":
        shutil.rmtree(BUILD, ignore_errors=True)
    elif target in ("sim", "net", "bench", "regress", "coverage", "registers", "test", "check", "format"):
        return work(target, values)
    else:
        raise UserError(f"make {target} does not exist yet")
    return 0


if __name__ == "__main__":
    run_program(main)
