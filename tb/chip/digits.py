"""The main job: a trained network reads handwritten digits on the whole chip, and everything is scored.

make sim [SIM=verilator|icarus] [IMAGES=n] [SEED=n]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from compiler.errors import CompileError
from compiler.network import compile_network
from models.isa import Config
from nets.digits import data
from scripts.tools import BUILD, ROOT, SIMULATORS, UserError
from tb.chip import job

# Icarus interprets what Verilator compiles: some images are enough to see that the two agree.
IMAGES = {"verilator": 1000, "icarus": 2}
SHOWN = 5  # digits drawn
INK = " .:-=+*#%@"


def run(sim: str, images: int, seed: int, waves: bool = False, verbose: bool = False) -> bool:
    """Compile, simulate, score, print, write build/sim/summary.json. True if nothing differs."""
    digits = data.load()
    if images > len(digits.labels):
        raise UserError(f"IMAGES={images}: there are {len(digits.labels)} held-out images")
    inputs, labels = data.to_int8(digits.images[:images]), digits.labels[:images]
    repeat = f"make sim SIM={sim} IMAGES={images} SEED={seed}"
    print(f"seed={seed}  repeat: {repeat}", flush=True)
    compiled = compile_network(data.MODEL.read_bytes(), Config(), images)
    result, outputs = job.run("digits", compiled, inputs, sim, seed, waves=waves, verbose=verbose)
    answers = {name: values.reshape(images, -1).argmax(axis=1) for name, values in outputs.items()}

    def accuracy(answer: NDArray) -> float:
        return float(np.mean(answer == labels))

    n = compiled.config.n
    layers = [
        {**asdict(layer), "cycles": layer.cycles / images, "utilisation": _utilisation(layer, images, n)}
        for layer in result.layers
    ]
    summary = {
        "network": data.MODEL.relative_to(ROOT).as_posix(),
        "images": images,
        "accuracy": accuracy(answers["rtl"]),
        "accuracy_reference": accuracy(answers["machine"]),
        "accuracy_float": accuracy(digits.float_answers[:images]),
        "layers": layers,
        "bursts": result.bursts,
        "mismatches": result.mismatches,
        "cycles": result.cycles / images,
        "counters": {name: count / images for name, count in result.counters.items()},
        "seed": seed,
        "simulator": sim,
        "repeat": repeat,
    }
    folder = BUILD / "sim"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    _print_layers(result, images, n)
    _print_digits(digits.images[:SHOWN], answers["rtl"], labels)
    print(
        f"accuracy on {images} held-out digits: {summary['accuracy']:.2%} on the RTL, "
        f"{summary['accuracy_reference']:.2%} by the reference machine, "
        f"{summary['accuracy_float']:.2%} by the float network"
    )
    print(f"{result.bursts} bursts compared, {result.mismatches} mismatches")
    if result.first_mismatch:
        print(f"the first:\n{result.first_mismatch}")
    passed = result.mismatches == 0 and result.bursts > 0 and bool(np.array_equal(*answers.values()))
    print(("passed  " if passed else "FAILED  ") + f"seed={seed}  repeat: {repeat}")
    return passed


def _utilisation(layer: job.LayerResult, images: int, n: int) -> float:
    """Multiplications of the network over those that the array could have made in the layer's cycles."""
    return layer.macs * images / (n * n * layer.cycles) if layer.cycles else 0.0


def _print_layers(result: job.Result, images: int, n: int) -> None:
    table = Table(title=f"per image, mean of {images}")
    for name in ("layer", "operator"):
        table.add_column(name)
    for name in ("MACs", "cycles", "utilisation", "bytes read", "written", "mismatches"):
        table.add_column(name, justify="right")
    for layer in result.layers:
        table.add_row(
            layer.name,
            layer.op,
            f"{layer.macs:,}",
            f"{layer.cycles / images:,.0f}",
            f"{_utilisation(layer, images, n):.1%}",
            f"{layer.bytes_read // images:,}",
            f"{layer.bytes_written // images:,}",
            str(layer.mismatches),
        )
    macs = sum(layer.macs for layer in result.layers)
    table.add_section()
    table.add_row(
        "whole network",
        "",
        f"{macs:,}",
        f"{result.cycles / images:,.0f}",
        f"{macs * images / (n * n * result.cycles):.1%}",
        f"{sum(layer.bytes_read for layer in result.layers) // images:,}",
        f"{sum(layer.bytes_written for layer in result.layers) // images:,}",
        str(result.mismatches),
    )
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def _print_digits(images: NDArray[np.uint8], answers: NDArray, labels: NDArray) -> None:
    """Some digits side by side, two rows of pixels a line, with what the chip took them for."""
    shades = images.astype(int).reshape(len(images), 14, 2, 28).mean(axis=2) * (len(INK) - 1) / 255
    for row in shades.round().astype(int).transpose(1, 0, 2):
        print("  ".join("".join(INK[value] for value in image) for image in row))
    captions = [f"RTL says {answer}, it is {label}" for answer, label in zip(answers, labels, strict=True)]
    print("  ".join(f"{caption:<28}" for caption in captions[: len(images)]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sim", default="verilator", choices=SIMULATORS)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--images", type=int)
    parser.add_argument("--waves", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    options = vars(parser.parse_args(arguments))
    options["images"] = options["images"] or IMAGES[options["sim"]]
    try:
        return 0 if run(**options) else 1
    except (UserError, CompileError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except job.JobFailed as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
