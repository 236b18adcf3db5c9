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
NEAR = 0.3  # octaves: layers that share a name
NAMED = 10  # names at most
NAME_SIZE = 8  # points
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


def outliers(found: Sequence[Point], n: int) -> list[list[Point]]:
    """The layers to name, below LOW of their roof, in groups that lie close together. In a group and among
    them, those first that lose the most cycles."""
    low = [point for point in found if point.share(n) < LOW]
    groups: list[list[Point]] = []
    for point in sorted(low, key=lambda point: (1 - point.share(n)) * point.cycles, reverse=True):
        near = (group for group in groups if _distance(group[0], point) < NEAR)
        group = next(near, None)
        if group is None:
            groups.append([point])
        else:
            group.append(point)
    return groups[:NAMED]


def _distance(a: Point, b: Point) -> float:
    """In octaves, the larger of the two directions."""
    return float(max(abs(np.log2(a.intensity / b.intensity)), abs(np.log2(a.rate / b.rate))))


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


def _name(axes: Any, groups: Sequence[Sequence[Point]], n: int, total: float) -> None:
    """Names beside the dots; one that would cover another is moved down."""
    taken: list[tuple[float, float, float]] = []  # left, right, height, in points
    for group in sorted(groups, key=lambda group: -group[0].rate):
        point, others = group[0], len(group) - 1
        text = f"{point.name} {point.share(n):.0%}" + (f" and {others} like it" if others else "")
        x, y = axes.transData.transform((point.intensity, point.rate)) * 72 / axes.figure.dpi
        aside = 3 + np.sqrt(_area(point, total)) / 2
        left, right = x + aside, x + aside + len(text) * NAME_SIZE * 0.55
        down = 0.0
        while any(left < b and a < right and abs(y + down - c) < NAME_SIZE + 1 for a, b, c in taken):
            down -= NAME_SIZE / 2
        taken.append((left, right, y + down))
        axes.annotate(
            text,
            (point.intensity, point.rate),
            (aside, down - 3),
            textcoords="offset points",
            fontsize=NAME_SIZE,
            zorder=4,
        )
