"""Networks of odd shapes: compiler, reference machine, operator models and LiteRT give the same."""

from __future__ import annotations

import os

import numpy as np
import pytest

from compiler.tests.odd_networks import odd_network
from compiler.tests.random_networks import CONFIGS
from compiler.tests.run import assert_right
from models.tests.litert import SEED, run, run_default

NETWORKS = int(os.environ.get("ODD_NETWORKS", "16"))


@pytest.mark.parametrize("contract", ["tflite", "tflite-single", "fp32"])
@pytest.mark.parametrize("number", range(NETWORKS))
def test_odd_networks(number: int, contract: str) -> None:
    network = odd_network(np.random.default_rng([SEED, number]), contract)
    # Small buffers cut a thousand channels into more commands than a program can have.
    wide = max(value.shape[-1] for value in network.values.values()) > 64
    config = CONFIGS["n16" if wide else ("n4_small", "n16_small")[number % 2]]
    output, model = assert_right(network, config), network.finish()
    if contract == "tflite-single":
        return  # no runtime has it
    x = network.values["x"][None]
    (theirs,) = run(model, x) if contract == "tflite" else run_default(model, x)[0]
    assert np.array_equal(output.reshape(theirs.shape), theirs)
