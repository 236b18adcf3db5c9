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
HOSTILE = 2000  # programs, about 50,000 commands
NETWORKS = {"verilator": (6, "n16"), "icarus": (1, "n4_small")}


@dataclass(frozen=True)
class Plan:
    """builds: what must be made first; a job names the one that it runs on."""

    builds: Sequence[Job]
    jobs: Sequence[Job]


@dataclass(frozen=True)
class Variant:
    """A block with the index-th of its parameter sets."""

    block: str
    index: int

    def name(self, sim: str) -> str:
        """Of its build."""
        bench = bench_of(self.block)[1]
        return f"{self.block}.{Build(self.block, bench, bench.params[self.index], sim).label}.{sim}"

    def job(self, kind: str, name: str, sim: str, seed: int, *arguments: str, **more: str) -> Job:
        """A job of the worker."""
        command = ["-m", WORKER, kind, "--block", self.block, "--params", str(self.index), *arguments]
        return Job(name, sim, seed, command, limit=bench_of(self.block)[1].timeout + SLACK, **more)

    def make(self, sim: str) -> Job:
        repeat = f"make sim BLOCK={self.block} SIM={sim}"
        return self.job("make", self.name(sim), sim, 0, "--sim", sim, repeat=repeat)

    def run(self, sim: str, seed: int) -> Job:
        repeat = f"make sim BLOCK={self.block} SIM={sim} SEED={seed} FULL=1 WAVES=1"
        where, build = ["--sim", sim, "--seed", str(seed)], self.name(sim)
        return self.job("block", f"{build}.{seed}", sim, seed, *where, repeat=repeat, build=build)

    def same(self, seed: int) -> Job:
        """Once more on Verilator, compared with what run("icarus") saw."""
        icarus, build = f"{self.name('icarus')}.{seed}", self.name("verilator")
        where = ["--seed", str(seed), "--icarus", icarus]
        repeat = f".venv/bin/python -m scripts.regress.same --block {self.block} --seed {seed}"
        name = f"{self.name('same')}.{seed}"
        return self.job("same", name, "both", seed, *where, repeat=repeat, build=build, after=icarus)


def plan(seeds: Sequence[int], block: str | None = None, sim: str | None = None) -> Plan:
    """Every block with each of its parameter sets and, unless `block` is given, the chip's main job and
    random networks, on both simulators or on `sim`, with each seed. The slow simulator first.

    Raises UserError if the block does not run on that simulator.
    """
    builds, jobs = [], []
    simulators = (sim,) if sim else tuple(reversed(SIMULATORS))
    benches = {name: bench_of(name)[1] for name in ([block] if block else blocks())}
    if block and sim and sim not in benches[block].simulators:
        raise UserError(f"BLOCK={block} runs on {' and '.join(benches[block].simulators)} only")
    variants = {name: [Variant(name, i) for i in range(len(bench.params))] for name, bench in benches.items()}
    for simulator in simulators:
        if not block:
            jobs += [job for seed in seeds for job in chip_jobs(simulator, seed)]
        for name, bench in benches.items():
            if simulator in bench.simulators:
                builds += [variant.make(simulator) for variant in variants[name]]
                jobs += [variant.run(simulator, seed) for variant in variants[name] for seed in seeds]
    for name, bench in benches.items():
        if set(SIMULATORS) <= {*simulators} & {*bench.simulators}:
            jobs += [variant.same(seed) for variant in variants[name] for seed in seeds]
    return Plan(builds, jobs)


def chip_jobs(sim: str, seed: int) -> list[Job]:
    """The main job, random networks and, on the fast simulator, hostile programs. Runs of a kind share a
    folder: one at a time."""
    on = ["--sim", sim, "--seed", str(seed)]
    images, (count, config) = IMAGES[sim], NETWORKS[sim]
    digits = ["-m", WORKER, "digits", "--images", str(images), *on]
    again = f"make sim SIM={sim} IMAGES={images} SEED={seed} WAVES=1"
    soak = ["-m", WORKER, "soak", "--count", str(count), "--config", config, *on]
    networks = f"--count {count} --config {config} --sim {sim} --seed {seed} --waves"
    jobs = [
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
    if sim == "verilator":
        hostile = ["-m", WORKER, "hostile", "--count", str(HOSTILE), *on]
        again = f".venv/bin/python -m tb.chip.hostile --count {HOSTILE} --sim {sim} --seed {seed} --waves"
        name = f"hostile.programs.{sim}"
        jobs.append(Job(f"{name}.{seed}", sim, seed, hostile, again, CHIP_LIMIT, alone=name))
    return jobs
