"""What axi_traffic.v sends for a program_seed, and seeds with which it sends all that a test needs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

PAGE = 4096
LONGEST = 16  # beats
LONG = 256  # with bug 5
ALL_BEATS = 0x1FF  # axi_memory.v's err_beat
READS, WRITES = 1, 2  # the upper half of what is hashed
CANDIDATES = 4096
APART = 20  # reads


def mix(value: Any) -> Any:
    """axi_traffic.v's hash, of a number or of an array of uint64."""
    value = (value ^ value >> 16) * 0x7FEB_352D & 0xFFFF_FFFF
    value = (value ^ value >> 15) * 0x846C_A68B & 0xFFFF_FFFF
    return value ^ value >> 16


def bursts(seeds: NDArray[np.uint64], kind: int, count: int) -> tuple[NDArray[Any], ...]:
    """(first word, beats, whether a write leaves bytes out) of the first `count` bursts of a kind, each
    [seed, count]. A single beat may have all its bytes all the same."""
    numbers = np.uint64(kind << 16) | np.arange(count, dtype=np.uint64)
    found = mix(seeds[:, None] ^ numbers)
    beats = (found >> 23 & LONGEST - 1) + 1
    return found & ~np.uint64(LONGEST - 1), beats, (found >> 30 == 0) & (beats > 1)


def program_seed(rng: random.Random, count: int, width: int, pages: bool) -> int:
    """A random seed with which some of `count` writes and of twice as many reads are one beat long, and some
    writes leave bytes out; one of the first reads would cross a page if it were LONG. pages: and some begin,
    and some end a page; few seeds of few bursts have such. width: of the bus, bytes."""
    while True:
        seeds = np.random.default_rng(rng.getrandbits(64)).integers(0, 1 << 32, CANDIDATES, np.uint64)
        good = np.ones(CANDIDATES, bool)
        for kind, number in ((READS, 2 * count), (WRITES, count)):
            first, beats, partial = bursts(seeds, kind, number)
            wanted = [beats == 1, partial]
            if pages:
                wanted += [first * width % PAGE == 0, (first + beats) * width % PAGE == 0]
            if kind == READS:
                wanted.append((first[:, :8] * width % PAGE) > PAGE - LONG * width)
            for met in wanted:
                good &= met.any(axis=1)
        if good.any():
            return int(seeds[np.flatnonzero(good)[0]])


def failing_reads(rng: random.Random, seed: int, reads: int, places: Sequence[str]) -> list[tuple[int, int]]:
    """(one of the traffic's `reads`, beat of it) for each of these places, or for as many as there is room
    for: they are so far apart that the memory in Verilog, which knows one fault at a time, has answered one
    by the next."""
    beats = bursts(np.array([seed], np.uint64), READS, reads)[1][0].tolist()
    fits = [
        [read for read, count in enumerate(beats) if (count == 1 if where == "only" else count > 2)]
        for where in places
    ]
    for room in range(len(places), 0, -1):
        apart = [
            chosen
            for chosen in product(*fits[:room])
            if all(abs(a - b) > APART for a, b in combinations(chosen, 2))
        ]
        if apart:
            break
    found = []
    for where, read in zip(places, rng.choice(apart), strict=False):
        middle = rng.randint(1, max(1, beats[read] - 2))
        beat = {"first": 0, "middle": middle, "last": beats[read] - 1}.get(where, ALL_BEATS)
        found.append((read, beat))
    return sorted(found)
