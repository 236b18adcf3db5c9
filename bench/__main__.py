"""Measure the chip and its simulation: `make bench`. Networks, tables and build/bench/summary.json.

Fails when a figure misses its goal (bench/goals.py).

python -m bench --seed 7
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bench import blocks, goals, measure, networks, quantised, topology
from bench.measure import Measured
from bench.speed import Speed, scaling, side_by_side
from compiler.errors import CompileError
from models.config import Config
from report import run as pictures
from report.page import links
from scripts.tools import BUILD, UserError
from scripts.tools import blocks as all_blocks
from tb.chip import report
from tb.chip.job import JobFailed

SUMMARY = BUILD / "bench" / "summary.json"


def bench(seed: int) -> bool:
    """Measure everything, print, write the summary. True if every goal is met."""
    repeat = f"make bench SEED={seed}"
    print(f"seed={seed}  repeat: {repeat}", flush=True)
    summary: dict[str, Any] = {"seed": seed, "repeat": repeat}
    config = Config()

    def say(what: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)

    say("ResNet-50 v1.5, every check on, beside the bare chip")
    network = networks.build(topology.resnet50(), seed)
    speed, resnet = side_by_side(network, config, seed)
    print_layers(resnet)
    print_speed(speed)
    summary |= {"resnet50": resnet.entry(), **speed.entry()}
    say("as networks grow")
    summary["scaling"], mismatches = scaling(config, seed, resnet)
    print_scaling(summary["scaling"])
    runs = {"resnet50": resnet}
    for key, make, wide in (
        ("resnet50_fp32", lambda: quantised.resnet50(seed), config),
        ("resnet50_20_classes", lambda: networks.build(topology.resnet50(classes=20), seed), config),
        ("mobilenet_v2", lambda: networks.build(topology.mobilenet_v2(), seed), config),
        ("resnet50_n32", lambda: network, Config(n=32)),
    ):
        say(f"{key}, N = {wide.n}")
        runs[key] = measure.measure(make(), wide, seed, ask_runtime=True)
        summary[key] = runs[key].entry()
    print_networks(runs)
    say("blocks, cold and warm")
    summary |= blocks.entry(measure_blocks(seed))
    summary["mismatches"] = mismatches + sum(measured.result.mismatches for measured in runs.values())
    entries = {key: summary[key] for key in runs}
    off = {key: goals.furthest(entry) for key, entry in entries.items()}
    key = max(off, key=lambda key: off[key][1])
    summary["largest_prediction_error"] = {"network": key, "layer": off[key][0], "error": off[key][1]}
    found = goals.goals(summary, entries)
    summary["goals"] = [{**asdict(goal), "met": goal.met} for goal in found]
    report.write_summary(SUMMARY, summary)
    draw(list(runs.values()), repeat)
    print_goals(found)
    for key, measured in runs.items():
        for note in measured.verdict.notes if measured.verdict else ():
            print(f"{key}: {note}")
    missed = [goal.name for goal in found if not goal.met]
    print((f"FAILED  {'; '.join(missed)}  " if missed else "passed  ") + f"seed={seed}  repeat: {repeat}")
    return not missed


def draw(runs: Sequence[Measured], repeat: str) -> None:
    """Pictures of every whole network, on a page of its own; that of the first is the bench's page."""
    pages = {}
    for measured in runs:
        entry = measured.entry()
        title = f"{measured.network.name}, N = {entry['n']}"
        summary = {**entry, "title": title, "images": measured.result.images, "repeat": repeat}
        folder = SUMMARY.parent / measured.label
        report.write_summary(folder / "summary.json", summary)
        path = pictures.write(folder, summary, measured.result.activity)
        pages[title] = path.relative_to(SUMMARY.parent).as_posix()
        if measured is runs[0]:
            first = summary
    more = "<h2>Networks</h2>" + links({**pages, "the bench's summary": SUMMARY.name})
    path = pictures.write(SUMMARY.parent, first, runs[0].result.activity, more=more)
    print(f"pictures: {path}")


def print_layers(measured: Measured) -> None:
    """A row per layer: what the roofline predicts beside what the RTL took."""
    entry = measured.entry()
    total = {**entry, "name": "whole network", "op": "", "macs": measured.macs}
    for key in ("bytes_read", "bytes_written"):
        total[key] = sum(layer[key] for layer in entry["layers"])
    columns = report.account_columns(entry["account"], (layer["account"] for layer in entry["layers"]))
    rows = [
        [
            row["name"],
            row["op"],
            f"{row['macs'] / 1e6:,.1f}",
            f"{row['predicted_cycles']:,}",
            f"{row['cycles']:,.0f}",
            f"{row['cycles'] / row['predicted_cycles'] - 1:+.1%}",
            f"{row['utilisation']:.1%}",
            *report.account_cells(row["account"], columns),
            f"{row['bytes_read']:,}",
            f"{row['bytes_written']:,}",
            str(row["mismatches"]),
        ]
        for row in (*entry["layers"], total)
    ]
    numbers = ["MMAC", "predicted", "cycles", "off by", "utilisation", *columns]
    numbers += ["read", "written", "mismatches"]
    report.print_table(measured.network.name, ("layer", "operator"), numbers, rows[:-1], rows[-1])
    for name in ("saturated", "zeros"):
        low, high = entry[name]
        print(f"  {name} values of a layer: {low:.1%} to {high:.1%}")
    low, high = entry["deviation"]
    print(f"  standard deviation of a layer's int8 values: {low:.0f} to {high:.0f}", flush=True)


def print_speed(speed: Speed) -> None:
    """Cycles a second, and over the bare chip's."""
    rows = [
        [name, f"{hz / 1e3:,.0f}", f"{hz / speed.raw_hz:.3f}"]
        for name, hz in (
            ("bare: no Python, no VPI, no log", speed.raw_hz),
            ("simulation with log and rules, Python awake", speed.simulated_hz),
            ("until the last byte is compared", speed.checked_hz),
            ("cocotbext-axi's AxiRam as the memory", speed.peer_hz),
        )
    ]
    total = ["speed_ratio", "", f"{speed.ratio:.3f}"]
    report.print_table("speed of the simulation", ("",), ("kHz", "of bare"), rows, total)


def print_scaling(points: Sequence[dict[str, Any]]) -> None:
    """Cost over size."""
    rows = [
        [
            point["name"],
            f"{point['gmac']:.3f}",
            str(point["images"]),
            f"{point['wall_s']:.3f}",
            f"{point['s_per_gmac']:.2f}",
            f"{point['s_per_mcycle']:.2f}",
            f"{point['python_share']:.1%}",
        ]
        for point in points
    ]
    numbers = ("GMAC", "images", "s/image", "s/GMAC", "s/Mcycle", "Python")
    report.print_table("as networks grow", ("network",), numbers, rows[:-1], rows[-1])


def print_networks(runs: Mapping[str, Measured]) -> None:
    """A row per whole network."""
    rows = []
    for key, measured in runs.items():
        entry = measured.entry()
        name, off = goals.furthest(entry)
        row = [key, str(entry["n"]), f"{entry['gmac']:.2f}", f"{entry['cycles']:,.0f}"]
        row += [f"{off:.1%} ({name})", f"{entry['utilisation']:.1%}", f"{entry['wall_s']:.1f}"]
        row += [f"{entry['bursts']:,}", str(entry["mismatches"])]
        rows.append([*row, str(entry["runtime_mismatches"]) if entry["runtime"] else "-"])
    numbers = (
        "N",
        "GMAC",
        "cycles",
        "furthest off",
        "utilisation",
        "wall s",
        "bursts",
        "mismatches",
        "runtime",
    )
    report.print_table("whole networks", ("network",), numbers, rows[:-1], rows[-1])


def print_goals(found: Sequence[goals.Goal]) -> None:
    """What this run is held to."""
    rows = [goal.row() for goal in found]
    report.print_table("goals", ("figure",), ("measured", "goal", "met"), rows[:-1], rows[-1])


def measure_blocks(seed: int) -> list[blocks.BlockTime]:
    """Seconds of `make sim BLOCK=x` for every block, printed as they come."""
    times = []
    for block in all_blocks():
        took = blocks.measure(block, seed)
        print(f"  make sim BLOCK={block}: {took.cold:.1f} s cold, {took.warm:.1f} s warm", flush=True)
        times.append(took)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    try:
        return 0 if bench(parser.parse_args().seed) else 1
    except (UserError, CompileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (JobFailed, RuntimeError) as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
