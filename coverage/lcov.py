"""LCOV's tracefile, for editors and other tools: lines and branches."""

from __future__ import annotations

from coverage.items import Items


def text(items: Items) -> str:
    """The tracefile of all files; what is excluded is left out."""
    return "".join(_file(name, [i for i in found if i.excluded is None]) for name, found in items.items())


def _file(name: str, items: list) -> str:
    rows = [f"SF:{name}"]
    lines = [item for item in items if item.kind == "line"]
    branches = [item for item in items if item.kind == "branch"]
    ran = {item.line: item.hits for item in lines}
    number: dict[int, int] = {}
    for item in branches:
        index = number[item.line] = number.get(item.line, -1) + 1
        # A branch of code that never ran is "-", not 0.
        taken = "-" if not item.hits and ran.get(item.line) == 0 else item.hits
        rows.append(f"BRDA:{item.line},0,{index},{taken}")
    rows += [f"BRF:{len(branches)}", f"BRH:{sum(item.hits > 0 for item in branches)}"]
    rows += [f"DA:{item.line},{item.hits}" for item in lines]
    rows += [f"LF:{len(lines)}", f"LH:{sum(item.hits > 0 for item in lines)}", "end_of_record"]
    return "\n".join(rows) + "\n"
