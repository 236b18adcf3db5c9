"""Reads .png images of 8 bits a channel: grey or RGB, alpha dropped, or a palette."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scripts.tools import UserError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# colour type: (values stored per pixel, of which are shown)
COLOURS = {0: (1, 1), 2: (3, 3), 3: (1, 3), 4: (2, 1), 6: (4, 3)}

BYTES_MAX = 1 << 30  # of the pixels; more than any network's input


def read_png(path: Path) -> NDArray[np.uint8]:
    """uint8 [rows, columns, 1 or 3]. Raises UserError for what is not such an image."""
    try:
        return decode(path.read_bytes())
    except (ValueError, struct.error, zlib.error, OSError, IndexError) as error:
        raise UserError(f"INPUT={path}: cannot read the .png image: {error}") from error


def decode(raw: bytes) -> NDArray[np.uint8]:
    """The image in a file's bytes. Raises ValueError, struct.error or zlib.error."""
    if raw[:8] != SIGNATURE:
        raise ValueError("it does not start like one")
    header, palette, packed, at = b"", b"", b"", 8
    while True:
        size, kind = struct.unpack_from(">I4s", raw, at)
        data = raw[at + 8 : at + 8 + size]
        if (
            len(raw) < at + 12 + size
            or zlib.crc32(kind + data) != struct.unpack_from(">I", raw, at + 8 + size)[0]
        ):
            raise ValueError(f"its part {kind.decode('latin-1')!r} is damaged or cut short")
        at += 12 + size
        if kind == b"IHDR":
            header = data
        elif kind == b"PLTE":
            palette = data
        elif kind == b"IDAT":
            packed += data
        elif kind == b"IEND":
            break
    columns, rows, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour not in COLOURS or interlaced:
        raise ValueError(
            f"{depth} bits, colour type {colour}, interlaced {interlaced}; 8 bits, plain, is needed"
        )
    stored, shown = COLOURS[colour]
    size = rows * (1 + columns * stored)
    if not rows or not columns or size > BYTES_MAX:
        raise ValueError(f"it has {rows} rows and {columns} columns")
    # No more than the header promises: a small file can unpack to gigabytes.
    lines = np.frombuffer(zlib.decompressobj().decompress(packed, size + 1), np.uint8)
    if lines.size != size:
        held = "more" if lines.size > size else lines.size
        raise ValueError(f"it holds {held} bytes of pixels, not {size}")
    image = _unfilter(lines.reshape(rows, -1), stored).reshape(rows, columns, stored)
    if colour == 3:
        if 3 * int(image.max()) + 3 > len(palette):
            raise ValueError(f"its palette of {len(palette)} bytes lacks colour {image.max()}")
        return np.frombuffer(palette, np.uint8).reshape(-1, 3)[image[..., 0]]
    return image[..., :shown].copy()


def _unfilter(lines: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Undo the prediction of each line from the pixel to the left and the line above."""
    width = lines.shape[1] - 1
    above = np.zeros(width + step, dtype=np.int64)  # with a pixel of 0 before the first
    out = np.zeros((len(lines), width), dtype=np.uint8)
    for row, line in enumerate(lines):
        kind, data = int(line[0]), line[1:].astype(np.int64)
        now = np.zeros(width + step, dtype=np.int64)
        if kind in (0, 2):
            now[step:] = (data + (above[step:] if kind else 0)) & 0xFF
        elif kind == 1:
            now[step:] = data.reshape(-1, step).cumsum(axis=0).reshape(-1) & 0xFF
        elif kind in (3, 4):
            for x in range(width):
                left, up, corner = int(now[x]), int(above[x + step]), int(above[x])
                guess = (left + up) // 2 if kind == 3 else _paeth(left, up, corner)
                now[x + step] = (int(data[x]) + guess) & 0xFF
        else:
            raise ValueError(f"line {row} has the unknown filter {kind}")
        out[row], above = now[step:], now
    return out


def _paeth(left: int, up: int, corner: int) -> int:
    """Whichever of the three is nearest to left + up - corner, in this order."""
    return min((left, up, corner), key=lambda value: abs(left + up - corner - value))
