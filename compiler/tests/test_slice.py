"""Slices of random networks against the programs that they were cut from, on the reference machine."""

from __future__ import annotations

import numpy as np
import pytest

from compiler import slice as slices
from compiler.network import Compiled, compile_network
from compiler.slice import Slice, cut, needed_by, store_that_needs, stores_of_layer
from compiler.tests.deep_networks import deep_network
from compiler.tests.random_networks import CONFIGS
from models.config import Config
from models.isa import PAGE, Conv, Load, Store
from models.machine import Machine
from models.races import UndefinedError
from models.trace import Trace

SEEDS = range(3)


def traced(seed: int, config: Config) -> tuple[Compiled, Trace]:
    """A random network and its run."""
    network = deep_network(np.random.default_rng([seed, 31]), 4, 9)
    compiled = compile_network(network.finish(), config)
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, network.values["x"])
    return compiled, Machine(config).run(dram, *compiled.programs[0])


def run(part: Slice, config: Config) -> Trace:
    return Machine(config).run(part.dram.copy(), part.base, part.length)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("config", ["n4_small", "n16_small", "n4_tiny"])
def test_a_slice_stores_what_the_whole_program_stored(seed: int, config: str) -> None:
    """Every tile of every layer, with race checks on: data, beats and the place in a page."""
    _, whole = traced(seed, CONFIGS[config])
    stored = {part.command: part for part in whole.store}
    loaded = {part.command: part for part in whole.load}
    rng = np.random.default_rng(seed)
    stores = [number for number, c in enumerate(whole.commands) if isinstance(c, Store)]
    assert stores
    for number in rng.choice(stores, min(6, len(stores)), replace=False).tolist():
        part = cut(whole, [number], CONFIGS[config])
        trace = run(part, CONFIGS[config])
        assert trace.stop is None and len(trace.store) == 1
        pairs = [(trace.store[0], stored[number])]
        pairs += [(found, loaded[part.numbers[found.command]]) for found in trace.load]
        for found, expected in pairs:
            assert np.array_equal(found.data, expected.data)
            assert np.array_equal(found.beats, expected.beats)
            assert np.array_equal(found.addresses % PAGE, expected.addresses % PAGE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_slice_of_a_layer_has_all_its_tiles(seed: int) -> None:
    config = CONFIGS["n4_small"]
    _, whole = traced(seed, config)
    for layer in {c.layer for c in whole.commands if isinstance(c, Store)}:
        stores = stores_of_layer(whole.commands, layer)
        trace = run(cut(whole, stores, config), config)
        expected = [part for part in whole.store if part.layer == layer]
        assert [part.data.tobytes() for part in trace.store] == [part.data.tobytes() for part in expected]


def test_a_slice_is_small_and_stays_in_its_layer() -> None:
    config = CONFIGS["n4_small"]
    _, whole = traced(1, config)
    last = stores_of_layer(whole.commands, max(c.layer for c in whole.commands))[-1]
    numbers = needed_by(whole.commands, [last], config)
    assert len(numbers) < len(whole.commands) / 3
    assert {whole.commands[number].layer for number in numbers} == {whole.commands[last].layer}


def test_a_load_belongs_to_the_tile_that_uses_it() -> None:
    config = CONFIGS["n4_small"]
    _, whole = traced(2, config)
    loads = [number for number, c in enumerate(whole.commands) if isinstance(c, Load)]
    for number in loads[:12]:
        store = store_that_needs(whole.commands, number, config)
        assert store is not None and number in needed_by(whole.commands, [store], config)


def test_without_one_of_its_commands_a_slice_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: every command of the slice is needed."""
    config = CONFIGS["n4_small"]
    _, whole = traced(3, config)
    stores = [number for number, c in enumerate(whole.commands) if isinstance(c, Store)]
    target = stores[-1]
    numbers = needed_by(whole.commands, [target], config)
    for gone in numbers[:-1]:
        command = whole.commands[gone]
        if isinstance(command, Conv) and not command.drain:
            continue  # the CONV after it would be refused
        left = [number for number in numbers if number != gone]
        monkeypatch.setattr(slices, "needed_by", lambda *_, left=left: left)
        with pytest.raises((UndefinedError, AssertionError)):
            run(cut(whole, [target], config), config)
