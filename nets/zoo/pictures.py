"""What the networks of the zoo look at: the user's .png files, else pages of handwriting or seeded scenes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nets.digits.data import load
from tb.chip.png import read_png

Pictures = NDArray[np.uint8]  # [n, rows, columns, 3]
PITCH = 24  # columns from one digit of a line to the next


def read_pictures(paths: Sequence[Path], size: tuple[int, int]) -> Pictures:
    """.png files, each scaled to the size (nearest pixel). Raises UserError."""
    return np.stack([_scaled(read_png(path), size) for path in paths])


def _scaled(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    rows, columns = (np.arange(new) * old // new for new, old in zip(size, picture.shape, strict=False))
    scaled = picture[rows][:, columns]
    return np.broadcast_to(scaled, (*size, 3)).copy()


def pages(rng: np.random.Generator, count: int, size: tuple[int, int]) -> Pictures:
    """Lines of handwritten digits (nets/digits), dark ink on light paper, as high as a line of text."""
    digits = load().images
    found = np.empty((count, *size, 3), np.uint8)
    for page in found:
        paper, ink = rng.integers(200, 256, 3), rng.integers(0, 90, 3)
        cover = np.zeros(size)
        height = digits.shape[1]
        for top in range(int(rng.integers(0, 12)), size[0] - height + 1, height + int(rng.integers(4, 20))):
            for left in range(int(rng.integers(0, 40)), size[1] - digits.shape[2] + 1, PITCH):
                place = cover[top : top + height, left : left + digits.shape[2]]
                np.maximum(place, digits[rng.integers(len(digits))] / 255, out=place)
            if rng.random() < 0.2:
                break
        page[...] = paper + cover[..., None] * (ink - paper.astype(float))
    return found


def scenes(rng: np.random.Generator, count: int, size: tuple[int, int]) -> Pictures:
    """Noise whose spectrum falls like that of photographs, in three related colours."""
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None]
    fall = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    found = np.empty((count, *size, 3), np.uint8)
    for scene in found:
        waves = np.fft.fft2(rng.normal(size=(3, *size))) * fall
        colours = np.fft.ifft2(waves).real.transpose(1, 2, 0)
        colours = colours @ (np.eye(3) * 0.4 + 0.6)
        spread = colours.std() * rng.uniform(1.5, 3)
        scene[...] = np.clip(128 + 127 * (colours - colours.mean()) / spread + rng.uniform(-40, 40), 0, 255)
    return found
