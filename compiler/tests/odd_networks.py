"""Small random networks of shapes that real networks rarely have, and users do.

Images of one row or column or pixel, more than a thousand channels, kernels of one row, of 11 x 11 in steps
of 4, steps beyond the kernel, dilations beyond the image, multipliers to 5, constants of every shape that
broadcasts, a tensor joined with itself, clamps to -1 .. 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from compiler.tests.random_networks import RandomNetwork

SIZES = ((1, 33), (33, 1), (1, 1), (2, 29), (5, 7), (25, 5), (7, 7), (13, 17), (57, 9), (30, 31))
ACTIVATIONS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
# Multiplications of a layer, so that the models take no time.
MOST_WORK = 800_000


def odd_network(rng: np.random.Generator, contract: str = "tflite") -> RandomNetwork:
    """A finished network of two to five operators, the values of all its tensors known."""
    rows, columns = SIZES[rng.integers(len(SIZES))]
    most = 1100 if rows * columns < 10 else 80
    channels = int(rng.choice([1, 3, int(rng.integers(2, 20)), int(rng.integers(20, most))]))
    x = rng.integers(-128, 128, (rows, columns, channels)).astype(np.int8)
    network = RandomNetwork(rng, x, contract)
    for _ in range(int(rng.integers(2, 6))):
        _GROW[rng.integers(len(_GROW))](network)
    if len(network.values) == 1:
        network.table("leaky_relu")
    return network


def _activation(rng: np.random.Generator) -> str:
    return str(rng.choice(ACTIVATIONS))


def _outputs(network: RandomNetwork, taps: int) -> int:
    """As many as the work allows, up to a thousand where there are few pixels."""
    pixels, channels = network.x[..., 0].size, network.x.shape[2]
    most = max(2, min(MOST_WORK // (pixels * channels * taps), 1100 if pixels < 10 else 70))
    return int(network.rng.integers(1, most))


def _line(network: RandomNetwork) -> None:
    """A kernel of one row or column, longer than the image perhaps."""
    length = int(network.rng.integers(5, 10))
    kernel = (1, length) if network.rng.integers(2) else (length, 1)
    network.conv(_outputs(network, length), kernel, activation=_activation(network.rng))


def _large(network: RandomNetwork) -> None:
    outputs = min(_outputs(network, 121), 20)
    network.conv(outputs, (11, 11), stride=(4, 4), activation=_activation(network.rng))


def _leaping(network: RandomNetwork) -> None:
    """Steps beyond the kernel leave pixels out."""
    rng, rows, columns = network.rng, *network.x.shape[:2]
    kernel = (int(rng.integers(1, min(rows, 3) + 1)), int(rng.integers(1, min(columns, 3) + 1)))
    stride = (kernel[0] + int(rng.integers(1, 8)), kernel[1] + int(rng.integers(1, 8)))
    padding = str(rng.choice(["SAME", "VALID"]))
    match rng.integers(3):
        case 0:
            network.conv(_outputs(network, 9), kernel, stride=stride, padding=padding)
        case 1:
            network.depthwise(kernel, stride=stride, padding=padding, activation=_activation(rng))
        case _:
            kind = str(rng.choice(["max", "average"]))
            network.pool(kind, kernel, stride=stride, padding=padding, activation=_activation(rng))


def _dilated(network: RandomNetwork) -> None:
    rng = network.rng
    dilation = (int(rng.integers(1, 8)), int(rng.integers(1, 8)))
    if network.x.shape[2] < 30 and rng.integers(2):
        network.depthwise((3, 3), dilation=dilation, multiplier=int(rng.integers(1, 4)))
    else:
        network.conv(_outputs(network, 9), (3, 3), dilation=dilation)


def _multiplied(network: RandomNetwork) -> None:
    rng = network.rng
    multiplier = int(rng.integers(2, 6)) if network.x.shape[2] < 30 else 1
    stride = (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    kernel = ((5, 5), (1, 9), (7, 7), (1, 1))[rng.integers(4)]
    network.depthwise(kernel, stride=stride, multiplier=multiplier, activation=_activation(rng))


def _constant(network: RandomNetwork) -> None:
    """Any of the dimensions may be one, those in front may be missing."""
    rng = network.rng
    shape = [size if rng.integers(2) else 1 for size in (1, *network.x.shape)]
    kept = tuple(shape[int(rng.integers(0, 5)) :])
    network.join_constant(str(rng.choice(["add", "sub", "mul"])), kept, _activation(rng))


def _itself(network: RandomNetwork) -> None:
    last = next(reversed(network.values))
    network.join(str(network.rng.choice(["add", "sub", "mul"])), last, _activation(network.rng))


def _cut(network: RandomNetwork) -> None:
    """Every few rows, columns and channels, from anywhere."""
    parts = []
    for size in network.x.shape:
        first = int(network.rng.integers(min(size, 4)))
        parts.append(slice(first, size, int(network.rng.integers(1, 6))))
    network.cut(*parts)


def _pad(network: RandomNetwork) -> None:
    """By more than the kernel behind it, on one side or on all."""
    if network.x.size < 20_000:
        rng = network.rng
        rows, columns = (tuple(int(n) for n in rng.integers(0, 9, 2)) for _ in range(2))
        network.pad((rows[0], rows[1]), (columns[0], columns[1]))
        rows_left, columns_left, channels = network.x.shape
        kernel = (min(3, rows_left), min(3, columns_left))
        network.conv(min(_outputs(network, 9), channels + 3), kernel, padding="VALID")


_GROW: tuple[Callable[[RandomNetwork], None], ...] = (
    _line, _large, _leaping, _dilated, _multiplied, _constant, _itself, _cut, _pad,
)  # fmt: skip
