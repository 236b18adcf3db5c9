"""The protocol rules by name, each with the clause of the AMBA specification that states it.

AXI4 and AXI4-Lite: ARM IHI 0022 issue H. Streams: ARM IHI 0051 issue A. Rules of this core, which AXI does
not ask for, name the document that does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

AXI, STREAM = "IHI 0022H", "IHI 0051A"
PROTOCOLS = ("axi4", "axi_lite", "stream")


@dataclass(frozen=True)
class Rule:
    """text: the claim. axi4, axi_lite, stream: the clause for that protocol, "" where it does not apply.

    own: the document of this core that states it, when AXI does not. home: the one file that checks it.
    """

    text: str
    axi4: str = ""
    axi_lite: str = ""
    stream: str = ""
    own: str = ""
    home: str = "tb/agents/axi_checks.py"

    def clause(self, protocol: str) -> str:
        """Where it is stated for one of PROTOCOLS."""
        return getattr(self, protocol) or self.own


CHANNEL, BURSTS = "tb/hdl/channel_rules.v", "tb/hdl/burst_rules.v"


def _handshake(text: str, axi: str, stream: str) -> Rule:
    return Rule(text, f"{AXI} {axi}", f"{AXI} {axi}", f"{STREAM} {stream}", home=CHANNEL)


RULES: dict[str, Rule] = {
    # One channel, one cycle after the other.
    "HANDSHAKE_X": _handshake("VALID and READY are never X outside reset", "A3.2.1", "2.2.1"),
    "VALID_STABLE": _handshake("once VALID is high it stays until READY", "A3.2.1", "2.2.1"),
    "PAYLOAD_STABLE": _handshake("the payload does not change while VALID waits", "A3.2.1", "2.2.1"),
    "PAYLOAD_X": _handshake("no payload bit is X while VALID is high", "A3.2.2", "2.2.1"),
    "VALID_IN_RESET": _handshake("VALID is low during reset", "A3.1.2", "2.7.2"),
    "VALID_AFTER_RESET": _handshake("VALID is low at the first edge after reset", "A3.1.2", "2.7.2"),
    # What a manager sends.
    "BURST_TYPE": Rule(
        "AxBURST is FIXED (to 16 beats), INCR, or WRAP (2, 4, 8, 16 aligned beats)",
        f"{AXI} A3.4.1",
        home=BURSTS,
    ),
    "BURST_SIZE": Rule("AxSIZE is not wider than the data bus", f"{AXI} A3.4.1", home=BURSTS),
    "BOUNDARY_4K": Rule("a burst does not cross 4 KiB", f"{AXI} A3.4.1", home=BURSTS),
    "FULL_WIDTH_INCR": Rule("bursts are INCR, full width, aligned", own="docs/architecture.md", home=BURSTS),
    "WLAST": Rule("WLAST marks the last beat of the burst and no other", f"{AXI} A3.4.1", home=BURSTS),
    "STROBE_LANES": Rule("WSTRB is set only on byte lanes that the beat addresses", f"{AXI} A3.4.3"),
    "EXCLUSIVE": Rule(
        "an exclusive burst has up to 16 beats and 128 bytes, a power of two to which it is aligned",
        f"{AXI} A7.2.4",
    ),
    "OUTSTANDING": Rule(
        "no more than OUTSTANDING bursts of one ID and direction are in flight", own="docs/architecture.md"
    ),
    # What a subordinate answers.
    "B_BEFORE_DATA": Rule(
        "BVALID waits for the address and the last data beat of a write with its ID",
        f"{AXI} A3.3.1",
        f"{AXI} A3.3.1",
    ),
    "R_UNREQUESTED": Rule("RVALID waits for a read address with its ID", f"{AXI} A3.3.1", f"{AXI} A3.3.1"),
    "RLAST": Rule(
        "RLAST marks the last beat of the oldest read of its ID and no other", f"{AXI} A3.4.1, A5.3"
    ),
    "RESP_EXOKAY": Rule("EXOKAY answers only exclusive accesses", f"{AXI} A3.4.4", f"{AXI} B1.1.1"),
    "UNFINISHED": Rule(
        "every burst ends and is answered, also after an error", f"{AXI} A3.4.1", f"{AXI} A3.4.1"
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
        clauses = [rule.own, "", ""] if rule.own else [rule.clause(protocol) for protocol in PROTOCOLS]
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
