"""Pictures and pages from made-up runs: what they show is what was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report import page, roofline, timeline
from report.__main__ import main
from report.run import write
from tb.chip.activity import STATES, Activity
from tb.chip.host import ACCOUNT

N = 16


def layer(
    name: str, cycles: int, macs: int, read: int, op: str = "CONV_2D", **account: int
) -> dict[str, Any]:
    """A layer of a summary; account: not given, all its cycles are busy."""
    return {
        "name": name,
        "op": op,
        "macs": macs,
        "cycles": cycles,
        "account": dict.fromkeys(ACCOUNT, 0) | (account or {"busy": cycles}),
        "utilisation": macs / (N * N * cycles),
        "bytes_read": read,
        "bytes_written": read // 4,
        "mismatches": 0,
    }


def summary(layers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    common = {"title": "a <network>", "n": N, "images": 1, "mismatches": 0, "bursts": 7, "repeat": "make it"}
    return {"layers": layers, **common, **more}


def activity(cycles: int, window: int = 16) -> Activity:
    """conv busy in the first half, waiting for load in the second; post in every second window."""
    edges = np.arange(0, cycles + 1, window, dtype=np.int64)
    count = len(edges) - 1
    none = np.zeros(count, np.float32)
    found = {unit: dict.fromkeys(states, none) for unit, states in STATES.items()}
    first = np.arange(count) < count // 2
    found["conv, pool"] |= {"busy": first.astype(np.float32) * window}
    found["conv, pool"] |= {"load": (~first).astype(np.float32) * window}
    found["post"] |= {"busy": (np.arange(count) % 2).astype(np.float32) * window}
    return Activity(edges, found)


def test_a_layer_at_a_roof_is_no_outlier_and_a_slow_one_is() -> None:
    full = layer("full", 1000, 256_000, 4000)
    bus = layer("bus", 1000, 16_000, 16_000)
    slow = layer("slow", 1000, 64_000, 4000)
    found = roofline.points([full, bus, slow, layer("pool", 10, 0, 100)], 1)
    assert [point.share(N) for point in found] == pytest.approx([1, 1, 0.25])
    assert [[point.name for point in group] for group in roofline.outliers(found, N)] == [["slow"]]
    assert "slow 25%" in page.roofline(roofline.draw(found, N, "title"))


def test_layers_that_lie_together_share_a_name() -> None:
    layers = [layer(f"l{k}", 1000 + k, 25_600, 4000) for k in range(30)]
    groups = roofline.outliers(roofline.points(layers, 1), N)
    assert [len(group) for group in groups] == [30] and groups[0][0].name == "l29"


def test_bytes_are_of_all_images_and_the_busier_channel_counts() -> None:
    one = layer("one", 1000, 64_000, 16_000)
    assert roofline.points([one], 2)[0].intensity == 8
    assert roofline.points([one | {"bytes_written": 64_000}], 2)[0].intensity == 2


def test_shares_keep_every_cycle() -> None:
    data = activity(1600)
    for columns in (7, 100, 1000):
        found = timeline.shares(data, 0, 1600, columns)
        busy, waits = (found["conv, pool"][ACCOUNT.index(name)] for name in ("busy", "load"))
        assert busy.sum() / columns == pytest.approx(0.5) and waits.sum() / columns == pytest.approx(0.5)
        assert found["post"][0].sum() / columns == pytest.approx(0.5)
    assert timeline.shares(data, 800, 1600, 10)["conv, pool"][ACCOUNT.index("load")] == pytest.approx(1)


def test_a_picture_of_idle_is_empty_and_of_work_full() -> None:
    rows = np.array([[1.0, 0.5, 0.0]])
    alpha = timeline._picture(rows, ["#0072b2"])[..., 3]
    assert alpha.mean(axis=0) == pytest.approx([1, 0.5, 0])


def test_the_worst_layer_is_the_one_that_loses_most_cycles() -> None:
    layers = [layer(f"l{k}", 100, 10, 10) for k in range(20)]
    layers[7] = layer("slow", 100, 10, 10, busy=20, load=80)
    assert timeline.worst(layers) == range(6, 9)
    layers[7], layers[0] = layers[0], layers[7]
    assert timeline.worst(layers) == range(0, 2)


def test_a_run_becomes_two_pictures_and_one_page_that_needs_nothing_else(tmp_path: Path) -> None:
    layers = [layer(f"layer{k}", 100, 20_000, 500) for k in range(16)]
    assert write(tmp_path, summary(layers), activity(1600)) == tmp_path / "index.html"
    for name in ("roofline.png", "timeline.png"):
        assert (tmp_path / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    text = (tmp_path / "index.html").read_text()
    # Names of XML's own, in the figure, are not addresses that anyone fetches.
    assert not re.search(r"(src|href)=\"(https?:)?//", text) and "@import" not in text
    assert "a &lt;network&gt;" in text and "prefers-color-scheme: dark" in text and "make it" in text
    assert all(f"layer{k}<" in text for k in range(16))
    raw = re.search(r"timeline\(document.currentScript.parentElement, (.*)\);\n", text)
    assert raw
    data = json.loads(raw[1])
    assert data["edges"][-1] == 1600 and data["layers"][3] == {"name": "layer3", "start": 300, "end": 400}


def test_mismatches_are_shown(tmp_path: Path) -> None:
    wrong = layer("wrong", 100, 20_000, 500) | {"mismatches": 12}
    write(tmp_path, summary([wrong], mismatches=13), None)
    text = (tmp_path / "index.html").read_text()
    assert '<b class="bad">13 mismatches</b>' in text and '<td class="bad">12</td>' in text
    assert not (tmp_path / "timeline.png").exists()


def test_a_network_that_multiplies_nothing_has_a_page(tmp_path: Path) -> None:
    write(tmp_path, summary([layer("pool", 100, 0, 500, "MAX_POOL_2D", pool=100)]), activity(96))
    assert (tmp_path / "timeline.png").exists()


def test_pictures_are_drawn_again_with_other_layers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = summary([layer(f"layer{k}", 100, 20_000, 500) for k in range(16)])
    write(tmp_path, made, activity(1600))
    (tmp_path / "summary.json").write_text(json.dumps(made))
    before = (tmp_path / "timeline.png").read_bytes()
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path), "--layers", "2-5"])
    assert main() == 0 and (tmp_path / "timeline.png").read_bytes() != before


@pytest.mark.parametrize("layers", ["16", "5-2", "x"])
def test_layers_that_are_not_there_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layers: str
) -> None:
    made = summary([layer(f"layer{k}", 100, 20_000, 500) for k in range(16)])
    (tmp_path / "summary.json").write_text(json.dumps(made))
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path), "--layers", layers])
    with pytest.raises(Exception, match=f"--layers {layers}"):
        main()
