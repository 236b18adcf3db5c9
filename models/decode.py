"""Commands from their bytes, and what the core says of bytes that are none."""

from __future__ import annotations

import struct
from typing import Any

from models.config import Config
from models.isa import COMMAND_BYTES, BadCommand, Cause, Command, Conv, End, Load, Opcode, Pool, Store

COMMANDS: dict[int, type[Command]] = {int(c.opcode): c for c in (Load, Store, Conv, Pool, End)}


def parse(raw: bytes) -> Command:
    """The command in 64 bytes; only opcode (BadCommand) and length (ValueError) are checked."""
    if len(raw) != COMMAND_BYTES:
        raise ValueError(f"a command is {COMMAND_BYTES} bytes, not {len(raw)}")
    words = struct.unpack("<16I", raw)
    kind = COMMANDS.get(words[0] & 0xFF)
    if kind is None:
        known = ", ".join(f"{op.value} {op.name}" for op in Opcode)
        raise BadCommand(Cause.BAD_OPCODE, "opcode", f"opcode is {words[0] & 0xFF}; known: {known}")
    values: dict[str, Any] = {name: place.extract(words) for name, place in kind.layout().items()}
    return kind(**values)


def decode(raw: bytes, config: Config) -> Command:
    """The command in 64 bytes. Raises BadCommand where the core stops with BAD_OPCODE or BAD_FIELD."""
    command = parse(raw)
    command.check(config)
    return command


def cause_of(raw: bytes, config: Config) -> Cause | None:
    """The cause with which the core refuses these 64 bytes, or None when it takes them."""
    try:
        decode(raw, config)
    except BadCommand as bad:
        return bad.cause
    return None
