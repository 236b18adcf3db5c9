"""Functional coverage of runs: what their functional.json say, held against what the blocks declare."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from coverage.metrics import Ratio
from scripts.testplan import Plan
from scripts.tools import UserError
from tb.common.cover import Bins, Coverage, add
from tb.verdict import Test


def merge(models: Mapping[str, Coverage], files: Iterable[Path]) -> dict[str, Bins]:
    """Hits of every declared bin, 0 where no run says anything.

    Raises UserError for a file that has bins nobody declares: it is of another state of the sources.
    """
    total = {block: model.empty() for block, model in models.items()}
    for file in files:
        try:
            for block, bins in json.loads(file.read_text()).items():
                if block in total:
                    add(total[block], bins)
        except KeyError as error:
            raise UserError(
                f"{file} has {error}, which tb/*/coverage.py does not declare: run again"
            ) from None
        except (ValueError, AttributeError) as error:
            raise UserError(f"{file} is no functional coverage: {error}") from None
    return total


def ratio(bins: Bins) -> Ratio:
    """Bins that were hit."""
    hits = [count for point in bins.values() for count in point.values()]
    return Ratio(sum(count > 0 for count in hits), len(hits))


def holes(block: str, bins: Bins) -> list[str]:
    """Names of the bins that were never hit."""
    return [
        f"{block}.{point}.{name}" for point, found in bins.items() for name, hits in found.items() if not hits
    ]


def testplan_holes(plan: Plan, results: Sequence[Test], bins: Bins | None) -> list[str]:
    """Why features are not shown: a test that did not pass or run, a coverpoint with a hole; one line each.

    results: of all runs of the block; a parametrized test counts with each of its cases.
    """
    found = []
    for feature in plan.features:
        reasons = []
        for name in feature.tests:
            cases = [t.status for t in results if t.name.partition("/")[0] == name]
            if not cases or "pass" not in cases or "fail" in cases:
                reasons.append(f"test {name} did not {'pass' if cases else 'run'}")
        for point in feature.coverpoints:
            left = [hits for hits in (bins or {}).get(point, {"": 0}).values() if not hits]
            if left:
                reasons.append(f"coverpoint {point} has {len(left)} holes")
        if reasons:
            found.append(f"{feature.name}: {'; '.join(reasons)}")
    return found
