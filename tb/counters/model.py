"""What docs/registers.md says of the counters, a cycle at a time."""

from __future__ import annotations

from collections.abc import Callable

Pins = dict[str, int]
# What the account is made of.
CONDITIONS = (
    *("conv_reads", "pool_reads", "load_missing", "units_idle", "load_held"),
    *("weights_missing", "room_missing", "token_full", "drains"),
)
# docs/registers.md, "A cycle belongs to the first of these", in the order of the registers.
RULES: dict[str, Callable[[Pins], bool]] = {
    "busy": lambda pins: bool(pins["conv_reads"]),
    "pool": lambda pins: bool(pins["pool_reads"]),
    "load": lambda pins: bool(pins["load_missing"] and pins["units_idle"] and not pins["load_held"]),
    "weights": lambda pins: bool(pins["weights_missing"]),
    "store": lambda pins: bool(pins["room_missing"]),
    "token": lambda pins: bool(pins["token_full"]),
    "drain": lambda pins: bool(pins["drains"]),
    "fill": lambda pins: True,
}
# In the order of the registers after CYCLES and the account, with what each adds.
OTHERS = ("load_wait", "store_wait", "read_beat", "write_beat", "read_burst", "write_burst")
COUNTERS = 1 + len(RULES) + len(OTHERS)


class Model:
    """docs/registers.md: counters count while busy; a stamp is CYCLES and the account when it is taken."""

    def __init__(self, n: int) -> None:
        self.rules = list(RULES.values())
        self.steps = [1, 1, n, n, 1, 1]
        self.count = [0] * COUNTERS
        self.stamps: dict[int, list[int]] = {}

    def step(self, pins: Pins, stamps: list[int]) -> None:
        """The end of a cycle with these inputs, in which the stamps of these layers were taken."""
        for layer in stamps:
            self.stamps[layer] = self.count[: 1 + len(self.rules)]
        if pins["clear"]:
            self.count = [0] * COUNTERS
        elif pins["busy"]:
            first = next(k for k, rule in enumerate(self.rules) if rule(pins))
            account = [int(k == first) for k in range(len(self.rules))]
            others = [step * pins[name] for step, name in zip(self.steps, OTHERS, strict=True)]
            self.count = [
                (c + s) % (1 << 32) for c, s in zip(self.count, (1, *account, *others), strict=True)
            ]

    def read(self, what: str, index: int) -> int:
        """What the read port answers."""
        if what == "counter":
            return self.count[index] if index < COUNTERS else 0
        layer, part = divmod(index, 8)
        return self.stamps[layer][1 + part if what == "account" else 0]
