"""Random deep networks through LiteRT, the operator models and the RTL: one simulation, many networks.

    python -m tb.chip.soak --count 50 --seed 7 [--sim verilator] [--config n16] [--contract tflite] [--spoil]

Network i of a seed is always the same one: --first i --count 1 repeats it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from compiler.ir import CONTRACTS
from compiler.tests.random_networks import CONFIGS
from scripts.tools import BUILD
from tb import build as hdl
from tb import runner
from tb.build import Build
from tb.chip import endless
from tb.chip.job import LATENCY
from tb.chip.net import MEM_WORDS
from tb.chip.report import write_summary
from tb.chip.runtime import NAMES
from tb.chip.session import bench

TIMEOUT = 6 * 3600  # seconds


@dataclass
class Tried:
    """One network. bursts, values: compared. Mismatches: bursts against the machine, values of tensors
    against the operator models and LiteRT."""

    index: int
    layers: int
    macs: int
    cycles: int
    bursts: int
    values: int
    burst_mismatches: int
    model_mismatches: int
    runtime_mismatches: int
    first: str = ""

    @property
    def mismatches(self) -> int:
        return self.burst_mismatches + self.model_mismatches + self.runtime_mismatches


def run(
    count: int,
    seed: int,
    first: int = 0,
    sim: str = "verilator",
    config: str = "n16",
    contract: str = "tflite",
    spoil: bool = False,
    waves: bool = False,
    verbose: bool = False,
) -> bool:
    """Run networks [first, first + count) of a seed, write build/net/soak.json. True if nothing differs.

    spoil: the twin. The chip is given another input and the machine a wrong bit; True if each is found out.
    """
    parameters = {key.upper(): value for key, value in asdict(CONFIGS[config]).items()}
    parameters |= {"OUTSTANDING": 8, "MEM_WORDS": MEM_WORDS}
    build = Build("net", bench([parameters], fast=True, timeout=TIMEOUT), parameters, sim, waves)
    print(f"seed={seed}  repeat: {_command(seed, first, count, sim, config, contract)}", flush=True)
    with hdl.alone(build):
        hdl.make(build, jobs=2, verbose=verbose)
        tried, failure = _simulate(build, seed, first, count, contract, spoil, verbose)
    if waves and (wave := runner.waveform(build)):
        print(f"waveform: {wave}")
    if spoil:
        judged = contract in NAMES
        found = sum(
            bool(o.burst_mismatches and o.model_mismatches and (o.runtime_mismatches or not judged))
            for o in tried
        )
        print(
            f"{found} of {count} spoilt networks found out, by bursts, by the models and by LiteRT {failure}"
        )
        return found == count
    for one in tried:
        if one.mismatches or not one.values or not one.bursts:
            print(f"FAILED  network {one.index}: {one.first or 'nothing was compared'}")
            print(f"  repeat: {_command(seed, one.index, 1, sim, config, contract)}")
    total = {
        name: sum(getattr(one, name) for one in tried)
        for name in ("layers", "macs", "cycles", "bursts", "values", "mismatches")
    }
    passed = not failure and len(tried) == count and all(one.values and not one.mismatches for one in tried)
    write_summary(
        BUILD / "net" / "soak.json",
        {"seed": seed, "passed": passed, **total, "networks": [asdict(one) for one in tried]},
    )
    if failure:
        broken = first + len(tried)
        print(f"FAILED  network {broken}: {failure}")
        print(f"  repeat: {_command(seed, broken, 1, sim, config, contract)}")
    print(
        f"{len(tried)} networks, {total['layers']} layers, {total['macs'] / 1e6:.1f} MMAC, "
        f"{total['cycles']:,} cycles; "
        f"{total['bursts']} bursts and {total['values']} values of tensors compared: "
        f"{total['mismatches']} mismatches"
    )
    print(("passed  " if passed else "FAILED  ") + _command(seed, first, count, sim, config, contract))
    return passed


def _command(seed: int, first: int, count: int, sim: str, config: str, contract: str) -> str:
    given: dict[str, tuple[object, object]] = {
        "count": (count, None),
        "seed": (seed, None),
        "first": (first, 0),
    }
    given |= {"sim": (sim, "verilator"), "config": (config, "n16"), "contract": (contract, "tflite")}
    options = " ".join(f"--{name} {value}" for name, (value, usual) in given.items() if value != usual)
    return f".venv/bin/python -m tb.chip.soak {options}"


def _simulate(
    build: Build, seed: int, first: int, count: int, contract: str, spoil: bool, verbose: bool
) -> tuple[list[Tried], str]:
    """Networks that came to their end, and why the next one did not."""
    env = {"SOAK_FIRST": str(first), "SOAK_COUNT": str(count), "SOAK_SPOIL": str(int(spoil))}
    env["SOAK_CONTRACT"] = contract
    plusargs = [f"+latency={LATENCY}", f"+seed={seed}"]
    tried, failure = endless.items(
        build, "tb.chip.soak_sim", seed, count, "network", env, plusargs, verbose=verbose
    )
    return [Tried(**one) for one in tried], failure


def main(arguments: Sequence[str] | None = None) -> int:
    parser = endless.parser(__doc__, 50)
    parser.add_argument("--config", default="n16", choices=CONFIGS)
    parser.add_argument("--contract", default="tflite", choices=CONTRACTS)
    parser.add_argument("--spoil", action="store_true", help="break every network: all must be found out")
    return endless.main(parser, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
