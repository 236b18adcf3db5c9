"""A network of the user's on the whole chip: every burst and tensor against the machine and its runtime.

make net MODEL=mine.tflite|mine.onnx [INPUT=x.npy|x.npz|x.png|folder] [SIM=] [SEED=] [CONTRACT=] [FC=]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.errors import CompileError
from compiler.ir import Node
from compiler.network import Compiled, compile_network
from compiler.onnx_bias import with_integer_biases
from compiler.onnx_file import parse
from compiler.onnx_quantise import is_float
from models.config import Config
from scripts.tools import BUILD, ROOT, SIMULATORS, UserError, shell
from tb.chip import job, report, subject_onnx, subject_tflite
from tb.chip.inputs import random_inputs, read_inputs
from tb.chip.onnx_border import CALIBRATION, border, calibrated, with_sizes
from tb.chip.runtime import FC_FORMS
from tb.chip.subject_onnx import OnnxSubject
from tb.chip.subject_tflite import TfliteSubject
from tb.chip.verdict import Verdict

CONTRACTS = tuple(dict.fromkeys((*subject_tflite.CONTRACTS, *subject_onnx.CONTRACTS)))
# Small networks share one build of the bench: 16 MiB.
MEM_WORDS = 1 << 20

Subject = TfliteSubject | OnnxSubject
Images = Sequence[dict[str, NDArray]]


def run(
    model: Path,
    source: Path | None,
    sim: str,
    seed: int,
    contract: str | None = None,
    fc: str = "integer",
    waves: bool = False,
    verbose: bool = False,
) -> bool:
    """Compile, simulate, judge, print, write build/net/<model>/summary.json. True if nothing differs.

    contract: None for the one that the file's runtime has. Raises UserError and CompileError for what the
    user gave; JobFailed when the simulation broke off.
    """
    raw = read_model(model)
    if _is_onnx(model, raw):
        subject, inputs = _open_onnx(model, raw, source, seed, contract)
        contract = contract or "fp32"
    else:
        contract = contract or "tflite"
        subject, inputs = _open_tflite(model, raw, source, seed, contract, fc)
    config = Config()
    compiled = compile_network(subject.core, config, len(inputs))
    subject.start()
    if isinstance(subject, OnnxSubject) and subject.samples:
        kept = _folder(model) / "quantised.onnx"
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(subject.model)
        print(f"a float network: quantised with {subject.samples} inputs, see {kept}", flush=True)
    usual = contract == ("fp32" if isinstance(subject, OnnxSubject) else "tflite")
    repeat = shell(
        [
            "make",
            "net",
            f"MODEL={model}",
            *([f"INPUT={source}"] if source else []),
            f"SIM={sim}",
            f"SEED={seed}",
        ]
        + ([] if usual else [f"CONTRACT={contract}"])
        + ([f"FC={fc}"] if fc != "integer" else [])
    )
    print(f"seed={seed}  repeat: {repeat}", flush=True)
    print(
        f"{len(compiled.layers)} layers, {len(inputs)} image(s), {compiled.dram.size / 2**20:.1f} MiB",
        flush=True,
    )
    fed = subject.core_inputs(compiled, inputs)
    result, memory = job.run(
        "net", compiled, fed, sim, seed, waves=waves, verbose=verbose, least_words=MEM_WORDS
    )
    verdict = subject.compare(compiled, inputs, memory["rtl"])
    folder = _folder(model)
    summary = {
        "network": str(model),
        "accuracy": None,
        "accuracy_reference": None,
        "accuracy_float": None,
        **report.common(result, _layers(compiled, result, verdict), config.n, model.name, sim, seed, repeat),
        "contract": contract,
        "runtime": subject.runtime or None,
        "runtime_mismatches": verdict.mismatches if subject.runtime else None,
        "fully_connected": subject.fully_connected,
        "host_operators": [f"{node.op} {node.name}" for node in (*subject.head, *subject.tail)],
        "outputs": _write_outputs(folder, verdict),
    }
    report.write_summary(folder / "summary.json", summary)
    _print(summary, subject, verdict, config.n, compiled.fused)
    report.draw(folder, summary, result)
    report.print_first_mismatch(result, folder, repeat)
    passed = result.mismatches == 0 and result.bursts > 0 and verdict.failures == 0
    print(("passed  " if passed else "FAILED  ") + f"seed={seed}  repeat: {repeat}")
    return passed


def _is_onnx(path: Path, raw: bytes) -> bool:
    """By what the file says first, and else by its name: a damaged file is what its name says."""
    if raw[4:8] == b"TFL3":
        return False
    return path.suffix.lower() == ".onnx" or (raw[:1] == b"\x08" and path.suffix.lower() != ".tflite")


def _open_tflite(
    path: Path, raw: bytes, source: Path | None, seed: int, contract: str, fc: str
) -> tuple[Subject, Images]:
    if contract not in subject_tflite.CONTRACTS:
        known = ", ".join(subject_tflite.CONTRACTS)
        raise UserError(f"CONTRACT={contract}: a .tflite network has {known}; {path} is one")
    if fc != "integer" and contract != "tflite":
        raise UserError(f"FC={fc} is a way to judge by LiteRT's reference kernels, in CONTRACT=tflite")
    subject = TfliteSubject(raw, contract, fc)
    return subject, _inputs(source, subject, seed)


def _open_onnx(
    path: Path, raw: bytes, source: Path | None, seed: int, contract: str | None
) -> tuple[Subject, Images]:
    if contract not in (None, *subject_onnx.CONTRACTS):
        raise UserError(
            f"CONTRACT={contract}: an .onnx network has {subject_onnx.CONTRACTS[0]}; {path} is one"
        )
    parsed = with_sizes(parse(raw), source)
    raw = parsed.SerializeToString()
    if is_float(parsed):
        face = border(parsed)
        samples = read_inputs(source, face) if source else random_inputs(face, seed, CALIBRATION)
        raw = calibrated(raw, face, samples)
        subject = OnnxSubject(raw, samples=len(samples))
    else:
        parsed, biases = with_integer_biases(parsed)
        subject = OnnxSubject(parsed.SerializeToString())
        if biases:
            print(f"{biases} float32 biases quantised to int32, for ONNX Runtime as for the core", flush=True)
    return subject, _inputs(source, subject, seed)


def _inputs(source: Path | None, subject: Subject, seed: int) -> Images:
    return read_inputs(source, subject.border) if source else random_inputs(subject.border, seed)


def _folder(model: Path) -> Path:
    return BUILD / "net" / (re.sub(r"[^\w.-]+", "_", model.stem) or "model")


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


def _layers(compiled: Compiled, result: job.Result, verdict: Verdict) -> list[dict[str, Any]]:
    rows = []
    for layer, info in zip(result.layers, compiled.layers, strict=True):
        judged = verdict.tensors.get(info.target)
        rows.append(
            {
                **report.layer_entry(layer, result.images, compiled.config.n),
                "shape": list(compiled.tensors[info.target].shape),
                "runtime_mismatches": judged.mismatches if judged else None,
                "largest_difference": judged.largest if judged else None,
                "own_differences": judged.own if judged else None,
                "pairs_apart": info.pairs_apart,
                "sums_apart": info.sums_apart,
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


def _print(
    summary: dict[str, Any], subject: Subject, verdict: Verdict, n: int, fused: dict[str, str]
) -> None:
    columns = report.account_columns(summary["account"], (layer["account"] for layer in summary["layers"]))
    rows = [_host_row(subject, node, verdict, len(columns)) for node in subject.head]
    for layer in summary["layers"]:
        judged = layer["runtime_mismatches"] is not None
        rows.append(
            [
                layer["name"],
                layer["op"],
                "x".join(map(str, layer["shape"])),
                f"{layer['macs']:,}",
                f"{layer['cycles']:,.0f}" if layer["cycles"] else "-",
                f"{layer['utilisation']:.1%}" if layer["macs"] else "-",
                *report.account_cells(layer["account"], columns),
                str(layer["mismatches"]),
                str(layer["runtime_mismatches"]) if judged else "-",
                str(layer["largest_difference"]) if judged else "-",
            ]
        )
    rows += [_host_row(subject, node, verdict, len(columns)) for node in subject.tail]
    macs = sum(layer["macs"] for layer in summary["layers"])
    total = [
        "whole network",
        "",
        "",
        f"{macs:,}",
        f"{summary['cycles']:,.0f}",
        f"{report.utilisation(macs, summary['cycles'], n):.1%}",
        *report.account_cells(summary["account"], columns),
        str(summary["mismatches"]),
        str(summary["runtime_mismatches"]) if subject.runtime else "-",
        str(verdict.largest) if subject.runtime else "-",
    ]
    numbers = ("MACs", "cycles", "utilisation", *columns, "vs model", f"vs {subject.short}", "largest")
    title = f"per image, mean of {summary['images']}; the last columns count differing values"
    report.print_table(title, ("layer", "operator", "shape"), numbers, rows, total)
    for note in verdict.notes:
        print(note)
    if summary["host_operators"]:
        print(f"on the host: {', '.join(summary['host_operators'])}")
    if fused:
        print(
            f"taken into convolutions: {', '.join(f'{name} into {layer}' for name, layer in fused.items())}"
        )
    against = (
        f"{verdict.values} values compared with {subject.runtime}, {verdict.mismatches} mismatches"
        if subject.runtime
        else "no runtime has this contract"
    )
    print(
        f"{summary['bursts']} bursts compared with the model, {summary['mismatches']} mismatches; {against}"
    )
    for name, path in summary["outputs"].items():
        print(f"output {name}: {path}")


def _host_row(subject: Subject, node: Node, verdict: Verdict, columns: int) -> list[str]:
    judged = verdict.tensors.get(node.name)
    shape = "x".join(map(str, subject.shape(node.name)))
    found = [str(judged.mismatches), str(judged.largest)] if judged else ["-", "-"]
    return [node.name, f"{node.op} (host)", shape, "-", "-", "-", *["-"] * columns, "-", *found]


def _seed(text: str) -> int:
    """What numpy and both simulators take. Raises ValueError, which argparse words."""
    if not 0 <= int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text} is not in [0, {(1 << 31) - 1}]")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--input", type=Path, dest="source")
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    parser.add_argument("--seed", type=_seed, required=True)
    parser.add_argument("--contract", choices=CONTRACTS)
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
