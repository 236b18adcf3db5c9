"""Commands with one field in or out of its range, everything else legal."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from models.config import Config
from models.isa import BadCommand, Command, Conv, Load, Pool, Store

COMMANDS: dict[str, Command] = {
    "load": Load(),
    "store": Store(),
    "conv": Conv(clear=True, drain=True),
    "pool": Pool(bypass=True, x_hi=1, y_hi=1),
}
FIELDS = [(op, name) for op, command in COMMANDS.items() for name in command.layout()]


def legal(command: Command, config: Config) -> bool:
    try:
        command.check(config)
    except BadCommand:
        return False
    return True


def variant(op: str, name: str, good: bool, config: Config, rng: random.Random) -> Command | None:
    """A command whose field `name` has another value than the one above, in its range or not; None if it has
    no such value."""
    command = COMMANDS[op]
    place = command.layout()[name]
    low = -(1 << place.width - 1) if place.signed else 0
    high = low + (1 << place.width) - 1
    values = [low, high, 1, 2, 3, *(rng.randint(low, high) for _ in range(40))]
    rng.shuffle(values)
    for value in values:
        fields: dict[str, Any] = {name: bool(value) if place.flag else value}
        changed = replace(command, **fields)
        if low <= value <= high and changed != command and legal(changed, config) == good:
            return changed
    return None
