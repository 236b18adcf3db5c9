"""What a user feeds a network: .npy and .npz arrays, .png images, folders of them, or seeded noise."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.ir import Graph, Tensor
from scripts.tools import UserError
from tb.chip.png import read_png

Values = Mapping[str, NDArray]  # by the name of the network's input, one image each, without the leading 1
SUFFIXES = (".npy", ".npz", ".png")
QUANTISE = ("QUANTIZE", "QuantizeLinear")


def read_inputs(path: Path, graph: Graph) -> list[dict[str, NDArray]]:
    """The images in a file or folder, each a value per input of the graph, in the order of the files' names.

    A .npy array has the input's shape, or one dimension more for several images; a .npz file has one array
    per input, by name. A .png image has the input's size; its bytes p stand for p / 255 in a float network,
    for p in a uint8 one, for p - 128 in an int8 one. Raises UserError for anything else.
    """
    if not path.exists():
        raise UserError(f"INPUT={path}: there is no such file or folder")
    if not path.is_dir():
        return _read(path, graph)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"INPUT={path}: the folder has no file that ends in {', '.join(SUFFIXES)}")
    return [image for file in files for image in _read(file, graph)]


def random_inputs(graph: Graph, seed: int, images: int = 1) -> list[dict[str, NDArray]]:
    """Seeded noise over the whole range of the type; of a float input, what its quantised form can hold."""
    rng = np.random.default_rng(seed)
    return [{name: _noise(rng, graph, graph.tensors[name]) for name in graph.inputs} for _ in range(images)]


def _noise(rng: np.random.Generator, graph: Graph, tensor: Tensor) -> NDArray:
    whole = rng.integers(-128, 128, _shape(tensor), dtype=np.int8)
    if tensor.dtype == np.int8:
        return whole
    for node in graph.nodes:
        to = graph.tensors[node.name]
        if node.inputs[0] == tensor.name and node.op in QUANTISE and len(to.scales) == 1:
            return ((whole.astype(np.float64) - to.zero_point) * to.scale).astype(np.float32)
    return rng.normal(size=_shape(tensor)).astype(np.float32)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tensor.shape[1:] if len(tensor.shape) > 1 and tensor.shape[0] == 1 else tensor.shape


def _read(path: Path, graph: Graph) -> list[dict[str, NDArray]]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"INPUT={path}: expected a folder or a file that ends in {', '.join(SUFFIXES)}")
    if suffix == ".npz":
        return _read_npz(path, graph)
    if len(graph.inputs) > 1:
        raise UserError(
            f"INPUT={path}: the network has inputs {', '.join(graph.inputs)}; give a .npz with each"
        )
    tensor = graph.tensors[graph.inputs[0]]
    if suffix == ".png":
        origin = graph.origins.get(tensor.name)
        planes = origin is not None and origin.image is not None
        return [{tensor.name: _from_pixels(path, read_png(path), tensor, planes)}]
    return [{tensor.name: image} for image in _images(str(path), read_array(path), tensor)]


def read_array(path: Path) -> NDArray:
    """The array in a .npy file. Raises UserError."""
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy reads the header as Python, which fails in many ways
        raise UserError(f"INPUT={path}: not a .npy array: {' '.join(str(error).split())}") from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"INPUT={path}: not a .npy array but several of them: name it .npz")
    return array


def _read_npz(path: Path, graph: Graph) -> list[dict[str, NDArray]]:
    try:
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except Exception as error:  # of the archive, of its compression, or of an array in it
        raise UserError(f"INPUT={path}: not a .npz file: {' '.join(str(error).split())}") from error
    if set(arrays) != set(graph.inputs):
        raise UserError(
            f"INPUT={path}: it has the arrays {', '.join(arrays) or 'none'}; the network's inputs are "
            f"{', '.join(graph.inputs)}"
        )
    columns = {name: _images(f"{path}[{name}]", arrays[name], graph.tensors[name]) for name in graph.inputs}
    counts = {name: len(column) for name, column in columns.items()}
    if len(set(counts.values())) > 1:
        raise UserError(f"INPUT={path}: different numbers of images: {counts}")
    return [dict(zip(columns, image, strict=True)) for image in zip(*columns.values(), strict=True)]


def _images(what: str, array: NDArray, tensor: Tensor) -> list[NDArray]:
    wanted = np.dtype(np.uint8) if tensor.unsigned else tensor.dtype
    shape = _shape(tensor)
    if (
        array.dtype != wanted
        or array.shape[-len(shape) :] != shape
        or array.ndim not in (len(shape), len(shape) + 1)
    ):
        raise UserError(
            f"INPUT={what}: input {tensor.name!r} is {wanted}{list(shape)} (or several of them), "
            f"not {array.dtype}{list(array.shape)}"
        )
    images = array.reshape(-1, *shape)
    if not len(images):
        raise UserError(f"INPUT={what}: it holds no image")
    if tensor.dtype == np.float32 and not np.isfinite(images).all():
        raise UserError(f"INPUT={what}: it has values that are not finite")
    return list((images ^ 0x80).view(np.int8) if tensor.unsigned else images)


def _from_pixels(path: Path, pixels: NDArray[np.uint8], tensor: Tensor, planes: bool) -> NDArray:
    """pixels: uint8 [rows, columns, 1 or 3]. planes: the input has its channels first."""
    shape = _shape(tensor)
    wanted = shape if len(shape) == 3 else (*shape, 1)
    if planes:
        wanted = (*wanted[1:], wanted[0])
    if pixels.shape != wanted:
        rows, columns, channels = pixels.shape
        raise UserError(
            f"INPUT={path}: the image has {rows} rows, {columns} columns and {channels} channels; "
            f"input {tensor.name!r} is {list(shape)}"
        )
    image = (pixels.transpose(2, 0, 1) if planes else pixels).reshape(shape)
    if tensor.dtype == np.float32:
        return image.astype(np.float32) / np.float32(255)
    return (image ^ 0x80).view(np.int8)
