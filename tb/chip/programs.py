"""Programs for the chip bench: compiled random networks in a DRAM image, whole or broken on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir import CONTRACTS
from compiler.network import Compiled, compile_network, read_network
from compiler.tests.deep_networks import grow_concat, grow_cut, grow_pad
from compiler.tests.random_networks import RandomNetwork, start
from models.config import Config
from models.decode import decode
from models.isa import COMMAND_BYTES, Command
from models.machine import Machine


@dataclass
class Image:
    """A DRAM image with one program. values: every tensor by the operator models, by name; in the contracts
    in which nothing else knows these networks, by the reference machine."""

    compiled: Compiled
    dram: NDArray[np.uint8]
    values: dict[str, NDArray[np.int8]]

    @property
    def base(self) -> int:
        return self.compiled.programs[0][0]

    @property
    def length(self) -> int:
        return self.compiled.programs[0][1]

    def command(self, number: int) -> Command:
        """One command of the program."""
        at = self.base + number * COMMAND_BYTES
        return decode(self.dram[at : at + COMMAND_BYTES].tobytes(), self.compiled.config)

    def put(self, number: int, raw: bytes) -> None:
        """Overwrite one command."""
        at = self.base + number * COMMAND_BYTES
        self.dram[at : at + COMMAND_BYTES] = np.frombuffer(raw, np.uint8)

    def change(self, number: int, **fields: Any) -> None:
        """Change fields of one command."""
        self.put(number, replace(self.command(number), **fields).encode())


# Operators at random, and how often.
KINDS = {"conv": 9, "depthwise": 3, "grouped": 3, "max": 3, "avg": 3, "table": 3}
KINDS |= {"add": 1, "sub": 1, "mul": 1, "pad": 1, "concat": 1, "cut": 1}
COPIES = {"pad": grow_pad, "concat": grow_concat, "cut": grow_cut}
WEIGHTS = np.array(list(KINDS.values())) / sum(KINDS.values())


def _grow(network: RandomNetwork, rng: np.random.Generator, channels: int, kind: str) -> None:
    """One operator of this kind, else random, at the end of a network; a cut only of what is large enough."""
    small = min(network.x.shape[:2])
    if kind == "conv":
        kernel = (int(rng.integers(1, min(small, 4) + 1)), int(rng.integers(1, min(small, 4) + 1)))
        dilation = (1, 1) if max(kernel) == 1 or small < 7 else (int(rng.integers(1, 3)),) * 2
        free = dilation == (1, 1) and small > 2
        stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if free else (1, 1)
        padding = "SAME" if small < 8 else str(rng.choice(["SAME", "VALID"]))
        activation = str(rng.choice(["NONE", "RELU", "RELU6"]))
        outputs = int(rng.integers(1, channels + 1))
        network.conv(
            outputs, kernel, stride=stride, dilation=dilation, padding=padding, activation=activation
        )
    elif kind in ("depthwise", "grouped"):
        if kind == "depthwise":
            kernel = (int(rng.integers(1, min(small, 6) + 1)), int(rng.integers(1, min(small, 6) + 1)))
            stride = (int(rng.integers(1, 3)), int(rng.integers(1, 3))) if small > 2 else (1, 1)
            multiplier = int(rng.choice([1, 1, 2])) if network.x.shape[2] <= channels else 1
            network.depthwise(kernel, multiplier=multiplier, stride=stride)
        else:
            size = (int(rng.integers(1, min(small, 3) + 1)),) * 2
            groups = int(rng.choice([g for g in (1, 2, 3, 4) if network.x.shape[2] % g == 0]))
            network.conv(groups * int(rng.integers(1, 9)), size, groups=groups)
    elif kind in COPIES:
        COPIES[kind](network)
    elif kind in ("add", "sub", "mul"):
        alike = [name for name, value in network.values.items() if value.shape == network.x.shape]
        activation = str(rng.choice(["NONE", "RELU"]))
        network.join(kind, str(rng.choice(alike)), activation)
    elif kind == "table":
        network.table(str(rng.choice(["logistic", "relu", "leaky_relu"])))
    else:
        size = (int(rng.integers(1, min(small, 3) + 1)),) * 2
        network.pool(kind, size, padding=str(rng.choice(["SAME", "VALID"])))


def random_image(
    rng: np.random.Generator,
    config: Config,
    operators: int | Sequence[str] = 3,
    dense: bool = True,
    most: int = 9,
    contract: str | None = None,
) -> Image:
    """A random network of that many operators, or of these KINDS, then sometimes a fully connected one, with
    its input; in the arithmetic of that contract, or of any.

    most: rows and columns of the input at most; channels go up to four times that.
    """
    network = start(rng, most=most, channels=2 * most)
    first = network.x
    kinds: Sequence[str]
    if isinstance(operators, int):
        kinds = rng.choice(list(KINDS), operators, p=WEIGHTS).tolist()
    else:
        kinds = operators
    for kind in kinds:
        _grow(network, rng, 4 * most, kind)
    if dense and rng.integers(2):
        network.flatten()
        network.dense(int(rng.integers(1, 20)))
    contract = contract or str(rng.choice(CONTRACTS))
    compiled = compile_network(replace(read_network(network.finish()), contract=contract), config)
    dram = compiled.dram.copy()
    # What nobody writes is noise, so that a read of it shows.
    area = dram[compiled.image_base :]
    area[:] = rng.integers(0, 256, area.size)
    compiled.write_input(dram, 0, first)
    values = network.values
    if contract != "tflite":
        after = dram.copy()
        Machine(config).run(after, *compiled.programs[0])
        values = {name: compiled.read_tensor(after, 0, name) for name in compiled.tensors}
    return Image(compiled, dram, values)
