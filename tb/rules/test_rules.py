"""The rules in Verilog: each trace that breaks one is reported by exactly its name, on bare wires."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge
from cocotb.types import LogicArray
from pyuvm import uvm_component

from tb.agents.axi4 import Axi4Monitor, Axi4Pins
from tb.agents.axi_lite import AxiLiteMonitor, AxiLitePins
from tb.agents.env import BlockEnv, start
from tb.agents.rules import BURST_RULES, CHANNEL_RULES, Violation, fail
from tb.agents.stream import StreamMonitor, StreamPins
from tb.bench import Bench, simulator
from tb.common.cover import counted
from tb.rules.coverage import COVERAGE
from tb.rules.traces import AXI4, AXI_LITE, LEGAL, LEGAL_SHAPES, STREAM, Step, flat, has_x

BENCH = Bench(
    toplevel="axi_peers", params=[{"DATA_W": 32}], sources=["tb/hdl/axi_peers.v", "tb/hdl/axi_rules.v"]
)
IN_VERILOG = (*CHANNEL_RULES, *BURST_RULES)
TRACES = {
    f"{protocol}.{rule}.{i}": (protocol, rule, steps)
    for protocol, table in (("axi4", AXI4), ("axi_lite", AXI_LITE), ("stream", STREAM))
    for i, (rule, steps) in enumerate(flat(table))
    if rule in IN_VERILOG
}
# Verilator knows no X. Those with X come last: tests are numbered.
PLAYED = [name for name, (_, _, steps) in TRACES.items() if not has_x(steps)]
if simulator() == "icarus":
    PLAYED += [name for name in TRACES if name not in PLAYED]
# What an AXI4 trace need not say.
USUAL = {"size": 2, "burst": 1}


class RulesEnv(BlockEnv):
    """A monitor of each protocol on wires that the test drives."""

    def __init__(
        self, name: str, parent: uvm_component, dut: Any, full_width: bool = True, strict: bool = False
    ) -> None:
        super().__init__(name, parent, dut)
        self.violations: list[Violation] = []
        report = fail if strict else self.violations.append
        axi, lite, stream = Axi4Pins(dut, "axi"), AxiLitePins(dut, "lite"), StreamPins(dut, "raw")
        self.axi = Axi4Monitor("axi", self, axi, full_width=full_width, report=report)
        self.lite = AxiLiteMonitor("lite", self, lite, report)
        self.stream = StreamMonitor("stream", self, stream, report)
        self.channels = {"axi4": axi.channels, "axi_lite": lite.channels, "stream": {"s": stream}}
        self.drive({})

    def drive(self, step: Step, protocol: str = "") -> None:
        """What the wires show at the next edge. Channels of the other protocols are idle."""
        self.dut.rst_n.value = "reset" not in step
        for name, channels in self.channels.items():
            for channel, pins in channels.items():
                valid, ready, payload = step.get(channel, (0, 1, {})) if name == protocol else (0, 1, {})
                assert pins.ready is not None
                pins.valid.value, pins.ready.value = wire(valid), wire(ready)
                for pin, handle in zip(pins.payload, pins.fields, strict=True):
                    handle.value = wire(payload.get(pin, USUAL.get(pin, 0)), len(handle))

    async def play(self, protocol: str, steps: list[Step]) -> None:
        """Drive a trace, a step an edge."""
        for step in [*steps, {}]:
            self.drive(step, protocol)
            await RisingEdge(self.dut.clk)


def wire(value: int | None, width: int = 1) -> Any:
    """None is X."""
    return LogicArray("X" * width) if value is None else value


@cocotb.test()
@cocotb.parametrize(trace=PLAYED)
async def a_broken_rule_is_named(dut: Any, trace: str) -> None:
    protocol, rule, steps = TRACES[trace]
    async with start(RulesEnv, dut) as env:
        await env.play(protocol, steps)
    assert {violation.rule for violation in env.violations} == {rule}
    with counted(COVERAGE) as hits:
        hits.sample(protocol=protocol, rule=rule)


@cocotb.test()
async def a_broken_rule_is_named_in_every_cycle_that_breaks_it(dut: Any) -> None:
    """The report has the cycle, the place and the clause; the same rule a cycle later is reported again."""
    async with start(RulesEnv, dut) as env:
        before = env.stream.cycle
        await env.play("stream", [{"s": (1, 0, {"data": data})} for data in (1, 2, 3, 3, 2)])
    broken = [violation for violation in env.violations if violation.rule == "PAYLOAD_STABLE"]
    cycles = [
        int(str(violation).partition("in cycle ")[2].partition(":")[0]) - before for violation in broken
    ]
    assert cycles == [2, 3, 5]
    assert "env.stream: PAYLOAD_STABLE" in str(broken[0]) and "IHI 0051A 2.2.1" in str(broken[0])


@cocotb.test()
@cocotb.parametrize(trace=range(len(LEGAL)))
async def legal_traffic_breaks_nothing(dut: Any, trace: int) -> None:
    async with start(RulesEnv, dut) as env:
        await env.play("axi4", LEGAL[trace])
    # These wires have no AxLOCK.
    assert {violation.rule for violation in env.violations} <= {"RESP_EXOKAY"}
    with counted(COVERAGE) as hits:
        hits.sample(legal="traffic")


@cocotb.test()
async def legal_shapes_break_nothing(dut: Any) -> None:
    async with start(RulesEnv, dut, full_width=False) as env:
        await env.play("axi4", LEGAL_SHAPES)
    assert not env.violations
    with counted(COVERAGE) as hits:
        hits.sample(legal="shapes")


@cocotb.test(expect_error=Violation)
@cocotb.parametrize(protocol=["axi4", "axi_lite", "stream"])
async def a_violation_fails_the_test_by_default(dut: Any, protocol: str) -> None:
    name = "s" if protocol == "stream" else "ar"
    async with start(RulesEnv, dut, strict=True) as env:
        await env.play(protocol, [{name: (1, 0, {})}, {}])
