"""What bursts and accesses must obey as a whole, and what they are, from the channels at each rising edge.

A rule set is a plain state machine: a monitor hands it what it sampled, gets back what completed, and a
broken rule becomes a Violation that carries the rule's name (rules.py lists them). A sampled value is an
unsigned int, or None for X. The rules know nothing of the simulator, so that a twin test needs none. What a
single channel, or an address or last beat of a manager, can break is stated in tb/hdl/channel_rules.v and
burst_rules.v.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tb.agents.burst import EXOKAY, INCR, Burst, beat_ranges
from tb.agents.rules import Report, Violation, fail

# A channel as sampled at one edge: valid, ready, payload by name (empty while valid is low).
Sample = tuple[int | None, int | None, Mapping[str, int | None]]


class Channel:
    """What one valid/ready channel transfers. What is X, or in reset, transfers nothing."""

    def __init__(self) -> None:
        self.fresh = False  # an item is there that was not there at the edge before
        self._waiting = False

    def sample(
        self, in_reset: bool, valid: int | None, ready: int | None, payload: Sequence[int | None] = ()
    ) -> bool:
        """Look at one rising edge; payload counts only while valid is 1. Returns True on a transfer."""
        offered = not in_reset and valid == 1 and ready is not None and None not in payload
        self.fresh = offered and not self._waiting
        self._waiting = offered and not ready
        return offered and ready == 1


@dataclass
class _Open:
    """A burst under way."""

    id: int
    addr: int
    beats: int
    size: int
    kind: int
    exclusive: bool
    start: int
    data: list[int] = field(default_factory=list)
    resp: int = 0
    full: bool = True
    data_done: bool = False

    def __post_init__(self) -> None:
        self.ranges = beat_ranges(self.addr, self.beats, self.size, self.kind)


class _Bus:
    """The channels of one bus, and one place to report to."""

    def __init__(self, where: str, channels: Sequence[str], report: Report, protocol: str) -> None:
        self.where = where
        self.report = report
        self.protocol = protocol
        self.cycle = 0
        self._channels = {name: Channel() for name in channels}

    def violate(self, rule: str, detail: str) -> None:
        """Report `rule` as broken in this cycle."""
        self.report(Violation(rule, self.where, self.cycle, detail, self.protocol))

    def _transfer(self, name: str, in_reset: bool, samples: Mapping[str, Sample]) -> bool:
        valid, ready, payload = samples[name]
        return self._channels[name].sample(in_reset, valid, ready, list(payload.values()))


class Axi4Rules(_Bus):
    """AXI4: every beat and response in its place.

    data_bytes: width of the bus. outstanding: limit per ID and direction (None: no limit).
    """

    def __init__(
        self,
        where: str,
        data_bytes: int,
        channels: Sequence[str] = ("ar", "r", "aw", "w", "b"),
        outstanding: int | None = None,
        report: Report = fail,
    ) -> None:
        super().__init__(where, channels, report, "axi4")
        self.data_bytes = data_bytes
        self.outstanding = outstanding
        self._clear()

    def _clear(self) -> None:
        self._reads: dict[int, deque[_Open]] = {}
        self._writes: dict[int, deque[_Open]] = {}
        # AXI4 has no WID: data come in the order of the addresses, but may come before them.
        self._awaiting_data: deque[_Open] = deque()
        self._early: deque[Mapping[str, int]] = deque()

    def edge(self, in_reset: bool, samples: Mapping[str, Sample]) -> list[Burst]:
        """Check one rising edge of all channels; returns the bursts that completed at it."""
        self.cycle += 1
        moved = {name: self._transfer(name, in_reset, samples) for name in self._channels}
        if in_reset:
            self._clear()
            return []
        done: list[Burst] = []
        if moved.get("ar"):
            self._address(samples["ar"][2], self._reads)  # type: ignore[arg-type]
        if moved.get("aw"):
            self._awaiting_data.append(self._address(samples["aw"][2], self._writes))  # type: ignore[arg-type]
            while self._early and self._awaiting_data:
                self._write_beat(self._early.popleft())
        if moved.get("w"):
            beat: Mapping[str, int] = dict(samples["w"][2])  # type: ignore[arg-type]
            if self._awaiting_data:
                self._write_beat(beat)
            else:
                self._early.append(beat)
        if "r" in self._channels:
            self._read_channel(moved["r"], samples["r"][2], done)  # type: ignore[arg-type]
        if "b" in self._channels:
            self._response_channel(moved["b"], samples["b"][2], done)  # type: ignore[arg-type]
        return done

    def _address(self, payload: Mapping[str, int], table: dict[int, deque[_Open]]) -> _Open:
        full_size = self.data_bytes.bit_length() - 1
        addr, beats = payload["addr"], payload["len"] + 1
        size, kind = payload.get("size", full_size), payload.get("burst", INCR)
        exclusive = payload.get("lock", 0) == 1
        total = beats << size
        if exclusive and (beats > 16 or total > 128 or total & (total - 1) or addr % total):
            self.violate("EXCLUSIVE", f"addr 0x{addr:x}, {beats} beats, size {size}, burst {kind}")
        burst = _Open(payload.get("id", 0), addr, beats, size, kind, exclusive, self.cycle)
        queue = table.setdefault(burst.id, deque())
        queue.append(burst)
        if self.outstanding is not None and len(queue) > self.outstanding:
            self.violate("OUTSTANDING", f"{len(queue)} bursts of ID {burst.id} in flight")
        return burst

    def _write_beat(self, beat: Mapping[str, int]) -> None:
        burst = self._awaiting_data[0]
        index = len(burst.data)
        burst.data.append(beat["data"])
        everywhere = (1 << self.data_bytes) - 1
        strobe = beat.get("strb", everywhere)
        burst.full = burst.full and strobe == everywhere
        if index < burst.beats:
            addressed = burst.ranges[index]
            lanes = ((1 << len(addressed)) - 1) << addressed.start % self.data_bytes
        else:
            lanes = everywhere  # behind the last: the burst does not end where it should
        if strobe & ~lanes:
            self.violate("STROBE_LANES", f"beat {index}: strobe 0x{strobe:x}, lanes 0x{lanes:x}")
        last = index + 1 == burst.beats
        if last or beat["last"]:
            burst.data_done = True
            self._awaiting_data.popleft()

    def _read_channel(self, moved: bool, payload: Mapping[str, int], done: list[Burst]) -> None:
        if not self._channels["r"].fresh and not moved:
            return
        ident = payload.get("id", 0)
        queue = self._reads.get(ident)
        if not queue:
            if self._channels["r"].fresh:
                self.violate("R_UNREQUESTED", f"data for ID {ident}")
            return
        if not moved:
            return
        burst = queue[0]
        self._response(payload["resp"], burst)
        burst.data.append(payload["data"])
        burst.resp = max(burst.resp, payload["resp"])
        last = len(burst.data) == burst.beats
        if bool(payload["last"]) != last:
            self.violate(
                "RLAST", f"last {payload['last']} on beat {len(burst.data) - 1} of {burst.beats}, ID {ident}"
            )
        if last or payload["last"]:
            queue.popleft()
            done.append(self._finish(burst, False))

    def _response_channel(self, moved: bool, payload: Mapping[str, int], done: list[Burst]) -> None:
        if not self._channels["b"].fresh and not moved:
            return
        ident = payload.get("id", 0)
        queue = self._writes.get(ident)
        if not queue or not queue[0].data_done:
            if self._channels["b"].fresh:
                self.violate("B_BEFORE_DATA", f"response for ID {ident}")
            return
        if moved:
            burst = queue.popleft()
            self._response(payload["resp"], burst)
            burst.resp = payload["resp"]
            done.append(self._finish(burst, True))

    def _response(self, resp: int, burst: _Open) -> None:
        if resp == EXOKAY and not burst.exclusive:
            self.violate("RESP_EXOKAY", f"response 1 to ID {burst.id}, addr 0x{burst.addr:x}")

    def _finish(self, burst: _Open, write: bool) -> Burst:
        data = b"".join(beat.to_bytes(self.data_bytes, "little") for beat in burst.data)
        return Burst(
            write,
            burst.id,
            burst.addr,
            burst.beats,
            data,
            burst.resp,
            burst.full,
            burst.start,
            self.cycle,
            burst.kind,
            None if 1 << burst.size == self.data_bytes else burst.size,
        )

    @property
    def open_bursts(self) -> int:
        """Bursts under way, early write data counted as one."""
        queues = [*self._reads.values(), *self._writes.values()]
        return sum(len(queue) for queue in queues) + bool(self._early)

    def end(self) -> None:
        """End of the test: nothing may be under way."""
        if self.open_bursts:
            self.violate("UNFINISHED", f"{self.open_bursts} bursts under way at the end of the test")


@dataclass
class Access:
    """One completed AXI4-Lite access. data: written, or read; strobe: of a write, 0 for a read."""

    write: bool
    addr: int
    data: int
    strobe: int
    resp: int


class AxiLiteRules(_Bus):
    """AXI4-Lite: a response only for a complete request."""

    def __init__(self, where: str, report: Report = fail) -> None:
        super().__init__(where, ("aw", "w", "b", "ar", "r"), report, "axi_lite")
        self._clear()

    def _clear(self) -> None:
        self._aw: deque[int] = deque()
        self._w: deque[tuple[int, int]] = deque()
        self._ar: deque[int] = deque()

    def edge(self, in_reset: bool, samples: Mapping[str, Sample]) -> list[Access]:
        """Check one rising edge of all channels; returns the accesses that completed at it."""
        self.cycle += 1
        moved = {name: self._transfer(name, in_reset, samples) for name in self._channels}
        if in_reset:
            self._clear()
            return []
        payload: dict[str, Mapping[str, int]] = {name: samples[name][2] for name in samples}  # type: ignore[misc]
        if moved["aw"]:
            self._aw.append(payload["aw"]["addr"])
        if moved["w"]:
            self._w.append((payload["w"]["data"], payload["w"]["strb"]))
        if moved["ar"]:
            self._ar.append(payload["ar"]["addr"])
        done = []
        if self._channels["r"].fresh and not self._ar:
            self.violate("R_UNREQUESTED", "read data without a read address")
        elif moved["r"] and self._ar:
            self._response(payload["r"]["resp"])
            done.append(Access(False, self._ar.popleft(), payload["r"]["data"], 0, payload["r"]["resp"]))
        if self._channels["b"].fresh and not (self._aw and self._w):
            self.violate("B_BEFORE_DATA", "response without address and data")
        elif moved["b"] and self._aw and self._w:
            self._response(payload["b"]["resp"])
            done.append(Access(True, self._aw.popleft(), *self._w.popleft(), payload["b"]["resp"]))
        return done

    def _response(self, resp: int) -> None:
        if resp == EXOKAY:
            self.violate("RESP_EXOKAY", "response 1")

    def end(self) -> None:
        """End of the test: nothing may be under way."""
        left = len(self._aw) + len(self._w) + len(self._ar)
        if left:
            self.violate("UNFINISHED", f"{left} requests without a response at the end of the test")
