"""The pyuvm register model that PeakRDL makes of rtl/csr/npu.rdl, and the two doors to the real registers."""

from __future__ import annotations

import functools
import importlib.util
import re
import tempfile
from pathlib import Path
from typing import Any

from cocotb.handle import ArrayObject, Immediate
from peakrdl_pyuvm.exporter import PyUVMExporter
from pyuvm import uvm_access_e, uvm_reg_adapter, uvm_reg_block, uvm_reg_bus_op, uvm_status_e
from systemrdl.node import AddrmapNode

from tb.agents.axi_lite import AxiLiteItem
from tb.agents.burst import OKAY
from tb.registers.rdl import Field, Index


@functools.cache
def _templates() -> Any:
    """PeakRDL's, which take longer to compile than to fill in."""
    return PyUVMExporter().jj_env


def export_pyuvm(top: AddrmapNode, path: Path) -> None:
    """Write the register model as a Python module; its class `npu` is the block."""
    # Names by path and not by type: those of types carry the build's parameters.
    exporter = PyUVMExporter()
    exporter.jj_env = _templates()
    exporter.export(top, str(path), reuse_class_definitions=False)


def uvm_block(top: AddrmapNode) -> uvm_reg_block:
    """A locked register model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "npu_registers.py")
        export_pyuvm(top, path)
        spec = importlib.util.spec_from_file_location("npu_registers", path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    block = module.npu("npu")
    block.build()
    block.lock_model()
    return block


def by_name(block: uvm_reg_block, name: str) -> Any:
    """The uvm_reg of a register: "WATCHDOG", "STAMP[3]", "ACCOUNT[3].BUSY"."""

    def step(parent: Any, part: str) -> Any:
        name, _, number = part.rstrip("]").partition("[")
        child = getattr(parent, name)
        return child[int(number)] if number else child

    return functools.reduce(step, name.split("."), block)


class AxiLiteAdapter(uvm_reg_adapter):
    """Accesses of the register model as items of AxiLiteAgent's sequencer."""

    def __init__(self) -> None:
        super().__init__("adapter")
        self.supports_byte_enable = True

    def reg2bus(self, rw: uvm_reg_bus_op) -> AxiLiteItem:
        return AxiLiteItem(rw.kind == uvm_access_e.UVM_WRITE, rw.addr, rw.data, rw.byte_en & 0xF)

    def bus2reg(self, bus_item: AxiLiteItem, rw: uvm_reg_bus_op) -> None:
        rw.data = bus_item.data
        rw.status = uvm_status_e.UVM_IS_OK if bus_item.resp == OKAY else uvm_status_e.UVM_NOT_OK


class Inside:
    """The back door: what a field's `rtl` names inside npu (pyuvm 5 has no back door of its own)."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    def _find(self, field: Field, index: Index) -> tuple[Any, int]:
        """The handle and the lowest bit in it. A number after the path is an element of a memory or a bit."""
        found = re.fullmatch(r"([\w.]+)(?:\[(\d+)\])?", field.rtl)
        assert found, f"rtl = {field.rtl!r}: expected a path, perhaps with [number]"
        path, number = found.groups()
        handle, lsb = functools.reduce(getattr, path.split("."), self.dut), 0
        for step in (*index, *([int(number)] if number else [])):
            if isinstance(handle, ArrayObject):
                handle = handle[step]
            else:
                lsb = step
        return handle, lsb

    def peek(self, field: Field, index: Index = ()) -> int | None:
        """A field's value, None if one of its bits is X."""
        handle, lsb = self._find(field, index)
        bits = str(handle.value).zfill(lsb + field.width)
        bits = bits[len(bits) - lsb - field.width : len(bits) - lsb]
        return int(bits, 2) if set(bits) <= {"0", "1"} else None

    def poke(self, field: Field, value: int, index: Index = ()) -> None:
        """Change a field at once. Bits that the RTL does not have are left out."""
        handle, lsb = self._find(field, index)
        old = str(handle.value)
        new = list(old)
        for bit in range(min(field.width, len(old) - lsb)):
            new[len(old) - 1 - lsb - bit] = str(value >> bit & 1)
        handle.set(Immediate(type(handle.value)("".join(new))))
