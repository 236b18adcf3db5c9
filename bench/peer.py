"""What others have: the same chip with cocotbext-axi's AxiRam as its memory, and the clock in Python.

`measure` runs in this process; the test below runs in the simulator.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles

from tb import build as hdl
from tb import runner
from tb.bench import Bench, Params
from tb.build import Build
from tb.chip import host
from tb.chip.job import JobFailed

# From the start of ResNet-50, this many have about its mean traffic: AxiRam costs by the beat.
CYCLES = 50_000
NAME = "bench_peer"


@dataclass(frozen=True)
class Peer:
    """hz: cycles of the core a second. beats: of read and write data, a cycle."""

    hz: float
    beats: float


def measure(parameters: Params, image: Path, base: int, length: int, seed: int) -> Peer:
    """The first CYCLES of a program.

    parameters: of the core. image: file with the memory's contents.

    Raises JobFailed if the core does not work in that time, UserError if it does not build.
    """
    build = Build(NAME, Bench("npu", [parameters], fast=True), parameters, "verilator")
    hdl.make(build, jobs=2)
    env = {"ASSAY_IMAGE": str(image), "ASSAY_PROGRAM": json.dumps([base, length])}
    verdict = runner.simulate(build, "bench.peer", seed, env=env)
    result = build.folder / "run" / "peer.json"
    if not verdict.passed or not result.exists():
        raise JobFailed(f"the peer's simulation failed; see {build.folder / 'run' / 'run.log'}")
    return Peer(**json.loads(result.read_text()))


@cocotb.test()
async def peer_runs(dut: Any) -> None:
    """Starts the program, and times some thousand of its cycles once the core reads."""
    from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam

    image = Path(os.environ["ASSAY_IMAGE"]).read_bytes()
    base, length = json.loads(os.environ["ASSAY_PROGRAM"])
    Clock(dut.clk, 10, "ns").start()
    dut.rst_n.value = 0
    reset = {"reset_active_level": False}
    size = 1 << (len(image) - 1).bit_length()
    ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst_n, size=size, **reset)
    ram.write(0, image)
    registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.clk, dut.rst_n, **reset)
    await ClockCycles(dut.clk, 4)
    dut.rst_n.value = 1
    await ClockCycles(dut.clk, 4)
    for register, value in ((host.PROG_BASE, base), (host.PROG_LEN, length), (host.CTRL, host.START)):
        await registers.write_dword(register, value)
    # Its line in the log for each burst is not what is measured.
    logging.getLogger("cocotb.npu").setLevel(logging.WARNING)
    start = time.monotonic()
    await ClockCycles(dut.clk, CYCLES)
    seconds = time.monotonic() - start
    counts = {}
    for name in ("busy", "read_bytes", "write_bytes"):
        counts[name] = await registers.read_dword(host.COUNTERS + 4 * host.COUNTER_NAMES.index(name))
    status = await registers.read_dword(host.STATUS)
    assert counts["busy"] > CYCLES // 2 and status == 1, f"{counts}, STATUS is {status}"
    beats = (counts["read_bytes"] + counts["write_bytes"]) / (len(dut.m_axi_wstrb) * CYCLES)
    Path("peer.json").write_text(json.dumps({"hz": CYCLES / seconds, "beats": beats}))
