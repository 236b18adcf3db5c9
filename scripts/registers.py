"""Everything that is made of rtl/csr/npu.rdl: `make registers`.

docs/registers.md is kept in the repository (a test says when it is stale); build/registers/ gets the HTML
page, npu.h for C and npu_registers.py, the pyuvm register model.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from peakrdl_cheader.exporter import CHeaderExporter
from peakrdl_html import HTMLExporter
from systemrdl.node import AddressableNode, AddrmapNode, RegfileNode

from scripts.tools import BUILD, ROOT, run_program
from tb.registers.model import export_pyuvm
from tb.registers.rdl import SOURCE, Register, compile_rdl, description, registers

PAGE = ROOT / "docs" / "registers.md"
RESULTS = BUILD / "registers"
ACCESS = {"RO": "RO", "RW": "RW", "W1C": "RW1C", "WO": "WO (reads 0)"}


def page(top: AddrmapNode) -> str:
    """docs/registers.md."""
    words = registers(top)
    named = [word for word in words if not word.index]
    name, top_text = top.get_property("name"), description(top)
    lines = [
        f"# {name}",
        "",
        f"<!-- Made from {SOURCE.relative_to(ROOT)} by `make registers`: change it there. -->",
        "",
        top_text,
        "",
        "| offset | name | access | reset | fields |",
        "|---|---|---|---|---|",
        *(_row(word) for word in named if not word.counts),
        "",
        "Counters, RO, cleared by start, frozen when the program ends:",
        "",
        "| offset | name | counts |",
        "|---|---|---|",
        *(f"| 0x{word.offset:03X} | {word.name} | {word.text} |" for word in named if word.counts),
    ]
    prose = []
    for array in top.children():
        if not isinstance(array, AddressableNode) or not array.is_array:
            continue
        what, _, more = description(array).partition("\n\n")
        count, start, stride = array.n_elements, array.raw_address_offset, array.array_stride
        place, title = f"0x{start:03X} + {stride}i", f"{array.inst_name}[i]"
        if isinstance(array, RegfileNode):
            inside = [word.inst_name for word in array.registers()]
            place, title = f"{place} + 4k", f"{title}.{inside[0]} to {inside[-1]}, k < {len(inside)}"
        lines.append(f"| {place} | {title} | {what}, i < {count}; not cleared |")
        prose += ["", more] if more else []
    return "\n".join([*lines, *prose]) + "\n"


def _row(word: Register) -> str:
    (access,) = {ACCESS[field.access] for field in word.fields}
    reset = "parameters" if word.shows_parameters else f"0x{word.reset:08X}" if word.reset else "0"
    fields = "; ".join(
        f"{_bits(field.lsb, field.width)} {field.description}".strip() for field in word.fields
    )
    text = ". ".join(filter(None, (fields, word.text)))
    return f"| 0x{word.offset:03X} | {word.name} | {access} | {reset} | {text} |"


def _bits(lsb: int, width: int) -> str:
    return str(lsb) if width == 1 else f"{lsb + width - 1}:{lsb}"


def write_all(folder: Path) -> None:
    """The HTML page, the C header and the pyuvm model of the core with its default parameters."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    top = compile_rdl()
    # No links to the sources: they would depend on where this tree comes from.
    HTMLExporter(generate_source_links=False).export(top, str(folder / "html"))
    CHeaderExporter().export(top, str(folder / "npu.h"), testcase=True)
    export_pyuvm(top, folder / "npu_registers.py")


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    PAGE.write_text(page(compile_rdl()))
    write_all(RESULTS)
    for path in (PAGE, *(RESULTS / name for name in ("html/index.html", "npu.h", "npu_registers.py"))):
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    run_program(main)
