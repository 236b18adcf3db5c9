"""What the benches draw is legal, and goes to the ends of what is."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from models.isa import PAGE, Cause
from tb.agents.burst import FIXED, INCR, WRAP
from tb.axi_peers.traffic import KINDS, PAGES, lanes_of, shapes
from tb.buffer.stimulus import Cycles
from tb.common.draws import clamp
from tb.control.stimulus import PAYLOAD, Reports
from tb.counters.model import CONDITIONS, RULES
from tb.counters.stimulus import SOURCES, Stamps, conditions
from tb.lib.stimulus import LONGEST, Reads

RNG = random.Random(5)


def test_a_cycle_of_the_counters_is_of_its_category() -> None:
    for category in RULES:
        seen = set()
        for beside in range(1 << len(CONDITIONS)):
            pins = conditions(category, beside)
            assert next(name for name, rule in RULES.items() if rule(pins)) == category, pins
            seen |= {name for name, rule in RULES.items() if rule(pins)}
        later = list(RULES)[list(RULES).index(category) :]
        assert seen == set(later), "every later category holds beside it"


def test_stamps_come_as_likely_as_asked() -> None:
    stamps = Stamps(RNG)
    assert not stamps.draw(likely=0.0, together=False)
    assert set(stamps.draw(likely=1.0, together=True)) == set(SOURCES)
    assert set(stamps.draw(sources=["post"])) == {"post"}
    sizes = Counter(len(stamps.draw(likely=0.5, together=True)) for _ in range(200))
    assert set(sizes) == {0, len(SOURCES)}
    assert {len(stamps.draw(likely=0.5, together=False)) for _ in range(200)} == {0, 1, 2, 3}


def test_a_report_of_control_is_legal() -> None:
    reports, causes = Reports(RNG), set()
    for _ in range(400):
        payload = reports.draw(["fetch", "store"])
        assert set(payload) == set(PAYLOAD)
        assert all(0 <= payload[name] < 1 << bits for name, bits in PAYLOAD.items())
        causes.add(payload["fetch_err_cause"])
    assert causes == {*range(Cause.BAD_OPCODE, Cause.READ_DECERR + 1), Cause.READ_WINDOW}


@pytest.mark.parametrize("data_bytes", [4, 32])
def test_bursts_are_legal_axi4(data_bytes: int) -> None:
    """IHI 0022, A3.4.1: INCR crosses no page, WRAP is aligned and of 2, 4, 8 or 16, FIXED of up to 16."""
    longest = 0
    for shape in shapes(RNG, data_bytes, 60 * len(KINDS)):
        assert shape.addr < PAGES * PAGE and 1 << shape.size <= data_bytes
        if shape.kind == INCR:
            assert {address // PAGE for address in shape.addresses} == {shape.addr // PAGE}
            assert 1 <= shape.beats <= 256
            longest = max(longest, shape.beats)
        else:
            assert shape.beats in ((2, 4, 8, 16) if shape.kind == WRAP else range(1, 17))
            assert shape.kind in (WRAP, FIXED)
        if shape.kind == WRAP:
            assert shape.addr % (1 << shape.size) == 0
    assert longest == 256
    deck = Counter(
        (s.write, s.kind, lanes_of(s.addr, s.size, data_bytes)) for s in shapes(RNG, data_bytes, 20)
    )
    assert set(deck) <= set(KINDS)
    assert max(deck.values()) == 1, "all of them before one comes again"


@pytest.mark.parametrize("n", [4, 32])
def test_reads_of_lib_cross_no_page(n: int) -> None:
    reads = Reads(RNG, n)
    found = [reads.draw() for _ in range(2000)]
    assert all(address // PAGE == (address + (length + 1) * n - 1) // PAGE for address, length in found)
    assert {length for _, length in found} == set(range(LONGEST))
    assert any((address + (length + 1) * n) % PAGE == 0 for address, length in found)


def test_ports_of_a_buffer_meet() -> None:
    cycles = Cycles(RNG, 64, 32)
    found = [cycles.draw() for _ in range(400)]
    assert 60 < sum(cycle.wr_addr == cycle.rd_addr for cycle in found) < 150
    assert cycles.read(rd_addr=7).rd_addr == 7
    write = cycles.write(wr_addr=9, near=True)
    assert (write.wr_en, write.rd_en, write.rd_addr) == (1, 0, 9)


def test_a_clamp_is_whole_a_part_or_one_value() -> None:
    found = [clamp(RNG, whole=1, part=1, one=1) for _ in range(300)]
    assert all(-128 <= low <= high <= 127 for low, high in found)
    assert 60 < sum(ends == (-128, 127) for ends in found) < 150
    assert 60 < sum(low == high for low, high in found) < 150
