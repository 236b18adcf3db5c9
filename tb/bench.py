"""What a block's test file says about its simulation, and what the test may ask about it.

    BENCH = Bench(toplevel="npu_requant", params=[{"N": 4}, {"N": 16}])

near the top of tb/<block>/test_<block>.py is all it takes: `make sim BLOCK=<block>` finds it. Tests
may also be in other test_*.py of that folder.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Params = Mapping[str, int]


@dataclass(frozen=True)
class Bench:
    """How tb/<block>/test_<block>.py is built. Paths are relative to the repository's root.

    Every set of parameters is built and run on its own.
    """

    toplevel: str
    params: Sequence[Params] = ({},)
    # HDL of the bench itself, after the sources of rtl/npu.f.
    sources: Sequence[str] = ()
    # What VPI may read and write on Verilator, as (module, variable), * allowed; everything public costs half
    # the speed. Default: the top module's ports, parameters and variables. Icarus shows everything.
    public: Sequence[tuple[str, str]] = ()
    # What the bench's HDL reads with $value$plusargs, like "+latency=64". The seed is always there, as +seed.
    plusargs: Sequence[str] = ()
    # Delays and @ in HDL processes: a bench whose clock lives in Verilog needs it.
    timing: bool = False
    # Optimise for long runs (the whole chip) and not for a quick build.
    fast: bool = False
    simulators: Sequence[str] = ("verilator", "icarus")
    # A simulation that takes longer is stopped and has failed. Seconds.
    timeout: int = 300

    def visible(self) -> Sequence[tuple[str, str]]:
        return self.public or [(self.toplevel, "*")]


def params() -> dict[str, int]:
    """Inside a simulation: the parameters that this build was made with."""
    return json.loads(os.environ["ASSAY_PARAMS"])


def seed() -> int:
    """Inside a simulation: the run's seed, the one that `make sim SEED=` takes."""
    return int(os.environ["ASSAY_SEED"])


def quick() -> bool:
    """Inside a simulation: whether someone waits for it. So it is in `make sim BLOCK=x` without FULL=1, where
    every test runs with the smallest count that means something."""
    return os.environ.get("ASSAY_QUICK") == "1"


def light() -> bool:
    """Inside a simulation: whether counts are small. So they are in a quick run, on Icarus, which is slower
    by one or two orders of magnitude, and in a run on Verilator that is compared with one on Icarus."""
    return quick() or simulator() == "icarus" or os.environ.get("ASSAY_LIGHT") == "1"


def lighter(count: int, divisor: int = 10, in_quick: int | None = None) -> int:
    """`count` in a full run on Verilator, in a light one count // divisor and in a quick one
    count // in_quick (as in a light one unless given); at least 1."""
    if quick() and in_quick is not None:
        return max(1, count // in_quick)
    return max(1, count // divisor) if light() else count


def some(values: Sequence[Any]) -> list[Any]:
    """What a test is repeated with: all values or, in a quick run, one that seed and parameters draw."""
    rng = random.Random(os.environ.get("COCOTB_RANDOM_SEED"))
    return fewer(rng, values, len(values))


def fewer(rng: random.Random, values: Sequence[Any], divisor: int) -> list[Any]:
    """All values in their order or, in a quick run, one in `divisor` of them, drawn by rng; at least 1."""
    return rng.sample(values, max(1, len(values) // divisor)) if quick() else [*values]


def simulator() -> str:
    """Inside a simulation: verilator or icarus. "" elsewhere, where a test file is only read."""
    return os.environ.get("ASSAY_SIM", "")
