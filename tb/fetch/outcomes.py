"""What fetch has met, as samples for tb/fetch/coverage.py: of programs once they have stopped as predicted,
of time in every cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models.config import Config
from models.decode import decode, parse
from models.isa import COMMAND_BYTES, PAGE, BadCommand, Command, Conv
from tb.agents.pins import to_int
from tb.common.compute import pins_of
from tb.common.watch import value_of
from tb.fetch.coverage import LIMITS

PINS = """halt running wanted issue in_flight free ar_valid ar_ready r_valid have ended load_valid load_ready
    compute_valid compute_ready store_valid store_ready"""
ENGINES = ("load", "compute", "store")
AHEAD = 8  # commands that fetch may have asked for and not handed out


def _limits(conv: Conv, config: Config) -> Iterator[tuple[str, int]]:
    """How far each bounded quantity of a CONV is beyond its bound, in the order of LIMITS."""
    rows, columns = config.window
    yield LIMITS[0], conv.tile - config.acc_depth
    if not (conv.clear and conv.drain):
        yield LIMITS[1], conv.pixels - conv.tile
    if conv.window:
        over = conv.in_w - config.line_words, conv.kw - columns, conv.kh - rows
        yield from zip(LIMITS[2:], over, strict=True)


def of_command(raw: bytes, config: Config, after: Command | None) -> Iterator[dict[str, Any]]:
    """Samples of a command of a known opcode, handed out or refused. after: the one handed out before it."""
    command, refused = parse(raw), False
    try:
        decode(raw, config)
    except BadCommand as bad:
        refused = True
        yield {"refused": f"{command.opcode.name}_{bad.field}"}
    else:
        yield {"opcode": _name(command), "after": "nothing" if after is None else _name(after)}
    if isinstance(command, Conv):
        for limit, beyond in _limits(command, config):
            if beyond == int(refused):
                yield {"limit": limit, "side": "over" if refused else "most"}


def _name(command: Command) -> str:
    return command.opcode.name.lower()


def of_stop(cause: int, number: int, length: int, ends: Sequence[int]) -> dict[str, Any]:
    """The sample of a program's end. ends: the numbers behind each burst, as far as they are known."""
    values: dict[str, Any] = {"stop": cause, "where": number, "number": number}
    if cause == 0:
        last = next(end for end in ends if end > number)
        behind = "more_bursts" if length > last else "in_burst" if last > number + 1 else "nothing"
        values["behind"] = behind
    return values


def of_burst(address: int, commands: int, left: int) -> dict[str, Any]:
    """The sample of a burst. left: commands of the program that were not asked for before it."""
    page = (address + commands * COMMAND_BYTES) % PAGE == 0
    end = "program" if commands == left else "four" if commands == 4 else "page"
    return {"size": commands, "burst_end": f"{end}_at_page" if page and end != "page" else end}


def of_error(answers: Sequence[int]) -> dict[str, Any]:
    """The sample of a burst that fails."""
    beat = next(k for k, answer in enumerate(answers) if answer)
    place = "first" if beat == 0 else "last" if beat == len(answers) - 1 else "middle"
    return {"response": answers[beat], "beat": place}


class Cycles:
    """Samples of a cycle."""

    def __init__(self, dut: Any, sample: Any) -> None:
        self.pins, self.sample = pins_of(dut, PINS), sample
        self.beats = len(dut.have)
        self.halted = self.ran = False

    def state(self) -> tuple[str, str]:
        """What the exit holds, and what the bus does."""
        pins = self.pins
        have = value_of(pins.have)
        held = "held" if have >> self.beats - 1 else "part" if have else "none"
        bus = "idle" if value_of(pins.running) else "off"
        if value_of(pins.in_flight):
            bus = "address" if value_of(pins.ar_valid) else "data"
        return "ended" if to_int(pins.ended) else held, bus

    def reset(self) -> None:
        """The registers still hold what the reset finds."""
        if self.ran:
            held, bus = self.state()
            self.sample(reset=held, bus=bus)
        self.halted = self.ran = False

    def step(self) -> None:
        """An edge outside reset."""
        pins, sample = self.pins, self.sample
        self.ran = True
        if value_of(pins.halt):
            if not self.halted:
                held, bus = self.state()
                sample(halt=held, bus=bus)
            self.halted = True
            return
        if not value_of(pins.running):
            return
        sample(ahead=AHEAD - value_of(pins.free))
        for engine in ENGINES:
            if value_of(getattr(pins, f"{engine}_valid")) and not value_of(getattr(pins, f"{engine}_ready")):
                sample(stall=f"{engine}_busy")
        if value_of(pins.ar_valid):
            sample(not value_of(pins.ar_ready), stall="address_not_taken")
        elif value_of(pins.in_flight):
            sample(not value_of(pins.r_valid), stall="no_data")
        elif value_of(pins.wanted) and not value_of(pins.issue):
            sample(stall="no_room")
