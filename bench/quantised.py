"""ResNet-50 as ONNX Runtime quantises it, for the contract fp32.

The graph is the onnx package's, with seeded random weights (compiler/tests/light_networks.py); ONNX Runtime
folds the batch norms, calibrates on seeded pictures and quantises. That takes longer than the simulation, so
the result is kept in build/bench/quantised/, by the hash of all that it is made from.
"""

from __future__ import annotations

import hashlib
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.networks import INPUT, Network, picture
from bench.topology import SIZE
from compiler import onnx_quantise
from compiler.tests.light_networks import light_network
from scripts.tools import BUILD

FOLDER = BUILD / "bench" / "quantised"
CALIBRATION = (0, 2, 3, 4)  # pictures by their part in the seed


def resnet50(seed: int) -> Network:
    """The quantised .onnx network of this seed, and a picture as its input, float32 [1, 3, 224, 224]."""
    floats = light_network("resnet50", seed)
    (name,) = (value.name for value in floats.graph.input)
    samples = [{name: _picture(seed, part)} for part in CALIBRATION]
    model = floats.SerializeToString()
    tools = [f"{package} {version(package)}" for package in ("onnx", "onnxruntime", "numpy")]
    digest = hashlib.sha256(repr(tools).encode() + Path(onnx_quantise.__file__).read_bytes() + model)
    for sample in samples:
        digest.update(sample[name].tobytes())
    file = FOLDER / f"{digest.hexdigest()[:32]}.onnx"
    if not file.exists():
        print("  quantising the float network", flush=True)
        made = onnx_quantise.quantised(model, samples)
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        draft.write_bytes(made)
        os.replace(draft, file)
    return Network("resnet50_fp32", file.read_bytes(), _picture(seed, INPUT))


def _picture(seed: int, part: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(picture(SIZE, seed, part).transpose(2, 0, 1)[None])
