"""A network of the user's on the whole chip: every burst and tensor against the machine and against LiteRT.

make net MODEL=mine.tflite [INPUT=x.npy|x.npz|x.png|folder] [SIM=] [SEED=] [CONTRACT=tflite] [FC=]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.errors import CompileError
from compiler.host import Parts, split
from compiler.ir import Node
from compiler.network import Compiled, compile_network
from compiler.tflite import read_tflite
from models.fully_connected import fully_connected
from models.isa import Config
from models.quantize import activation_range, clamp, effective_scale, requantize_litert_fc
from scripts.tools import BUILD, ROOT, SIMULATORS, UserError, shell
from tb.chip import job, report
from tb.chip.inputs import random_inputs, read_inputs
from tb.chip.runtime import FC_FORMS, NAME, Runtime, check

CONTRACTS = ("tflite",)
# Small networks share one build of the bench: 16 MiB.
MEM_WORDS = 1 << 20


@dataclass
class Judged:
    """A tensor over all images, against the runtime. excused: it follows a float fully connected layer."""

    values: int = 0
    mismatches: int = 0
    largest: int | float = 0
    excused: bool = False

    def add(self, ours: NDArray, theirs: NDArray) -> None:
        wide = np.float64 if ours.dtype.kind == "f" else np.int64
        difference = np.abs(ours.astype(wide) - theirs.astype(wide)).reshape(-1)
        self.values += difference.size
        self.mismatches += int(np.count_nonzero(difference))
        self.largest = max(self.largest, difference.max(initial=0).item())


@dataclass
class Verdict:
    """What the runtime says. tensors: by name. outputs: the network's, per image, from the RTL. unexplained:
    values of a fully connected layer in float that requantize_litert_fc does not predict."""

    tensors: dict[str, Judged] = field(default_factory=dict)
    outputs: dict[str, list[NDArray]] = field(default_factory=dict)
    unexplained: int = 0

    @property
    def failures(self) -> int:
        judged = sum(j.mismatches for j in self.tensors.values() if not j.excused)
        return judged + self.unexplained


def run(
    model: Path,
    source: Path | None,
    sim: str,
    seed: int,
    contract: str = "tflite",
    fc: str = "integer",
    waves: bool = False,
    verbose: bool = False,
) -> bool:
    """Compile, simulate, judge, print, write build/net/<model>/summary.json. True if nothing differs.

    Raises UserError and CompileError for what the user gave; JobFailed when the simulation broke off.
    """
    raw = read_model(model)
    parts = split(raw)
    inputs = read_inputs(source, parts.graph) if source else random_inputs(parts.graph, seed)
    config = Config()
    compiled = compile_network(parts.core, config, len(inputs))
    check(raw)
    judge = Runtime(raw, parts.graph, fc)
    repeat = shell(
        [
            "make",
            "net",
            f"MODEL={model}",
            *([f"INPUT={source}"] if source else []),
            f"SIM={sim}",
            f"SEED={seed}",
        ]
        + ([f"FC={fc}"] if fc != "integer" else [])
    )
    print(f"seed={seed}  repeat: {repeat}", flush=True)
    print(
        f"{len(compiled.layers)} layers, {len(inputs)} image(s), {compiled.dram.size / 2**20:.1f} MiB",
        flush=True,
    )
    fed = core_inputs(parts, compiled, inputs)
    result, memory = job.run(
        "net", compiled, fed, sim, seed, waves=waves, verbose=verbose, least_words=MEM_WORDS
    )
    verdict = compare(parts, compiled, judge, inputs, memory["rtl"], fc)
    folder = BUILD / "net" / (re.sub(r"[^\w.-]+", "_", model.stem) or "model")
    summary = {
        "network": str(model),
        "accuracy": None,
        "accuracy_reference": None,
        "accuracy_float": None,
        **report.common(result, _layers(compiled, result, verdict), sim, seed, repeat),
        "contract": contract,
        "runtime": NAME,
        "runtime_mismatches": sum(judged.mismatches for judged in verdict.tensors.values()),
        "fully_connected": fc if any(node.op == "FULLY_CONNECTED" for node in parts.graph.nodes) else None,
        "host_operators": [f"{node.op} {node.name}" for node in (*parts.head, *parts.tail)],
        "outputs": _write_outputs(folder, verdict),
    }
    report.write_summary(folder / "summary.json", summary)
    _print(summary, parts, verdict, config.n, compiled.fused)
    if result.first_mismatch:
        print(f"the first mismatch:\n{result.first_mismatch}")
    passed = result.mismatches == 0 and result.bursts > 0 and verdict.failures == 0
    print(("passed  " if passed else "FAILED  ") + f"seed={seed}  repeat: {repeat}")
    return passed


def read_model(path: Path) -> bytes:
    """Raises UserError unless there is a file with something in it."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"MODEL={path}: there is no such file") from None
    except OSError as error:
        raise UserError(f"MODEL={path}: cannot be read: {error.strerror}") from error
    if not raw:
        raise UserError(f"MODEL={path}: the file is empty")
    return raw


def core_inputs(
    parts: Parts, compiled: Compiled, inputs: Sequence[dict[str, NDArray]]
) -> list[dict[str, NDArray[np.int8]]]:
    """What the core starts from: the network's inputs, after the host has quantised those that are float."""
    if parts.head_model is None:
        return [{name: image[name] for name in compiled.inputs} for image in inputs]
    head = Runtime(parts.head_model, parts.graph)
    fed = []
    for image in inputs:
        head.run(image)
        made = {node.name: head.tensor(node.name) for node in parts.head}
        fed.append({name: made[name] if name in made else image[name] for name in compiled.inputs})
    return fed


def compare(
    parts: Parts,
    compiled: Compiled,
    judge: Runtime,
    inputs: Sequence[dict[str, NDArray]],
    dram: NDArray[np.uint8],
    fc: str,
) -> Verdict:
    """Every tensor that the RTL has written, and what the host makes of them, against the runtime's."""
    verdict = Verdict()
    floats = _after_float(parts.graph.nodes) if fc == "litert" else set()
    tail = Runtime(parts.tail_model, read_tflite(parts.tail_model)) if parts.tail_model else None
    progress = job.Progress(len(inputs), "LiteRT image")
    for number, image in enumerate(inputs):
        judge.run(image)
        values = {
            name: compiled.read_tensor(dram, number, name)
            for name in compiled.tensors
            if name not in compiled.inputs
        }
        if tail is not None:
            tail.run({name: values[name] for name in tail.inputs})
            values |= {node.name: tail.tensor(node.name) for node in parts.tail}
        for node in parts.graph.nodes:
            for name in node.outputs:
                if name in values:
                    judged = verdict.tensors.setdefault(name, Judged(excused=name in floats))
                    judged.add(values[name], judge.tensor(name))
            if fc == "litert" and node.op == "FULLY_CONNECTED":
                verdict.unexplained += _unexplained(parts, node, judge)
        for name in parts.graph.outputs:
            if name in values:
                value = values[name]
                unsigned = parts.graph.tensors[name].unsigned
                verdict.outputs.setdefault(name, []).append(
                    (value.view(np.uint8) ^ 0x80) if unsigned else value
                )
        progress.update(number + 1)
    progress.close()
    return verdict


def _after_float(nodes: Sequence[Node]) -> set[str]:
    """Tensors that depend on a fully connected layer."""
    tainted: set[str] = set()
    for node in nodes:
        if node.op == "FULLY_CONNECTED" or any(name in tainted for name in node.inputs):
            tainted.update(node.outputs)
    return tainted


def _unexplained(parts: Parts, node: Node, judge: Runtime) -> int:
    """Values of LiteRT's fully connected layer that are not round(double(acc) * R) of LiteRT's own input."""
    tensors = parts.graph.tensors
    x, w, y = (tensors[str(name)] for name in (*node.inputs[:2], node.name))
    bias = tensors[node.inputs[2]].data if len(node.inputs) > 2 and node.inputs[2] else None
    assert w.data is not None
    if bias is None:
        bias = np.zeros(len(w.data), np.int32)
    rows = judge.tensor(x.name).reshape(-1, w.data.shape[1])
    acc = np.stack([fully_connected(row, w.data, bias, x_zp=x.zero_point) for row in rows])
    rounded = requantize_litert_fc(acc, effective_scale(x.scale, w.scales, y.scale))
    low, high = activation_range(node.options["fusedActivationFunction"], y.scale, y.zero_point)
    expected = clamp(rounded, y.zero_point, low, high)
    return int(np.count_nonzero(expected.reshape(-1) != judge.tensor(y.name).reshape(-1)))


def _layers(compiled: Compiled, result: job.Result, verdict: Verdict) -> list[dict[str, Any]]:
    rows = []
    for layer, info in zip(result.layers, compiled.layers, strict=True):
        judged = verdict.tensors[info.target]
        rows.append(
            {
                **report.layer_entry(layer, result.images, compiled.config.n),
                "shape": list(compiled.tensors[info.target].shape),
                "runtime_mismatches": judged.mismatches,
                "largest_difference": judged.largest,
            }
        )
    return rows


def _write_outputs(folder: Path, verdict: Verdict) -> dict[str, str]:
    """A .npy per output, [images, ...]; returns their paths by name."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (name, values) in enumerate(verdict.outputs.items()):
        path = folder / f"output{number}_{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)[:80]}.npy"
        np.save(path, np.stack(values))
        paths[name] = path.relative_to(ROOT).as_posix()
    return paths


def _print(summary: dict[str, Any], parts: Parts, verdict: Verdict, n: int, fused: dict[str, str]) -> None:
    rows = [_host_row(parts, node, verdict) for node in parts.head]
    for layer in summary["layers"]:
        rows.append(
            [
                layer["name"],
                layer["op"],
                "x".join(map(str, layer["shape"])),
                f"{layer['macs']:,}",
                f"{layer['cycles']:,.0f}" if layer["cycles"] else "-",
                f"{layer['utilisation']:.1%}" if layer["macs"] else "-",
                str(layer["mismatches"]),
                str(layer["runtime_mismatches"]),
                str(layer["largest_difference"]),
            ]
        )
    rows += [_host_row(parts, node, verdict) for node in parts.tail]
    macs = sum(layer["macs"] for layer in summary["layers"])
    total = [
        "whole network",
        "",
        "",
        f"{macs:,}",
        f"{summary['cycles']:,.0f}",
        f"{report.utilisation(macs, summary['cycles'], n):.1%}",
        str(summary["mismatches"]),
        str(summary["runtime_mismatches"]),
        str(max((judged.largest for judged in verdict.tensors.values()), default=0)),
    ]
    numbers = ("MACs", "cycles", "utilisation", "vs model", "vs LiteRT", "largest")
    title = f"per image, mean of {summary['images']}; the last columns count differing values"
    report.print_table(title, ("layer", "operator", "shape"), numbers, rows, total)
    if summary["fully_connected"]:
        print(
            f"FULLY_CONNECTED judged as {summary['fully_connected']}: {FC_FORMS[summary['fully_connected']]}"
        )
    if verdict.unexplained:
        print(
            f"{verdict.unexplained} values of LiteRT's FULLY_CONNECTED are not what its float form predicts"
        )
    excused = sum(judged.mismatches for judged in verdict.tensors.values() if judged.excused)
    if excused:
        print(f"{excused} values from FULLY_CONNECTED on differ: LiteRT requantises it in float (FC=integer)")
    if summary["host_operators"]:
        print(f"on the host: {', '.join(summary['host_operators'])}")
    if fused:
        print(
            f"taken into convolutions: {', '.join(f'{name} into {layer}' for name, layer in fused.items())}"
        )
    values = sum(judged.values for judged in verdict.tensors.values())
    print(
        f"{summary['bursts']} bursts compared with the model, {summary['mismatches']} mismatches; "
        f"{values} values compared with {NAME}, {summary['runtime_mismatches']} mismatches"
    )
    for name, path in summary["outputs"].items():
        print(f"output {name}: {path}")


def _host_row(parts: Parts, node: Node, verdict: Verdict) -> list[str]:
    judged = verdict.tensors.get(node.name)
    shape = "x".join(map(str, parts.graph.tensors[node.name].shape))
    found = [str(judged.mismatches), str(judged.largest)] if judged else ["-", "-"]
    return [node.name, f"{node.op} (host)", shape, "-", "-", "-", "-", *found]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--input", type=Path, dest="source")
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--contract", default="tflite", choices=CONTRACTS)
    parser.add_argument("--fc", default="integer", choices=FC_FORMS)
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = vars(parser.parse_args(arguments))
    try:
        return 0 if run(**options) else 1
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CompileError as error:
        print(f"error: MODEL={options['model']}: {error}", file=sys.stderr)
        return 2
    except job.JobFailed as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
