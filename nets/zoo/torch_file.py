"""Reads the tensors of a PyTorch state dict without torch: the format before 1.6, a few pickles and raw data.

The unpickler knows nothing but what a state dict needs, so a file cannot run code.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
FLOAT_BYTES = 4


@dataclass(frozen=True)
class _View:
    """A tensor: `shape` values of storage `key` from `offset` on, `stride` values from one to the next."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


def _rebuild(key: str, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> _View:
    return _View(key, offset, tuple(shape), tuple(stride))


_KNOWN: dict[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): "float32",
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _KNOWN:
            raise ValueError(f"{module}.{name} is not part of a state dict of float32 tensors")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> str:
        # ("storage", type, key, device, values, view)
        return str(pid[2])


def read_state(data: bytes) -> dict[str, NDArray[np.float32]]:
    """Tensors by name. Raises ValueError for anything but such a file."""
    stream = BytesIO(data)
    try:
        if (_Unpickler(stream).load(), _Unpickler(stream).load()) != (MAGIC, PROTOCOL):
            raise ValueError("not a PyTorch file of the format before 1.6")
        if not _Unpickler(stream).load()["little_endian"]:
            raise ValueError("its values are big endian")
        views: dict[str, _View] = _Unpickler(stream).load()
        storages = {}
        for key in _Unpickler(stream).load():
            count = int.from_bytes(stream.read(8), "little")
            storages[key] = np.frombuffer(stream.read(count * FLOAT_BYTES), "<f4")
            if len(storages[key]) != count:
                raise ValueError("it is truncated")
        return {name: _tensor(storages[view.key], view) for name, view in views.items()}
    except (pickle.UnpicklingError, EOFError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a PyTorch state dict: {error}") from error


def _tensor(storage: NDArray[np.float32], view: _View) -> NDArray[np.float32]:
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.stride, strict=True))
    if not 0 <= last < len(storage):
        raise ValueError("a tensor lies outside its storage")
    strides = tuple(step * FLOAT_BYTES for step in view.stride)
    return np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides).copy()
