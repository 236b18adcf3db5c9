"""What store has met, as samples for tb/store/coverage.py: of commands and bursts once a scoreboard has seen
them right, of time in every cycle."""

from __future__ import annotations

from collections.abc import Sequence

from models.isa import PAGE, Store
from tb.common.commands import SPACE
from tb.common.compute import peek, pins_of
from tb.common.cover import Hits
from tb.common.dma import DmaEnv, planned_answers
from tb.common.outcomes import Awaited, which

PINS = """halt cmd_valid cmd_ready cmd_data walk_ready in_flight room aw_valid aw_ready w_valid w_ready
    b_valid b_resp b_signal_compute b_signal_load sig_compute_ready sig_load_ready stat_wait
    burst_valid rd_en"""


class Outcomes:
    """Samples of one environment."""

    def __init__(self, env: DmaEnv, cover: Hits) -> None:
        self.env, self.cover = env, cover
        # Words between the buffer and the bus; one on its way from the buffer.
        self.held, self.pending = env.dut.u_data.held, env.dut.u_data.pending
        self.pins = pins_of(env.dut, PINS)
        self.commands = Awaited(env.events, cover.sample)
        self.bursts = Awaited(env.bursts, cover.sample)
        self.errors = Awaited(env.errors, cover.sample)
        self.ran = self.was_halted = False

    def reset(self) -> None:
        """The registers still hold what the reset finds."""
        if self.ran:
            phase, bus = self.state()
            self.cover.sample(reset=phase, bus=bus)
        self.ran = self.was_halted = False
        for samples in (self.commands, self.bursts, self.errors):
            samples.waiting.clear()

    # ---------------------------------------------------------------- as predicted

    def command(self, command: Store, words: int) -> None:
        """A command whose last response is expected. words: that it writes."""
        n, c = self.env.config.n, command
        strides = {0: "none", c.run * n: "next"}
        self.commands.add(
            rows=c.count_y,
            runs=c.count_x,
            run=c.run,
            stride=strides.get(c.stride_x, "up" if c.stride_x < SPACE // 2 else "down"),
            buffer_wrap=int(c.buffer + words > self.env.config.out_words),
            wait=int(c.wait_compute),
            signal=which(c.signal_compute, c.signal_load, ("compute", "load")),
            stamp=int(c.stamp),
        )

    def command_bursts(self, command: Store, first: int, where: Sequence[tuple[int, int]]) -> None:
        """The bursts (address, beats) of a command that are expected. first: the number of the first."""
        config, left = self.env.config, command.run
        for k, (address, beats) in enumerate(where):
            longest = beats == config.max_burst
            page = (address + beats * config.n) % PAGE == 0
            if beats == left:
                end = "run_at_page" if page else "run_at_max" if longest else "run"
            else:
                end = "max_at_page" if page and longest else "page" if page else "max"
            self.bursts.add(burst_end=end, beats="max" if longest else "one" if beats == 1 else "some")
            left = left - beats or command.run
            answer = planned_answers(self.env.memory.faults, True, first + k, address, beats, config.n)[0]
            if answer:
                last = k == len(where) - 1
                place = "last" if last else "middle" if k else "first"
                self.errors.add(response=answer, place="only" if last and not k else place)
                return

    # ---------------------------------------------------------------- in every cycle

    def state(self) -> tuple[str, str]:
        """What is left of the command, and for what the bus waits."""
        pins = self.pins
        in_flight = peek(pins.in_flight)
        phase = "walk" if not peek(pins.walk_ready) else "tail" if in_flight else "idle"
        if not in_flight:
            return phase, "quiet"
        if peek(pins.b_valid) and not peek(pins.b_resp) & 2 and self._no_room() != "none":
            return phase, "token"
        if peek(pins.aw_valid):
            return phase, "address"
        data = peek(pins.w_valid) or peek(self.pending) or peek(pins.rd_en)
        return phase, "data" if data else "response"

    def _no_room(self) -> str:
        """For which tokens of the response on the bus there is no room."""
        pins = self.pins
        compute = peek(pins.b_signal_compute) and not peek(pins.sig_compute_ready)
        load = peek(pins.b_signal_load) and not peek(pins.sig_load_ready)
        return which(compute, load, ("compute", "load"))

    def cycle(self) -> None:
        """An edge outside reset."""
        pins, sample, env = self.pins, self.cover.sample, self.env
        for samples in (self.commands, self.bursts, self.errors):
            samples.settle()
        self.ran = True
        under_way = env.watch.under_way
        limit = under_way == env.outstanding
        sample(in_flight="limit" if limit else "some" if under_way else "none")
        sample(words=peek(self.held))
        if peek(pins.halt):
            if not self.was_halted:
                phase, bus = self.state()
                sample(halt=phase, bus=bus)
            self.was_halted = True
            return
        if peek(pins.aw_valid) and not peek(pins.aw_ready):
            sample(stall="address_not_taken")
        if peek(pins.w_valid) and not peek(pins.w_ready):
            sample(stall="data_not_taken")
        if peek(pins.burst_valid) and not peek(pins.room):
            sample(stall="too_many_bursts")
        if peek(pins.b_valid) and not peek(pins.b_resp) & 2 and (tokens := self._no_room()) != "none":
            sample(stall=f"no_room_for_{tokens}")
        if not peek(pins.cmd_valid):
            sample(stall="no_command")
        elif not peek(pins.cmd_ready):
            sample(stall="no_compute_token" if peek(pins.stat_wait) else "busy")
