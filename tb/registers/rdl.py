"""rtl/csr/npu.rdl read: every register and field, with the parameters of a build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from systemrdl import RDLCompiler
from systemrdl.node import AddressableNode, AddrmapNode, FieldNode, Node, RegNode
from systemrdl.rdltypes import AccessType, OnWriteType

SOURCE = Path(__file__).resolve().parents[2] / "rtl" / "csr" / "npu.rdl"
SPACE = 1 << 14  # bytes that the port decodes
LOGS = {
    "LOG_ACT": "ACT_WORDS",
    "LOG_WGT": "WGT_WORDS",
    "LOG_OUT": "OUT_WORDS",
    "LOG_PAR": "PAR_WORDS",
    "LOG_RES": "RES_WORDS",
    "LOG_DEPTH": "ACC_DEPTH",
    "LOG_LINE": "LINE_WORDS",
    "LOG_BURST": "MAX_BURST",
}
Index = tuple[int, ...]


@dataclass(frozen=True)
class Field:
    """access: RO, RW, W1C or WO. reset: None if reset does not change it. rtl: where npu keeps it, "" if
    nowhere. description: as in the page."""

    name: str
    lsb: int
    width: int
    access: str
    reset: int | None
    rtl: str
    description: str

    @property
    def mask(self) -> int:
        """Its bits in the register."""
        return ((1 << self.width) - 1) << self.lsb


@dataclass(frozen=True)
class Register:
    """One word. index: which of an array, () if it is none. counts: cleared by start. shows_parameters: of
    the build. text: what the page says of it."""

    name: str
    offset: int
    index: Index
    fields: tuple[Field, ...]
    counts: bool
    shows_parameters: bool
    text: str

    @property
    def reset(self) -> int | None:
        """None if reset leaves it alone."""
        if any(field.reset is None for field in self.fields):
            return None
        return sum((field.reset or 0) << field.lsb for field in self.fields)

    @property
    def writable(self) -> bool:
        return any(field.access != "RO" for field in self.fields)

    @property
    def mask(self) -> int:
        """The bits that a read may show."""
        return sum(field.mask for field in self.fields if field.access != "WO")


def compile_rdl(parameters: Mapping[str, int] | None = None, source: Path = SOURCE) -> AddrmapNode:
    """The address map of a build. parameters: of npu_csr (N, LOG_ACT, ...), defaults unless given.

    Raises systemrdl.RDLCompileError, having printed where and why.
    """
    compiler = RDLCompiler()
    compiler.compile_file(str(source))
    return compiler.elaborate("npu", parameters=dict(parameters or {})).top


def logs_of(parameters: Mapping[str, int]) -> dict[str, int]:
    """npu's parameters (ACT_WORDS, ...) as npu_csr takes them (LOG_ACT, ...)."""
    logs = {log: parameters[size].bit_length() - 1 for log, size in LOGS.items() if size in parameters}
    return {"N": parameters["N"], **logs}


def registers(top: AddrmapNode) -> list[Register]:
    """Every word of the map, arrays unrolled, by offset."""
    found = list(_below(top, "", 0, ()))
    return sorted(found, key=lambda register: register.offset)


def _below(node: Node, prefix: str, base: int, index: Index) -> Iterator[Register]:
    for child in node.children():
        if not isinstance(child, AddressableNode):
            continue
        count = child.n_elements if child.is_array else 1
        for i in range(count):
            name = prefix + child.inst_name + (f"[{i}]" if child.is_array else "")
            offset = base + child.raw_address_offset + i * (child.array_stride or 0)
            inner = (*index, i) if child.is_array else index
            if isinstance(child, RegNode):
                yield _register(child, name, offset, inner)
            else:
                yield from _below(child, f"{name}.", offset, inner)


def _register(node: RegNode, name: str, offset: int, index: Index) -> Register:
    return Register(
        name,
        offset,
        index,
        tuple(_field(field) for field in node.fields()),
        bool(node.get_property("counts", default=False)),
        bool(node.get_property("build_parameters", default=False)),
        description(node),
    )


def _field(node: FieldNode) -> Field:
    access = {AccessType.r: "RO", AccessType.w: "WO", AccessType.rw: "RW"}[node.get_property("sw")]
    if node.get_property("onwrite") == OnWriteType.woclr:
        access = "W1C"
    reset = node.get_property("reset")
    assert reset is None or isinstance(reset, int), f"{node.get_path()}: the reset value must be a number"
    return Field(
        node.inst_name,
        node.lsb,
        node.width,
        access,
        reset,
        node.get_property("rtl", default=""),
        description(node),
    )


def description(node: Node) -> str:
    """A component's desc, without the spaces around it."""
    return (node.get_property("desc") or "").strip()
