"""Where the tools are, and what to install when one is missing.

Standard library only: this runs under the machine's python3, before .venv exists.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
VENV = ROOT / ".venv"
SIMULATORS = ("verilator", "icarus")

# program: the Debian package that brings it
PACKAGES = {
    "perl": "perl",
    "g++": "g++",
    "make": "make",
    "iverilog": "iverilog",
}

# What make tells a make below it.
FROM_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")


class UserError(Exception):
    """Something the user can mend. Shown as one line; the exit code is 2."""


def run_program(main: Callable[[], int]) -> NoReturn:
    """Exit with what main returns; with 2 and one line for a UserError; quietly for Ctrl-C."""
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def install_command(package: str) -> str:
    """The command with which a person installs a system package."""
    return f"sudo apt-get install -y {package}"


def install(package: str) -> bool:
    """Install a Debian package if this user may, without a question. True if that worked.

    ASSAY_APT=0 in the environment forbids it.
    """
    if os.environ.get("ASSAY_APT") == "0" or not shutil.which("apt-get"):
        return False
    prefix = []
    if os.geteuid() != 0:
        sudo = shutil.which("sudo")
        if not sudo or subprocess.run([sudo, "-n", "true"], capture_output=True).returncode:
            return False
        prefix = [sudo, "-n"]
    print(f"installing {package} with apt-get", flush=True)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    get = [*prefix, "apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    add = [*get, "install", "-y", "--no-install-recommends", package]
    if subprocess.run(add, env=env, capture_output=True).returncode == 0:
        return True
    # A machine that never fetched the package lists, or whose lists are old.
    subprocess.run([*get, "update"], env=env, capture_output=True)
    return subprocess.run(add, env=env, capture_output=True).returncode == 0


def need(program: str) -> None:
    """Raise UserError, naming the package, if a program is missing and cannot be installed."""
    if shutil.which(program):
        return
    package = PACKAGES[program]
    if not (install(package) and shutil.which(program)):
        raise UserError(f"{program} is not installed; run: {install_command(package)}")


def missing_icarus() -> str | None:
    """None if Icarus is here (installed now if need be), else the command that installs it."""
    try:
        need("iverilog")
    except UserError:
        return install_command(PACKAGES["iverilog"])
    return None


def tool_env() -> dict[str, str]:
    """The environment for everything that runs inside .venv: its programs and Verilator on PATH.

    FROM_MAKE is left out: the makes that Verilator starts would heed it.
    """
    env = {name: value for name, value in os.environ.items() if name not in FROM_MAKE}
    found = sorted(VENV.glob("lib/python3*/site-packages/verilator"))
    if found:
        env["VERILATOR_ROOT"] = str(found[-1])
        env["PATH"] = os.pathsep.join([str(VENV / "bin"), str(found[-1] / "bin"), env.get("PATH", "")])
    return env


def blocks() -> list[str]:
    """The blocks that have a bench: b is one if tb/b/test_b.py exists."""
    return sorted(p.parent.name for p in ROOT.glob("tb/*/test_*.py") if p.stem == f"test_{p.parent.name}")


def test_files(block: str, root: Path = ROOT) -> list[Path]:
    """A block's files of cocotb tests: test_<block>.py, which has its BENCH, then others of the folder."""
    first = root / "tb" / block / f"test_{block}.py"
    return [first, *sorted(file for file in first.parent.glob("test_*.py") if file != first)]


def shell(command: list[str]) -> str:
    """A command as a person would type it."""
    return " ".join(shlex.quote(part) for part in command)
