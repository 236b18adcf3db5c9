"""A program that grows command by command; the tokens follow from what the commands touch.

For every new command, the words it touches are looked up: which earlier command of another engine wrote or
read them last? If the clocks (models/order.py) do not already put that one first, a token is added: a signal
on the earlier command, a wait on the new one. So schedules say only what to do, in an order that would be
right one command at a time, and never mention tokens. Waiting only for earlier commands, a program cannot
deadlock, however short the queues of the engines are.

What a command touches is taken as one interval per memory, a little too much; the reference machine judges
the result word by word.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.config import PARAM_WORDS, Config
from models.isa import TOKEN_MAX, Command, Compute, Conv, Dest, End, Load, Store, Window
from models.order import LOADED, READ, STORED, WRITTEN, Clock, Order, join

# Addresses of an image's tensors while a program is built; moved to each image's place at the end.
AREA = 1 << 31

_ENGINE_OF = {LOADED: "load", READ: "compute", WRITTEN: "compute", STORED: "store"}


def _engine_of(command: Command) -> str:
    return "load" if isinstance(command, Load) else "store" if isinstance(command, Store) else "compute"


class _Shadow:
    """Last writer and last reader of each word of one memory: 1 + index in its engine, 0 for none."""

    def __init__(self, words: int) -> None:
        self.words = words
        self.written = np.zeros(words, dtype=np.int32)
        self.read = np.zeros(words, dtype=np.int32)

    def _spans(self, first: int, count: int) -> Iterator[slice]:
        first, count = first % self.words, min(count, self.words)
        yield slice(first, min(first + count, self.words))
        if first + count > self.words:
            yield slice(0, first + count - self.words)

    def last(self, history: NDArray[np.int32], first: int, count: int) -> int:
        return max(int(history[span].max(initial=0)) for span in self._spans(first, count))

    def note(self, history: NDArray[np.int32], first: int, count: int, index: int) -> None:
        for span in self._spans(first, count):
            history[span] = index + 1


@dataclass(frozen=True)
class Binary:
    """words: uint32 [commands, 16]. moved: numbers of those with a DRAM address in the image area."""

    words: NDArray[np.uint32]
    moved: NDArray[np.int64]

    def at(self, area: int) -> bytes:
        """The program for an image area at this byte address."""
        words = self.words.copy()
        words[self.moved, 1] += np.uint32((area - AREA) % (1 << 32))
        return words.astype("<u4").tobytes()


class Program:
    """add() takes commands without tokens, in an order that is right one at a time; finish() seals."""

    def __init__(self, config: Config, area_words: int) -> None:
        self.config = config
        self.commands: list[Command] = []
        self.layer = 0
        self._order = Order()
        self._numbers: tuple[list[int], ...] = ([], [], [], [])
        # Numbers of the commands that wait for a kind of event, by the engine that waits.
        self._waits: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        self._area = _Shadow(max(area_words, 1))
        self._out = _Shadow(config.out_words)
        self._buffers = {
            Dest.ACT: _Shadow(config.act_words),
            Dest.WGT: _Shadow(config.wgt_words),
            Dest.PAR: _Shadow(config.par_words),
            Dest.TABLE: _Shadow(2 * config.table_words),
            Dest.RES: _Shadow(config.res_words),
        }
        self._heads: dict[Dest | None, int] = dict.fromkeys((None, *Dest), 0)

    def __len__(self) -> int:
        return len(self.commands)

    def allocate(self, memory: Dest | None, words: int) -> int:
        """A place in a buffer (None: output), round robin; its addresses wrap as the hardware's do."""
        size = self._out.words if memory is None else self._buffers[memory].words
        assert words <= size, f"{words} words do not fit {memory} of {size}"
        base = self._heads[memory]
        self._heads[memory] = (base + words) % size
        return base

    def add(self, command: Command) -> None:
        """Append a command; its layer and its tokens are set here."""
        number = len(self.commands)
        self.commands.append(replace(command, layer=self.layer))
        if isinstance(command, Load):
            self._add_load(number, command)
        elif isinstance(command, Store):
            self._add_store(number, command)
        elif isinstance(command, Compute):
            self._add_compute(number, command)

    def stamp(self) -> None:
        """Let the last STORE record when this layer is done."""
        number = self._numbers[STORED][-1]
        self.commands[number] = replace(self.commands[number], stamp=True)

    def finish(self) -> Binary:
        """Append END and encode. Raises BadCommand for a command the core would refuse: a defect here."""
        self.add(End())
        for command in self.commands:
            command.check(self.config)
        self._check_token_counts()
        words = np.array([command.words() for command in self.commands], dtype=np.uint32)
        moved = [
            number
            for number, command in enumerate(self.commands)
            if isinstance(command, Window) and command.address >= AREA
        ]
        return Binary(words, np.array(moved, dtype=np.int64))

    # --- what a command touches -----------------------------------------------------------------------

    def _dram(self, command: Window) -> tuple[int, int] | None:
        """(first word, words) of the image area that lie between a command's first and last word."""
        if command.address < AREA:
            return None
        span = (command.count_y - 1) * command.stride_y + (command.count_x - 1) * command.stride_x
        return (command.address - AREA) // self.config.n, span // self.config.n + command.run

    def _add_load(self, number: int, command: Load) -> None:
        target = self._buffers[Dest(command.dest)]
        rows = command.pad_top + command.count_y + command.pad_bottom
        count = rows * (command.pad_left + command.count_x * command.run + command.pad_right)
        source, index = self._dram(command), len(self._order.ends[LOADED])
        clock = self._order.load_start
        tokens: list[Clock] = []
        stored = 0  # stores that must have ended
        if source is not None:
            stored = self._area.last(self._area.written, *source)
            self._area.note(self._area.read, *source, index)
        used = target.last(target.read, command.buffer, count)
        if used and command.dest not in (Dest.ACT, Dest.WGT):
            # Compute's token to load does not say that post is done with what it reads: a STORE of the
            # outputs does.
            before = bisect_left(self._order.ends[STORED], used, key=lambda end: end[WRITTEN])
            stored = max(stored, before + 1)
        clock = self._after(number, STORED, stored, clock, tokens)
        if command.dest in (Dest.ACT, Dest.WGT):
            self._after(number, READ, used, clock, tokens)
        target.note(target.written, command.buffer, count, index)
        self._numbers[LOADED].append(number)
        self._order.load(tokens)

    def _add_compute(self, number: int, command: Compute) -> None:
        groups = command.groups if isinstance(command, Conv) else command.cb
        if isinstance(command, Conv) and command.window:
            act = (command.in_h - 1) * command.ky_step + (command.in_w - 1) * command.kx_step + groups
        else:
            act = (
                (command.out_h - 1) * command.y_step
                + (command.out_w - 1) * command.x_step
                + (command.kh - 1) * command.ky_step
                + (command.kw - 1) * command.kx_step
                + command.cb
            )
        reads = [(Dest.ACT, command.act_base, act)]
        if isinstance(command, Conv):
            reads.append((Dest.WGT, command.wgt_base, groups * command.weight_blocks * self.config.n))
        drains = not isinstance(command, Conv) or command.drain
        if drains and not command.bypass:
            reads.append((Dest.PAR, command.par_base, groups * PARAM_WORDS))
        if drains and command.table_en:
            size = self.config.table_words
            reads.append((Dest.TABLE, command.table_sel * size, size))
        if drains and command.elem:
            reads.append((Dest.PAR, command.elem_base, self.config.elem_words))
            reads.append((Dest.RES, command.res_base, (command.pixels - 1) * command.res_pitch + groups))
        index = len(self._order.ends[READ])
        load_tokens: list[Clock] = []
        store_tokens: list[Clock] = []
        loaded = 0
        for dest, first, count in reads:
            shadow = self._buffers[dest]
            loaded = max(loaded, shadow.last(shadow.written, first, count))
            shadow.note(shadow.read, first, count, index)
        clock = self._after(number, LOADED, loaded, self._order.read_start, load_tokens)
        if drains:
            out = (command.out_base, (command.pixels - 1) * command.out_pitch + groups)
            stored = self._out.last(self._out.read, *out)
            clock = join((clock, self._order.last(WRITTEN)))
            self._after(number, STORED, stored, clock, store_tokens)
            self._out.note(self._out.written, *out, index)
        self._numbers[READ].append(number)
        self._numbers[WRITTEN].append(number)
        self._order.compute(load_tokens, store_tokens)

    def _add_store(self, number: int, command: Store) -> None:
        source = (command.buffer, command.count_y * command.count_x * command.run)
        index = len(self._order.ends[STORED])
        tokens: list[Clock] = []
        written = self._out.last(self._out.written, *source)
        clock = self._after(number, WRITTEN, written, self._order.store_start, tokens)
        self._out.note(self._out.read, *source, index)
        target = self._dram(command)
        assert target is not None, "a STORE goes to the image area"
        # There are no tokens from load to store. Tensors do not share memory, so none is ever needed.
        assert self._area.last(self._area.read, *target) <= clock[LOADED], (
            "a STORE overwrites what a LOAD reads"
        )
        self._area.note(self._area.written, *target, index)
        self._numbers[STORED].append(number)
        self._order.store(tokens)

    # --- tokens ---------------------------------------------------------------------------------------

    def _after(self, number: int, kind: int, count: int, clock: Clock, tokens: list[Clock]) -> Clock:
        """Make command `number` start after the first `count` events of a kind; returns its clock then.

        A token queue is first in, first out: that holds because a token is only added for an event later than
        all that the consumer knows of, hence later than the last one signalled.
        """
        if count <= clock[kind]:
            return clock
        engine = _engine_of(self.commands[number])
        count = self._affordable(kind, engine, count)
        self._flag(self._numbers[kind][count - 1], f"signal_{engine}")
        self._flag(number, f"wait_{_ENGINE_OF[kind]}")
        self._waits[kind, engine].append(number)
        end = self._order.ends[kind][count - 1]
        tokens.append(end)
        return join((clock, end))

    def _affordable(self, kind: int, engine: str, count: int) -> int:
        """`count`, or more events when a token for that one would make the queue overflow.

        A signal that long precedes its wait takes up room all the while. In program order, the queue holds
        the tokens of all waits that come after the signal.
        """
        waits, numbers = self._waits[kind, engine], self._numbers[kind]
        if len(waits) >= TOKEN_MAX - 1 and waits[1 - TOKEN_MAX] > numbers[-1]:
            # The last place: taken for the latest event, so that no further token is needed before the next.
            return len(numbers)
        if len(waits) >= TOKEN_MAX and waits[-TOKEN_MAX] > numbers[count - 1]:
            return bisect_right(numbers, waits[-TOKEN_MAX]) + 1
        return count

    def _flag(self, number: int, name: str) -> None:
        assert not getattr(self.commands[number], name), f"command {number} has {name} already"
        self.commands[number] = replace(self.commands[number], **{name: True})

    def _check_token_counts(self) -> None:
        """In program order no queue may hold more tokens than the hardware counts."""
        engines = ("load", "compute", "store")
        held = {(a, b): 0 for a in engines for b in engines}
        for command in self.commands:
            own = _engine_of(command)
            for other in engines:
                held[other, own] -= getattr(command, f"wait_{other}")
                held[own, other] += getattr(command, f"signal_{other}")
            assert max(held.values()) <= TOKEN_MAX, "more tokens under way than the hardware counts"
