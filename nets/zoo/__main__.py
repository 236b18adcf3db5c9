"""A trained network from PyPI as a float .onnx file, with pictures to calibrate and run it on beside it.

python -m nets.zoo <name> build/<name>.onnx [--image a.png --image b.png] [--size ROWSxCOLUMNS]
make net MODEL=build/<name>.onnx INPUT=build/<name>.npy
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from nets.zoo import faces, text
from nets.zoo.pictures import pages, read_pictures, scenes
from scripts.tools import UserError

SIZES = faces.SIZES | text.SIZES
FIXED = ("rnet", "onet")  # a dense layer behind the image


def make(
    name: str, path: Path, images: Sequence[Path], size: tuple[int, int], count: int, seed: int
) -> tuple[Path, Path]:
    """Write the network and its pictures; returns both paths. Raises UserError."""
    module, draw = (faces, scenes) if name in faces.SIZES else (text, pages)
    model = module.network(name, size)
    drawn = draw(np.random.default_rng(seed), count, size)
    pictures = read_pictures(images, size) if images else drawn
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    source = path.with_suffix(".npy")
    np.save(source, module.normalised(pictures))
    return path, source


def _size(value: str) -> tuple[int, int]:
    rows, _, columns = value.partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(rows) and int(columns)):
        raise argparse.ArgumentTypeError(f"{value!r} is not ROWSxCOLUMNS")
    return int(rows), int(columns)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=sorted(SIZES))
    parser.add_argument("path", type=Path)
    parser.add_argument("--image", type=Path, action="append", default=[], dest="images")
    parser.add_argument("--size", type=_size)
    parser.add_argument("--count", type=int, default=2, help="pictures without --image")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        if options.size and options.name in FIXED and options.size != SIZES[options.name]:
            raise UserError(f"--size: {options.name} takes {'x'.join(map(str, SIZES[options.name]))} only")
        if options.count < 1:
            raise UserError(f"--count {options.count}: at least one picture is needed")
        size = options.size or SIZES[options.name]
        model, source = make(options.name, options.path, options.images, size, options.count, options.seed)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"make net MODEL={model} INPUT={source} SEED={options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
