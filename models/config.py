"""The parameters of a core that its programs depend on, and the sizes that follow from them.

docs/architecture.md ("Words, buffers, parameters") is the text this file follows.
"""

from __future__ import annotations

from dataclasses import dataclass

PARAM_WORDS = 9  # one parameter record: 4 bias, 4 multiplier, 1 shift
TABLE_BYTES = 256
ELEMENT_BYTES = 20  # of an element record

# (rows, columns) of the largest window that one CONV with `window` sees, by n: at most n taps.
WINDOWS = {4: (1, 4), 8: (2, 4), 16: (3, 5), 32: (5, 6)}


@dataclass(frozen=True)
class Config:
    """The core's parameters that a program depends on; buffers in words of n bytes, powers of two."""

    n: int = 16
    act_words: int = 8192
    wgt_words: int = 8192
    out_words: int = 4096
    par_words: int = 1024
    res_words: int = 4096
    acc_depth: int = 256
    line_words: int = 256
    max_burst: int = 64

    def __post_init__(self) -> None:
        if self.n not in (4, 8, 16, 32):
            raise ValueError(f"n is {self.n}; the array is 4, 8, 16 or 32 wide")
        for name, value in vars(self).items():
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} is {value}; it must be a power of two")
            if value > 65536:
                raise ValueError(f"{name} is {value}; a command cannot address more than 65536 words")
        if self.par_words < PARAM_WORDS:
            raise ValueError(f"par_words is {self.par_words}; one parameter record needs {PARAM_WORDS} words")

    @property
    def table_words(self) -> int:
        """Words of one table."""
        return TABLE_BYTES // self.n

    @property
    def window(self) -> tuple[int, int]:
        """(rows, columns) of the largest window of a CONV with `window`."""
        return WINDOWS[self.n]

    @property
    def elem_words(self) -> int:
        """Words of an element record."""
        return -(-ELEMENT_BYTES // self.n)
