"""The counters' bench: random conditions and stamps in every cycle, reads between, all against the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cocotb.triggers import RisingEdge
from pyuvm import uvm_component

from tb.agents.env import BlockEnv
from tb.agents.pins import to_int
from tb.agents.scoreboard import Scoreboard
from tb.bench import params
from tb.common.changes import Changes
from tb.common.collector import Collector
from tb.common.watch import EngineError, value_of
from tb.counters.coverage import COVERAGE
from tb.counters.model import COUNTERS, RULES, Model, Pins
from tb.counters.stimulus import PROFILES, SOURCES, Inputs, Stamps

PATIENCE = 20  # cycles until a stamp is taken that no other competes with
Ask = tuple[str, int]  # "counter", "stamp" or "account", and rd_index


class Cycles(uvm_component):
    """Drives the inputs of every cycle, tells the model, and compares rd_data in every cycle after a read.

    load and post hold a stamp until it is taken, store's is taken at once.
    """

    def __init__(self, name: str, parent: CountersEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut = parent, dut
        self.pins = Changes(dut)
        self.offered: dict[str, int] = {}  # layers, by source
        self.waits = 0  # cycles in which a stamp had to wait

    async def run_phase(self) -> None:
        env, dut, edge = self.env, self.dut, RisingEdge(self.dut.clk)
        shown: int | None = None
        asked: dict[str, Any] = {}  # the samples of the read that is shown
        ran = False
        while True:
            pins = env.inputs()
            self.pins.drive(pins)
            self.offer()
            ask = env.asked.pop(0) if env.asked and env.rng.random() < 0.7 else None
            what, index = ask or ("", env.rng.getrandbits(11))
            port = {"rd_en": ask is not None, "rd_stamp": what == "stamp", "rd_account": what == "account"}
            self.pins.drive(port | {"rd_index": index})
            await edge
            if to_int(dut.rst_n) != 1:
                if ran:
                    env.cover.sample(
                        reset="stamp" if self.offered else "counting" if pins["busy"] else "idle"
                    )
                shown, ran = None, False
                env.model.count = [0] * COUNTERS
                continue
            ran = True
            if shown is not None:
                env.scoreboard.expect(shown)
                env.scoreboard.observe(value_of(dut.rd_data))
                env.cover.sample(value=shown, **asked)
                asked = {}
            env.sample(pins)
            taken = self.taken()
            if ask is not None:
                shown, asked = env.model.read(*ask), reading(*ask, pins, taken)
            env.model.step(pins, taken)

    def offer(self) -> None:
        """New stamps beside those that wait."""
        env = self.env
        if env.sets and not self.offered:
            self.offered = env.stamps.draw(sources=env.sets.pop(0))
        elif env.stamping:
            self.offered = env.stamps.draw(likely=env.stamping, together=env.together) | self.offered
        for source in SOURCES:
            layer = self.offered.get(source, self.env.rng.randrange(256))
            valid = source in self.offered
            self.pins.drive({f"{source}_stamp_valid": valid, f"{source}_stamp_layer": layer})

    def taken(self) -> list[int]:
        """Layers of the stamps that the counters take in this cycle."""
        ready = {"store": 1} | {s: value_of(getattr(self.dut, f"{s}_stamp_ready")) for s in ("load", "post")}
        went = {
            source: self.offered.pop(source) for source in SOURCES if source in self.offered and ready[source]
        }
        self.waits += len(self.offered)
        for source, layer in went.items():
            self.env.cover.sample(taken=source, again=int(layer in self.env.model.stamps))
        return list(went.values())


def both(first: int, second: int, names: tuple[str, str]) -> str:
    """none, one of the two names, or both."""
    return ("none", *names, "both")[first + 2 * second]


def reading(what: str, index: int, pins: Pins, taken: list[int]) -> dict[str, Any]:
    """The samples of a read, which count once its answer was right. taken: layers stamped in its cycle."""
    kind = "hole" if what == "counter" and index >= COUNTERS else what
    values: dict[str, Any] = {"read": kind, "moving": pins["busy"]}
    if kind == "counter":
        values["counter"] = index
    elif kind == "account":
        values["part"] = index % 8
    if kind in ("stamp", "account"):
        same = index // 8 in taken
        values["meanwhile"] = "the_same" if same else "another" if taken else "no_stamp"
    return values


class CountersEnv(BlockEnv):
    """Random conditions by a `profile` of stimulus.py; `busy` and `clear` as the test says.

    stamping: how likely a source without a stamp is to offer one in a cycle; together: all of them or none;
    sets: what is offered instead.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.model = Model(params()["N"])
        self.profile = "any"
        self.random = {profile: Inputs(self.rng, profile) for profile in PROFILES}
        self.stamps = Stamps(self.rng)
        self.stamping = 0.0
        self.together = False
        self.sets: list[Sequence[str]] = []  # sources to offer stamps together, when none waits
        self.busy = self.clear = 0
        self.fixed: Pins = {}  # conditions that are not random
        self.scoreboard = Scoreboard("scoreboard", self)
        self.asked: list[Ask] = []
        self.cover = Collector("cover", self, COVERAGE).hits
        self.driver = Cycles("driver", self, dut)

    def inputs(self) -> Pins:
        """One cycle's inputs."""
        random = self.random[self.profile].draw()
        return {"clear": self.clear, "busy": self.busy} | random | self.fixed

    def sample(self, pins: Pins) -> None:
        """A cycle's inputs and the stamps on offer in it."""
        cover = self.cover.sample
        time = "clear" if pins["clear"] else "busy" if pins["busy"] else "idle"
        cover(time=time)
        offered = [source for source in SOURCES if source in self.driver.offered]
        if offered:
            cover(time=time, offered="all" if len(offered) == len(SOURCES) else "_".join(offered))
        if time != "busy":
            return
        first, *others = [name for name, rule in RULES.items() if rule(pins)]
        for beside in others[:-1] or ["nothing"]:  # the last is fill, which always holds
            cover(category=first, beside=beside)
        if pins["load_missing"]:
            why = both(1 - pins["units_idle"], pins["load_held"], ("units_work", "held"))
            cover(load="counts" if why == "none" else why)
        cover(
            traffic=both(pins["read_beat"], pins["write_beat"], ("read", "write")),
            bursts=both(pins["read_burst"], pins["write_burst"], ("read", "write")),
            waits=both(pins["load_wait"], pins["store_wait"], ("load", "store")),
        )

    async def rest(self) -> None:
        """Nothing counts, no new stamps; those that wait are taken. Raises EngineError if they are not."""
        self.stamping, self.busy = 0.0, 0
        for _ in range(PATIENCE):
            await self.cycles(1)
            if not self.driver.offered:
                break
        else:
            raise EngineError(f"stamps are not taken: {self.driver.offered}")
        await self.cycles(2)

    def everything(self) -> list[Ask]:
        """Every counter, the hole behind them, and each stamp that was given with its account."""
        asked = [("counter", index) for index in range(COUNTERS + 2)]
        for layer in self.model.stamps:
            asked += [("stamp", 8 * layer), *(("account", 8 * layer + part) for part in range(8))]
        return asked

    async def read_all(self) -> None:
        """Read everything while nothing moves."""
        await self.rest()
        await self.read(self.everything())

    async def read(self, asked: list[Ask]) -> None:
        """Read in random order."""
        self.asked += self.rng.sample(asked, len(asked))
        await self.until(lambda: not self.asked)
        await self.cycles(self.rng.randint(2, 5))
