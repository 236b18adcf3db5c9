"""Reading the log of the units: on logs whose truth is known, and while they grow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.isa import ID_FETCH, ID_LOAD, ID_STORE
from tb.agents.memory_log import RECORD
from tb.chip import activity
from tb.chip.activity import STATES, UNIT_RECORD, Activity, read
from tb.chip.host import ACCOUNT
from tb.chip.progress import NetworkProgress

N = 16
OFFSET = 22  # cycles of the memory before the program's first


def records(cycles: list[int], **columns: list[int]) -> NDArray:
    made = np.zeros(len(cycles), UNIT_RECORD)
    made["cycles"] = cycles
    made["memory_cycle"] = np.array(cycles) + OFFSET
    for name, values in columns.items():
        made[name] = values
    return made


def burst(axi_id: int, start: int, end: int, beats: int) -> NDArray:
    made = np.zeros(1, RECORD)
    for name, value in {"id": axi_id, "start": start + OFFSET, "end": end + OFFSET, "beats": beats}.items():
        made[name] = value
    return made


def put(folder: Path, units: NDArray, *bursts: NDArray) -> Path:
    units.tofile(folder / activity.UNITS_LOG)
    np.concatenate([np.zeros(0, RECORD), *bursts]).tofile(folder / activity.BURSTS_LOG)
    return folder


def test_every_unit_gets_its_cycles(tmp_path: Path) -> None:
    units = records(
        [0, 100, 200, 250],
        busy=[0, 0, 80, 130],
        load=[0, 60, 60, 60],
        post_words=[0, 0, 10, 50],
        post_waits=[0, 0, 20, 20],
        load_wait=[0, 0, 30, 80],
        store_wait=[0, 100, 150, 150],
        # 4 beats of commands, 40 of data
        read_bytes=[0, 24 * N, 44 * N, 44 * N],
        write_bytes=[0, 0, 20 * N, 20 * N],
    )
    bursts = (
        burst(ID_FETCH, 5, 20, 4),
        burst(ID_LOAD, 50, 120, 40),
        burst(ID_STORE, 150, 230, 20),
    )
    found = read(put(tmp_path, units, *bursts), N)
    assert found is not None and found.edges.tolist() == [0, 100, 200, 250]
    cycles = found.cycles
    assert cycles["conv, pool"]["busy"].tolist() == [0, 80, 50]
    assert cycles["conv, pool"]["load"].tolist() == [60, 0, 0]
    assert cycles["load"]["moves data"].tolist() == [20, 20, 0]
    assert cycles["load"]["waits for memory"].tolist() == [30, 0, 0]
    assert cycles["load"]["waits for a token"].tolist() == [0, 30, 50]
    assert cycles["post"]["busy"].tolist() == [0, 10, 40]
    assert cycles["post"]["waits for store"].tolist() == [0, 20, 0]
    assert cycles["store"]["moves data"].tolist() == [0, 20, 0]
    assert cycles["store"]["waits for memory"].tolist() == [0, 30, 30]
    assert cycles["store"]["waits for a token"].tolist() == [100, 50, 0]


def test_states_never_exceed_their_window(tmp_path: Path) -> None:
    units = records([0, 10], read_bytes=[0, 8 * N], load_wait=[0, 10], busy=[0, 7], pool=[0, 7])
    found = read(put(tmp_path, units, burst(ID_LOAD, 0, 10, 8)), N)
    assert found is not None
    for states in found.cycles.values():
        assert sum(value[0] for value in states.values()) <= 10
    assert [found.cycles["conv, pool"][name][0] for name in ("busy", "pool")] == [7, 3]


def test_only_the_first_program_is_shown(tmp_path: Path) -> None:
    units = records([0, 100, 200, 0, 100, 200], busy=[0, 50, 100, 0, 10, 20])
    later = burst(ID_LOAD, 250, 300, 40)
    found = read(put(tmp_path, units, later), N)
    assert found is not None and found.edges.tolist() == [0, 100, 200]
    assert found.cycles["load"]["waits for memory"].sum() == 0


def test_without_a_log_there_is_no_timeline(tmp_path: Path) -> None:
    assert read(put(tmp_path, records([])), N) is None


def test_a_saved_activity_comes_back(tmp_path: Path) -> None:
    edges = np.array([0, 16, 20])
    cycles = {unit: {state: np.ones(2, np.float32) for state in states} for unit, states in STATES.items()}
    Activity(edges, cycles).save(tmp_path / "a.npz")
    again = Activity.load(tmp_path / "a.npz")
    assert again.edges.tolist() == edges.tolist()
    assert again.cycles["conv, pool"][ACCOUNT[3]].tolist() == [1, 1]


def progress(path: Path, images: int = 1) -> NetworkProgress:
    return NetworkProgress(path, ["a", "b", "c"], [100, 200, 300], images)


def test_progress_follows_the_log(tmp_path: Path) -> None:
    """A layer that is done counts with what it took, the others with their estimate."""
    path = tmp_path / activity.UNITS_LOG
    followed = progress(path)
    followed.update()  # no log yet
    raw = records([0, 50, 150, 200], layers=[0, 0, 1, 1]).tobytes()
    path.write_bytes(raw[: 2 * UNIT_RECORD.itemsize + 10])  # half a record is not read
    followed.update()
    assert (followed.where, followed.cycles, followed.total) == ("a", 50, 600)
    path.write_bytes(raw)
    followed.update()
    assert (followed.where, followed.cycles, followed.total) == ("b", 200, 650)


def test_progress_counts_images(tmp_path: Path) -> None:
    path = tmp_path / activity.UNITS_LOG
    followed = progress(path, images=4)
    records([0, 700, 0, 350], layers=[0, 3, 0, 1]).tofile(path)
    followed.update()
    assert followed.where == "image 2 of 4, b"
    assert followed.cycles == 1050
    assert followed.total == 1050 + 500 + 2 * 700


def test_progress_of_more_layers_than_stamps(tmp_path: Path) -> None:
    path = tmp_path / activity.UNITS_LOG
    names = [f"l{k}" for k in range(300)]
    followed = NetworkProgress(path, names, [10] * 300, 1)
    cycles = list(range(0, 3000, 10))
    records(cycles, layers=[k % 256 for k in range(300)]).tofile(path)
    followed.update()
    assert followed.where == "l299"


def test_plain_lines_say_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / activity.UNITS_LOG
    now = [0.0]
    followed = NetworkProgress(path, ["a", "b", "c"], [100, 200, 300], 1, clock=lambda: now[0])
    records([0]).tofile(path)
    followed.update()
    now[0] = 5.0
    records([0, 300], layers=[0, 1]).tofile(path)
    followed.update()
    followed.close()
    assert capsys.readouterr().out == "  b: 300 of about 800 cycles, 0 kHz, about 8 s left\n"
