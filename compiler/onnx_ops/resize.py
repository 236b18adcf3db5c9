"""Resize of an image to the nearest pixel, by whole factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.onnx_build import Builder

_NEAREST: dict[str, Callable[[NDArray], NDArray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def resize(node: Any, b: Builder) -> None:
    x, _ = b.stored(node)
    old = [1, *b.image(x)]
    attributes = {k: v.decode() if isinstance(v, bytes) else v for k, v in b.attributes(node).items()}
    if attributes.get("mode", "nearest") != "nearest":
        raise ValueError(f"mode is {attributes['mode']!r}; only nearest is supported")
    new = _new_size(node, b, old, attributes)
    if new[:2] != old[:2] or any(n < o or n % o for n, o in zip(new, old, strict=True)):
        raise ValueError(f"{old} to {new}; only rows and columns, by whole factors, are supported")
    factors = (new[2] // old[2], new[3] // old[3])
    for size, factor in zip(old[2:], factors, strict=True):
        if not np.array_equal(_picked(size, factor, attributes), np.arange(size * factor) // factor):
            how = [attributes.get(name) for name in ("coordinate_transformation_mode", "nearest_mode")]
            raise ValueError(f"{how} does not repeat every pixel {factor} times, which alone is supported")
    b.move(node, "RESIZE_NEAREST", tuple(new), options={"factors": factors})


def _new_size(node: Any, b: Builder, old: list[int], attributes: dict[str, Any]) -> list[int]:
    axes = [int(axis) % 4 for axis in attributes.get("axes", range(4))]
    if attributes.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise ValueError(f"keep_aspect_ratio_policy is {attributes['keep_aspect_ratio_policy']!r}")
    sizes = b.array(node, 3).tolist() if b.has(node, 3) else []
    scales = b.array(node, 2).tolist() if b.has(node, 2) and not sizes else []
    if len(sizes or scales) != len(axes):
        raise ValueError(f"{len(sizes or scales)} sizes or scales for {len(axes)} axes")
    new = list(old)
    for number, axis in enumerate(axes):
        new[axis] = int(sizes[number]) if sizes else int(np.floor(old[axis] * scales[number]))
    return new


def _picked(size: int, factor: int, attributes: dict[str, Any]) -> NDArray[np.int64]:
    """For each new row or column, the old one."""
    count = size * factor
    at = np.arange(count, dtype=np.float64)
    mode = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode in ("half_pixel", "half_pixel_symmetric") or (mode == "pytorch_half_pixel" and count > 1):
        at = (at + 0.5) / factor - 0.5
    elif mode == "asymmetric":
        at = at / factor
    elif mode == "align_corners" and count > 1:
        at = at * (size - 1) / (count - 1)
    elif mode not in ("align_corners", "pytorch_half_pixel"):
        raise ValueError(f"coordinate_transformation_mode {mode!r} is not supported")
    nearest = _NEAREST[attributes.get("nearest_mode", "round_prefer_floor")]
    return nearest(at).clip(0, size - 1).astype(np.int64)
