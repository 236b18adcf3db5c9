"""A 3 x 3 depthwise convolution with a channel multiplier on 28 x 28 pixels, to measure on the chip.

python -m compiler.tests.multiplier_network 32 2 build/deep.tflite [--behind]
make net MODEL=build/deep.tflite SEED=7
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compiler.tests.random_networks import RandomNetwork


def network(channels: int, multiplier: int, behind: bool) -> bytes:
    """A .tflite file. behind: a 1 x 1 convolution of 16 channels makes the layer's input."""
    rng = np.random.default_rng(5)
    shape = (28, 28, 16 if behind else channels)
    grown = RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8))
    if behind:
        grown.conv(channels, (1, 1))
    grown.depthwise((3, 3), multiplier=multiplier, activation="RELU")
    return grown.finish()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channels", type=int)
    parser.add_argument("multiplier", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--behind", action="store_true")
    options = parser.parse_args(arguments)
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_bytes(network(options.channels, options.multiplier, options.behind))
    return 0


if __name__ == "__main__":
    sys.exit(main())
