"""One network, compiled, run on the RTL with every check on, and what is said about it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import roofline
from bench.networks import Network
from compiler.network import Compiled, LayerInfo, compile_network
from models.config import Config
from scripts.tools import BUILD
from tb.chip import job, report
from tb.chip.host import ACCOUNT
from tb.chip.job import Result
from tb.chip.subject_onnx import OnnxSubject
from tb.chip.subject_tflite import TfliteSubject
from tb.chip.verdict import Verdict

# One build of the chip serves all networks: its memory holds the largest.
MEMORY = 64 << 20  # bytes
NAME = "bench"


@dataclass(frozen=True)
class Measured:
    """A network's run. wall: seconds of everything from the network's file to its result, without the build
    of the chip and without the runtime. machine: DRAM as the reference machine left it. verdict: of the
    runtime called so on the tensors that the RTL wrote, if it was asked."""

    network: Network
    compiled: Compiled
    result: Result
    wall: float
    machine: NDArray[np.uint8]
    runtime: str = ""
    verdict: Verdict | None = None

    @property
    def label(self) -> str:
        """Name of the folder with what is written about it."""
        return label(self.network, self.compiled.config)

    @property
    def macs(self) -> int:
        """Multiplications of one image."""
        return sum(layer.macs for layer in self.compiled.layers)

    @cached_property
    def predicted(self) -> list[int]:
        """Cycles of each layer by the roofline."""
        return roofline.predict(self.compiled)

    @property
    def cycles(self) -> float:
        """Of one image."""
        return self.result.cycles / self.result.images

    @property
    def simulated(self) -> float:
        """Seconds of one image's simulation, its calls into Python included."""
        return self.result.seconds["simulation"] / self.result.images

    @property
    def checked(self) -> float:
        """Seconds of one image from the program's start until the last byte is compared."""
        parts = sum(self.result.seconds[part] for part in ("simulation", "log", "machine", "score"))
        return parts / self.result.images

    def entry(self) -> dict[str, Any]:
        """For the summary."""
        n = self.compiled.config.n
        return {
            "cycles": self.cycles,
            "utilisation": report.utilisation(self.macs, self.cycles, n),
            "wall_s": self.wall,
            "mismatches": self.result.mismatches,
            "bursts": self.result.bursts,
            "predicted_cycles": sum(self.predicted),
            "gmac": self.macs / 1e9,
            "n": n,
            "contract": self.compiled.graph.contract,
            **self.judged(),
            "seconds": self.result.seconds,
            "account": {name: self.result.counters[name] for name in ACCOUNT},
            "counters": self.result.counters,
            "layers": self.layers(),
            **self.spread(),
        }

    def judged(self) -> dict[str, Any]:
        """What the runtime says: values compared, those that differ, and those of them that its own
        arithmetic does not explain. None where it was not asked."""
        verdict = self.verdict
        return {
            "runtime": self.runtime,
            "runtime_values": verdict and verdict.values,
            "runtime_mismatches": verdict and verdict.mismatches,
            "runtime_failures": verdict and verdict.failures,
        }

    def layers(self) -> list[dict[str, Any]]:
        """An entry per layer, with the cycles that the roofline predicts."""
        images, n = self.result.images, self.compiled.config.n
        return [
            {**report.layer_entry(layer, images, n), "predicted_cycles": cycles}
            for layer, cycles in zip(self.result.layers, self.predicted, strict=True)
        ]

    def spread(self) -> dict[str, list[float]]:
        """Smallest and largest over the layers: share of values at an end of int8 that is not zero, share of
        zeros, standard deviation."""
        rows = np.array([self._values(layer) for layer in self.compiled.layers])
        names = ("saturated", "zeros", "deviation")
        ends = zip(rows.min(axis=0).tolist(), rows.max(axis=0).tolist(), strict=True)
        return {name: list(pair) for name, pair in zip(names, ends, strict=True)}

    def _values(self, layer: LayerInfo) -> tuple[float, float, float]:
        value = self.compiled.read_tensor(self.machine, 0, layer.target)
        zero = value == self.compiled.graph.tensors[layer.target].zero_point
        ends = ((value == 127) | (value == -128)) & ~zero
        return float(ends.mean()), float(zero.mean()), float(value.std())


def label(network: Network, config: Config) -> str:
    """A folder's name for a network on an array of this size."""
    return re.sub(r"[^\w.-]+", "_", f"{network.name}_n{config.n}")


def macs(network: Network, config: Config) -> int:
    """Multiplications of one run of a network."""
    return sum(layer.macs for layer in compile_network(network.model, config).layers)


def subject(network: Network) -> TfliteSubject | OnnxSubject:
    """The network with its runtime, as `make net` has it."""
    if network.model[4:8] == b"TFL3":
        return TfliteSubject(network.model, "tflite", "integer")
    return OnnxSubject(network.model)


def measure(
    network: Network, config: Config, seed: int, images: int = 1, *, ask_runtime: bool = False
) -> Measured:
    """Compile and run `images` times the network's input. The chip is built if need be, outside of `wall`.

    ask_runtime: compare every tensor with LiteRT's or ONNX Runtime's, too, outside of `wall`.
    Raises JobFailed if the simulation broke off, UserError if the chip does not build.
    """
    job.chip(NAME, config, MEMORY // config.n, "verilator")
    start = time.monotonic()
    judge = subject(network)
    compiled = compile_network(judge.core, config, images)
    started = isinstance(judge, OnnxSubject)  # ONNX Runtime quantises the input
    if started:
        judge.start()
    given = [dict.fromkeys(judge.border.inputs, network.input)] * images
    fed = judge.core_inputs(compiled, given)
    result, memory = job.run(NAME, compiled, fed, "verilator", seed, least_words=MEMORY // config.n)
    wall = time.monotonic() - start
    # Now: the next run takes the place of this one's logs.
    report.print_first_mismatch(result, BUILD / NAME / label(network, config), f"make bench SEED={seed}")
    verdict = None
    if ask_runtime:
        if not started:
            judge.start()
        verdict = judge.compare(compiled, given, memory["rtl"])
    runtime = judge.runtime if ask_runtime else ""
    return Measured(network, compiled, result, wall, memory["machine"], runtime, verdict)
