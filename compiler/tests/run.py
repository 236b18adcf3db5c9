"""Compiles a network, runs it on the reference machine and compares every tensor."""

from __future__ import annotations

import numpy as np

from compiler.network import Compiled, compile_network
from compiler.tests.random_networks import RandomNetwork
from compiler.tflite import read_contract
from models.config import Config
from models.machine import Machine
from models.trace import Trace


def run_machine(
    network: RandomNetwork, config: Config, optimise: bool = True
) -> tuple[Compiled, Trace, np.ndarray]:
    """(compiled, trace, DRAM after the run). DRAM outside the image is filled with noise first."""
    graph = read_contract(network.finish(), network.contract)
    compiled = compile_network(graph, config, optimise=optimise)
    dram = compiled.dram.copy()
    area = dram[compiled.image_base :]
    area[:] = np.random.default_rng(1).integers(0, 256, area.size)
    compiled.write_input(dram, 0, network.values["x"])
    trace = Machine(config).run(dram, *compiled.programs[0])
    return compiled, trace, dram


def assert_right(network: RandomNetwork, config: Config, optimise: bool = True) -> np.ndarray:
    """Every tensor equals the operator models'; the program needs no deep queues. Returns the output."""
    compiled, trace, dram = run_machine(network, config, optimise)
    assert trace.stop is None and trace.in_program_order
    for name, expected in network.values.items():
        # Of a folded input, what no tap reads is not there.
        if name in compiled.fused or compiled.tensors[name].fold is not None:
            continue
        got = compiled.read_tensor(dram, 0, name)
        wrong = int(np.count_nonzero(got.reshape(expected.shape) != expected))
        assert wrong == 0, f"{name}: {wrong} of {expected.size} values differ"
    return compiled.read_tensor(dram, 0, compiled.outputs[0])
