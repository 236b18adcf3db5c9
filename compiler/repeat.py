"""Depthwise convolutions with a channel multiplier: copies first, windows then.

A CONV with `window` makes output channel j from channel j of its words. Where several output channels see
the same input channel, a tensor in between holds each input channel as often as it is seen: a SelectLayer
makes it, a cycle a word, and the windows read that. Copies are exact, so the result is that of passes tap by
tap. Where the layer alone reads a network input, the host writes that with its channels repeated, and nothing
is copied.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from compiler.depthwise import plan_depthwise
from compiler.grouped import plan_grouped
from compiler.layer import GroupedLayer, Layer, Layout, SelectLayer
from compiler.ops.copy import select_layer
from compiler.optimise import Repeat
from compiler.select import plan_select
from models.config import Config


@dataclass(frozen=True, kw_only=True)
class RepeatedLayer(Layer):
    """copies: from the layer's source to a tensor in between; windows: from there to its target."""

    copies: SelectLayer
    windows: GroupedLayer


def with_copies(layer: Layer, layout: Layout, config: Config) -> Layer:
    """The layer by way of copies, where that is faster; layout: of its source."""
    windows = _windows(layer)
    if windows is None:
        return layer
    assert isinstance(layer, GroupedLayer) and layer.seen is not None
    between = f"{layer.source} repeated for {layer.target}"
    taken = np.stack([np.zeros_like(layer.seen), layer.seen], axis=1)
    copies = select_layer(
        layer.name, layer.op, [layer.source], [layout], between, taken, config.n, layout[:2]
    )
    plans = plan_select(copies, config), plan_depthwise(windows, config)
    passes = plan_grouped(layer, config)
    if plans[0] is None or plans[1] is None:
        return layer
    if passes is not None and passes.cycles <= plans[0].cycles + plans[1].cycles:
        return layer
    own = {f.name: getattr(layer, f.name) for f in fields(Layer)}
    return RepeatedLayer(**own, copies=copies, windows=replace(windows, source=between))


def repeat_input(layer: Layer, layout: Layout, config: Config) -> tuple[GroupedLayer, Repeat, Layout] | None:
    """The layer on an input with its channels repeated, how, and the input's new layout; None where windows
    are no faster than passes or some channel is not seen.

    layout: of the layer's source, a network input that no other layer reads.
    """
    windows = _windows(layer)
    if windows is None:
        return None
    assert isinstance(layer, GroupedLayer) and layer.seen is not None
    plan, passes = plan_depthwise(windows, config), plan_grouped(layer, config)
    if plan is None or (passes is not None and passes.cycles <= plan.cycles):
        return None
    if len(np.unique(layer.seen)) != layout[2]:
        return None
    return windows, Repeat(tuple(layer.seen.tolist())), (*layout[:2], len(layer.seen))


def _windows(layer: Layer) -> GroupedLayer | None:
    """The layer on an input that has the channels that its outputs see, in order; None for other layers and
    where that is the input as it is."""
    if not isinstance(layer, GroupedLayer) or layer.kernels is None or layer.one_to_one:
        return None
    assert layer.seen is not None
    groups = layer.geometry.groups
    return replace(
        layer,
        geometry=replace(layer.geometry, cb=groups),
        weights=diagonal(layer.kernels),
        starts=tuple(range(groups)),
        depth=1,
        seen=np.arange(len(layer.seen)),
    )


def diagonal(kernels: NDArray[np.int8]) -> NDArray[np.int8]:
    """Taps [groups, n, kh, kw] of a one-to-one layer as weights for passes, [groups, kh, kw, 1, n, n]."""
    groups, n, kh, kw = kernels.shape
    weights, lanes = np.zeros((groups, kh, kw, 1, n, n), np.int8), np.arange(n)
    weights[..., 0, lanes, lanes] = kernels.transpose(0, 2, 3, 1)
    return weights
