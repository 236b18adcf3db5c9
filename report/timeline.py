"""The timeline: what each unit did, over the cycles of a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from report import theme
from report.theme import INK, figure
from tb.chip.activity import STATES, Activity
from tb.chip.host import ACCOUNT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 1000  # of a picture
ROW = 40  # pixels of a unit's row, before scaling
MANY = 12  # layers from which a picture also shows a part of them
AROUND = 1  # layers shown on each side of the one that loses most
NAME = 0.016  # of the width: the room that a slanted name needs
SHORT = 18  # characters of a name

# What the colours say, of any unit.
MEANINGS = {
    theme.WORKS: "works",
    theme.POOLS: "pool works",
    theme.WAITS_DATA: "waits for data",
    theme.WAITS_WEIGHTS: "waits for weights",
    theme.WAITS_STORE: "waits for store",
    theme.WAITS_TOKEN: "waits for a token",
    theme.DRAINS: "drains",
    theme.FILLS: "fills",
}
_ACCOUNT = dict(zip(ACCOUNT, MEANINGS, strict=True))
_ACCOUNT |= {
    "load": theme.WAITS_DATA,
    "weights": theme.WAITS_WEIGHTS,
    "store": theme.WAITS_STORE,
    "token": theme.WAITS_TOKEN,
}
_ENGINE = {
    "moves data": theme.WORKS,
    "waits for memory": theme.WAITS_DATA,
    "waits for a token": theme.WAITS_TOKEN,
}
COLOURS = {
    "load": _ENGINE,
    "conv, pool": _ACCOUNT,
    "post": {"busy": theme.WORKS, "waits for store": theme.WAITS_STORE},
    "store": _ENGINE,
}


@dataclass(frozen=True)
class Span:
    """A layer: cycles [start, end) of the program."""

    name: str
    start: float
    end: float


def spans(layers: Sequence[Mapping[str, Any]]) -> list[Span]:
    """The layers of a summary, one after the other. Empty if they have no cycles of their own."""
    ends = np.cumsum([layer["cycles"] for layer in layers])
    if not len(ends) or not ends[-1]:
        return []
    starts = [0.0, *ends[:-1].tolist()]
    return [
        Span(layer["name"], start, end)
        for layer, start, end in zip(layers, starts, ends.tolist(), strict=True)
    ]


def shares(activity: Activity, first: float, last: float, columns: int) -> dict[str, NDArray[np.float64]]:
    """Of each unit, which share of each column's cycles [first, last) went to each of its STATES: float
    [states, columns]. Windows that a column cuts count in proportion."""
    edges = np.linspace(first, last, columns + 1)
    width = max((last - first) / columns, 1e-9)
    found = {}
    for unit, states in STATES.items():
        rows = []
        for state in states:
            total = np.concatenate([[0.0], np.cumsum(activity.cycles[unit][state], dtype=np.float64)])
            rows.append(np.diff(np.interp(edges, activity.edges, total)) / width)
        found[unit] = np.array(rows)
    return found


def worst(layers: Sequence[Mapping[str, Any]]) -> range:
    """Numbers of the layers around the one that loses most cycles."""
    lost = [layer["cycles"] - layer["account"]["busy"] - layer["account"]["pool"] for layer in layers]
    middle = int(np.argmax(lost))
    return range(max(middle - AROUND, 0), min(middle + AROUND + 1, len(layers)))


def draw(activity: Activity, layers: Sequence[Span], title: str, zoom: range | None = None) -> Figure:
    """A row per unit over the whole program and, below, over the layers `zoom` (numbers)."""
    end = float(activity.edges[-1])
    parts = [(0.0, end, title)]
    if zoom:
        first, last = layers[zoom.start], layers[zoom.stop - 1]
        text = first.name if first is last else f"{_short(first.name)} to {_short(last.name)}"
        parts.append((first.start, last.end, text))
    drawn = figure(13, 3.1 * len(parts) + 0.5)
    rows = drawn.subplots(len(parts), 1, squeeze=False)
    for axes, (start, stop, text) in zip(rows[:, 0], parts, strict=True):
        _panel(axes, activity, layers, start, stop, text)
    _legend(drawn)
    return drawn


def _panel(
    axes: Any, activity: Activity, layers: Sequence[Span], start: float, stop: float, title: str
) -> None:
    found = shares(activity, start, stop, COLUMNS)
    units = list(STATES)
    gap = 0.18
    for place, unit in enumerate(units):
        top = len(units) - place
        picture = _picture(found[unit], [COLOURS[unit][state] for state in STATES[unit]])
        axes.imshow(
            picture,
            extent=(start, stop, top - 1 + gap / 2, top - gap / 2),
            aspect="auto",
            interpolation="nearest",
            origin="lower",
        )
    axes.set_xlim(start, stop)
    axes.set_ylim(0, len(units))
    axes.set_yticks([len(units) - place - 0.5 for place in range(len(units))], units)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("cycle")
    axes.set_title(title, loc="left", fontsize=10)
    for layer in layers:
        if start < layer.start < stop:
            axes.axvline(layer.start, color=INK, linewidth=0.5, alpha=0.55)
    named = _named(layers, start, stop)
    places = [_middle(layer, start, stop) for layer in named]
    above = axes.secondary_xaxis("top")
    above.set_xticks(places, [_short(layer.name) for layer in named], fontsize=7, rotation=35, ha="left")
    above.tick_params(length=0, pad=1)
    above.spines["top"].set_visible(False)


def _middle(layer: Span, start: float, stop: float) -> float:
    """Of the part of a layer that is shown."""
    return (max(layer.start, start) + min(layer.end, stop)) / 2


def _named(layers: Sequence[Span], start: float, stop: float) -> list[Span]:
    """The layers whose names have room side by side; the longest choose first."""
    shown = [layer for layer in layers if layer.start < stop and layer.end > start]
    chosen: list[Span] = []
    for layer in sorted(shown, key=lambda layer: max(layer.start, start) - min(layer.end, stop)):
        middle = _middle(layer, start, stop)
        if all(abs(middle - _middle(other, start, stop)) >= NAME * (stop - start) for other in chosen):
            chosen.append(layer)
    return chosen


def _short(name: str) -> str:
    """The end of a long name, which tells layers apart."""
    return name if len(name) <= SHORT else "…" + name[1 - SHORT :]


def _picture(rows: NDArray[np.float64], colours: Sequence[str]) -> NDArray[np.float32]:
    """RGBA [ROW, columns, 4]: the states of each column stacked from below; what is left is transparent."""
    picture = np.zeros((ROW, rows.shape[1], 4), np.float32)
    ends = np.rint(np.cumsum(rows, axis=0) * ROW)
    level = np.arange(ROW)[:, None]
    below = np.zeros(rows.shape[1])
    for end, colour in zip(ends, colours, strict=True):
        rgb = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        picture[(level >= below) & (level < end)] = [*rgb, 1.0]
        below = end
    return picture


def _legend(drawn: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=meaning) for colour, meaning in MEANINGS.items()]
    drawn.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
