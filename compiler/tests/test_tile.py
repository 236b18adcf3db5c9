"""Cuts of layers: what is loaded how often, and how many cycles the array needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.layer import ConvLayer, Geometry
from compiler.tile import Tiling, plan_conv, tiles
from models.config import Config

CONFIG = Config()
# ResNet-50's last 3x3 layer with stride 2: the padded input takes 7200 words, the weights are 18 times their
# buffer.
STRIDED = Geometry(14, 14, 32, 7, 7, 32, (3, 3), (2, 2), pad=(1, 1))
# Two tiles of 4 and 3 rows.
UNEVEN = Geometry(7, 7, 128, 7, 7, 32, (1, 1))


def plan(geometry: Geometry, config: Config = CONFIG) -> Tiling:
    n, (kh, kw) = config.n, geometry.kernel
    weights = np.zeros((geometry.groups, kh, kw, geometry.cb, n, n), np.int8)
    params = np.zeros((geometry.groups, 9, n), np.uint8)
    layer = ConvLayer(
        name="layer",
        op="CONV_2D",
        macs=0,
        source="x",
        target="y",
        geometry=geometry,
        params=params,
        weights=weights,
    )
    found = plan_conv(layer, config)
    assert found is not None
    return found


def test_the_only_tile_may_fill_the_activation_buffer() -> None:
    """So that the weights, which fit nowhere, are loaded once."""
    assert len(list(tiles(STRIDED, plan(STRIDED)))) == 1
    smaller = replace(CONFIG, act_words=CONFIG.act_words // 2)
    assert len(list(tiles(STRIDED, plan(STRIDED, smaller)))) > 1


@pytest.mark.parametrize("geometry", [STRIDED, UNEVEN])
def test_array_time_is_that_of_the_tiles_there_are(geometry: Geometry) -> None:
    """A pixel a cycle for each pass, at least n: a smaller last tile does not cost a whole one."""
    found = plan(geometry)
    passes = geometry.kernel[0] * geometry.kernel[1] * geometry.cb
    pixels = [max(tile.pixels, CONFIG.n) for tile in tiles(geometry, found)]
    assert found.compute == geometry.groups * passes * sum(pixels)


def test_uneven_rows_cost_no_more_than_one_tile() -> None:
    """7 rows as 4 and 3 keep the array as busy as 7 would, and the first of them is there sooner."""
    assert [tile.rows for tile in tiles(UNEVEN, plan(UNEVEN))] == [4, 3]
