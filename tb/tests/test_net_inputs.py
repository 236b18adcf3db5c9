"""Inputs that are right: arrays, images with every filter of the format, folders, noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.ir import Graph
from compiler.tests.random_networks import RandomNetwork
from compiler.tflite import read_tflite
from compiler.tflite_build import TfliteBuilder
from tb.chip.inputs import random_inputs, read_inputs
from tb.chip.png import read_png
from tb.tests.test_net_errors import png

SHAPE = (6, 5, 3)


def graph_of(dtype: type) -> Graph:
    """A network with an input of SHAPE and type, and a pool."""
    b = TfliteBuilder()
    scale = 0.1 if dtype != np.float32 else None
    x = b.add_tensor("x", (1, *SHAPE), dtype, scale, 0)
    m = x if scale else b.add_tensor("m", (1, *SHAPE), np.int8, 0.1, 5)
    if not scale:
        b.quantize(x, m)
    y = b.add_tensor("y", (1, 3, 2, 3), np.uint8 if dtype == np.uint8 else np.int8, 0.1, 0)
    b.max_pool(m, y, kernel=(2, 2))
    return read_tflite(b.finish([x], [y]))


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, SHAPE).astype(np.uint8)


def filtered(image: NDArray[np.uint8], kind: int) -> NDArray[np.uint8]:
    """What a .png line with that filter holds: the specification's formulas, a value at a time."""
    rows, width, step = len(image), image[0].size, image.shape[2]
    flat = image.reshape(rows, width).astype(int)
    out = np.zeros_like(flat)
    for y in range(rows):
        for x in range(width):
            a = flat[y, x - step] if x >= step else 0
            b = flat[y - 1, x] if y else 0
            c = flat[y - 1, x - step] if y and x >= step else 0
            p = a + b - c
            pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
            paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
            out[y, x] = flat[y, x] - (0, a, b, (a + b) // 2, paeth)[kind]
    return (out & 0xFF).astype(np.uint8).reshape(image.shape)


@pytest.mark.parametrize("kind", range(5))
@pytest.mark.parametrize("colour", [2, 6, 0, 4])
def test_png_filters_and_colours(tmp_path: Path, kind: int, colour: int) -> None:
    values, shown = {2: (3, 3), 6: (4, 3), 0: (1, 1), 4: (2, 1)}[colour]
    image = np.random.default_rng(kind).integers(0, 256, (7, 9, values)).astype(np.uint8)
    path = png(tmp_path / "x.png", filtered(image, kind), colour, kind)
    assert np.array_equal(read_png(path), image[..., :shown])


def test_pixels_by_type_of_input(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    path = png(tmp_path / "x.png", pixels, 2)
    (signed,) = read_inputs(path, graph_of(np.int8))
    assert np.array_equal(signed["x"].astype(int), pixels.astype(int) - 128)
    (unsigned,) = read_inputs(path, graph_of(np.uint8))
    assert np.array_equal(unsigned["x"].astype(int), pixels.astype(int) - 128)
    (real,) = read_inputs(path, graph_of(np.float32))
    assert np.array_equal(real["x"], pixels.astype(np.float32) / np.float32(255))


def test_arrays_of_one_and_of_several_images(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    np.save(tmp_path / "one.npy", pixels.view(np.int8))
    np.save(tmp_path / "two.npy", np.stack([pixels, pixels ^ 1]).view(np.int8))
    np.savez(tmp_path / "named.npz", x=pixels.view(np.int8))
    assert len(read_inputs(tmp_path / "one.npy", graph_of(np.int8))) == 1
    two = read_inputs(tmp_path / "two.npy", graph_of(np.int8))
    assert [np.array_equal(image["x"].view(np.uint8), pixels ^ i) for i, image in enumerate(two)] == [
        True,
        True,
    ]
    (named,) = read_inputs(tmp_path / "named.npz", graph_of(np.int8))
    assert np.array_equal(named["x"].view(np.uint8), pixels)
    np.save(tmp_path / "bytes.npy", pixels)
    (unsigned,) = read_inputs(tmp_path / "bytes.npy", graph_of(np.uint8))
    assert np.array_equal(unsigned["x"].astype(int), pixels.astype(int) - 128)


def test_folder_in_the_order_of_names(tmp_path: Path, pixels: NDArray[np.uint8]) -> None:
    np.save(tmp_path / "b.npy", pixels.view(np.int8))
    png(tmp_path / "a.png", pixels, 2)
    (tmp_path / "notes.txt").write_text("left out")
    first, second = read_inputs(tmp_path, graph_of(np.int8))
    assert np.array_equal(first["x"].view(np.uint8), pixels ^ 0x80)
    assert np.array_equal(second["x"].view(np.uint8), pixels)


def test_noise_repeats_with_its_seed_and_fills_the_range() -> None:
    network = RandomNetwork(np.random.default_rng(1), np.zeros((20, 20, 3), np.int8))
    network.pool("max", (2, 2))
    graph = read_tflite(network.finish())
    (a,), (b,), (c,) = (random_inputs(graph, seed) for seed in (1, 1, 2))
    assert np.array_equal(a["x"], b["x"]) and not np.array_equal(a["x"], c["x"])
    assert (a["x"].min(), a["x"].max()) == (-128, 127)
    (real,) = random_inputs(graph_of(np.float32), 1)
    assert real["x"].dtype == np.float32 and real["x"].min() >= -13.4 and real["x"].max() <= 12.3
