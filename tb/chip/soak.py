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
from tb.chip.campaign import Campaign, command_line, launch
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
    options = {"sim": (sim, "verilator"), "config": (config, "n16"), "contract": (contract, "tflite")}
    campaign = Campaign("soak", "network", count, seed, first, options)
    campaign.begin()
    env = {"SOAK_SPOIL": str(int(spoil)), "SOAK_CONTRACT": contract}
    plusargs = [f"+latency={LATENCY}", f"+seed={seed}"]
    with hdl.alone(build):
        hdl.make(build, jobs=2, verbose=verbose)
        lines, failure = campaign.simulate(build, env, plusargs, verbose)
    tried = [Tried(**line) for line in lines]
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
            campaign.failed(one.index, one.first or "nothing was compared")
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
        campaign.failed(first + len(tried), failure)
    print(
        f"{len(tried)} networks, {total['layers']} layers, {total['macs'] / 1e6:.1f} MMAC, "
        f"{total['cycles']:,} cycles; "
        f"{total['bursts']} bursts and {total['values']} values of tensors compared: "
        f"{total['mismatches']} mismatches"
    )
    campaign.end(passed)
    return passed


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command_line(__doc__, count=50)
    parser.add_argument("--config", default="n16", choices=CONFIGS)
    parser.add_argument("--contract", default="tflite", choices=CONTRACTS)
    parser.add_argument("--spoil", action="store_true", help="break every network: all must be found out")
    return launch(parser, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
