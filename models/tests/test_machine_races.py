"""The race detector: every way in which a program's result can depend on timing, caught; none invented."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.network import compile_network
from compiler.tests.random_networks import CONFIGS, RandomNetwork
from models.config import Config
from models.decode import parse
from models.isa import COMMAND_BYTES, Command, Conv, Dest, End, Load, Pool, Store
from models.machine import DeadlockError, Machine
from models.races import RaceError, UndefinedError
from models.tests.litert import SEED
from models.tests.programs import SIZE, run

CONFIG = Config(n=4, act_words=64, wgt_words=64, out_words=32, par_words=64, acc_depth=8, max_burst=8)


def copy(**fields: object) -> Pool:
    """A 1 x 1 maximum of four words."""
    values = {"bypass": True, "x_step": 1, "out_w": 4, "x_hi": 4, "y_hi": 1, "x_stride": 1} | fields
    return Pool(**values)  # type: ignore[arg-type]


def conv(**fields: object) -> Conv:
    values = {"clear": True, "drain": True, "out_w": 4, "tile": 4, "x_step": 1} | fields
    return Conv(**values)  # type: ignore[arg-type]


LOADS = [
    Load(run=4),
    Load(dest=Dest.WGT, run=4),
    Load(dest=Dest.TABLE, run=64),
    Load(dest=Dest.PAR, run=9, signal_compute=True),
]

# name -> (program, which token to drop: (signalling command, waiting command, signal, wait))
PROGRAMS: dict[str, tuple[list[Command], tuple[int, int, str, str]]] = {
    "compute reads what a load has not brought": (
        [Load(run=4, signal_compute=True), copy(wait_load=True), End()],
        (0, 1, "signal_compute", "wait_load"),
    ),
    "load overwrites what compute still reads": (
        [
            Load(run=4, signal_compute=True),
            copy(wait_load=True, signal_load=True),
            Load(run=4, wait_compute=True),
            End(),
        ],
        (1, 2, "signal_load", "wait_compute"),
    ),
    "load overwrites weights in use": (
        [
            *LOADS,
            conv(wait_load=True, signal_load=True),
            Load(dest=Dest.WGT, run=4, wait_compute=True),
            End(),
        ],
        (4, 5, "signal_load", "wait_compute"),
    ),
    "load overwrites parameters in use": (
        [
            *LOADS,
            conv(wait_load=True, signal_store=True),
            Store(wait_compute=True, run=4, address=0x4000, signal_load=True),
            Load(dest=Dest.PAR, run=9, wait_store=True),
            End(),
        ],
        (5, 6, "signal_load", "wait_store"),
    ),
    "load overwrites a table in use": (
        [
            *LOADS,
            copy(wait_load=True, signal_store=True, table_en=True),
            Store(wait_compute=True, run=4, address=0x4000, signal_load=True),
            Load(dest=Dest.TABLE, run=1, wait_store=True),
            End(),
        ],
        (5, 6, "signal_load", "wait_store"),
    ),
    "store sends what compute has not written": (
        [
            Load(run=4, signal_compute=True),
            copy(wait_load=True, signal_store=True),
            Store(wait_compute=True, run=4, address=0x4000),
            End(),
        ],
        (1, 2, "signal_store", "wait_compute"),
    ),
    "compute overwrites what store still reads": (
        [
            Load(run=4, signal_compute=True),
            copy(wait_load=True, signal_store=True),
            Store(wait_compute=True, run=4, address=0x4000, signal_compute=True),
            copy(wait_store=True),
            End(),
        ],
        (2, 3, "signal_compute", "wait_store"),
    ),
    "load reads DRAM that a store has not written": (
        [
            Load(run=4, signal_compute=True),
            copy(wait_load=True, signal_store=True),
            Store(wait_compute=True, run=4, address=0x4000, signal_load=True),
            Load(run=1, address=0x400C, buffer=8, wait_store=True),
            End(),
        ],
        (2, 3, "signal_load", "wait_store"),
    ),
    "store overwrites DRAM that a load still reads": (
        [
            Load(run=4, signal_compute=True),
            Load(run=4, address=0x4000, buffer=8, signal_compute=True),
            copy(wait_load=True),
            copy(wait_load=True, signal_store=True),
            Store(wait_compute=True, run=4, address=0x4000),
            End(),
        ],
        (1, 3, "signal_compute", "wait_load"),
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_ordered_program_is_accepted(name: str) -> None:
    assert run(CONFIG, np.zeros(SIZE, dtype=np.uint8), PROGRAMS[name][0]).stop is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_same_program_without_the_token_is_refused(name: str) -> None:
    program, (producer, consumer, signal, wait) = PROGRAMS[name]
    broken = list(program)
    broken[producer] = replace(broken[producer], **{signal: False})
    broken[consumer] = replace(broken[consumer], **{wait: False})
    with pytest.raises(RaceError, match="no token orders the two") as caught:
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), broken)
    assert caught.value.command == (4 if "still reads" in name and "DRAM" in name else consumer)
    # Without the check the machine has an answer all the same: timing is what it does not know.
    dram = np.zeros(SIZE, dtype=np.uint8)
    raw = b"".join(command.encode() for command in broken)
    dram[0x8000 : 0x8000 + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
    Machine(CONFIG, check_races=False).run(dram, 0x8000, len(broken))


def test_computes_token_to_load_does_not_release_parameters() -> None:
    """Post may still need them: the token says only that activations and weights are read."""
    program = [
        *LOADS,
        conv(wait_load=True, signal_load=True),
        Load(dest=Dest.PAR, run=9, wait_compute=True),
        End(),
    ]
    with pytest.raises(RaceError, match="parameter buffer"):
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program)


def test_words_next_to_each_other_do_not_race() -> None:
    program = [
        Load(run=4, signal_compute=True),
        copy(wait_load=True),
        Load(run=60, buffer=4),
        End(),
    ]
    dram = np.zeros(SIZE, dtype=np.uint8)
    assert run(CONFIG, dram, program).stop is None
    with pytest.raises(RaceError, match="word 0 of the activation buffer"):
        run(CONFIG, dram, [*program[:2], Load(run=61, buffer=4), End()])


def test_taps_in_the_padding_are_not_reads() -> None:
    """Word 3 is beyond x_hi and may change at any time; nothing has written it either."""
    program = [Load(run=3, signal_compute=True), copy(wait_load=True, x_hi=3), Load(run=1, buffer=3), End()]
    assert run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program).stop is None


def test_store_into_the_program_is_refused() -> None:
    program = [
        Load(run=4, signal_compute=True),
        copy(wait_load=True, signal_store=True),
        Store(wait_compute=True, run=1, address=0x8000),
        End(),
    ]
    with pytest.raises(RaceError, match="program"):
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program)


@pytest.mark.parametrize(
    ("missing", "memory"), [(0, "activation"), (1, "weight"), (2, "table"), (3, "parameter")]
)
def test_reading_what_nothing_has_written_is_refused(missing: int, memory: str) -> None:
    loads = [replace(load, signal_compute=False) for i, load in enumerate(LOADS) if i != missing]
    loads[-1] = replace(loads[-1], signal_compute=True)
    program = [*loads, conv(wait_load=True, table_en=True), End()]
    with pytest.raises(UndefinedError, match=memory):
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), program)
    with pytest.raises(UndefinedError, match="output buffer"):
        run(CONFIG, np.zeros(SIZE, dtype=np.uint8), [Store(address=0x4000), End()])


def without_token(program: np.ndarray, producer: str, consumer: str, which: int) -> np.ndarray | None:
    """The program (uint8 [commands, 64]) without the which-th token from one engine to another."""
    engines = {1: "load", 2: "store", 3: "compute", 4: "compute"}
    bits = {"load": 0, "compute": 1, "store": 2}
    copied, found = program.copy(), [0, 0]
    for number, raw in enumerate(program):
        engine = engines.get(int(raw[0]))
        for side, (own, other) in enumerate(((producer, consumer), (consumer, producer))):
            mask = (0x10 if side == 0 else 0x01) << bits[other]
            if engine == own and raw[1] & mask:
                if found[side] == which:
                    copied[number, 1] &= 0xFF ^ mask
                found[side] += 1
    return copied if min(found) > which else None


def test_no_token_of_a_compiled_program_can_be_spared() -> None:
    """The compiler's tokens: leave any one out, and the machine refuses the program."""
    network = RandomNetwork(np.random.default_rng(SEED), np.zeros((12, 12, 5), dtype=np.int8))
    network.conv(6, (3, 3), activation="RELU")
    network.table("leaky_relu")
    network.conv(6, (1, 1))
    config = CONFIGS["n4_small"]
    compiled = compile_network(network.finish(), config)
    base, length = compiled.programs[0]
    end = base + length * COMMAND_BYTES
    program = compiled.dram[base:end].reshape(length, COMMAND_BYTES)
    assert isinstance(parse(program[-1].tobytes()), End)
    tried = 0
    for pair in (
        ("load", "compute"),
        ("compute", "load"),
        ("compute", "store"),
        ("store", "compute"),
        ("store", "load"),
    ):
        which = 0
        while (broken := without_token(program, *pair, which)) is not None:
            dram = compiled.dram.copy()
            dram[base:end] = broken.reshape(-1)
            with pytest.raises((RaceError, DeadlockError)):
                Machine(config).run(dram, base, length)
            which, tried = which + 1, tried + 1
        assert which > 0, pair
    assert tried > 30
