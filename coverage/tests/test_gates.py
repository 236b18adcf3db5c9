"""Each gate can fail, alone; exclusions neither rot nor hide what was hit; what is missing is not covered."""

from __future__ import annotations

from pathlib import Path

import pytest

from coverage import exclude, functional, lcov, metrics
from coverage.items import KINDS, NO_RESULT, Item
from coverage.metrics import GATES, METRICS, Numbers, Ratio
from scripts.testplan import Feature, Plan
from scripts.tools import UserError
from tb import verdict
from tb.common.cover import Coverage, Point

FILE = "rtl/toy/npu_toy.v"


def item(kind: str, text: str = "", hits: int = 0, source: str = "a <= b;", line: int = 4) -> Item:
    return Item(kind, FILE, line, text, source, hits)


def numbers(row: dict[str, Ratio]) -> Numbers:
    full = {metric: Ratio(100, 100) for metric in METRICS}
    return Numbers(blocks={"toy": full | row})


def test_a_run_that_covers_all_passes() -> None:
    assert metrics.failures(numbers({})) == []


@pytest.mark.parametrize("metric", METRICS)
def test_each_gate_fails_just_below_its_number_and_holds_on_it(metric: str) -> None:
    least = round(1000 * GATES[metric])
    assert metrics.failures(numbers({metric: Ratio(least, 1000)})) == []
    below = metrics.failures(numbers({metric: Ratio(least - 1, 1000)}))
    assert len(below) == 1 and below[0].startswith(f"toy: {metric} {least - 1} of 1000")


def test_one_bad_block_is_not_hidden_by_good_ones() -> None:
    found = numbers({})
    found.blocks["other"] = found.blocks["toy"] | {"toggle": Ratio(1, 2)}
    assert found.total["toggle"].value == 101 / 102 and len(metrics.failures(found)) == 1


def test_nothing_at_all_fails() -> None:
    assert metrics.failures(Numbers())
    without = {k: v for k, v in numbers({}).blocks["toy"].items() if k != "functional"}
    assert len(metrics.failures(Numbers(blocks={"toy": without}))) == 1


def test_a_block_without_functional_coverage_or_testplan_has_none() -> None:
    found = metrics.numbers({}, {}, {}, ["toy"], ["toy"])
    assert {f.split()[1] for f in metrics.failures(found)} == {"functional", "testplan"}


def test_a_file_without_a_result_fails_every_gate_of_code() -> None:
    missing = {FILE: [item(kind, NO_RESULT) for kind in KINDS if kind != "fsm"]}
    ratios = metrics.numbers(missing, {"toy": Ratio(1, 1)}, {"toy": Ratio(1, 1)}, ["toy"], ["toy"])
    assert {f.split()[1] for f in metrics.failures(ratios)} == set(KINDS) - {"fsm"}


def test_summary_has_every_metric_in_total_and_per_block_and_rounds_down() -> None:
    found = numbers({"line": Ratio(99999, 100000, 3)})
    summary = metrics.summary(found)
    assert summary.keys() == {*METRICS, "excluded", "blocks", "files"}
    assert summary["line"] == 0.9999 and summary["blocks"]["toy"]["line"] == 0.9999
    assert summary["excluded"] == 3 and summary["branch"] == 1.0


def exclusions(folder: Path, rows: str) -> list[exclude.Exclusion]:
    path = folder / "exclusions.hjson"
    path.write_text("{exclusions: [" + rows + "]}")
    return exclude.load(path)


BITS = '{file: "rtl/toy/*", kind: "toggle", text: "a\\\\[[0-3]\\\\]:.*", reason: "tied"}'


def test_an_exclusion_takes_what_it_matches_and_no_more(tmp_path: Path) -> None:
    found = [item("toggle", "a[3]:0->1"), item("toggle", "a[4]:0->1"), item("branch", "a[3]:0->1")]
    result, problems = exclude.apply({FILE: found}, exclusions(tmp_path, BITS), whole=True)
    assert not problems
    assert [i.excluded for i in result[FILE]] == ["tied", None, None]
    assert metrics.of_items(result[FILE])["toggle"] == Ratio(0, 1, 1)


def test_an_exclusion_of_what_was_hit_is_an_error(tmp_path: Path) -> None:
    found = [item("toggle", "a[2]:0->1"), item("toggle", "a[3]:0->1", hits=7)]
    result, problems = exclude.apply({FILE: found}, exclusions(tmp_path, BITS), whole=False)
    assert len(problems) == 1 and "excluded, but hit 7 times" in problems[0] and "a[3]" in problems[0]
    assert result[FILE][1].excluded is None


def test_an_exclusion_that_matches_nothing_is_an_error_when_all_has_run(tmp_path: Path) -> None:
    rules = exclusions(tmp_path, BITS)
    assert exclude.apply({FILE: []}, rules, whole=True)[1] == [f"exclusion matches nothing: {rules[0]}"]
    assert exclude.apply({FILE: []}, rules, whole=False)[1] == []


def test_a_missing_result_cannot_be_excluded(tmp_path: Path) -> None:
    everything = '{file: "*", kind: "line", text: ".*", reason: "all"}'
    result, problems = exclude.apply(
        {FILE: [item("line", NO_RESULT)]}, exclusions(tmp_path, everything), True
    )
    assert result[FILE][0].open and problems


def test_source_picks_a_line_by_its_code(tmp_path: Path) -> None:
    rule = '{file: "*", kind: "branch", source: "default: .*", reason: "none"}'
    found = [item("branch", "case", source="default: s <= A;"), item("branch", "case", source="A: s <= B;")]
    result, _ = exclude.apply({FILE: found}, exclusions(tmp_path, rule), whole=True)
    assert [i.excluded for i in result[FILE]] == ["none", None]


@pytest.mark.parametrize(
    "row, words",
    [
        ('{file: "*", kind: "toggle", text: "a"}', "no reason"),
        ('{file: "*", kind: "toggle", text: "a", reason: "  "}', "no reason"),
        ('{file: "*", kind: "wire", text: "a", reason: "r"}', "kind is wire"),
        ('{file: "*", kind: "toggle", reason: "r"}', "needs a pattern"),
        ('{file: "*", kind: "toggle", text: "(", reason: "r"}', "regular expression"),
        ('{file: "*", kind: "toggle", line: 4, text: "a", reason: "r"}', "unknown field line"),
        ('{kind: "toggle", text: "a", reason: "r"}', "no file"),
        ("[", "expected hjson"),
    ],
)
def test_an_exclusion_that_is_not_complete_is_an_error(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        exclusions(tmp_path, row)


def test_the_projects_own_exclusions_can_be_read() -> None:
    assert exclude.load()


MODEL = Coverage("toy", Point("tie", ["up", "down"], "t"))
PLAN = Plan("toy", (Feature("count", "d", "V1", ("counts",), ("tie",)),))
FULL = {"tie": {"up": 1, "down": 1}}


def test_hits_of_runs_add_up_and_a_missing_file_leaves_bins_open(tmp_path: Path) -> None:
    for name, up in (("a", 2), ("b", 3)):
        (tmp_path / name).write_text(f'{{"toy": {{"tie": {{"up": {up}, "down": 0}}}}, "gone": {{}}}}')
    found = functional.merge({"toy": MODEL}, [tmp_path / "a", tmp_path / "b"])
    assert found == {"toy": {"tie": {"up": 5, "down": 0}}}
    assert functional.ratio(found["toy"]) == Ratio(1, 2)
    assert functional.holes("toy", found["toy"]) == ["toy.tie.down"]
    assert functional.ratio(functional.merge({"toy": MODEL}, [])["toy"]) == Ratio(0, 2)


@pytest.mark.parametrize("text", ['{"toy": {"tie": {"sideways": 1}}}', "not json", '{"toy": 3}'])
def test_functional_coverage_of_another_state_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").write_text(text)
    with pytest.raises(UserError):
        functional.merge({"toy": MODEL}, [tmp_path / "a"])


@pytest.mark.parametrize(
    "results, bins, words",
    [
        ([], FULL, "counts did not run"),
        ([verdict.Test("counts", "fail", 0)], FULL, "counts did not pass"),
        (
            [verdict.Test("counts/n=1", "pass", 0), verdict.Test("counts/n=2", "fail", 0)],
            FULL,
            "counts did not pass",
        ),
        ([verdict.Test("counts", "skip", 0)], FULL, "counts did not pass"),
        ([verdict.Test("counts_more", "pass", 0)], FULL, "counts did not run"),
        ([verdict.Test("counts", "pass", 0)], {"tie": {"up": 1, "down": 0}}, "tie has 1 holes"),
        ([verdict.Test("counts", "pass", 0)], None, "tie has 1 holes"),
    ],
)
def test_a_feature_is_shown_only_by_passed_tests_and_full_coverpoints(results, bins, words) -> None:
    assert words in functional.testplan_holes(PLAN, results, bins)[0]
    assert functional.testplan_holes(PLAN, [verdict.Test("counts/n=1", "pass", 0)], FULL) == []


def test_lcov_counts_lines_and_branches() -> None:
    found = [item("line", hits=3), item("branch", "if", 2), item("branch", "else", 0), item("line", line=6)]
    text = lcov.text({FILE: found})
    assert text.splitlines() == [
        f"SF:{FILE}", "BRDA:4,0,0,2", "BRDA:4,0,1,0", "BRF:2", "BRH:1",
        "DA:4,3", "DA:6,0", "LF:2", "LH:1", "end_of_record",
    ]  # fmt: skip
