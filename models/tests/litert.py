"""Runs LiteRT's reference kernels and counts where a model differs from them.

LiteRT is the judge: it shares no code with `models`. The resolver matters: BUILTIN_REF runs the reference
kernels (Rounding.DOUBLE), BUILTIN hands convolutions to XNNPACK, which rounds differently (Rounding.FP32).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from compiler.delegate import taken

SEED = int(os.environ.get("SEED", "20240229"))

MILLION = 1_000_000

# What every operator must agree on, value by value; at least a million.
JUDGED = max(MILLION, int(os.environ.get("JUDGE_VALUES", MILLION)))


@dataclass
class Tally:
    """Values that a judge compared, how many differed, and by how much at most."""

    operator: str
    values: int = 0
    mismatches: int = 0
    largest: int = 0


# Filled by `judge`, printed at the end of the session.
judged: list[Tally] = []

# (what the model says, what LiteRT or another judge says), int8, or int32 before the clamp
Verdict = tuple[NDArray, NDArray]


def generator(name: str) -> np.random.Generator:
    """A random generator of its own for every judge: one test alone repeats what it did in the suite."""
    return np.random.default_rng([SEED, *name.encode()])


def run(
    model: bytes, *inputs: NDArray, resolver: OpResolverType = OpResolverType.BUILTIN_REF
) -> list[NDArray]:
    """Every output of a .tflite model for these inputs."""
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def run_default(model: bytes, *inputs: NDArray) -> tuple[list[NDArray], frozenset[int]]:
    """(every output, the operators that XNNPACK has computed) of a model on LiteRT's default path."""
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return outputs, taken(interpreter)


def count(operator: str, verdicts: Iterable[Verdict], values: int = JUDGED) -> Tally:
    """Compare verdicts until at least `values` values were seen."""
    tally = Tally(operator)
    for ours, theirs in verdicts:
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype and ours.dtype in (np.int8, np.int32)
        tally.values += ours.size
        differences = np.abs(ours.astype(np.int64) - theirs)
        tally.mismatches += int(np.count_nonzero(differences))
        tally.largest = max(tally.largest, int(differences.max()))
        if tally.values >= values:
            break
    return tally


def judge(operator: str, verdicts: Iterator[Verdict]) -> None:
    """Fail unless at least a million values agree, all of them."""
    tally = count(operator, verdicts)
    judged.append(tally)
    assert tally.values >= JUDGED, f"{operator}: only {tally.values} values compared"
    assert tally.mismatches == 0, f"{operator}: {tally.mismatches} of {tally.values} differ, SEED={SEED}"


def assert_caught(operator: str, verdicts: Iterator[Verdict], values: int = MILLION // 4) -> None:
    """Fail unless a deliberately wrong model is found out."""
    tally = count(f"wrong {operator}", verdicts, values)
    assert tally.mismatches > 0, f"{operator}: a wrong model passed on {tally.values} values, SEED={SEED}"
