"""The held-out digits and the files of the trained network; numpy is all that is needed.

digits = load()
x = to_int8(digits.images[:1])        # what the first tensor of digits.tflite holds
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
MODEL = FOLDER / "digits.tflite"
REPORT = FOLDER / "digits.json"
IMAGES = FOLDER / "test_images.npz"


@dataclass(frozen=True)
class Digits:
    """The held-out images with the right answers and those of the float network.

    images: uint8 [n,28,28], 0 is paper and 255 ink. labels, float_answers: uint8 [n], 0..9.
    """

    images: np.ndarray
    labels: np.ndarray
    float_answers: np.ndarray


def load(path: Path = IMAGES) -> Digits:
    """The 1000 held-out images; every ten in a row hold each digit once, so any prefix is balanced.

    Raises ValueError when the file is missing or its arrays do not fit together, KeyError when it lacks one.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing; restore it from git or run nets/digits/train.py")
    with np.load(path) as arrays:
        digits = Digits(arrays["images"], arrays["labels"], arrays["float_answers"])
    images, count = digits.images, len(digits.labels)
    if images.dtype != np.uint8 or images.shape != (count, 28, 28) or len(digits.float_answers) != count:
        raise ValueError(f"{path}: expected uint8[n, 28, 28] images with n labels and n float answers")
    return digits


def to_int8(images: np.ndarray) -> np.ndarray:
    """uint8 [n,28,28] to the network's input, int8 [n,28,28,1].

    The input tensor has scale 1/255 and zero point -128: a pixel shifted by 128, nothing is rounded.
    """
    return (images.astype(np.int16) - 128).astype(np.int8)[..., np.newaxis]
