"""The whole chip with its Verilog memory: networks, tiles and lone programs, burst for burst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cocotb
import numpy as np

from compiler.slice import cut
from models.blocks import window_words
from models.decode import decode
from models.isa import COMMAND_BYTES, Dest, End, Load, Pool, Store
from tb.bench import seed
from tb.chip.env import LIMIT, Chip
from tb.chip.score import ProgramScore
from tb.chip.session import bench, check
from tb.chip.tile import DRAM, TILE, TileJob, leave

BENCH = bench(
    [
        {
            "N": 4,
            "ACT_WORDS": 256,
            "WGT_WORDS": 128,
            "OUT_WORDS": 64,
            "PAR_WORDS": 32,
            "RES_WORDS": 64,
            "ACC_DEPTH": 16,
            "LINE_WORDS": 16,
            "MAX_BURST": 8,
            "OUTSTANDING": 2,
            "MEM_WORDS": 262144,
        },
        {"N": 16, "MEM_WORDS": 65536},
    ],
    public=[
        ("chip_bench", "*"),
        *(("axi_memory", name) for name in ("latency", "jitter", "stall", "read_count", "write_count")),
        *(("axi_memory", name) for name in ("err_read", "err_write", "err_resp")),
        ("npu", "f_quiet"),
        *(("npu_engines", name) for name in ("l_idle", "load_wait", "load_missing", "room_missing")),
        *(("npu_engines", name) for name in ("d_idle", "s_idle", "store_wait")),
    ],
    timeout=900,
)


@cocotb.test()
async def chip_runs_random_networks_bit_for_bit(dut: Any) -> None:
    """Bursts against the machine, tensors against the operator models."""
    chip = await Chip.open(dut)
    bursts = 0
    for _ in range(2 * chip.repeats):
        bursts += (await chip.good_program()).bursts
    dut._log.info(f"{bursts} bursts compared")


@cocotb.test()
async def chip_score_catches_one_wrong_bit_in_memory(dut: Any) -> None:
    """The twin of the score: the machine is given a DRAM that differs in one bit of one weight."""
    chip = await Chip.open(dut)
    loads: list[Load] = []
    while not loads:  # some networks have no weights
        image = await chip.prepare()
        commands = [image.command(i) for i in range(image.length)]
        loads = [c for c in commands if isinstance(c, Load) and c.dest == Dest.WGT]
    load = loads[0]
    chip.session.memory[load.address] ^= 1
    outcome = await chip.run(image)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    first = score.mismatches[0]
    assert (first.stream, first.what, first.beat) == ("load read", "data", 0), str(first)


@cocotb.test()
async def chip_runs_any_tile_alone(dut: Any) -> None:
    """What a STORE depends on, cut out of a network, is a good program."""
    chip = await Chip.open(dut)
    image = await chip.prepare()
    trace = (await chip.run(image)).trace
    stores = [number for number, command in enumerate(trace.commands) if isinstance(command, Store)]
    for store in chip.rng.choice(stores, min(chip.repeats, len(stores)), replace=False).tolist():
        part = cut(trace, [store], chip.session.config)
        await chip.session.load(part.dram)
        outcome = await chip.session.run(part.base, part.length, LIMIT)
        check(outcome, chip.session)
        assert len(outcome.trace.store) == 1


@cocotb.test()
async def chip_repeats_a_mismatch_in_its_tile_alone(dut: Any) -> None:
    """The twin of the tiles: a run that differs in one bit leaves a tile that differs in the same."""
    chip = await Chip.open(dut)
    config = chip.session.config
    constants: list[Load] = []
    while not constants:  # some networks have none
        image = await chip.prepare()
        loads = [c for c in (image.command(i) for i in range(image.length)) if isinstance(c, Load)]
        constants = [load for load in loads if load.address < image.compiled.image_base]
    wrong = constants[int(chip.rng.integers(len(constants)))].address
    chip.session.memory[wrong] ^= 1
    outcome = await chip.run(image)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    folder = Path("mismatch")
    whole = leave(folder, score.first(), outcome.trace, config, 8, [], {"seed": seed()})
    assert whole.tile and whole.command is not None, str(whole)
    job = TileJob.read(folder / TILE)
    # The image is as the machine had it; the chip gets the bit that the memory had.
    spoilt = np.fromfile(folder / TILE / DRAM, np.uint8)
    right = spoilt.copy()
    for at, number in enumerate(job.numbers):
        old = outcome.trace.commands[number]
        raw = spoilt[job.base + at * COMMAND_BYTES :][:COMMAND_BYTES].tobytes()
        new = decode(raw, config)
        if isinstance(old, Load) and isinstance(new, Load):
            there = window_words(new, config)[window_words(old, config) == wrong // config.n]
            right[there * config.n + wrong % config.n] = spoilt[there * config.n + wrong % config.n] ^ 1
    assert not np.array_equal(right, spoilt)
    await chip.session.load(right)
    chip.session.memory[:] = spoilt
    outcome = await chip.session.run(job.base, job.length, LIMIT)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    again = score.first()
    assert again.command is not None and job.numbers[again.command] == whole.command, f"{again}\n{whole}"
    assert (again.what, again.beat) == (whole.what, whole.beat), f"{again}\n{whole}"
    assert (again.expected, again.found) == (whole.expected, whole.found), f"{again}\n{whole}"


@cocotb.test()
async def chip_is_done_only_after_a_load_behind_the_last_store(dut: Any) -> None:
    """END is long read, and for one cycle only the queue of load knows that there is something left to do."""
    chip = await Chip.open(dut)
    commands = (
        Load(dest=Dest.ACT, address=0x1000, run=4, signal_compute=True),
        Pool(out_w=4, x_step=1, x_stride=1, x_hi=4, y_hi=1, bypass=True, wait_load=True, signal_store=True),
        Store(address=0x2000, run=4, wait_compute=True, signal_load=True),
        Load(dest=Dest.ACT, address=0x2000, run=4, buffer=16, wait_store=True),
        End(),
    )
    image = chip.rng.integers(0, 256, 0x5000).astype(np.uint8)
    raw = b"".join(command.encode() for command in commands)
    image[0x4000 : 0x4000 + len(raw)] = np.frombuffer(raw, np.uint8)
    await chip.session.load(image)
    check(await chip.session.run(0x4000, len(commands), LIMIT), chip.session)
