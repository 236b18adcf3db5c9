"""Functional and code coverage of all blocks: run, merge, report, gate.

    python -m coverage --seed 7 --seeds 3

Reports lie in build/coverage: index.html, summary.json, holes.txt, coverage.info (LCOV). docs/coverage.md
says how to read them.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets

from rich.console import Console
from rich.table import Table

from coverage import collect, dat, exclude, functional, holes, html, items, lcov, metrics, scope
from coverage.collect import CODE, FOLDER, Run
from coverage.metrics import GATES, METRICS, Numbers, Ratio
from scripts.regress.__main__ import LARGEST_SEED
from scripts.testplan import coverage_of, load, plan_file
from scripts.tools import ROOT, blocks, run_program
from tb.build import listed
from tb.common import cover


def report(asked: list[str], runs: list[Run]) -> bool:
    """Merge, write every report and print the tables. True if all gates hold."""
    known = blocks()
    good = [run for run in runs if run.problem is None]
    problems = [run.problem for run in runs if run.problem]
    problems += collect.missing(asked, runs)

    files = [str(file.relative_to(ROOT)) for file in listed()]
    mine, elsewhere, unreached = scope.split(files, asked, scope.contained(known))
    problems += unreached
    counts = dat.merge(dat.read(file) for run in good for file in run.files(CODE))
    whole = set(asked) == set(known)
    found, wrong = exclude.apply(items.of_counts(counts, mine), exclude.load(), whole)
    problems += wrong

    models = {block: model for block in known if (model := coverage_of(block))}
    bins = functional.merge(models, [file for run in good for file in run.files(cover.FILE.name)])
    plans = {block: load(plan_file(block)) for block in asked if plan_file(block).exists()}
    tests = {block: [t for run in good if run.block == block for t in run.tests()] for block in asked}
    open_features = {
        block: functional.testplan_holes(plan, tests[block], bins.get(block)) for block, plan in plans.items()
    }
    numbers = metrics.numbers(
        found,
        {block: functional.ratio(hits) for block, hits in bins.items()},
        {b: Ratio(len(p.features) - len(open_features[b]), len(p.features)) for b, p in plans.items()},
        known,
        asked,
    )
    problems += metrics.failures(numbers)

    FOLDER.mkdir(parents=True, exist_ok=True)
    text = {file: holes.of_file(found[file]) for file in mine}
    text |= {f"functional {b}": functional.holes(b, bins[b]) for b in asked if b in bins}
    text |= {f"testplan {b}": rows for b, rows in open_features.items()}
    listing = [f"{name}\n" + "".join(f"    {row}\n" for row in rows) for name, rows in text.items() if rows]
    (FOLDER / "holes.txt").write_text("\n".join(listing))
    (FOLDER / "coverage.info").write_text(lcov.text(found))
    summary = metrics.summary(numbers) | {
        "passed": not problems,
        "problems": problems,
        "seeds": sorted({run.seed for run in runs}),
        "elsewhere": elsewhere,
    }
    (FOLDER / "summary.json").write_text(json.dumps(summary, indent=1))
    page = html.write(
        FOLDER, numbers, found, {b: models.get(b) for b in asked}, bins, open_features, problems, elsewhere
    )
    show(numbers)
    if elsewhere:
        print(f"only in benches of other blocks, counted in a whole run: {', '.join(elsewhere)}")
    for problem in problems:
        print(f"FAIL  {problem}")
    print(f"report: {page.relative_to(ROOT)}, holes: {(FOLDER / 'holes.txt').relative_to(ROOT)}")
    return not problems


def show(numbers: Numbers) -> None:
    """A table per block and one per file; files without a hole are left out."""
    console = Console(width=120)
    rows = {"blocks": numbers.blocks | {"total": numbers.total}, "files with holes": numbers.files}
    for title, table_rows in rows.items():
        shown = METRICS if title == "blocks" else items.KINDS
        table = Table(title=title, title_justify="left")
        table.add_column("")
        for metric in shown:
            table.add_column(metric, justify="right")
        table.add_column("excluded", justify="right")
        for name, row in table_rows.items():
            if title == "blocks" or any(r.covered < r.total for r in row.values()):
                cells = [_cell(metric, row[metric]) for metric in shown]
                table.add_row(name, *cells, str(sum(r.excluded for r in row.values())))
        console.print(table)


def _cell(metric: str, ratio: Ratio) -> str:
    if ratio.value is None:
        return "-"
    text = f"{int(1000 * ratio.value) / 10:.1f} %"
    left = ratio.total - ratio.covered
    text = f"{text} ({left})" if left else text
    return f"[red]{text}[/red]" if ratio.value < GATES[metric] else text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m coverage", description=__doc__)
    fresh = secrets.randbelow(LARGEST_SEED) + 1
    parser.add_argument("--block", choices=blocks(), help="this block alone, and the files that are its own")
    parser.add_argument("--seed", type=int, default=fresh, help="the first of them (fresh)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time (one a core)")
    parser.add_argument(
        "--report-only", action="store_true", help="do not run: report the runs that are kept"
    )
    options = parser.parse_args()
    asked = [options.block] if options.block else blocks()
    if options.report_only:
        return 0 if report(asked, collect.kept(asked)) else 1
    seeds = [(options.seed - 1 + i) % LARGEST_SEED + 1 for i in range(options.seeds)]
    one = f" BLOCK={options.block}" if options.block else ""
    repeat = f"seed={options.seed}  repeat: make coverage SEED={options.seed} SEEDS={options.seeds}{one}"
    print(repeat, flush=True)
    runs = collect.collect(asked, seeds, options.jobs)
    passed = report(asked, runs)
    print(("passed  " if passed else "FAILED  ") + repeat, flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    run_program(main)
