"""One self-contained page of a run: pieces of HTML, each from data alone, and the frame around them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from report.theme import svg
from report.timeline import COLOURS, MEANINGS, Span
from tb.chip.activity import STATES, Activity
from tb.chip.host import ACCOUNT

_HERE = Path(__file__).parent


def frame(title: str, *parts: str) -> str:
    """A whole page."""
    style = (_HERE / "page.css").read_text()
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}</style></head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def verdict(summary: Mapping[str, Any]) -> str:
    """What was compared, and the command that does it again."""
    wrong = summary["mismatches"] + (summary.get("runtime_mismatches") or 0)
    word = f'<b class="bad">{wrong:,} mismatches</b>' if wrong else '<b class="good">0 mismatches</b>'
    parts = [word, f"{summary['bursts']:,} bursts compared"]
    if summary.get("runtime"):
        parts.append(f"against {escape(summary['runtime'])}")
    if summary.get("accuracy") is not None:
        parts.append(f"accuracy {summary['accuracy']:.2%}")
    again = f"<pre>{escape(summary['repeat'])}</pre>" if "repeat" in summary else ""
    return f"<p>{', '.join(parts)}</p>{again}"


def keys() -> str:
    """The meaning of the colours."""
    rows = [f'<span><i style="background:{colour}"></i>{text}</span>' for colour, text in MEANINGS.items()]
    return f'<p class="keys">{"".join(rows)}</p>'


def layer_table(layers: Sequence[Mapping[str, Any]], images: int, n: int) -> str:
    """A row per layer. images: of the run, whose bytes are sums; n: of the array."""
    predicted = any("predicted_cycles" in layer for layer in layers)
    rows = [_row(layer, images, predicted) for layer in layers]
    total: dict[str, Any] = {"name": "whole network", "op": ""}
    for name in ("macs", "cycles", "bytes_read", "bytes_written", "mismatches", "predicted_cycles"):
        total[name] = sum(layer.get(name) or 0 for layer in layers)
    total["account"] = {name: sum(layer["account"][name] for layer in layers) for name in ACCOUNT}
    total["utilisation"] = total["macs"] / (n * n * total["cycles"]) if total["cycles"] else 0.0
    rows.append(_row(total, images, predicted).replace("<tr>", '<tr class="total">', 1))
    titles = ["MACs", *(["predicted"] if predicted else []), "cycles", "utilisation"]
    head = '<th class="word">layer</th><th class="word">operator</th>'
    head += "".join(f"<th>{title}</th>" for title in titles) + '<th class="word">its cycles</th>'
    head += "".join(f"<th>{title}</th>" for title in ("bytes read", "written", "mismatches"))
    return f'<div class="wide"><table><tr>{head}</tr>\n' + "\n".join(rows) + "</table></div>"


def _row(layer: Mapping[str, Any], images: int, predicted: bool) -> str:
    cells = [f"{layer['macs']:,}"]
    cells += [f"{layer.get('predicted_cycles') or 0:,.0f}"] if predicted else []
    cells += [f"{layer['cycles']:,.0f}", f"{layer['utilisation']:.1%}" if layer["macs"] else "–"]
    wrong = f'<td class="bad">{layer["mismatches"]:,}</td>' if layer["mismatches"] else "<td>0</td>"
    return (
        f'<tr><td class="word">{escape(layer["name"])}</td><td class="word">{escape(layer["op"])}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + account_bar(layer["account"])
        + "".join(f"<td>{layer[name] // images:,}</td>" for name in ("bytes_read", "bytes_written"))
        + f"{wrong}</tr>"
    )


def account_bar(account: Mapping[str, float]) -> str:
    """An account as a cell with a bar."""
    cycles = sum(account.values())
    parts = []
    for name in ACCOUNT:
        share = account[name] / cycles if cycles else 0.0
        if share >= 0.001:
            colour = COLOURS["conv, pool"][name]
            parts.append(f'<i style="width:{share:.2%};background:{colour}" title="{name} {share:.1%}"></i>')
    return f'<td class="bar"><div>{"".join(parts)}</div></td>'


def roofline(drawn: Any) -> str:
    """report.roofline.draw()'s figure."""
    return f'<div class="roofline">{svg(drawn)}</div>'


def timeline(activity: Activity, layers: Sequence[Span]) -> str:
    """The timeline, to be looked at closer by mouse or by layer."""
    length = np.diff(activity.edges)
    units = []
    for unit, states in STATES.items():
        rows = []
        for state in states:
            share = np.rint(activity.cycles[unit][state] * 255 / length).astype(np.uint8)
            text = base64.b64encode(share.tobytes()).decode()
            rows.append({"colour": COLOURS[unit][state], "share": text})
        units.append({"name": unit, "states": rows})
    data = {
        "edges": activity.edges.tolist(),
        "units": units,
        "layers": [{"name": layer.name, "start": layer.start, "end": layer.end} for layer in layers],
    }
    raw = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    script = (_HERE / "timeline.js").read_text()
    return (
        '<div class="timeline"><div class="bar"><label>from <select class="from"></select></label>'
        '<label>to <select class="to"></select></label><button>all</button><output></output></div>'
        '<canvas aria-label="timeline of the units"></canvas>\n'
        f"<script>\n{script}\ntimeline(document.currentScript.parentElement, {raw});\n</script></div>"
    )


def links(files: Mapping[str, str]) -> str:
    """A line of links, text by relative address."""
    return (
        "<p>"
        + " · ".join(f'<a href="{escape(to)}">{escape(text)}</a>' for to, text in files.items())
        + "</p>"
    )
