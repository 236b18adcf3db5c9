"""Every stream and AXI port of every bench's top module has its checkers, and nothing else in it changes."""

from __future__ import annotations

import re

import pytest

from scripts.tools import blocks
from tb import bind, build
from tb.runner import bench_of

SOURCE = """// toy.v : ports of every kind (and a bracket)
module toy #(parameter integer N = 4) (
    input  wire              clk,
    input  wire              rst_n,
    input  wire              cmd_valid,  // a stream (with room)
    output wire              cmd_ready,
    input  wire signed [8*N-1:0] cmd_data,
    output reg               cmd_room,
    output reg               cmd_late_valid,
    output reg  [       7:0] cmd_late_data,
    output wire              token_valid,
    input  wire              token_ready,
    output wire              m_axi_awvalid,
    input  wire              m_axi_awready,
    output wire [      31:0] m_axi_awaddr,
    output wire [       7:0] m_axi_awlen,
    output wire              m_axi_wvalid,
    input  wire              m_axi_wready,
    output wire [   8*N-1:0] m_axi_wdata,
    output wire              m_axi_wlast
);
endmodule

`resetall
"""


def test_ports_become_streams() -> None:
    ports = bind.ports_of(SOURCE, "toy")
    assert ports["cmd_data"] == ("input", "(8*N-1) - (0) + 1")
    assert ports["cmd_room"] == ("output", "1")
    assert bind.streams_of(ports) == {
        "cmd_": ["cmd_data"],  # room goes the other way
        "cmd_late_": ["cmd_late_data"],
        "token_": [],
        "m_axi_aw": ["m_axi_awaddr", "m_axi_awlen"],
        "m_axi_w": ["m_axi_wdata", "m_axi_wlast"],
    }


def test_only_checkers_are_added() -> None:
    text = bind.bound(SOURCE, "toy", "toy.v")
    head, _, tail = SOURCE.partition("endmodule")
    assert head in text and text.endswith("endmodule" + tail)
    assert len(re.findall(r"channel_rules #", text)) == 5
    assert len(re.findall(r"burst_rules #", text)) == 1
    # What follows has the line number that it has in the file.
    assert f'`line {head.count(chr(10)) + 1} "toy.v" 0\nendmodule' in text


def test_a_module_without_streams_stays_as_it_is() -> None:
    source = "module toy (\n    input wire clk,\n    input wire rst_n\n);\nendmodule\n"
    assert bind.bound(source, "toy", "toy.v") == source


@pytest.mark.parametrize("block", blocks())
def test_every_stream_of_every_bench_has_a_checker(block: str) -> None:
    """Counted in the source, so that a port written in a way that bind does not read is seen."""
    bench = bench_of(block)[1]
    top = next(file for file in build.sources(bench) if file.stem == bench.toplevel)
    header = re.sub(r"//.*", "", top.read_text()).partition(");")[0]
    valids = re.findall(r"\b(\w+valid)\b", header)
    text = build.top_text(top)
    for valid in valids:
        assert f".valid({valid})" in text, valid
