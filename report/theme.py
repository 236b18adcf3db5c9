"""Colours, and figures that are readable on paper (PNG) and on a light or dark page (SVG)."""

from __future__ import annotations

import io
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.tools import BUILD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#1b1f24"
# Drawn in INK, shown in the page's own colour.
PAGE_INK = "currentColor"
PAPER = "#ffffff"
GRID = "#8c959f"

# Okabe and Ito's colours, told apart with any kind of colour vision, and greys; readable on white and black.
WORKS = "#0072b2"
POOLS = "#009e73"
WAITS_DATA = "#e69f00"
WAITS_WEIGHTS = "#cc79a7"
WAITS_STORE = "#d55e00"
WAITS_TOKEN = "#c9b8e8"
DRAINS = "#56b4e9"
FILLS = "#8c959f"

DPI = 130


def figure(width: float, height: float) -> Figure:
    """An empty figure, inches."""
    # matplotlib keeps a list of fonts; with the build, so that a fresh clone has no say in it.
    os.environ.setdefault("MPLCONFIGDIR", str(BUILD / ".matplotlib"))
    # Here, because it takes half a second and most commands draw nothing.
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "svg.fonttype": "none",
            "svg.hashsalt": "assay",
            "text.color": INK,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    return Figure(figsize=(width, height), layout="constrained")


def write_png(drawn: Figure, path: Path) -> None:
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".png", delete=False) as file:
        drawn.savefig(file, format="png", dpi=DPI, facecolor=PAPER)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def svg(drawn: Figure) -> str:
    """The figure as an element of a page, in the page's colours."""
    text = io.StringIO()
    drawn.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = text.getvalue()
    body = body[body.index("<svg") :].replace(INK, PAGE_INK)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.S)
    # Sized by the page.
    head, _, rest = body.partition(">")
    return re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest
