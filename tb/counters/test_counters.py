"""counters: every busy cycle in one category, the rest by its condition, and stamps that keep the account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.handle import Immediate
from cocotb.triggers import FallingEdge, RisingEdge
from pyuvm import uvm_component

from tb.agents.env import BlockEnv, start
from tb.agents.pins import to_int
from tb.agents.scoreboard import Idle, Mismatch, Missing, Scoreboard
from tb.bench import Bench, fewer, lighter, params
from tb.common.collector import Collector
from tb.common.watch import EngineError, value_of
from tb.counters.coverage import COVERAGE

BENCH = Bench(toplevel="npu_counters", params=[{"N": 4}, {"N": 32}], timeout=120)

Pins = dict[str, int]
# What the account is made of.
CONDITIONS = (
    *("conv_reads", "pool_reads", "load_missing", "units_idle", "load_held"),
    *("weights_missing", "room_missing", "token_full", "drains"),
)
# docs/registers.md, "A cycle belongs to the first of these", in the order of the registers.
RULES: dict[str, Callable[[Pins], bool]] = {
    "busy": lambda pins: bool(pins["conv_reads"]),
    "pool": lambda pins: bool(pins["pool_reads"]),
    "load": lambda pins: bool(pins["load_missing"] and pins["units_idle"] and not pins["load_held"]),
    "weights": lambda pins: bool(pins["weights_missing"]),
    "store": lambda pins: bool(pins["room_missing"]),
    "token": lambda pins: bool(pins["token_full"]),
    "drain": lambda pins: bool(pins["drains"]),
    "fill": lambda pins: True,
}
# In the order of the registers after CYCLES and the account, with what each adds.
OTHERS = ("load_wait", "store_wait", "read_beat", "write_beat", "read_burst", "write_burst")
COUNTERS = 1 + len(RULES) + len(OTHERS)
SOURCES = ("load", "post", "store")
PATIENCE = 20  # cycles until a stamp is taken that no other competes with

Ask = tuple[str, int]  # "counter", "stamp" or "account", and rd_index


class Model:
    """docs/registers.md: counters count while busy; a stamp is CYCLES and the account when it is taken."""

    def __init__(self, n: int) -> None:
        self.rules = list(RULES.values())
        self.steps = [1, 1, n, n, 1, 1]
        self.count = [0] * COUNTERS
        self.stamps: dict[int, list[int]] = {}

    def step(self, pins: Pins, stamps: list[int]) -> None:
        """The end of a cycle with these inputs, in which the stamps of these layers were taken."""
        for layer in stamps:
            self.stamps[layer] = self.count[: 1 + len(self.rules)]
        if pins["clear"]:
            self.count = [0] * COUNTERS
        elif pins["busy"]:
            first = next(k for k, rule in enumerate(self.rules) if rule(pins))
            account = [int(k == first) for k in range(len(self.rules))]
            others = [step * pins[name] for step, name in zip(self.steps, OTHERS, strict=True)]
            self.count = [
                (c + s) % (1 << 32) for c, s in zip(self.count, (1, *account, *others), strict=True)
            ]

    def read(self, what: str, index: int) -> int:
        """What the read port answers."""
        if what == "counter":
            return self.count[index] if index < COUNTERS else 0
        layer, part = divmod(index, 8)
        return self.stamps[layer][1 + part if what == "account" else 0]


class Cycles(uvm_component):
    """Drives the inputs of every cycle, tells the model, and compares rd_data in every cycle after a read.

    load and post hold a stamp until it is taken, store's is taken at once.
    """

    def __init__(self, name: str, parent: CountersEnv, dut: Any) -> None:
        super().__init__(name, parent)
        self.env, self.dut = parent, dut
        self.offered: dict[str, int] = {}  # layers, by source
        self.waits = 0  # cycles in which a stamp had to wait

    async def run_phase(self) -> None:
        env, dut, edge = self.env, self.dut, RisingEdge(self.dut.clk)
        shown: int | None = None
        asked: dict[str, Any] = {}  # the samples of the read that is shown
        ran = False
        while True:
            pins = env.inputs()
            for name, value in pins.items():
                getattr(dut, name).value = value
            self.offer()
            ask = env.asked.pop(0) if env.asked and env.rng.random() < 0.7 else None
            what, index = ask or ("", env.rng.getrandbits(11))
            dut.rd_en.value = ask is not None
            dut.rd_stamp.value, dut.rd_account.value = what == "stamp", what == "account"
            dut.rd_index.value = index
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
        for source, layer in self.env.new_stamps().items():
            self.offered.setdefault(source, layer)
        for source in SOURCES:
            getattr(self.dut, f"{source}_stamp_valid").value = source in self.offered
            layer = self.offered.get(source, self.env.rng.randrange(256))
            getattr(self.dut, f"{source}_stamp_layer").value = layer

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
    """Random conditions with a probability `chance` each; `busy` and `clear` as the test says.

    stamping: how likely a source without a stamp is to offer one in a cycle; together: all of them or none.
    """

    def __init__(self, name: str, parent: uvm_component, dut: Any) -> None:
        super().__init__(name, parent, dut)
        self.model = Model(params()["N"])
        self.chance = 0.5
        self.stamping = 0.0
        self.together = False
        self.busy = self.clear = 0
        self.fixed: Pins = {}  # conditions that are not random
        self.scoreboard = Scoreboard("scoreboard", self)
        self.asked: list[Ask] = []
        self.cover = Collector("cover", self, COVERAGE).hits
        self.driver = Cycles("driver", self, dut)

    def inputs(self) -> Pins:
        """One cycle's inputs."""
        random = {name: int(self.rng.random() < self.chance) for name in (*CONDITIONS, *OTHERS)}
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

    def new_stamps(self) -> dict[str, int]:
        """Layers by source; few, so that the same one is stamped again and by others."""
        common = self.rng.random()
        wanted = [
            source for source in SOURCES if (common if self.together else self.rng.random()) < self.stamping
        ]
        return {source: self.rng.choice((0, 255, self.rng.randrange(64))) for source in wanted}

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
        while self.asked:
            await self.cycles(1)
        await self.cycles(self.rng.randint(2, 5))


@cocotb.test()
@cocotb.parametrize(chance=[0.02, 0.5, 0.98])
async def counters_count_only_while_busy(dut: Any, chance: float) -> None:
    async with start(CountersEnv, dut) as env:
        env.chance = chance
        for _ in range(3):
            for env.busy in (1, 0, 1):
                await env.cycles(env.rng.randint(1, 120))
            await env.read_all()
        assert env.model.count[0] > 0


@cocotb.test()
async def counters_count_to_32_bits(dut: Any) -> None:
    """From any value, also across the end, where a counter starts again at 0."""
    async with start(CountersEnv, dut) as env:
        env.chance = 0.9
        for turn in range(lighter(8, 1, 4)):
            await env.rest()
            await FallingEdge(dut.clk)
            for k in range(COUNTERS):
                value = env.rng.getrandbits(32) if turn % 2 else (1 << 32) - env.rng.randint(1, 40)
                dut.count[k].set(Immediate(value))
                env.model.count[k] = value
            env.stamping, env.busy = 0.3, 1
            await env.cycles(20)
            await env.read_all()


@cocotb.test()
async def counters_give_each_cycle_to_the_first_cause(dut: Any) -> None:
    """All 512 combinations of the conditions, each for the cycles that it takes to read every counter."""
    async with start(CountersEnv, dut) as env:
        alone = {0, *(1 << k for k in range(len(CONDITIONS)))}  # for each there is a first cause
        combinations = sorted(alone | {*fewer(env.rng, range(1 << len(CONDITIONS)), 4)})
        env.rng.shuffle(combinations)
        env.busy = 1
        for bits in combinations:
            env.fixed = {name: bits >> k & 1 for k, name in enumerate(CONDITIONS)}
            await env.read([("counter", index) for index in range(1 + len(RULES))])
        cycles, *account = env.model.count[: 1 + len(RULES)]
        assert all(account) and sum(account) == cycles


@cocotb.test()
async def counters_count_each_condition_alone(dut: Any) -> None:
    """One condition at a time: its counter moves, the others do not."""
    async with start(CountersEnv, dut) as env:
        env.chance = 0.0
        for condition in (*CONDITIONS, *OTHERS):
            env.fixed = {condition: 1}
            env.busy = 1
            await env.cycles(env.rng.randint(2, 9))
            await env.read_all()


@cocotb.test()
async def counters_clear_at_start_and_stamps_do_not(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(2):
            env.stamping, env.busy = 0.1, 1
            await env.cycles(80)
            await env.rest()
            env.stamping = 0.2
            env.clear = 1
            await env.cycles(80)
            await env.rest()
            env.clear = 0
            await env.cycles(1)
            await env.read_all()
            assert not any(env.model.count) and env.model.stamps


@cocotb.test()
@cocotb.parametrize(stamping=[0.1, 0.6, 1.0], together=[False, True])
async def counters_lose_no_stamp(dut: Any, stamping: float, together: bool) -> None:
    """Three sources at random, in the same cycle, or all of them in every cycle, store back to back."""
    async with start(CountersEnv, dut) as env:
        env.together = together
        for _ in range(3):
            for env.busy in (1, 0):
                env.stamping = stamping
                await env.cycles(30)
            await env.read_all()
        assert len(env.model.stamps) > 5 and env.driver.waits > 0


@cocotb.test()
async def counters_answer_while_they_count(dut: Any) -> None:
    """Reads of everything, also in the cycle in which a stamp is written."""
    async with start(CountersEnv, dut) as env:
        env.busy, env.stamping = 1, 0.3
        await env.cycles(30)
        for _ in range(3):
            await env.read(env.everything())


@cocotb.test()
async def counters_work_after_reset_in_flight(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        for _ in range(lighter(5, 1, 2)):
            env.stamping, env.busy = 0.3, 1
            await env.cycles(env.rng.randint(1, 30))
            await env.rest()
            await env.reset()
            env.busy = 1
            await env.cycles(env.rng.randint(1, 30))
            await env.reset(1)
            env.stamping = 1.0
            await env.cycles(2)
            await env.reset(1)
            await env.cycles(env.rng.randint(1, 30))
            await env.read_all()


@cocotb.test(expect_error=Mismatch)
async def scoreboard_catches_a_wrong_count(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.model.steps[2] += 1
        env.busy = 1
        await env.cycles(50)
        await env.read_all()


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(higher=range(7))
async def scoreboard_catches_a_wrong_priority(dut: Any, higher: int) -> None:
    """The model asks two neighbours in the wrong order and gives each the other's cycles only then.

    The last, fill, is always true: nothing is left for drain.
    """
    async with start(CountersEnv, dut) as env:
        above, below = env.model.rules[higher : higher + 2]
        lost = 0

        def wrong(pins: Any) -> bool:
            nonlocal lost
            lost += above(pins) and below(pins)
            return above(pins) and not below(pins)

        env.model.rules[higher] = wrong
        env.busy = 1
        while not lost:
            await env.cycles(50)
        await env.read_all()


@cocotb.test(expect_error=Mismatch)
@cocotb.parametrize(wrong=range(9))
async def scoreboard_catches_a_wrong_stamp(dut: Any, wrong: int) -> None:
    """One cycle more in CYCLES, or in a category, of every stamp."""
    async with start(CountersEnv, dut) as env:
        env.stamping, env.busy = 0.3, 1
        await env.cycles(50)
        await env.rest()
        for stamp in env.model.stamps.values():
            stamp[wrong] += 1
        await env.read_all()


@cocotb.test(expect_error=Missing)
async def scoreboard_misses_an_answer(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        await env.read_all()
        env.scoreboard.expect(0)


@cocotb.test(expect_error=EngineError)
async def bench_catches_a_stamp_that_is_never_taken(dut: Any) -> None:
    async with start(CountersEnv, dut) as env:
        env.driver.taken = lambda: []  # type: ignore[method-assign]
        env.stamping = 1.0
        await env.cycles(3)
        await env.rest()


@cocotb.test(expect_error=Idle)
async def counters_bench_without_reads_fails(dut: Any) -> None:
    async with start(CountersEnv, dut):
        pass
