"""What the walks over the registers can meet: all of them by both doors, every access, start and end."""

from __future__ import annotations

from tb.common.cover import Coverage, Cross, Never, Point
from tb.registers.rdl import compile_rdl, registers

_ALL = registers(compile_rdl())
# An array of words, or of register files, is one kind.
KINDS = {register.name: register.name.split("[")[0] for register in _ALL}
NAMES = list(dict.fromkeys(KINDS.values()))
WRITABLE = [register.name for register in _ALL if register.writable]
COUNTERS = [register.name for register in _ALL if register.counts]
FIELDS = {
    f"{register.name}.{field.name}": field
    for register in _ALL
    if not register.index
    for field in register.fields
}
# Those whose bits a write can change, other than pulses.
KEPT = [name for name, field in FIELDS.items() if field.access in ("RW", "W1C")]


def bin_of(field: str) -> str:
    """A field as a bin's name."""
    return field.replace(".", "_").lower()


COVERAGE = Coverage(
    "registers",
    # ---------------------------------------------------------------- a sample a comparison
    Point("register", NAMES, "whose value is as it must be, by the bus and inside"),
    Point("moment", ["reset", "write"], "after which it was compared"),
    Cross("register_after", ("register", "moment")),
    Point("written", NAMES, "a write, whose answer was as it must be"),
    Point("answer", ["okay", "error"], "of a register that can be written or not"),
    Cross(
        "written_x_answer",
        ("written", "answer"),
        [
            Never("they can be written", written=WRITABLE, answer="error"),
            Never("they cannot", written=[name for name in NAMES if name not in WRITABLE], answer="okay"),
        ],
    ),
    Point("strobe", {"none": 0, "some": range(1, 15), "all": 15}, "byte lanes of a write"),
    Point("field", [bin_of(name) for name in KEPT], "that a write can change"),
    Point(
        "change",
        ["set", "cleared", "kept"],
        "what a write did to a field",
    ),
    Cross(
        "field_x_change",
        ("field", "change"),
        [
            Never(
                "a 1 clears it",
                field=[bin_of(name) for name in KEPT if FIELDS[name].access == "W1C"],
                change="set",
            )
        ],
    ),
    Point("hole", ["read", "write"], "an access to a word that is no register"),
    # ---------------------------------------------------------------- a sample a program
    Point("end", ["done", "error", "stopped"], "of a program"),
    Point("enabled", {"none": 0, "done": 1, "error": 2, "both": 3}, "interrupts"),
    Cross("interrupt", ("end", "enabled")),
    Point("cleared", COUNTERS, "counters that a start has cleared"),
    Point("refused", ["start"], "while a program runs"),
)
