"""Which rule was broken on which protocol and called by its name, and what legal traffic was let through."""

from __future__ import annotations

from tb.agents.rules import BURST_RULES, CHANNEL_RULES
from tb.common.cover import Coverage, Cross, Never, Point

# Verilator, which counts, knows no X: these two show on Icarus.
X_RULES = ("HANDSHAKE_X", "PAYLOAD_X")
SHOWN = [rule for rule in (*CHANNEL_RULES, *BURST_RULES) if rule not in X_RULES]

COVERAGE = Coverage(
    "rules",
    Point("protocol", ["axi4", "axi_lite", "stream"], "of the wires"),
    Point("rule", SHOWN, "broken, and named", others=True),
    Cross(
        "named",
        ("protocol", "rule"),
        [Never("only AXI4 has bursts", protocol=("axi_lite", "stream"), rule=BURST_RULES)],
    ),
    Point("legal", ["traffic", "shapes"], "that breaks no rule"),
)
