"""The pictures and the page of one run, into its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from report import page, roofline, theme, timeline
from tb.chip.activity import Activity

ACTIVITY = "activity.npz"
PAGE = "index.html"


def write(
    folder: Path,
    summary: Mapping[str, Any],
    activity: Activity | None,
    part: range | None = None,
    more: str = "",
) -> Path:
    """roofline.png, timeline.png, activity.npz and index.html; returns the path of the last.

    summary: of the run, with the keys of tb/chip/report.py's common() and its layer_entry. part: numbers of
    the layers that the picture of the timeline shows again, larger; None for those around the worst. more:
    HTML for the end of the page. Raises ValueError if `part` has layers that the run does not have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layers, images, n, title = (summary[name] for name in ("layers", "images", "n", "title"))
    if part is not None and not 0 <= part.start < part.stop <= len(layers):
        raise ValueError(f"layers {part.start} to {part.stop - 1}: the run has 0 to {len(layers) - 1}")
    found = roofline.points(layers, images)
    roof = roofline.draw(found, n, f"{title}: {len(found)} layers that multiply")
    theme.write_png(roof, folder / "roofline.png")
    files = {"roofline.png": "roofline.png", "summary.json": "summary.json"}
    parts = [page.verdict(summary), "<h2>Layers</h2>", page.keys(), page.layer_table(layers, images, n)]
    parts += ["<h2>Roofline</h2>", page.roofline(roof)]
    spans = timeline.spans(layers)
    if activity and spans:
        activity.save(folder / ACTIVITY)
        if part is None and len(layers) >= timeline.MANY:
            part = timeline.worst(layers)
        text = title if images == 1 else f"{title}, the first of {images} images"
        theme.write_png(timeline.draw(activity, spans, text, part), folder / "timeline.png")
        files["timeline.png"] = "timeline.png"
        parts += ["<h2>Timeline</h2>", page.keys(), page.timeline(activity, spans)]
    parts += [more, page.links(files)]
    draft = folder / (PAGE + ".new")
    draft.write_text(page.frame(title, *parts))
    os.replace(draft, folder / PAGE)
    return folder / PAGE
