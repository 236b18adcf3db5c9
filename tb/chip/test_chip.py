"""The whole chip with its Verilog memory: networks, errors, stops, resets, and a good program after each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import cycle, pairwise, product
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import Timer

from compiler.ir import CONTRACTS
from compiler.slice import cut
from models.blocks import groups_of, window_words
from models.isa import (
    COMMAND_BYTES,
    ID_FETCH,
    ID_LOAD,
    ID_STORE,
    PAGE,
    TOKEN_MAX,
    Cause,
    Compute,
    Conv,
    Dest,
    End,
    Load,
    Pool,
    PoolKind,
    Store,
    Windows,
    decode,
)
from tb.bench import light, seed
from tb.chip import host
from tb.chip.activity import UNIT_RECORD, UNITS_LOG
from tb.chip.coverage import COVERAGE, FOUND
from tb.chip.host import COUNTER_NAMES, PERIOD_NS, ErrorRecord, HostError
from tb.chip.programs import KINDS, Image, random_image
from tb.chip.score import ProgramScore, expected_columns
from tb.chip.session import Outcome, Session, bench, check, fetched
from tb.chip.tile import DRAM, TILE, TileJob, leave
from tb.common.cover import counted

BENCH = bench(
    [
        {
            "N": 4,
            "ACT_WORDS": 256,
            "WGT_WORDS": 128,
            "OUT_WORDS": 64,
            "PAR_WORDS": 32,
            "RES_WORDS": 64,
            "ACC_DEPTH": 16,
            "LINE_WORDS": 16,
            "MAX_BURST": 8,
            "OUTSTANDING": 2,
            "MEM_WORDS": 262144,
        },
        {"N": 16, "MEM_WORDS": 65536},
    ],
    public=[
        ("chip_bench", "*"),
        *(("axi_memory", name) for name in ("latency", "jitter", "stall", "read_count", "write_count")),
        *(("axi_memory", name) for name in ("err_read", "err_write", "err_resp")),
        *(("npu", name) for name in ("f_quiet", "l_idle", "l_stat_wait", "load_missing", "room_missing")),
        *(("npu", name) for name in ("d_idle", "s_idle", "s_stat_wait")),
    ],
    timeout=900,
)
NEVER = 2**32 - 1
# Operators that a network can be too small for, or that the compiler can make part of the next one.
COPIES = {"pad": "PAD", "concat": "CONCATENATION", "cut": "STRIDED_SLICE"}
LIMIT = 1_000_000  # cycles; the longest of these programs takes a tenth of it


class Decks:
    """What the good programs of a simulation go through, in whatever test: each contract with every
    kind of operator, and every temper of the memory."""

    def __init__(self) -> None:
        rng = np.random.default_rng(seed())
        networks = []
        for contract in CONTRACTS:
            kinds = rng.permutation(list(KINDS)).tolist()
            networks += [(contract, kinds[at : at + 3]) for at in range(0, len(kinds), 3)]
        tempers = list(product((2, 10, 100), (0, 60, 200)))
        self.networks = cycle([networks[i] for i in rng.permutation(len(networks))])
        self.tempers = cycle([tempers[i] for i in rng.permutation(len(tempers))])


decks = cache(Decks)


class Chip:
    """A session with seeded programs and a memory that behaves differently for each."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.host = session.host
        self.memory = session.host.dut.u_memory
        self.rng = np.random.default_rng([seed(), session.config.n])
        self.repeats = 1 if light() else 4
        self.after = -1  # how the program before has ended, as coverage.py counts it: by a reset

    @classmethod
    async def open(cls, dut: Any) -> Chip:
        return cls(await Session.open(dut))

    async def prepare(self, operators: int | Sequence[str] = 3, contract: str | None = None) -> Image:
        """A new random network in the memory, and new latency and stalls."""
        copies = (
            set() if isinstance(operators, int) else {COPIES[kind] for kind in operators if kind in COPIES}
        )
        for _ in range(20):
            image = random_image(self.rng, self.session.config, operators, contract=contract)
            if copies <= {layer.op for layer in image.compiled.layers}:
                break
        await self.session.load(image.dram)
        self.temper = next(decks().tempers)
        latency, stall = self.temper
        self.pace(latency, int(self.rng.choice([0, 30])), stall)
        return image

    def saw(self, **values: Any) -> None:
        """Count an outcome, of a program that was compared."""
        with counted(COVERAGE) as hits:
            hits.sample(**values)

    def ended(self, record: ErrorRecord | None) -> None:
        """Count how a program has ended, and keep it for the next."""
        self.after = 0
        if record:
            self.saw(cause=int(record.cause), engine=record.id)
            self.after = int(record.cause)

    def pace(self, latency: int, jitter: int = 0, stall: int = 0) -> None:
        """How the memory answers from now on: the plusargs of these names."""
        self.memory.latency.value = latency
        self.memory.jitter.value = jitter
        self.memory.stall.value = stall

    async def run(self, image: Image) -> Outcome:
        return await self.session.run(image.base, image.length, LIMIT)

    async def good_program(self) -> ProgramScore:
        """Run a random network and compare everything; tensors also with the operator models."""
        contract, kinds = next(decks().networks)
        image = await self.prepare(kinds, contract)
        outcome = await self.run(image)
        score = check(outcome, self.session)
        for name in (layer.target for layer in image.compiled.layers):
            got = image.compiled.read_tensor(self.session.shadow, 0, name)
            assert np.array_equal(got, image.values[name].reshape(got.shape)), f"tensor {name}"
        # Layers end one after the other, and each account adds up (which stamps() checks).
        stamps = await self.host.stamps(len(image.compiled.layers))
        ends = [0, *(stamp["cycles"] for stamp in stamps), outcome.counters["cycles"]]
        assert ends == sorted(ends), f"layers end at {ends}"
        for layer in image.compiled.layers:
            for operator in layer.op.split("+"):  # that were made one
                self.saw(operator=operator, contract=contract)
        self.saw(latency=self.temper[0], stall=self.temper[1], after=self.after)
        self.spent(outcome.counters)
        self.ended(None)
        return score

    def spent(self, counters: Mapping[str, int]) -> None:
        """Count what a program spent its time with."""
        for name in (*host.ACCOUNT, "load_wait", "store_wait"):
            if counters[name]:
                self.saw(spent=name)

    async def stopped_program(self, image: Image, cause: Cause) -> Outcome:
        """Run a program that must stop with this cause; what it did before must be right."""
        outcome = await self.run(image)
        assert outcome.error is not None, f"the program ended well; it had to stop with {cause!r}"
        assert outcome.error.cause == cause, f"{outcome.error}, expected {cause!r}"
        session = self.session
        fetch = fetched(session.memory, image.base, image.length, session.config)
        score = ProgramScore()
        score.compare(replace(outcome.trace, fetch=fetch), outcome.table, prefix=True)
        assert not score.mismatches, str(score.mismatches[0])
        self.ended(outcome.error)
        return outcome

    def found(self) -> dict[str, str]:
        """What the engines are doing, by the wires between them."""
        wires = self.host.dut.u_npu
        idle = {"load": wires.l_idle, "compute": wires.d_idle, "store": wires.s_idle}
        waits = {
            "load": (wires.l_stat_wait,),
            "compute": (wires.load_missing, wires.room_missing),
            "store": (wires.s_stat_wait,),
        }
        states = {"fetch": "quiet" if int(wires.f_quiet.value) else "reads"}
        for name in idle:
            waiting = any(int(wire.value) for wire in waits[name])
            states[name] = "waits" if waiting else "idle" if int(idle[name].value) else "works"
        return states

    def cut_off(self, way: str, found: Mapping[str, str]) -> None:
        """Count what a reset or the host has cut off."""
        self.saw(cut_off=way, **{f"{engine}_was": state for engine, state in found.items()})

    async def under_way(self) -> AsyncIterator[Image]:
        """Programs to be cut off: some at a random cycle, then some in which each engine is in each state.
        Then again one that is not cut off."""
        for _ in range(self.repeats):
            image = await self.prepare()
            await self.host.start(image.base, image.length)
            await Timer(int(self.rng.integers(1500)) * PERIOD_NS, "ns")
            yield image
            await self.good_program()
        if light():
            return
        for engine, states in FOUND.items():
            for state in states:
                for _ in range(10):
                    image = await self.prepare()
                    self.pace(2)  # load has to wait for nothing but others
                    await self.host.start(image.base, image.length)
                    there = await self.comes_to(engine, state)
                    yield image
                    if there:
                        break
            await self.good_program()

    async def comes_to(self, engine: str, state: str) -> bool:
        """Wait until an engine is in that state. False if the program ends, or takes very long, before."""
        for _ in range(2000):
            await Timer(2 * PERIOD_NS, "ns")
            if int(self.host.dut.irq.value):
                return False
            if self.found()[engine] == state:
                return True
        return False


@cocotb.test()
async def chip_runs_random_networks_bit_for_bit(dut: Any) -> None:
    """Bursts against the machine, tensors against the operator models."""
    chip = await Chip.open(dut)
    bursts = 0
    for _ in range(2 * chip.repeats):
        bursts += (await chip.good_program()).bursts
    dut._log.info(f"{bursts} bursts compared")


@cocotb.test()
async def chip_score_catches_one_wrong_bit_in_memory(dut: Any) -> None:
    """The twin of the score: the machine is given a DRAM that differs in one bit of one weight."""
    chip = await Chip.open(dut)
    loads: list[Load] = []
    while not loads:  # some networks have no weights
        image = await chip.prepare()
        commands = [image.command(i) for i in range(image.length)]
        loads = [c for c in commands if isinstance(c, Load) and c.dest == Dest.WGT]
    load = loads[0]
    chip.session.memory[load.address] ^= 1
    outcome = await chip.run(image)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    first = score.mismatches[0]
    assert (first.stream, first.what, first.beat) == ("load read", "data", 0), str(first)


@cocotb.test()
async def chip_runs_any_tile_alone(dut: Any) -> None:
    """What a STORE depends on, cut out of a network, is a good program."""
    chip = await Chip.open(dut)
    image = await chip.prepare()
    trace = (await chip.run(image)).trace
    stores = [number for number, command in enumerate(trace.commands) if isinstance(command, Store)]
    for store in chip.rng.choice(stores, min(chip.repeats, len(stores)), replace=False).tolist():
        part = cut(trace, [store], chip.session.config)
        await chip.session.load(part.dram)
        outcome = await chip.session.run(part.base, part.length, LIMIT)
        check(outcome, chip.session)
        assert len(outcome.trace.store) == 1


@cocotb.test()
async def chip_repeats_a_mismatch_in_its_tile_alone(dut: Any) -> None:
    """The twin of the tiles: a run that differs in one bit leaves a tile that differs in the same."""
    chip = await Chip.open(dut)
    config = chip.session.config
    constants: list[Load] = []
    while not constants:  # some networks have none
        image = await chip.prepare()
        loads = [c for c in (image.command(i) for i in range(image.length)) if isinstance(c, Load)]
        constants = [load for load in loads if load.address < image.compiled.image_base]
    wrong = constants[int(chip.rng.integers(len(constants)))].address
    chip.session.memory[wrong] ^= 1
    outcome = await chip.run(image)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    folder = Path("mismatch")
    whole = leave(folder, score.first(), outcome.trace, config, 8, [], {"seed": seed()})
    assert whole.tile and whole.command is not None, str(whole)
    job = TileJob.read(folder / TILE)
    # The image is as the machine had it; the chip gets the bit that the memory had.
    spoilt = np.fromfile(folder / TILE / DRAM, np.uint8)
    right = spoilt.copy()
    for at, number in enumerate(job.numbers):
        old = outcome.trace.commands[number]
        raw = spoilt[job.base + at * COMMAND_BYTES :][:COMMAND_BYTES].tobytes()
        new = decode(raw, config)
        if isinstance(old, Load) and isinstance(new, Load):
            there = window_words(new, config)[window_words(old, config) == wrong // config.n]
            right[there * config.n + wrong % config.n] = spoilt[there * config.n + wrong % config.n] ^ 1
    assert not np.array_equal(right, spoilt)
    await chip.session.load(right)
    chip.session.memory[:] = spoilt
    outcome = await chip.session.run(job.base, job.length, LIMIT)
    score = ProgramScore()
    assert score.compare(outcome.trace, outcome.table) > 0
    again = score.first()
    assert again.command is not None and job.numbers[again.command] == whole.command, f"{again}\n{whole}"
    assert (again.what, again.beat) == (whole.what, whole.beat), f"{again}\n{whole}"
    assert (again.expected, again.found) == (whole.expected, whole.found), f"{again}\n{whole}"


@cocotb.test()
async def chip_logs_what_its_units_do(dut: Any) -> None:
    """Windows end where they should; the last record is what the registers say, post wrote what it had to."""
    chip = await Chip.open(dut)
    log, window = Path(UNITS_LOG), 64
    for _ in range(max(2, chip.repeats)):
        image = await chip.prepare()
        before = log.stat().st_size
        dut.sample.value = window
        outcome = await chip.run(image)
        dut.sample.value = 0
        with log.open("rb") as file:
            file.seek(before)
            records = np.frombuffer(file.read(), UNIT_RECORD)
        assert records["cycles"][:-1].tolist() == list(range(0, outcome.counters["cycles"], window))
        last = {name: int(records[name][-1]) for name in COUNTER_NAMES}
        assert last == outcome.counters, f"{last}, not {outcome.counters}"
        drained = [c for c in outcome.trace.commands if isinstance(c, Pool) or getattr(c, "drain", False)]
        words = sum(groups_of(c) * c.pixels for c in drained if isinstance(c, Compute))
        assert records["post_words"][-1] == words
        # The account gives a wait of post only to cycles that nothing nearer to the array explains.
        assert outcome.counters["store"] <= records["post_waits"][-1] <= outcome.counters["cycles"]
        assert records["layers"][-1] == len(image.compiled.layers)
        assert np.all(np.diff(records["memory_cycle"].astype(int)) == np.diff(records["cycles"].astype(int)))
    size = log.stat().st_size
    await chip.good_program()
    assert log.stat().st_size == size, "logged although nobody asked for it"


@cocotb.test()
async def chip_stops_on_any_failed_burst(dut: Any) -> None:
    """The n-th read or write fails: address, ID and command are recorded, the next program is right."""
    chip = await Chip.open(dut)
    for response in (2, 3):
        for kind, which in (("read", "first"), ("read", "last"), ("read", "any"), ("write", "any")):
            image = await chip.prepare()
            machine = chip.session.machine.run(image.dram.copy(), image.base, image.length)
            count = machine.counters()[f"{kind}_bursts"]
            before = int(getattr(chip.memory, f"{kind}_count").value)
            chip.memory.err_resp.value = response
            # The first read is of fetch, the last one of load.
            nth = {"first": 0, "last": count - 1}.get(which, int(chip.rng.integers(count)))
            getattr(chip.memory, f"err_{kind}").value = before + nth
            first = {"read": Cause.READ_SLVERR, "write": Cause.WRITE_SLVERR}[kind]
            outcome = await chip.stopped_program(image, Cause(first + response - 2))
            getattr(chip.memory, f"err_{kind}").value = NEVER
            record, table = outcome.error, outcome.table
            assert record is not None
            (row,) = np.flatnonzero(table.resp)
            assert (record.id, record.address) == (table.id[row], table.addr[row]), f"{record}"
            parts = (machine.fetch, machine.load, machine.store)[record.id]
            nth = int(np.count_nonzero(table.id[: row + 1] == record.id)) - 1
            assert record.command == expected_columns(parts, chip.session.config.n).command[nth], f"{record}"
            await chip.good_program()


@cocotb.test()
async def chip_stops_at_its_windows(dut: Any) -> None:
    """No page to read for fetch, only the program's own for load, none to write: the record names each."""
    chip = await Chip.open(dut)
    for cause, engine in (
        (Cause.READ_WINDOW, ID_FETCH),
        (Cause.READ_WINDOW, ID_LOAD),
        (Cause.WRITE_WINDOW, ID_STORE),
    ):
        image = await chip.prepare()
        own = image.base // PAGE * PAGE, (image.base + image.length * COMMAND_BYTES - 1) // PAGE * PAGE
        nothing, everything = (PAGE, 0), Windows().read
        read = {ID_FETCH: nothing, ID_LOAD: own, ID_STORE: everything}[engine]
        await chip.host.allow(Windows(read, nothing))
        record = await chip.host.run(image.base, image.length, LIMIT)
        assert record and (record.cause, record.id) == (cause, engine), f"{record}, not {cause!r} of {engine}"
        table = await chip.session.traffic()
        assert not table.write.any() and (engine != ID_FETCH or not len(table)), (
            "a burst that no window allows"
        )
        chip.ended(record)
        await chip.host.allow(Windows())
        await chip.good_program()


@cocotb.test()
async def chip_refuses_bad_commands_and_runs_the_next_program(dut: Any) -> None:
    """Unknown opcode, a count of zero, a program without END."""
    chip = await Chip.open(dut)
    for broken in ("opcode", "field", "end"):
        image = await chip.prepare()
        number = int(chip.rng.integers(image.length - 1))
        if broken == "opcode":
            image.put(number, bytes([7]) + bytes(COMMAND_BYTES - 1))
            cause = Cause.BAD_OPCODE
        elif broken == "field":
            raw = bytearray(image.command(number).encode())
            raw[20:24] = bytes(4)  # w5: run and count_x, or out_w and out_h
            image.put(number, bytes(raw))
            cause = Cause.BAD_FIELD
        else:
            number = image.length
            image.compiled.programs[0] = (image.base, image.length - 1)
            number -= 1
            cause = Cause.OVERRUN
        await chip.session.load(image.dram)
        outcome = await chip.stopped_program(image, cause)
        assert outcome.error is not None
        want = (image.base + number * COMMAND_BYTES, 0, number)
        assert (outcome.error.address, outcome.error.id, outcome.error.command) == want, f"{outcome.error}"
        await chip.good_program()


@cocotb.test()
async def chip_ends_what_never_ends(dut: Any) -> None:
    """A token that nobody sends: the watchdog stops it, and so does the host."""
    chip = await Chip.open(dut)
    for cause in (Cause.WATCHDOG, Cause.STOPPED):
        image = await chip.prepare()
        first = next(i for i in range(image.length) if isinstance(image.command(i), Load))
        image.change(first, wait_compute=True)
        await chip.session.load(image.dram)
        await chip.host.write(host.WATCHDOG, 3000 if cause == Cause.WATCHDOG else 0)
        await chip.host.start(image.base, image.length)
        await Timer(4000 * PERIOD_NS, "ns")
        if cause == Cause.STOPPED:
            assert await chip.host.read(host.STATUS) == 1, "not busy: something else ended the program"
            await chip.host.write(host.CTRL, host.STOP)
        record = await chip.host.finish(10_000)
        assert record is not None and record.cause == cause, f"{record}"
        chip.ended(record)
        await chip.session.traffic()
        await chip.host.write(host.WATCHDOG, 0x100000)
        await chip.good_program()


@cocotb.test()
async def chip_stops_at_once_when_the_host_says_so(dut: Any) -> None:
    """In the middle of traffic: every burst under way ends, what was written is right."""
    chip = await Chip.open(dut)
    async for image in chip.under_way():
        found, busy = chip.found(), await chip.host.read(host.STATUS) == 1
        await chip.host.write(host.CTRL, host.STOP)
        record = await chip.host.finish(10_000)
        if busy and record is not None:
            assert record.cause == Cause.STOPPED, f"{record}"
            chip.cut_off("stop", found)
        chip.ended(record)
        machine = chip.session.machine.run(image.dram.copy(), image.base, image.length)
        score = ProgramScore()
        score.compare(machine, await chip.session.traffic(), prefix=True)
        assert not score.mismatches, str(score.mismatches[0])


@cocotb.test()
async def chip_survives_reset_in_flight(dut: Any) -> None:
    """Reset at a random cycle of a program; the next one is right."""
    chip = await Chip.open(dut)
    async for _ in chip.under_way():
        chip.cut_off("reset", chip.found())
        await chip.host.reset()
        chip.after = -1
        await chip.session.traffic()
        assert await chip.host.read(host.STATUS) == 0


@cocotb.test()
async def chip_is_done_only_after_a_load_behind_the_last_store(dut: Any) -> None:
    """END is long read, and for one cycle only the queue of load knows that there is something left to do."""
    chip = await Chip.open(dut)
    commands = (
        Load(dest=Dest.ACT, address=0x1000, run=4, signal_compute=True),
        Pool(out_w=4, x_step=1, x_stride=1, x_hi=4, y_hi=1, bypass=True, wait_load=True, signal_store=True),
        Store(address=0x2000, run=4, wait_compute=True, signal_load=True),
        Load(dest=Dest.ACT, address=0x2000, run=4, buffer=16, wait_store=True),
        End(),
    )
    image = chip.rng.integers(0, 256, 0x5000).astype(np.uint8)
    raw = b"".join(command.encode() for command in commands)
    image[0x4000 : 0x4000 + len(raw)] = np.frombuffer(raw, np.uint8)
    await chip.session.load(image)
    check(await chip.session.run(0x4000, len(commands), LIMIT), chip.session)


@cocotb.test()
async def chip_counts_a_wait_where_it_happens(dut: Any) -> None:
    """Commands that wait for ever: the category of the account, or load's or store's own counter, that says
    so; everything else stands still."""
    chip = await Chip.open(dut)
    limit, few = 2000, 100
    chip.pace(latency=2)
    pool = Pool(bypass=True, x_hi=1, y_hi=1)
    conv = Conv(out_w=4, clear=True, drain=True, wait_store=True)  # a pixel a tile: two banks, then none
    full = TOKEN_MAX + 1
    for commands, waits, where in (
        ([Load(wait_compute=True)], {"fill", "load_wait"}, "compute_load empty"),
        ([Load(wait_store=True)], {"fill", "load_wait"}, "store_load empty"),
        ([Load(wait_compute=True), replace(pool, wait_load=True)], {"fill", "load_wait"}, ""),
        ([Store(wait_compute=True)], {"fill", "store_wait"}, "compute_store empty"),
        ([replace(pool, wait_load=True)], {"load"}, "load_compute empty"),
        ([replace(pool, wait_store=True)], {"store"}, "store_compute empty"),
        ([conv], {"store"}, ""),
        # The array, or pool, has words to read that post has no room for.
        ([conv, replace(pool, wait_load=True)], {"store"}, ""),
        ([replace(pool, out_w=9, wait_store=True), replace(pool, wait_load=True)], {"store"}, ""),
        ([replace(pool, signal_load=True)] * full, {"token"}, "compute_load full"),
        ([replace(pool, signal_store=True)] * full, {"token"}, "compute_store full"),
        ([Load(signal_compute=True)] * full, {"fill"}, "load_compute full"),
        ([Store(signal_compute=True)] * full, {"drain"}, "store_compute full"),
        ([Store(signal_load=True)] * full, {"drain"}, "store_load full"),
        # Post waits with what conv has handed it; the array needs data for anything more.
        ([replace(conv, out_w=1), replace(pool, wait_load=True)], {"load"}, ""),
    ):
        image = np.zeros(0x2000, np.uint8)
        raw = b"".join(command.encode() for command in (*commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        await chip.host.write(host.WATCHDOG, limit)
        record = await chip.host.run(0, len(commands) + 1, 20 * limit)
        assert record is not None and record.cause == Cause.WATCHDOG, f"{commands[-1]}: {record}"
        counters = await chip.host.counters()
        names = {*host.ACCOUNT, "load_wait", "store_wait"}
        found = {name for name in names if counters[name] >= limit}
        assert found == waits, f"{commands[-1]}: {counters}"
        # Sixty-four commands take their time to be read and done: drain and fill have their share.
        rest = {"load", "weights", "store", "token", "load_wait", "store_wait"} - waits
        assert all(counters[name] < few for name in rest), f"{commands[-1]}: {counters}"
        if where:
            chip.saw(**dict(zip(("channel", "queue"), where.split(), strict=True)))
        chip.spent(counters)
        await chip.session.traffic()
    await chip.host.write(host.WATCHDOG, 0x100000)


@cocotb.test()
async def chip_accounts_for_what_a_program_is_made_to_wait_for(dut: Any) -> None:
    """Programs whose time can be told beforehand: a pass of one pixel, a long load, a long store."""
    chip = await Chip.open(dut)
    n = chip.session.config.n
    taps, words, latency = 16, 16, 100
    chip.pace(latency)
    fed = Load(dest=Dest.ACT, address=0x2000, run=words, signal_compute=True)
    record = Load(dest=Dest.PAR, address=0x5000, run=9)  # zeros: any shift would not do
    blocks = Load(dest=Dest.WGT, address=0x2000, run=taps * n)
    pool = Pool(x_hi=1, y_hi=1, bypass=True, wait_load=True, signal_store=True)
    conv = Conv(cb=taps, clear=True, drain=True, wait_load=True, signal_store=True)
    again = replace(fed, wait_compute=True, signal_compute=False)
    gone = Store(address=0x4000, wait_compute=True)
    line = replace(pool, out_w=words, x_step=1, x_stride=1, x_hi=words)
    average = replace(line, kind=PoolKind.AVERAGE, signal_load=True, signal_store=False)
    # The data are on their way while the command that waits for them is read.
    waits = latency + words - COMMAND_BYTES // n - 10
    for commands, least in (
        # Of a pass of one pixel and n weights, n - 1 cycles have no pixel.
        ([record, blocks, fed, conv, gone], {"busy": taps, "weights": (taps - 1) * (n - 1)}),
        ([fed, pool, gone], {"pool": 1, "load": waits, "drain": latency}),
        (
            [fed, line, replace(gone, run=words)],
            {"pool": words, "load": waits, "drain": latency + words},
        ),
        # Load has a command that it cannot begin, but is what is waited for: its data are under way.
        (
            [fed, again, replace(pool, signal_load=True), gone],
            {"pool": 1, "load": waits - COMMAND_BYTES // n},
        ),
        # Post has no end of dividing, and there is nothing to store.
        ([fed, average, again], {"pool": words, "load": waits, "drain": 8 * words}),
    ):
        image = chip.rng.integers(0, 256, 0x6000).astype(np.uint8)
        image[0x5000:] = 0
        raw = b"".join(command.encode() for command in (*commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        outcome = await chip.session.run(0, len(commands) + 1, LIMIT)
        counters = outcome.counters
        check(outcome, chip.session)
        for name, cycles in least.items():
            most = cycles if name in ("busy", "pool") else cycles + 2 * n + 30
            assert cycles <= counters[name] <= most, f"{name}: not {cycles} to {most}: {counters}"
        # The program and the first data are read before anything else can be known to wait.
        assert counters["fill"] >= latency and counters["store"] == counters["token"] == 0, f"{counters}"


@cocotb.test()
async def chip_keeps_every_stamp(dut: Any) -> None:
    """A stamp from every command of three engines that run without tokens: each in its engine's order, and
    each with an account that adds up. The second program numbers the layers backwards, so that a stamp of the
    first shows where one of the second is lost."""
    chip = await Chip.open(dut)
    per_engine = 80
    pool = Pool(bypass=True, x_hi=1, y_hi=1, out_base=8)
    first = (
        Load(dest=Dest.ACT, address=0x6000, run=4, signal_compute=True),
        replace(pool, out_base=0, wait_load=True, signal_store=True),
        Store(address=0x7000, wait_compute=True),
    )
    for step in (1, -1):
        kinds = [kind for kind in range(3) for _ in range(per_engine)]
        chip.rng.shuffle(kinds)
        free = [list(range(k * per_engine, (k + 1) * per_engine))[::step] for k in range(3)]
        layers = [list(part) for part in free]
        what = (Load(dest=Dest.ACT, address=0x6000, buffer=16), pool, Store(address=0x7000))
        commands = [replace(what[kind], stamp=True, layer=free[kind].pop(0)) for kind in kinds]
        image = chip.rng.integers(0, 256, 0x8000).astype(np.uint8)
        raw = b"".join(command.encode() for command in (*first, *commands, End()))
        image[: len(raw)] = np.frombuffer(raw, np.uint8)
        await chip.session.load(image)
        chip.pace(int(chip.rng.choice([2, 30])), int(chip.rng.choice([0, 60])))
        outcome = await chip.session.run(0, len(first) + len(commands) + 1, LIMIT)
        check(outcome, chip.session)
        stamps = await chip.host.stamps(3 * per_engine)
        for part in layers:
            ends = [0, *(stamps[layer]["cycles"] for layer in part), outcome.counters["cycles"]]
            assert all(a < b for a, b in pairwise(ends)), f"a stamp is not of this program: {ends}"


@cocotb.test()
async def chip_refuses_start_while_busy(dut: Any) -> None:
    """A second start answers SLVERR and changes nothing."""
    chip = await Chip.open(dut)
    image = await chip.prepare()
    await chip.host.start(image.base, image.length)
    try:
        await chip.host.write(host.CTRL, host.START)
    except HostError:
        pass
    else:
        raise AssertionError("start while busy was accepted")
    assert await chip.host.finish(LIMIT) is None
    score = ProgramScore()
    machine = chip.session.machine.run(chip.session.memory, image.base, image.length)
    score.compare(machine, await chip.session.traffic())
    assert not score.mismatches, str(score.mismatches[0])
