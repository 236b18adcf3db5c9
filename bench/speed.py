"""How fast a checked simulation is, beside the bare one, beside what others have, and as networks grow."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench import measure, networks, peer, raw, topology
from bench.measure import MEMORY, Measured
from bench.networks import Network
from compiler.network import compile_network
from models.config import Config
from scripts.tools import BUILD
from tb.chip import job

IMAGE = BUILD / "bench" / "image.bin"
# A network of fewer multiplications runs several times, so that what is measured is not the noise.
AT_LEAST = 0.25e9
# Input size, blocks of each stage.
SIZES = ((32, (3, 0, 0, 0)), (48, (3, 4, 0, 0)), (64, (3, 4, 0, 0)), (112, (3, 4, 6, 0)), (160, (3, 4, 6, 3)))
# The classifier's weights do not shrink with the image: a thousand classes would be most of the smallest.
CLASSES = 20


@dataclass(frozen=True)
class Speed:
    """Cycles of the core a second. raw: no Python, no VPI. simulated: the checked simulation, which logs,
    checks the AXI rules and serves Python. checked: until the last byte is compared. peer: with AxiRam, where
    peer_beats of data, a cycle, went over the bus."""

    raw_hz: float
    simulated_hz: float
    checked_hz: float
    peer_hz: float
    peer_beats: float

    @property
    def ratio(self) -> float:
        """Full-chip speed with every check on, over that without any."""
        return self.checked_hz / self.raw_hz

    def entry(self) -> dict[str, float]:
        """For the summary."""
        simulated = self.simulated_hz / self.raw_hz
        return {**asdict(self), "speed_ratio": self.ratio, "speed_ratio_simulation": simulated}


def side_by_side(network: Network, config: Config, seed: int) -> tuple[Speed, Measured]:
    """Run a network bare, checked, bare and checked, and some of it with the peer's memory. Of two runs the
    faster counts: what else the machine does slows one down, not both. Raises RuntimeError if they do not all
    take the same number of cycles, or compare alike."""
    parameters = job.chip(measure.NAME, config, MEMORY // config.n, "verilator").params
    print("  building the bare chip", flush=True)
    program = raw.build(parameters)
    compiled = compile_network(network.model, config)
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.input)
    IMAGE.parent.mkdir(parents=True, exist_ok=True)
    dram.tofile(IMAGE)
    first = raw.run(program, compiled, IMAGE, seed)
    print(f"  bare: {first.seconds:.1f} s", flush=True)
    checked = measure.measure(network, config, seed, ask_runtime=True)
    second = raw.run(program, compiled, IMAGE, seed)
    print(f"  bare: {second.seconds:.1f} s", flush=True)
    again = measure.measure(network, config, seed)
    if not first.cycles == second.cycles == checked.result.cycles == again.result.cycles:
        took = f"{checked.result.cycles} and {again.result.cycles}"
        counts = f"{first.cycles} and {second.cycles} cycles, the checked one {took}"
        raise RuntimeError(f"the bare chip took {counts}")
    if checked.result.mismatches != again.result.mismatches:
        raise RuntimeError(f"{again.result.mismatches} mismatches, and {checked.result.mismatches} before")
    best = first.cycles / min(first.seconds, second.seconds)
    core = {name: value for name, value in parameters.items() if name != "MEM_WORDS"}
    other = peer.measure(core, IMAGE, *compiled.programs[0], seed)
    cycles = checked.cycles
    simulated, whole = min(checked.simulated, again.simulated), min(checked.checked, again.checked)
    return Speed(best, cycles / simulated, cycles / whole, other.hz, other.beats), checked


def scaling(config: Config, seed: int, largest: Measured) -> tuple[list[dict[str, Any]], int]:
    """ResNets of growing size up to `largest`, which is not run again: entries of the summary, mismatches."""
    points, mismatches = [], 0
    for size in SIZES:
        network = networks.build(topology.resnet50(*size, classes=CLASSES), seed)
        macs = measure.macs(network, config)
        print(f"  {network.name}, {macs / 1e9:.3f} GMAC", flush=True)
        measured = measure.measure(network, config, seed, images=max(1, round(AT_LEAST / macs)))
        points.append(_point(measured))
        mismatches += measured.result.mismatches
    return [*points, _point(largest)], mismatches


def _point(measured: Measured) -> dict[str, Any]:
    gmac, wall = measured.macs / 1e9, measured.checked
    return {
        "name": measured.network.name,
        "gmac": gmac,
        "images": measured.result.images,
        "cycles": measured.cycles,
        "wall_s": wall,
        "s_per_gmac": wall / gmac,
        "s_per_mcycle": wall / measured.cycles * 1e6,
        "python_share": 1 - measured.simulated / wall,
    }
