"""Finds programs whose result depends on timing.

Load, compute and store run at the same time; the tokens must order every two accesses to one word of which at
least one is a write. Per word, the last writer and the last reader of each engine are kept; an access is a
race when its clock (models/order.py) does not contain the end of the access it collides with. That is exact:
no timing has to occur for a race to be seen, and no ordered pair is called one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.order import LOADED, READ, STORED, WRITTEN, Clock

_NAMES = {LOADED: "LOAD", READ: "compute command", WRITTEN: "compute command", STORED: "STORE"}


class ProgramError(Exception):
    """A program that the architecture gives no single meaning. command: its number."""

    def __init__(self, command: int, message: str) -> None:
        super().__init__(f"command {command}: {message}")
        self.command = command


class RaceError(ProgramError):
    """Two accesses to one word that no token orders."""


class UndefinedError(ProgramError):
    """A command whose effect is not defined: it reads what was never written, or breaks a rule."""


@dataclass
class _Memory:
    """Last accesses to each word of one memory, as 1 + index of the command in its engine; 0: none."""

    name: str
    writer_kind: int
    reader_kind: int
    must_be_written: bool
    written: NDArray[np.int32]
    read: NDArray[np.int32]


@dataclass
class RaceCheck:
    """Shadow of DRAM and of every buffer of one program run.

    numbers[k][i]: program number of the i-th event of kind k (models/order.py), for messages.
    """

    numbers: tuple[list[int], ...] = field(default_factory=lambda: ([], [], [], []))
    _memories: dict[str, _Memory] = field(default_factory=dict)

    def add(self, name: str, words: int, writer: int, reader: int, must_be_written: bool = True) -> None:
        """Register a memory, with the kinds of event in which its writes and its reads end."""
        # Two calls, no copy: zeros of a large memory cost nothing until they are touched.
        written, read = np.zeros(words, dtype=np.int32), np.zeros(words, dtype=np.int32)
        self._memories[name] = _Memory(name, writer, reader, must_be_written, written, read)

    def reads(self, command: int, name: str, words: NDArray, start: Clock, index: int) -> None:
        """Check and note that an event reads these words, not before `start`; index: in its engine."""
        memory = self._memories[name]
        last = memory.written[words]
        if memory.must_be_written and last.size and last.min() == 0:
            word = words.reshape(-1)[int(last.argmin())]
            raise UndefinedError(command, f"reads word {word} of the {name}, which nothing has written")
        self._ordered(command, "reads", memory, words, last, memory.writer_kind, "is written by", start)
        memory.read[words] = index + 1

    def writes(self, command: int, name: str, words: NDArray, start: Clock, index: int) -> None:
        """Check and note that an event writes these words, not before `start`; index: in its engine."""
        memory = self._memories[name]
        last = memory.read[words]
        self._ordered(command, "writes", memory, words, last, memory.reader_kind, "is read by", start)
        memory.written[words] = index + 1

    def _ordered(
        self,
        command: int,
        verb: str,
        memory: _Memory,
        words: NDArray,
        last: NDArray,
        kind: int,
        relation: str,
        start: Clock,
    ) -> None:
        if not last.size or int(last.max()) <= start[kind]:
            return
        word = words.reshape(-1)[int(last.argmax())]
        other = self.numbers[kind][int(last.max()) - 1]
        raise RaceError(
            command,
            f"{verb} word {word} of the {memory.name}, which {relation} {_NAMES[kind]} {other}; "
            f"no token orders the two",
        )
