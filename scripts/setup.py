"""Make .venv hold exactly requirements.txt. Costs nothing when it already does.

Standard library only. A stamp in .venv says what it was made from, and is written last: a
set-up that was cut short is done again from nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys

from scripts.tools import BUILD, ROOT, VENV, UserError, install, install_command, need

OLDEST_PYTHON = (3, 11)  # numpy 2.4 needs it
REQUIREMENTS = ROOT / "requirements.txt"
STAMP = VENV / "made-from"
PYTHON = VENV / "bin" / "python"


def fingerprint() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def stamped() -> str | None:
    """What .venv was made from. None if it never was complete, or its interpreter is gone."""
    return STAMP.read_text() if PYTHON.exists() and STAMP.exists() else None


def run_logged(command: list[str], failure: str) -> None:
    log = BUILD / "setup.log"
    with log.open("a") as out:
        code = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT).returncode
    if code:
        tail = "\n".join(log.read_text().splitlines()[-8:])
        raise UserError(f"{failure} (all of it: {log.relative_to(ROOT)})\n{tail}")


def create_venv() -> None:
    package = "python3-venv"
    try:
        import ensurepip  # noqa: F401  Debian leaves it out of python3: it is what python3-venv brings
    except ImportError:
        if not install(package):
            raise UserError(f"python3 has no venv; run: {install_command(package)}") from None
    run_logged([sys.executable, "-m", "venv", "--clear", str(VENV)], "python3 -m venv .venv failed")


def check_libpython() -> None:
    """cocotb embeds the interpreter, which needs its shared library."""
    find = "import sys, find_libpython; sys.exit(find_libpython.find_libpython() is None)"
    if subprocess.run([str(PYTHON), "-c", find]).returncode:
        package = f"libpython3.{sys.version_info[1]}"
        if not install(package):
            raise UserError(f"the shared library of python3 is missing; run: {install_command(package)}")


def ensure() -> None:
    """Set up .venv and check the compilers. Raises UserError with what to install."""
    if sys.version_info < OLDEST_PYTHON:
        have, oldest = (".".join(map(str, v[:2])) for v in (sys.version_info, OLDEST_PYTHON))
        raise UserError(f"python3 is {have}; {oldest} or newer is needed: make PYTHON=python3.12 ...")
    for program in ("perl", "g++", "make"):
        need(program)
    if stamped() == fingerprint():
        return
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two makes at once: the second waits, then finds all done
        if stamped() == fingerprint():
            return
        print("setting up .venv from requirements.txt (once, about half a minute)", flush=True)
        if stamped() is None:
            create_venv()
        command = [str(PYTHON), "-m", "pip", "install", "--no-deps", "-r", str(REQUIREMENTS)]
        run_logged(command, "pip could not install requirements.txt; is there a network?")
        check_libpython()
        STAMP.write_text(fingerprint())
