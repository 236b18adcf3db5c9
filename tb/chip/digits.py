"""The main job: a trained network reads handwritten digits on the whole chip, and everything is scored.

make sim [SIM=verilator|icarus] [IMAGES=n] [SEED=n]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.errors import CompileError
from compiler.network import Compiled, compile_network
from models.config import Config
from nets.digits import data
from scripts.tools import BUILD, ROOT, SIMULATORS, UserError
from tb.chip import job, report

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
    image = [{compiled.inputs[0]: value} for value in inputs]
    result, memory = job.run("digits", compiled, image, sim, seed, waves=waves, verbose=verbose)
    answers = {name: _answers(compiled, dram, images) for name, dram in memory.items()}

    def accuracy(answer: NDArray) -> float:
        return float(np.mean(answer == labels))

    n = compiled.config.n
    layers = [report.layer_entry(layer, images, n) for layer in result.layers]
    summary = {
        "network": data.MODEL.relative_to(ROOT).as_posix(),
        "accuracy": accuracy(answers["rtl"]),
        "accuracy_reference": accuracy(answers["machine"]),
        "accuracy_float": accuracy(digits.float_answers[:images]),
        **report.common(result, layers, n, "handwritten digits", sim, seed, repeat),
    }
    report.write_summary(BUILD / "sim" / "summary.json", summary)
    _print_layers(summary, n)
    _print_digits(digits.images[:SHOWN], answers["rtl"], labels)
    print(
        f"accuracy on {images} held-out digits: {summary['accuracy']:.2%} on the RTL, "
        f"{summary['accuracy_reference']:.2%} by the reference machine, "
        f"{summary['accuracy_float']:.2%} by the float network"
    )
    print(f"{result.bursts} bursts compared, {result.mismatches} mismatches")
    report.draw(BUILD / "sim", summary, result)
    report.print_first_mismatch(result, BUILD / "sim", repeat)
    passed = (
        result.mismatches == 0
        and result.bursts > 0
        and bool(np.array_equal(answers["rtl"], answers["machine"]))
    )
    print(("passed  " if passed else "FAILED  ") + f"seed={seed}  repeat: {repeat}")
    return passed


def _answers(compiled: Compiled, dram: NDArray[np.uint8], images: int) -> NDArray[np.int64]:
    """The digit with the highest score, per image."""
    scores = [compiled.read_tensor(dram, image, compiled.outputs[0]) for image in range(images)]
    return np.array([score.reshape(-1).argmax() for score in scores])


def _print_layers(summary: dict[str, Any], n: int) -> None:
    layers, images = summary["layers"], summary["images"]
    keys = ("macs", "cycles", "utilisation", "bytes_read", "bytes_written", "mismatches")
    total = {key: sum(layer[key] for layer in layers) for key in keys}
    total |= {"name": "whole network", "op": "", "cycles": summary["cycles"]}
    total |= {"mismatches": summary["mismatches"], "account": summary["account"]}
    columns = report.account_columns(summary["account"], (layer["account"] for layer in layers))
    total["utilisation"] = report.utilisation(total["macs"], total["cycles"], n)
    rows = [
        [
            row["name"],
            row["op"],
            f"{row['macs']:,}",
            f"{row['cycles']:,.0f}",
            f"{row['utilisation']:.1%}",
            *report.account_cells(row["account"], columns),
            f"{row['bytes_read'] // images:,}",
            f"{row['bytes_written'] // images:,}",
            str(row["mismatches"]),
        ]
        for row in (*layers, total)
    ]
    numbers = ("MACs", "cycles", "utilisation", *columns, "bytes read", "written", "mismatches")
    title = f"per image, mean of {images}"
    report.print_table(title, ("layer", "operator"), numbers, rows[:-1], rows[-1])


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
