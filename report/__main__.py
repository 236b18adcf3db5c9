"""Draw a run's pictures and page again, perhaps with other layers enlarged.

python -m report build/net/mine --layers 3-7
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from report.run import ACTIVITY, write
from scripts.tools import UserError, run_program
from tb.chip.activity import Activity


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", metavar="FIRST-LAST", help="numbers of the layers to enlarge, from 0")
    options = parser.parse_args()
    try:
        summary = json.loads((options.folder / "summary.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"{options.folder}: expected the folder of a run, with summary.json: {error}"
        ) from None
    saved = options.folder / ACTIVITY
    activity = Activity.load(saved) if saved.exists() else None
    try:
        path = write(options.folder, summary, activity, _range(options.layers))
    except ValueError as error:
        raise UserError(f"--layers {options.layers}: {error}") from None
    print(path)
    return 0


def _range(text: str | None) -> range | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    if not found:
        raise UserError(f"--layers {text}: expected a number or FIRST-LAST")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


if __name__ == "__main__":
    run_program(main)
