"""What is made of rtl/csr/npu.rdl: complete, and as docs/registers.md shows it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts import registers as made
from tb.chip import host
from tb.registers.rdl import SOURCE, compile_rdl, logs_of, registers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that `make registers` puts into build/."""
    path = tmp_path_factory.mktemp("registers")
    made.write_all(path)
    return path


def test_the_page_is_fresh() -> None:
    assert made.PAGE.read_text() == made.page(compile_rdl()), "stale: run make registers"


def test_a_changed_rdl_makes_another_page(tmp_path: Path) -> None:
    """The twin."""
    source = tmp_path / "npu.rdl"
    source.write_text(SOURCE.read_text().replace("32'h00100000", "32'h00100001"))
    assert made.page(compile_rdl(source=source)) != made.PAGE.read_text()


def test_the_page_names_every_register() -> None:
    rows = dict(re.findall(r"^\| 0x([0-9A-F]{3}) \| (\w+) \|", made.PAGE.read_text(), re.M))
    named = [register for register in registers(compile_rdl()) if not register.index]
    assert rows == {f"{register.offset:03X}": register.name for register in named}


def test_the_c_header_compiles_and_has_every_offset(folder: Path) -> None:
    """PeakRDL's own test of the header, made beside it, asserts the place of every register."""
    text = (folder / "npu.h.test.c").read_text()
    for register in registers(compile_rdl()):
        if not register.index:
            assert f"offsetof(npu_t, {register.name}) == 0x{register.offset:x}UL" in text
    program = folder / "test"
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", program, folder / "npu.h.test.c"], check=True)
    subprocess.run([program], check=True)


def test_the_html_page_and_the_model_have_every_register(folder: Path) -> None:
    pages = {file.read_text(errors="replace") for file in (folder / "html").rglob("*.html")}
    model = (folder / "npu_registers.py").read_text()
    for register in registers(compile_rdl()):
        if not register.index:
            assert f"class npu__{register.name}(uvm_reg):" in model
            assert any(f">{register.name}<" in page for page in pages), register.name


def test_the_parameters_of_a_build_show() -> None:
    small = {"N": 4, "ACT_WORDS": 256, "LINE_WORDS": 32, "MAX_BURST": 8}
    words = {word.name: word.reset for word in registers(compile_rdl(logs_of(small)))}
    assert words["CONFIG"] == 4 | 8 << 8 | 3 << 16 | 12 << 24
    assert words["LINE"] == 5
    assert words["BUFFERS"] == 8 | 13 << 8 | 12 << 16 | 10 << 24


def test_the_chip_bench_has_the_same_map() -> None:
    """tb/chip/host.py names offsets and bits of its own."""
    words = {word.name: word for word in registers(compile_rdl())}
    offsets = (
        "CTRL STATUS IRQ_ENABLE IRQ_STATUS PROG_BASE PROG_LEN WATCHDOG ERR_CAUSE ERR_ADDR ERR_ID ERR_CMD"
    )
    for name in offsets.split():
        assert getattr(host, name) == words[name].offset, name
    counters = {word.name.lower(): word.offset for word in words.values() if word.counts}
    assert counters == {name: host.COUNTERS + 4 * i for i, name in enumerate(host.COUNTER_NAMES)}
    assert host.STAMPS == words["STAMP[0]"].offset
    for i, name in enumerate(host.ACCOUNT):
        assert words[f"ACCOUNT[1].{name.upper()}"].offset == host.ACCOUNTS + 4 * len(host.ACCOUNT) + 4 * i
    assert {f"STAMP[{host.LAYERS - 1}]", f"ACCOUNT[{host.LAYERS - 1}].FILL"} <= words.keys()
    bits = {field.name: 1 << field.lsb for word in ("CTRL", "IRQ_STATUS") for field in words[word].fields}
    assert bits == {"START": host.START, "STOP": host.STOP, "DONE": host.DONE, "ERROR": host.ERROR}
