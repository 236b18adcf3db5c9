"""What `make bench` holds its figures to: a figure that misses its bound fails the run.

Counts and cycles do not depend on the machine. The figures of time that are held are a ratio of two runs side
by side, a wall time with more than twice its usual length to spare, and how long someone waits for the tests
of the slowest block. All other times are reported only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CYCLES = 17_200_000
UTILISATION = {16: 0.93, 32: 0.85}
STEM, WINDOWED = 0.60, 0.93  # utilisation of ResNet-50's first layer and of all other convolutions
PREDICTION = 0.05  # of a layer's cycles
SPEED_RATIO = 0.8
WALL = 60.0  # seconds
COLD, WARM = 20.0, 3.0  # seconds of make sim BLOCK=x


@dataclass(frozen=True)
class Goal:
    """A figure and what it must not exceed, or must reach when `least`."""

    name: str
    value: float
    bound: float
    least: bool = False

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    def row(self) -> list[str]:
        """For a table: name, value, bound, whether it is met."""
        sign = ">=" if self.least else "<="
        return [self.name, f"{self.value:,.4g}", f"{sign} {self.bound:,.4g}", "yes" if self.met else "NO"]


def furthest(entry: Mapping[str, Any]) -> tuple[str, float]:
    """The layer of a network's entry whose cycles are furthest from the roofline's, and how far."""
    off = {layer["name"]: abs(layer["cycles"] / layer["predicted_cycles"] - 1) for layer in entry["layers"]}
    name = max(off, key=lambda layer: off[layer])
    return name, off[name]


def goals(summary: Mapping[str, Any], networks: Mapping[str, Mapping[str, Any]]) -> list[Goal]:
    """All that a summary is held to. networks: its entries of whole networks, by key."""
    found = [
        Goal("mismatches with the reference machine", summary["mismatches"], 0),
        Goal("speed_ratio", summary["speed_ratio"], SPEED_RATIO, least=True),
        Goal(f"make sim BLOCK={summary['block_cold']}, cold, s", summary["block_cold_s"], COLD),
        Goal(f"make sim BLOCK={summary['block_warm']}, warm, s", summary["block_warm_s"], WARM),
    ]
    for key, entry in networks.items():
        found += _network(key, entry)
    return found


def _network(key: str, entry: Mapping[str, Any]) -> Iterator[Goal]:
    yield Goal(f"{key}: bursts compared", entry["bursts"], 1, least=True)
    if entry["runtime"]:
        yield Goal(f"{key}: values compared with {entry['runtime']}", entry["runtime_values"], 1, least=True)
        yield Goal(f"{key}: of these different without a proof", entry["runtime_failures"], 0)
    name, off = furthest(entry)
    yield Goal(f"{key}: furthest from its prediction, {name}", off, PREDICTION)
    if not key.startswith("resnet50"):
        return
    yield Goal(f"{key}: utilisation", entry["utilisation"], UTILISATION[entry["n"]], least=True)
    if entry["n"] != 16:
        return
    yield Goal(f"{key}: cycles", entry["cycles"], CYCLES)
    yield Goal(f"{key}: wall_s", entry["wall_s"], WALL)
    windows = [layer for layer in entry["layers"] if layer["op"].startswith(("CONV_2D", "Conv"))]
    stem, *others = windows
    yield Goal(f"{key}: utilisation of {stem['name']}", stem["utilisation"], STEM, least=True)
    least = min(others, key=lambda layer: layer["utilisation"])
    yield Goal(f"{key}: least utilisation, {least['name']}", least["utilisation"], WINDOWED, least=True)
