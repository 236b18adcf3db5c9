"""The protocol rules by name, each with the clauses of the AMBA specification that state it.

AXI4 and AXI4-Lite: ARM IHI 0022 issue H. Streams: ARM IHI 0051 issue A. Rules of this core, which AXI does
not ask for, name the document that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STANDARDS = {"axi4": "IHI 0022H", "axi_lite": "IHI 0022H", "stream": "IHI 0051A"}
PROTOCOLS = tuple(STANDARDS)

# The clauses with their titles. Other issues count otherwise: in E strobes are A3.4.3 and responses A3.4.4.
CLAUSES = {
    "A3.1.2": "Reset",
    "A3.2.1": "Handshake process",
    "A3.2.2": "Channel signaling requirements",
    "A3.3.1": "Dependencies between channel handshake signals",
    "A3.4.1": "Address structure",
    "A3.4.4": "Data read and write structure",
    "A3.4.5": "Read and write response structure",
    "A5.1": "AXI transaction identifiers",
    "A5.2.1": "Read data ordering",
    "A7.2.4": "Exclusive access restrictions",
    "B1.1.1": "Signal list",
    "2.2.1": "Handshake process",
    "2.7.2": "Reset",
}


@dataclass(frozen=True)
class Rule:
    """text: the claim. axi4, axi_lite, stream: its clauses for that protocol, () where it does not apply.

    own: the document of this core that states it, when AXI does not. home: the one file that checks it.
    """

    text: str
    axi4: tuple[str, ...] = ()
    axi_lite: tuple[str, ...] = ()
    stream: tuple[str, ...] = ()
    own: str = ""
    home: str = "tb/agents/axi_checks.py"

    def titles(self, protocol: str) -> str:
        """The clauses for one of PROTOCOLS with their titles, "" where it does not apply."""
        return ", ".join(f"{clause} {CLAUSES[clause]}" for clause in getattr(self, protocol))

    def clause(self, protocol: str) -> str:
        """Where it is stated for one of PROTOCOLS."""
        return self.own or f"{STANDARDS[protocol]} {self.titles(protocol)}"


CHANNEL, BURSTS = "tb/hdl/channel_rules.v", "tb/hdl/burst_rules.v"


def _handshake(text: str, axi: str, stream: str) -> Rule:
    return Rule(text, (axi,), (axi,), (stream,), home=CHANNEL)


RULES: dict[str, Rule] = {
    # One channel, one cycle after the other.
    "HANDSHAKE_X": _handshake("VALID and READY are never X outside reset", "A3.1.2", "2.2.1"),
    "VALID_STABLE": _handshake("once VALID is high it stays until READY", "A3.2.1", "2.2.1"),
    "PAYLOAD_STABLE": _handshake("the payload does not change while VALID waits", "A3.2.1", "2.2.1"),
    "PAYLOAD_X": _handshake("no payload bit is X while VALID is high", "A3.2.2", "2.2.1"),
    "VALID_IN_RESET": _handshake("VALID is low during reset", "A3.1.2", "2.7.2"),
    "VALID_AFTER_RESET": _handshake("VALID is low at the first edge after reset", "A3.1.2", "2.7.2"),
    # What a manager sends.
    "BURST_TYPE": Rule(
        "AxBURST is FIXED (to 16 beats), INCR, or WRAP (2, 4, 8, 16 aligned beats)",
        ("A3.4.1",),
        home=BURSTS,
    ),
    "BURST_SIZE": Rule("AxSIZE is not wider than the data bus", ("A3.4.1",), home=BURSTS),
    "BOUNDARY_4K": Rule("a burst does not cross 4 KiB", ("A3.4.1",), home=BURSTS),
    "FULL_WIDTH_INCR": Rule("bursts are INCR, full width, aligned", own="docs/architecture.md", home=BURSTS),
    "WLAST": Rule("WLAST marks the last beat of the burst and no other", ("A3.2.2", "A3.4.1"), home=BURSTS),
    "STROBE_LANES": Rule("WSTRB is set only on byte lanes that the beat addresses", ("A3.4.4",)),
    "EXCLUSIVE": Rule(
        "an exclusive burst has up to 16 beats and 128 bytes, a power of two to which it is aligned",
        ("A7.2.4",),
    ),
    "OUTSTANDING": Rule(
        "no more than OUTSTANDING bursts of one ID and direction are in flight", own="docs/architecture.md"
    ),
    # What a subordinate answers.
    "B_BEFORE_DATA": Rule(
        "BVALID waits for the address and the last data beat of a write with its ID",
        ("A3.3.1", "A5.1"),
        ("A3.3.1",),
    ),
    "R_UNREQUESTED": Rule("RVALID waits for a read address with its ID", ("A3.3.1", "A5.2.1"), ("A3.3.1",)),
    "RLAST": Rule(
        "RLAST marks the last beat of the oldest read of its ID and no other",
        ("A3.2.2", "A3.4.1", "A5.1"),
    ),
    "RESP_EXOKAY": Rule("EXOKAY answers only exclusive accesses", ("A3.4.5",), ("B1.1.1",)),
    "UNFINISHED": Rule(
        "every burst ends and is answered, also after an error", ("A3.4.1", "A3.4.5"), ("A3.4.5",)
    ),
    "INTERRUPT_X": Rule(
        "the interrupt is never X outside reset", own="docs/registers.md", home="tb/agents/irq.py"
    ),
}

# The bits of `broken` of each module in Verilog, from bit 0.
CHANNEL_RULES, BURST_RULES = (
    tuple(name for name, rule in RULES.items() if rule.home == home) for home in (CHANNEL, BURSTS)
)
# The output `rule` of tb/hdl/axi_rules.v counts in this list.
HDL_RULES = ("", *CHANNEL_RULES, *BURST_RULES)


def table() -> str:
    """The rules as the table of tb/agents/README.md."""
    rows = ["| rule | claim | AXI4 | AXI4-Lite | stream | checked in |", "|---|---|---|---|---|---|"]
    for name, rule in RULES.items():
        clauses = [rule.own, "", ""] if rule.own else [rule.titles(protocol) for protocol in PROTOCOLS]
        if clauses[1] == clauses[0]:
            clauses[1] = "as AXI4"
        rows.append(f"| {' | '.join([name, rule.text, *clauses, rule.home.rpartition('/')[2]])} |")
    return "\n".join([*rows, ""])


class Violation(AssertionError):
    """A protocol rule was broken. rule: its name, a key of RULES."""

    def __init__(self, rule: str, where: str, cycle: int, detail: str, protocol: str = "axi4") -> None:
        text, clause = RULES[rule].text, RULES[rule].clause(protocol)
        super().__init__(f"{where}: {rule} in cycle {cycle}: {detail} ({clause}: {text})")
        self.rule = rule


Report = Callable[[Violation], None]


def fail(violation: Violation) -> None:
    """Default report: the test fails."""
    raise violation
