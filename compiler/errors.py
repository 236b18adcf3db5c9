"""What the compiler cannot do, said so that the user knows what to change."""

from __future__ import annotations

from collections.abc import Iterable


class CompileError(Exception):
    """A model that cannot be compiled; str() is one line for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class ProgramTooLong(CompileError):
    """A network that needs more commands than a program can have: a core with larger buffers needs fewer."""


class UnsupportedError(CompileError):
    """A node that the core or the compiler has no way to execute.

    node: name of the node's first output; operator: as the TFLite schema calls it; reason: what about it.
    """

    def __init__(self, node: str, operator: str, reason: str, supported: Iterable[str] = ()) -> None:
        self.node, self.operator, self.reason = node, operator, reason
        self.supported = sorted(supported)
        known = f"; supported: {', '.join(self.supported)}" if self.supported else ""
        super().__init__(f"{operator} {node!r}: {reason}{known}")
