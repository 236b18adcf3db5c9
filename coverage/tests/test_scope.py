"""A run of some blocks judges the files that it can run; a run of all judges every file."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverage import scope
from scripts.tools import ROOT, blocks
from tb import build
from tb.bench import Bench
from tb.build import listed

FILES = ["rtl/a/npu_a.v", "rtl/a/npu_glue.v", "rtl/b/npu_b.v"]
BENCHES = {"a": {"rtl/a/npu_a.v"}, "b": {"rtl/b/npu_b.v"}, "top": set(FILES)}


@pytest.mark.parametrize(
    "asked, now, elsewhere",
    [
        (["a"], ["rtl/a/npu_a.v"], ["rtl/a/npu_glue.v"]),
        (["b"], ["rtl/b/npu_b.v"], []),
        (["top"], [], []),  # the files are other blocks' own
        (["a", "top"], ["rtl/a/npu_a.v", "rtl/a/npu_glue.v"], []),
        (["a", "b", "top"], FILES, []),
    ],
)
def test_a_run_covers_what_its_own_benches_contain(asked, now, elsewhere) -> None:
    assert scope.split(FILES, asked, BENCHES) == (now, elsewhere, [])


@pytest.mark.parametrize("asked", [["a"], ["a", "b", "top"]])
def test_a_file_that_no_bench_contains_is_a_problem_and_stays_to_cover(asked) -> None:
    now, elsewhere, problems = scope.split([*FILES, "rtl/a/npu_lost.v"], asked, BENCHES)
    assert problems == ["rtl/a/npu_lost.v: no block's bench contains it"]
    assert "rtl/a/npu_lost.v" in now and "rtl/a/npu_lost.v" not in elsewhere


def test_a_whole_run_of_the_project_covers_every_file() -> None:
    files = [str(file.relative_to(ROOT)) for file in listed()]
    assert scope.split(files, blocks(), scope.contained(blocks())) == (files, [], [])


def test_a_bench_does_not_contain_what_only_a_comment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "FILE_LIST", tmp_path / "npu.f")
    (tmp_path / "npu.f").write_text("npu_a.v\nnpu_b.v\nnpu_c.v\n")
    (tmp_path / "npu_a.v").write_text("module npu_a;  // see npu_c\n  npu_b u_b ();\nendmodule\n")
    (tmp_path / "npu_b.v").write_text("module npu_b;\nendmodule\n")
    assert [file.name for file in build.sources(Bench("npu_a"))] == ["npu_a.v", "npu_b.v"]
