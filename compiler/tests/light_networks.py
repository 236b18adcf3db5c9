"""The light_* networks of the onnx package (ResNet-50, VGG-19, ...) with seeded random weights, float .onnx.

    python -m compiler.tests.light_networks resnet50 build/resnet50.onnx [--seed 1]

The package ships their graphs, with constants in the place of weights.
"""

from __future__ import annotations

import argparse
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
# Ranges of what BatchNormalization takes, by input.
NORMAL = {1: (0.7, 1.2), 2: (-0.2, 0.2), 3: (-0.2, 0.2), 4: (0.7, 1.3)}
LEAST_IR = 4  # the first in which a constant need not be an input, too


def light_network(name: str, seed: int) -> Any:
    """A ModelProto. Weights keep the size of what goes through them; scales are near 1."""
    model = onnx.load(FOLDER / f"light_{name}.onnx")
    graph, rng = model.graph, np.random.default_rng(seed)
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    fills = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    weights = []
    for node in fills:
        shape = tuple(int(size) for size in constants[node.input[0]])
        operator, place = _use(graph, node.output[0])
        weights.append(numpy_helper.from_array(_draw(rng, shape, operator, place), node.output[0]))
    for node in fills:
        graph.node.remove(node)
    shapes = {node.input[0] for node in fills}
    kept = [i for i in graph.initializer if i.name not in shapes] + weights
    del graph.initializer[:]
    graph.initializer.extend(kept)
    inputs = [i for i in graph.input if i.name not in shapes | {k.name for k in kept}]
    del graph.input[:]
    graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, LEAST_IR)
    return model


def _use(graph: Any, name: str) -> tuple[str, int]:
    """(operator, number of its input) that reads a constant."""
    for node in graph.node:
        if name in node.input:
            if node.op_type == "Unsqueeze":
                return _use(graph, node.output[0])
            return node.op_type, list(node.input).index(name)
    return "", 0


def _draw(rng: np.random.Generator, shape: tuple[int, ...], operator: str, place: int) -> NDArray[np.float32]:
    if operator == "BatchNormalization":
        value = rng.uniform(*NORMAL[place], shape)
    elif operator == "Mul":
        value = rng.uniform(0.7, 1.2, shape)
    elif operator in ("Conv", "Gemm") and place == 1:
        value = rng.normal(0, (2 / prod(shape[1:])) ** 0.5, shape)
    else:
        value = rng.normal(0, 0.05, shape)
    return value.astype(np.float32)


def main() -> None:
    names = sorted(path.stem.removeprefix("light_") for path in FOLDER.glob("light_*.onnx"))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=names)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(light_network(options.name, options.seed), options.path)


if __name__ == "__main__":
    main()
