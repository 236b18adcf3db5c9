"""What a regression runs: builds, and the jobs on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scripts.regress.job import Job
from scripts.tools import SIMULATORS, UserError, blocks
from tb.build import Build
from tb.runner import bench_of

WORKER = "scripts.regress.worker"
SLACK = 300  # seconds beyond the simulation's own limit: a worker starts, builds with waves
CHIP_LIMIT = 1800  # seconds
# Icarus interprets what Verilator compiles.
IMAGES = {"verilator": 100, "icarus": 1}
NETWORKS = {"verilator": (6, "n16"), "icarus": (1, "n4_small")}


@dataclass(frozen=True)
class Plan:
    """builds: what must be made first; a job names the one that it runs on."""

    builds: Sequence[Job]
    jobs: Sequence[Job]


def plan(seeds: Sequence[int], block: str | None = None, sim: str | None = None) -> Plan:
    """Every block with each of its parameter sets and, unless `block` is given, the chip's main job and
    random networks, on both simulators or on `sim`, with each seed. The slow simulator first.

    Raises UserError if the block does not run on that simulator.
    """
    builds, jobs = [], []
    for simulator in (sim,) if sim else tuple(reversed(SIMULATORS)):
        if not block:
            jobs += [job for seed in seeds for job in chip_jobs(simulator, seed)]
        for name in [block] if block else blocks():
            bench = bench_of(name)[1]
            if simulator not in bench.simulators:
                if block and sim:
                    raise UserError(f"BLOCK={block} runs on {' and '.join(bench.simulators)} only")
                continue
            for index, params in enumerate(bench.params):
                build = f"{name}.{Build(name, bench, params, simulator).label}.{simulator}"
                on = ["--block", name, "--params", str(index), "--sim", simulator]
                repeat = f"make sim BLOCK={name} SIM={simulator}"
                limit = bench.timeout + SLACK
                builds.append(Job(build, simulator, 0, ["-m", WORKER, "make", *on], repeat, limit))
                jobs += [
                    Job(
                        f"{build}.{seed}",
                        simulator,
                        seed,
                        ["-m", WORKER, "block", *on, "--seed", str(seed)],
                        f"{repeat} SEED={seed} WAVES=1",
                        limit,
                        build,
                    )
                    for seed in seeds
                ]
    return Plan(builds, jobs)


def chip_jobs(sim: str, seed: int) -> list[Job]:
    """The main job and random networks. Their runs share a folder: one at a time."""
    on = ["--sim", sim, "--seed", str(seed)]
    images, (count, config) = IMAGES[sim], NETWORKS[sim]
    digits = ["-m", WORKER, "digits", "--images", str(images), *on]
    again = f"make sim SIM={sim} IMAGES={images} SEED={seed} WAVES=1"
    soak = ["-m", WORKER, "soak", "--count", str(count), "--config", config, *on]
    networks = f"--count {count} --config {config} --sim {sim} --seed {seed} --waves"
    return [
        Job(f"digits.{sim}.{seed}", sim, seed, digits, again, CHIP_LIMIT, alone=f"digits.{sim}"),
        Job(
            f"networks.{sim}.{seed}",
            sim,
            seed,
            soak,
            f".venv/bin/python -m tb.chip.soak {networks}",
            CHIP_LIMIT,
            alone=f"networks.{sim}",
        ),
    ]
