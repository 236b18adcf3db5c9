"""What the benches of conv, post, pool and compute share: commands as bits, descriptors, buffers, stalls.

A descriptor is what conv and pool tell post about a tile: 123 bits on `desc_data`, declared here once.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.types import LogicArray
from numpy.typing import NDArray
from pyuvm import uvm_component

from models.blocks import conv_tiles
from models.config import PARAM_WORDS, Config
from models.isa import Command, Compute, Conv, Pool
from tb.agents import transactions
from tb.agents.edges import at_every
from tb.agents.pins import Stalls, to_int
from tb.agents.scoreboard import Missing, Scoreboard
from tb.agents.stream import StreamPins
from tb.bench import simulator
from tb.common.draws import ANY16, ANY_INT8, Weights, flags

BUFFER_WORDS = 1 << 16  # of every buffer of these benches: addresses keep all their 16 bits
Image = NDArray[np.uint8]


# to_int where X cannot be, or is what the check is about: None in arithmetic fails the test.
peek: Callable[[Any], Any] = to_int


def pins_of(dut: Any, names: str) -> Any:
    """Handles as attributes: looking one up in `dut` costs as much as reading it."""
    return SimpleNamespace(**{name: getattr(dut, name) for name in names.split()})


class ContractError(AssertionError):
    """A block did in some cycle what its interface forbids, or did not do what it promises."""


def wide_config(n: int, log_depth: int = 8, log_line: int = 8) -> Config:
    """The model's configuration for a block alone: no buffer wraps below 16 bits."""
    sizes = dict.fromkeys(("act_words", "wgt_words", "out_words", "par_words", "res_words"), BUFFER_WORDS)
    return Config(n=n, acc_depth=1 << log_depth, line_words=1 << log_line, **sizes)


def command_bits(command: Command) -> int:
    """A command as the 512 bits of `cmd_data`."""
    return int.from_bytes(command.encode(), "little")


def image(rng: random.Random, n: int) -> Image:
    """Random buffer contents, uint8 [65536, n]; runs of 64 words hold one extreme for extreme sums."""
    data = np.random.default_rng(rng.getrandbits(64))
    words = data.integers(0, 256, (BUFFER_WORDS, n), dtype=np.uint8)
    runs = words.reshape(-1, 64, n)
    kind = data.integers(0, 16, len(runs))
    runs[kind == 0] = 0x80
    runs[kind == 1] = 0x7F
    return words


class Desc(NamedTuple):
    """A tile for post, lowest bits first. Signed fields hold their bit pattern."""

    zero_point: int
    act_min: int
    act_max: int
    mode: int
    table_en: int
    table_sel: int
    bypass: int
    elem: int
    elem_addr: int
    res_pitch: int
    res_addr: int
    par_addr: int
    out_pitch: int
    out_addr: int
    pixels: int
    restart: int
    bank: int
    from_pool: int
    wait: int
    signal: int
    stamp: int
    layer: int

    def pack(self) -> int:
        """The 173 bits of desc_data."""
        bits, low = 0, 0
        for value, width in zip(self, _DESC_WIDTHS, strict=True):
            bits |= value << low
            low += width
        return bits

    @classmethod
    def unpack(cls, bits: int) -> Desc:
        """The fields of desc_data."""
        values = []
        for width in _DESC_WIDTHS:
            values.append(bits & ((1 << width) - 1))
            bits >>= width
        return cls(*values)


_DESC_WIDTHS = (8, 8, 8, 2, 1, 1, 1, 2, 16, 16, 16, 16, 16, 16, 32, 1, 1, 1, 1, 1, 1, 8)


def descriptors(command: Compute, bank: int = 0) -> list[Desc]:
    """The descriptors that a CONV with drain or a POOL gives post, in order; bank: that of the first tile."""
    if isinstance(command, Conv):
        tiles = conv_tiles(command)
    else:
        assert isinstance(command, Pool)
        tiles = [(block, 0, command.pixels) for block in range(command.cb)]
    found = []
    for number, (group, first, end) in enumerate(tiles):
        last = number == len(tiles) - 1
        found.append(
            Desc(
                zero_point=command.zero_point & 0xFF,
                act_min=command.act_min & 0xFF,
                act_max=command.act_max & 0xFF,
                mode=command.rounding,
                table_en=int(command.table_en),
                table_sel=command.table_sel,
                bypass=int(command.bypass),
                elem=command.elem,
                elem_addr=command.elem_base,
                res_pitch=command.res_pitch,
                res_addr=(command.res_base + group) % BUFFER_WORDS,
                par_addr=(command.par_base + PARAM_WORDS * group) % BUFFER_WORDS,
                out_pitch=command.out_pitch,
                out_addr=(command.out_base + group) % BUFFER_WORDS,
                pixels=end - first,
                restart=int(first == 0),
                bank=0 if isinstance(command, Pool) else (bank + number) % 2,
                from_pool=int(isinstance(command, Pool)),
                wait=int(command.wait_store and number == 0),
                signal=int(command.signal_store and last),
                stamp=int(command.stamp and last),
                layer=command.layer & 0xFF,
            )
        )
    return found


# Fields of a CONV or POOL that its unit only passes on to post.
POST_FIELDS: dict[str, Weights] = {
    **dict.fromkeys(("out_base", "out_pitch", "par_base", "layer"), ANY16),
    "zero_point": ANY_INT8,
    "table_sel": {0: 1, 1: 1},
    **flags("table_en", "bypass", "wait_load", "signal_load"),
}


class Worthless:
    """What a data pin carries while it means nothing: X where the simulator has it, noise elsewhere."""

    def __init__(self, handle: Any) -> None:
        self._unknown = LogicArray("X" * len(handle)) if simulator() == "icarus" else None
        self._noise = random.Random(len(handle))
        self._width = len(handle)

    def __call__(self) -> Any:
        return self._unknown if self._unknown is not None else self._noise.getrandbits(self._width)


class HoldingSink(uvm_component):
    """Drives ready as the blocks here demand: once high it stays until a transfer, as a queue's does.

    Their valid may wait for another stream's ready, so a ready that comes and goes would break a handshake
    that no queue breaks.
    """

    def __init__(self, name: str, parent: uvm_component, pins: StreamPins, stalls: Stalls) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.stalls = stalls

    async def run_phase(self) -> None:
        """Draw a new ready after a transfer, in reset, and while it is low."""
        self._show(False)
        await at_every(self.pins.edge, self._step)

    def _step(self) -> None:
        if not self.ready or peek(self.pins.valid) != 0 or peek(self.pins.rst_n) != 1:
            self._show(not self.stalls())

    def _show(self, ready: bool) -> None:
        self.ready = ready
        self.pins.ready.value = ready  # type: ignore[union-attr]


class Feed(uvm_component):
    """Source of a stream that sends what is in `items`, or without end if there is a `filler`."""

    def __init__(
        self, name: str, parent: uvm_component, pins: Any, stalls: Stalls, filler: Any = None
    ) -> None:
        super().__init__(name, parent)
        self.pins = pins
        self.stalls = stalls
        self.filler = filler
        self.items: deque[Any] = deque()

    def flush(self) -> None:
        """Reset: what was not sent is not wanted any more."""
        self.items.clear()

    async def run_phase(self) -> None:
        """One item after the other, with pauses."""
        self.pins.idle()
        while True:
            if (self.items or self.filler is not None) and peek(self.pins.rst_n) == 1 and not self.stalls():
                await self.pins.send(self.items.popleft() if self.items else self.filler)
            else:
                await self.pins.edge


class BufferPort(uvm_component):
    """The buffer behind `<prefix>_en/_addr/_data`: data one cycle after the enable. Publishes addresses.

    words: uint8 [65536, n]. Without an enable the data become worthless in the next cycle; with `idle`
    given they stay until that pin says that another unit may read, as for pool.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any, words: Image, idle: Any = None) -> None:
        super().__init__(name, parent)
        self.words = words
        self.enable = getattr(dut, f"{name}_en")
        self.addr = getattr(dut, f"{name}_addr")
        self.data = getattr(dut, f"{name}_data")
        self.worthless, self.served = Worthless(self.data), True
        self.idle = idle
        self.rst_n = dut.rst_n
        self.edge = RisingEdge(dut.clk)
        self.port = transactions.port("port", self)

    async def run_phase(self) -> None:
        """Answer at every rising edge."""
        await at_every(self.edge, self._step)

    def _step(self) -> None:
        if peek(self.rst_n) == 1 and peek(self.enable):
            address = peek(self.addr)
            if address is None:
                raise ContractError(f"{self.get_full_name()}: X on the address of a read")
            self.data.value = int.from_bytes(self.words[address].tobytes(), "little")
            self.port.write(address)
            self.served = True
        elif self.served and (self.idle is None or peek(self.idle) != 0):
            self.data.value = self.worthless()
            self.served = False


async def progress(
    work: Coroutine[Any, Any, None], clk: Any, scoreboards: Sequence[Scoreboard], patience: int
) -> None:
    """Await `work`; raises Missing when no scoreboard has compared anything for `patience` cycles."""
    task, seen, left = cocotb.start_soon(work), -1, patience
    while not task.done():
        await ClockCycles(clk, 50)
        compared = sum(scoreboard.compared for scoreboard in scoreboards)
        left = patience if compared != seen else left - 50
        seen = compared
        if left <= 0:
            raise Missing(f"stuck: nothing was compared for {patience} cycles, and not all was taken")


async def without_bubble(env: Any, commands: Sequence[Any], moved: Callable[[], int], wanted: int) -> None:
    """Run commands that move `wanted` words: they must do so in as many cycles, from the first to the last.

    moved: words so far; env.watch knows the cycle and, for the message, the causes of lost ones. Raises
    ContractError.
    """
    running = cocotb.start_soon(env.run(commands))
    await env.until(moved)
    before, start = moved(), env.watch.cycle
    await env.until(lambda: moved() >= wanted)
    cycles, words = env.watch.cycle - start, moved() - before
    await running
    if cycles != words:
        raise ContractError(f"{words} words took {cycles} cycles: {dict(env.watch.causes)}")


def spoil(scoreboard: Scoreboard, change: Callable[[Any], Any], number: int = 3) -> None:
    """Twin tests: let the scoreboard expect something else than the model's item of that number."""
    honest, count = scoreboard.expect, itertools.count()
    scoreboard.expect = lambda item: honest(change(item) if next(count) == number else item)  # type: ignore


def rows(values: NDArray) -> Iterable[bytes]:
    """Each row of a two-dimensional array as little-endian bytes."""
    return (row.tobytes() for row in np.ascontiguousarray(values))
