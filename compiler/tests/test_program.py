"""Tokens that follow from what commands touch."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.network import compile_network
from compiler.program import AREA, Program
from compiler.tests.random_networks import CONFIGS, RandomNetwork
from compiler.tests.run import run_machine
from models.config import Config
from models.isa import TOKEN_MAX, Conv, Dest, Load, Pool, Store
from models.tests.litert import SEED

CONFIG = Config(n=4, act_words=64, wgt_words=64, out_words=32, par_words=64, acc_depth=8, max_burst=8)


def tokens(program: Program) -> list[str]:
    """What each command waits for and signals, in short: `compute<load >store`."""
    lines = []
    for command in program.commands:
        waits = [f"<{e}" for e in ("load", "compute", "store") if getattr(command, f"wait_{e}")]
        signals = [f">{e}" for e in ("load", "compute", "store") if getattr(command, f"signal_{e}")]
        lines.append(" ".join([type(command).__name__, *waits, *signals]))
    return lines


def copy(act_base: int, out_base: int) -> Pool:
    return Pool(bypass=True, act_base=act_base, out_base=out_base, x_step=1, out_w=4, x_hi=4, y_hi=1)


def test_chain_of_dependences_gets_one_token_a_link() -> None:
    program = Program(CONFIG, 64)
    program.add(Load(address=AREA, run=4))
    program.add(copy(0, 0))
    program.add(Store(address=AREA + 64, run=4))
    program.add(Load(address=AREA + 64, run=4))
    assert tokens(program) == [
        "Load >compute",
        "Pool <load >store",
        "Store <compute >load",
        # The store before it says more than compute could: the words are read, too.
        "Load <store",
    ]


def test_what_is_implied_gets_no_token() -> None:
    program = Program(CONFIG, 64)
    program.add(Load(dest=Dest.WGT, run=4))
    program.add(Load(dest=Dest.PAR, run=9))
    program.add(Load(address=AREA, run=4))
    for base in (0, 1):
        program.add(Conv(clear=True, drain=True, act_base=base, out_base=base))
    program.add(Store(address=AREA + 64, run=2))
    assert tokens(program) == ["Load", "Load", "Load >compute", "Conv <load", "Conv >store", "Store <compute"]


def test_halves_of_a_buffer_overlap() -> None:
    """The load of the second half does not wait; the third waits for the first half only."""
    program = Program(CONFIG, 64)
    for half in (0, 32, 0):
        program.add(Load(address=AREA, buffer=half, run=4))
        program.add(copy(half, half // 8))
    assert tokens(program) == [
        "Load >compute",
        "Pool <load >load",
        "Load >compute",
        "Pool <load",
        "Load <compute >compute",
        "Pool <load",
    ]


def test_parameters_are_free_when_their_outputs_are_stored() -> None:
    program = Program(CONFIG, 64)
    program.add(Load(dest=Dest.ACT, run=4))
    program.add(Load(dest=Dest.WGT, run=4))
    program.add(Load(dest=Dest.PAR, run=9))
    program.add(Conv(clear=True, drain=True))
    program.add(Store(address=AREA))
    program.add(Load(dest=Dest.PAR, run=9))
    assert tokens(program)[-2:] == ["Store <compute >load", "Load <store"]


def test_addresses_of_tensors_move_with_the_image() -> None:
    program = Program(CONFIG, 64)
    program.add(Load(address=AREA + 32, run=4))
    program.add(Load(address=32, dest=Dest.WGT, run=4))
    program.add(copy(0, 0))
    program.add(Store(address=AREA + 128, run=4))
    raw = np.frombuffer(program.finish().at(0x7000), dtype="<u4").reshape(-1, 16)
    assert raw[[0, 1, 3], 1].tolist() == [0x7020, 32, 0x7080]


def test_stores_must_not_overwrite_what_loads_read() -> None:
    """There is no token from load to store: an order that would need one is a defect of the schedule."""
    program = Program(CONFIG, 64)
    program.add(Load(address=AREA, run=4))
    program.add(copy(0, 0))
    program.add(Load(address=AREA + 64, run=4, buffer=8))
    with pytest.raises(AssertionError, match="overwrites what a LOAD reads"):
        program.add(Store(address=AREA + 64, run=4))


@pytest.mark.parametrize("rows", [60, 150])
def test_more_tiles_than_a_token_queue_holds(rows: int) -> None:
    """Every tile of the second layer waits for its own tile of the first, long after that was signalled."""
    config = Config(n=4, act_words=16, wgt_words=32, out_words=4, par_words=64, acc_depth=4, max_burst=4)
    rng = np.random.default_rng(SEED)
    network = RandomNetwork(rng, rng.integers(-128, 128, (rows, 2, 3)).astype(np.int8))
    network.conv(3, (1, 1))
    network.conv(3, (1, 1))
    _, trace, _ = run_machine(network, config)
    waits = sum(command.wait_store for command in trace.commands if isinstance(command, Load))
    stores = sum(isinstance(command, Store) for command in trace.commands)
    assert stores == 2 * rows and min(rows, TOKEN_MAX) <= waits <= rows
    assert trace.stop is None and trace.in_program_order


def test_programs_do_not_depend_on_the_number_of_images() -> None:
    rng = np.random.default_rng(SEED)
    network = RandomNetwork(rng, rng.integers(-128, 128, (6, 6, 3)).astype(np.int8))
    network.conv(5, (3, 3))
    one, three = (compile_network(network.finish(), CONFIGS["n4_small"], images=i) for i in (1, 3))
    assert [length for _, length in three.programs] == [one.programs[0][1]] * 3
    assert three.address(2, "x") - three.address(1, "x") == three.image_stride
