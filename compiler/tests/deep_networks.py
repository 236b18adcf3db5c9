"""Random networks as deep as real ones: 10 to 30 operators, odd sizes, branches, depthwise layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from compiler.tests.random_networks import RandomNetwork

SIZES = ((5, 7), (25, 5), (7, 7), (49, 10), (14, 14), (28, 28), (1, 40), (3, 3), (20, 31))
MOST_CHANNELS = 64
MOST_PIXELS = 1600


def deep_network(
    rng: np.random.Generator, least: int = 10, most: int = 30, contract: str = "tflite"
) -> RandomNetwork:
    """A finished random network of `least` to `most` operators, the values of all its tensors known."""
    rows, columns = SIZES[rng.integers(len(SIZES))]
    shape = (rows, columns, int(rng.choice([1, 2, 3, 4, 8, 16, 20])))
    network = RandomNetwork(rng, rng.integers(-128, 128, shape).astype(np.int8), contract)
    wanted = int(rng.integers(least, most + 1))
    network.conv(int(rng.integers(4, 33)), (3, 3), activation="RELU")
    while len(network.values) < wanted:
        _GROW[rng.choice(list(_GROW), p=_SHARES)](network)
    ending = rng.choice(["mean", "dense", "pool", "none"])
    if ending == "mean":
        network.mean()
    elif ending == "pool" and max(network.x.shape[:2]) <= 31:
        network.pool("average", network.x.shape[:2])
    elif ending == "dense" and network.x.size <= 8192:
        network.flatten()
        network.dense(int(rng.integers(2, 40)))
    return network


def _activation(rng: np.random.Generator) -> str:
    return str(rng.choice(["NONE", "RELU", "RELU6"]))


def _window(network: RandomNetwork, sizes: tuple[int, ...]) -> dict:
    """kernel, stride, dilation and padding that the last tensor allows."""
    rng, (rows, columns, _) = network.rng, network.x.shape
    kernel = tuple(int(min(rng.choice(sizes), size)) for size in (rows, columns))
    stride = tuple(int(s) for s in rng.choice([1, 1, 2], 2)) if min(rows, columns) > 3 else (1, 1)
    dilation = (1, 1)
    if stride == (1, 1) and min(rows, columns) > 4 and rng.integers(4) == 0:
        dilation = (2, 2)
    fits = all((k - 1) * d < size for k, d, size in zip(kernel, dilation, (rows, columns), strict=True))
    padding = "VALID" if fits and min(rows, columns) > 6 and rng.integers(3) == 0 else "SAME"
    return {"kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding}


def _conv(network: RandomNetwork) -> None:
    rng = network.rng
    outputs = int(rng.choice([int(rng.integers(1, MOST_CHANNELS + 1)), 16, 32]))
    network.conv(outputs, **_window(network, (1, 3, 3, 5)), activation=_activation(rng))


def _pointwise(network: RandomNetwork) -> None:
    outputs = int(network.rng.integers(1, MOST_CHANNELS + 1))
    network.conv(outputs, (1, 1), activation=_activation(network.rng))


def _depthwise(network: RandomNetwork) -> None:
    rng, window = network.rng, _window(network, (3, 3, 5, 1))
    multiplier = int(rng.choice([1, 1, 1, 2, 3])) if network.x.shape[2] <= MOST_CHANNELS // 3 else 1
    network.depthwise(**window, multiplier=multiplier, activation=_activation(rng))


def _grouped(network: RandomNetwork) -> None:
    rng, channels = network.rng, network.x.shape[2]
    groups = int(rng.choice([g for g in range(1, channels + 1) if channels % g == 0]))
    outputs = groups * int(rng.integers(1, max(MOST_CHANNELS // groups, 1) + 1))
    network.conv(outputs, **_window(network, (1, 3)), groups=groups, activation=_activation(rng))


def _pool(network: RandomNetwork) -> None:
    rng, window = network.rng, _window(network, (1, 2, 3))
    del window["dilation"]
    if any(k > s for k, s in zip(window["kernel"], network.x.shape, strict=False)):
        return
    network.pool(str(rng.choice(["max", "avg"])), **window, activation=_activation(rng))


def _table(network: RandomNetwork) -> None:
    network.table(
        str(network.rng.choice(["logistic", "relu", "leaky_relu", "hard_swish", "gelu", "quantize"]))
    )


def grow_pad(network: RandomNetwork) -> None:
    """PAD by up to two pixels a side, unless the tensor is large."""
    if network.x[..., 0].size < MOST_PIXELS:
        rng = network.rng
        network.pad(tuple(rng.integers(0, 3, 2).tolist()), tuple(rng.integers(0, 3, 2).tolist()))


def grow_cut(network: RandomNetwork) -> None:
    """STRIDED_SLICE of most of the pixels, of all channels or some; at least 3 x 3 pixels."""
    rng, (rows, columns, channels) = network.rng, network.x.shape
    if min(rows, columns) < 3:
        return
    low, high = rng.integers(0, 2, 2).tolist(), rng.integers(0, 2, 2).tolist()
    kept = slice(0, channels, 1)
    if channels > 3 and rng.integers(2):
        first = int(rng.integers(channels // 2))
        kept = slice(first, int(rng.integers(first + 1, channels + 1)), int(rng.integers(1, 3)))
    network.cut(slice(low[0], rows - high[0], 1), slice(low[1], columns - high[1], 1), kept)


def grow_concat(network: RandomNetwork) -> None:
    """CONCATENATION of up to three convolutions, and of the last tensor itself."""
    rng, to = network.rng, (network.scale, network.zero_point)

    def branch() -> list[Callable[[], None]]:
        middle = [partial(_squeeze, network)] if rng.integers(2) else []
        outputs = int(rng.choice([16, int(rng.integers(1, 25))]))
        kernel = tuple(min(int(rng.choice([1, 3])), size) for size in network.x.shape[:2])
        return [*middle, partial(network.conv, outputs, kernel, to=to)]

    keep = network.x.shape[2] <= MOST_CHANNELS // 2
    network.concat([branch() for _ in range(int(rng.integers(1 if keep else 2, 4)))], keep=keep)


def _residual(network: RandomNetwork) -> None:
    """The last tensor and what a block makes of it, added: two convolutions, or MobileNet v2's three."""
    rng, before, channels = network.rng, next(reversed(network.values)), network.x.shape[2]
    kernel = (min(3, network.x.shape[0]), min(3, network.x.shape[1]))
    if rng.integers(2):
        network.conv(int(rng.integers(1, 33)), kernel, activation="RELU")
        network.conv(channels, kernel)
    else:
        network.conv(min(channels * int(rng.integers(1, 4)), MOST_CHANNELS), (1, 1), activation="RELU6")
        network.depthwise(kernel, activation="RELU6")
        network.conv(channels, (1, 1))
    network.join("add", before, str(rng.choice(["NONE", "RELU"])))


def _join(network: RandomNetwork) -> None:
    """With any earlier tensor of that shape, perhaps itself."""
    rng = network.rng
    alike = [name for name, value in network.values.items() if value.shape == network.x.shape]
    network.join(str(rng.choice(["add", "sub", "mul"])), str(rng.choice(alike)), _activation(rng))


def _squeeze(network: RandomNetwork) -> None:
    network.conv(int(network.rng.integers(1, 20)), (1, 1), activation="RELU")


_GROW: dict[str, Callable[[RandomNetwork], None]] = {
    "conv": _conv,
    "pointwise": _pointwise,
    "depthwise": _depthwise,
    "grouped": _grouped,
    "pool": _pool,
    "table": _table,
    "pad": grow_pad,
    "cut": grow_cut,
    "concat": grow_concat,
    "residual": _residual,
    "join": _join,
}
_SHARES = (0.16, 0.16, 0.16, 0.07, 0.07, 0.08, 0.05, 0.05, 0.06, 0.1, 0.04)
