"""The roofline plot: how close each layer comes to the array's speed and to the bus's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from report.theme import GRID, INK, POOLS, WAITS_DATA, WAITS_STORE, WORKS, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOW = 0.85  # of its roof: a layer below is named
NAMED = 10  # layers at most
COLOURS = {"conv": WORKS, "depthwise": POOLS, "dense": WAITS_STORE, "other": WAITS_DATA}


@dataclass(frozen=True)
class Point:
    """A layer. intensity: multiplications per byte that it moves on the busier of the two data channels (read
    or write), so that the bus's roof is n bytes a cycle. rate: multiplications a cycle."""

    name: str
    kind: str
    intensity: float
    rate: float
    cycles: float

    def share(self, n: int) -> float:
        """Of what the lower roof allows."""
        return self.rate / min(n * n, n * self.intensity)


def points(layers: Sequence[Mapping[str, Any]], images: int) -> list[Point]:
    """The layers of a summary that multiply. Its cycles are of one image, its bytes of all of them."""
    found = []
    for layer in layers:
        moved = max(layer["bytes_read"], layer["bytes_written"]) / images
        if layer["macs"] and layer["cycles"] and moved:
            rate = layer["macs"] / layer["cycles"]
            name, kind = layer["name"], _kind(layer["op"])
            found.append(Point(name, kind, layer["macs"] / moved, rate, layer["cycles"]))
    return found


def _kind(op: str) -> str:
    lower = op.lower()
    if "depthwise" in lower:
        return "depthwise"
    if "conv" in lower:
        return "conv"
    return "dense" if "fully" in lower or "gemm" in lower or "matmul" in lower else "other"


def outliers(found: Sequence[Point], n: int) -> list[Point]:
    """The layers to name: below LOW of their roof, those first that lose the most cycles."""
    low = [point for point in found if point.share(n) < LOW]
    return sorted(low, key=lambda point: (1 - point.share(n)) * point.cycles, reverse=True)[:NAMED]


def draw(found: Sequence[Point], n: int, title: str) -> Figure:
    """The plot. n: of the array; the bus has n bytes. A dot's area is the layer's share of the cycles."""
    drawn = figure(8.5, 5.2)
    axes = drawn.add_subplot()
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    ridge = float(n)  # where the roofs meet
    left = min([ridge / 4, *(point.intensity for point in found)]) / 2
    right = max([ridge * 16, *(point.intensity for point in found)]) * 2
    bottom = min([n * n / 64, *(point.rate for point in found)]) / 2
    top = n * n * 2.2
    x = np.array([max(left, bottom / n), ridge, right])
    axes.plot(x, np.minimum(x * n, n * n), color=INK, linewidth=1.4, zorder=2)
    axes.annotate(
        f"array: {n * n} MACs a cycle", (right, n * n), (-4, 4), textcoords="offset points", ha="right"
    )
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    total = sum(point.cycles for point in found) or 1.0
    for kind, colour in COLOURS.items():
        mine = [point for point in found if point.kind == kind]
        if mine:
            area = [_area(point, total) for point in mine]
            xy = ([point.intensity for point in mine], [point.rate for point in mine])
            axes.scatter(*xy, s=area, color=colour, alpha=0.65, linewidths=0, zorder=3, label=kind)
    _name(axes, outliers(found, n), n, total)
    _bus_label(axes, n, x[0], ridge)
    axes.grid(True, color=GRID, alpha=0.25, linewidth=0.6)
    axes.set_xlabel("MACs per byte of DRAM traffic, on the busier of the read and the write channel")
    axes.set_ylabel("MACs a cycle")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_title(title, loc="left", fontsize=10)
    if found:
        legend = axes.legend(loc="lower right", frameon=False, markerscale=1, title="area: cycles")
        for handle in legend.legend_handles:
            handle.set_sizes([40])  # type: ignore[union-attr]
    return drawn


def _bus_label(axes: Any, n: int, left: float, ridge: float) -> None:
    """Along the roof of the bus."""
    middle = float(np.sqrt(left * ridge))
    axes.annotate(
        f"bus: {n} bytes a cycle",
        (middle, middle * n),
        (-3, 5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        rotation=_angle(axes, n, middle),
        rotation_mode="anchor",
    )


def _angle(axes: Any, n: int, x: float) -> float:
    """Of the bus's roof on the page, degrees."""
    (x0, y0), (x1, y1) = axes.transData.transform([(x, x * n), (2 * x, 2 * x * n)])
    return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


def _area(point: Point, total: float) -> float:
    """Of a dot, square points."""
    return 14 + 900 * point.cycles / total


def _name(axes: Any, named: Sequence[Point], n: int, total: float) -> None:
    """Names beside the dots; those that would cover one another are moved down."""
    taken: list[tuple[float, float]] = []
    for point in sorted(named, key=lambda p: -p.rate):
        x, y = axes.transData.transform((point.intensity, point.rate))
        down = 0.0
        while any(abs(x - a) < 110 and abs(y + down - b) < 11 for a, b in taken):
            down -= 6
        taken.append((x, y + down))
        axes.annotate(
            f"{point.name} {point.share(n):.0%}",
            (point.intensity, point.rate),
            (3 + np.sqrt(_area(point, total)) / 2, down - 3),
            textcoords="offset points",
            fontsize=8,
            zorder=4,
        )
