"""Where the fields of a command lie, declared in the command's dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bits:
    """Where a field lies: word, highest and lowest bit; count: the core refuses 0."""

    word: int
    high: int
    low: int
    signed: bool = False
    count: bool = False
    flag: bool = False

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    def check(self, name: str, value: int) -> None:
        lo, hi = (-(1 << (self.width - 1)), 1 << (self.width - 1)) if self.signed else (0, 1 << self.width)
        if not lo <= value < hi:
            raise ValueError(f"{name} is {value}; its field holds {lo} to {hi - 1}")

    def extract(self, words: tuple[int, ...]) -> int:
        """The field's value in the 16 words of a command; a flag is a bool."""
        value = (words[self.word] >> self.low) & ((1 << (self.high - self.low + 1)) - 1)
        if self.flag:
            return value == 1
        return value - (1 << self.width) if self.signed and value >> (self.width - 1) else value


def bits(word: int, high: int, low: int, *, default: int = 0, signed: bool = False) -> Any:
    return field(default=default, metadata={"bits": Bits(word, high, low, signed)})


def flag(word: int, bit: int) -> Any:
    return field(default=False, metadata={"bits": Bits(word, bit, bit, flag=True)})


def count(word: int, high: int, low: int) -> Any:
    return field(default=1, metadata={"bits": Bits(word, high, low, count=True)})
