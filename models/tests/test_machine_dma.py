"""The reference machine's LOAD and STORE, word by word, against loops written from docs/architecture.md."""

from __future__ import annotations

import numpy as np
import pytest

from models import blocks
from models.config import Config
from models.isa import End, Load, Pool, Store
from models.tests.litert import generator
from models.tests.programs import CONFIG, WIDE, image, run


def naive_window(command: Load | Store, n: int, max_burst: int) -> tuple[list[tuple[int, int]], list[int]]:
    """(bursts as (address, beats), word addresses), one word at a time."""
    bursts, words = [], []
    for y in range(command.count_y):
        for x in range(command.count_x):
            address, left = command.address + y * command.stride_y + x * command.stride_x, command.run
            while left:
                beats = 1
                while beats < min(left, max_burst) and (address + beats * n) % 4096:
                    beats += 1
                bursts.append((address, beats))
                words += [address + i * n for i in range(beats)]
                address, left = address + beats * n, left - beats
    return bursts, words


@pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["n4", "n16"])
def test_window_bursts_and_words(config: Config) -> None:
    rng, n = generator("window"), config.n
    crossings = 0
    for _ in range(150):
        command = Load(
            address=4096 - int(rng.integers(0, 80)) * n,
            run=int(rng.integers(1, 60)),
            count_x=int(rng.integers(1, 4)),
            count_y=int(rng.integers(1, 4)),
            stride_x=int(rng.integers(0, 100)) * n,
            stride_y=int(rng.integers(0, 300)) * n,
        )
        bursts, words = naive_window(command, n, config.max_burst)
        addresses, beats = blocks.window_bursts(command, config)
        assert list(zip(addresses.tolist(), beats.tolist(), strict=True)) == bursts
        assert (blocks.window_words(command, config) * n).tolist() == words
        crossings += any((a + b * n) % 4096 == 0 for a, b in bursts)
    assert crossings > 10


@pytest.mark.parametrize("seed", range(10))
def test_load_pads_and_wraps_and_store_scatters(seed: int) -> None:
    """A LOAD with a border, copied through a 1 x 1 maximum, stored with strides."""
    rng, n = generator(f"copy{seed}"), CONFIG.n
    dram = image(rng)
    load = Load(
        signal_compute=True, address=int(rng.integers(0, 500)) * n, buffer=int(rng.integers(0, 64)),
        run=int(rng.integers(1, 4)), count_x=int(rng.integers(1, 3)), count_y=int(rng.integers(1, 3)),
        stride_x=int(rng.integers(4, 40)) * n, stride_y=int(rng.integers(4, 40)) * n,
        pad_top=int(rng.integers(0, 2)), pad_bottom=int(rng.integers(0, 2)),
        pad_left=int(rng.integers(0, 2)), pad_right=int(rng.integers(0, 2)), pad_value=-77,
    )  # fmt: skip
    expected = []
    blank = np.full(n, -77, dtype=np.int8)
    row = load.pad_left + load.count_x * load.run + load.pad_right
    expected += [blank] * row * load.pad_top
    for y in range(load.count_y):
        expected += [blank] * load.pad_left
        for x in range(load.count_x):
            for i in range(load.run):
                at = load.address + y * load.stride_y + x * load.stride_x + i * n
                expected.append(dram[at : at + n].view(np.int8).copy())
        expected += [blank] * load.pad_right
    expected += [blank] * row * load.pad_bottom
    count = len(expected)
    assert count == blocks.load_size(load)
    pool = Pool(
        wait_load=True, signal_store=True, act_base=load.buffer, x_step=1, out_w=count, out_base=20,
        x_stride=1, x_hi=count, y_hi=1, bypass=True,
    )  # fmt: skip
    store = Store(wait_compute=True, address=0x4000, buffer=20, run=1, count_x=count, stride_x=8 * n)
    trace = run(CONFIG, dram, [load, pool, store, End()])
    assert trace.stop is None
    for i, word in enumerate(expected):
        at = 0x4000 + 8 * n * i
        assert np.array_equal(dram[at : at + n].view(np.int8), word)
    bursts = list(trace.bursts(2))
    assert [b.address for b in bursts] == [0x4000 + 8 * n * i for i in range(count)]
    assert b"".join(b.data for b in bursts) == np.stack(expected).tobytes()
    assert all(b.beats == 1 and b.direction == "write" and b.command == 2 for b in bursts)
