"""The protocol rules, bound to every stream and AXI port of a bench's top module.

Verilog-2005 has no `bind`, and a wrapper would move every handle that a test uses. So a build compiles a copy
of the top module with the checkers (tb/hdl/channel_rules.v, tb/hdl/burst_rules.v) before its `endmodule`.
Nothing else in it changes, and messages and coverage still name the original file. What a checker found at
the edge before stands in `rules_<stream>broken`, `rules_<stream>alarm` changes with it: there agents look.

Ports find each other by name: `<stream>valid`, `<stream>ready` if it can be stalled, and as payload the other
ports `<stream>*` of valid's direction. An address channel with `len` makes an AXI4 port.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Modules that the bound text instantiates.
CHECKERS = ("channel_rules", "burst_rules")


class Port(NamedTuple):
    """direction: input or output. width: an expression of the module's parameters."""

    direction: str
    width: str


def ports_of(text: str, module: str) -> dict[str, Port]:
    """The ports of a module in the source `text`, in order."""
    plain = re.sub(r"//.*", "", text)
    found = re.search(rf"\bmodule {module}\b(.*?)\);", plain, re.DOTALL)
    declared = r"(input|output)\s+(?:wire|reg)\s+(?:signed\s+)?(?:\[([^:\]]*):([^\]]*)\])?\s*(\w+)"
    return {
        name: Port(direction, f"({high.strip()}) - ({low.strip()}) + 1" if high else "1")
        for direction, high, low, name in re.findall(declared, found[1] if found else "")
    }


def streams_of(ports: dict[str, Port]) -> dict[str, list[str]]:
    """Stem of a stream (`cmd_`, `m_axi_ar`) -> its payload ports."""
    stems = [name.removesuffix("valid") for name in ports if name.endswith("valid") and name != "valid"]
    payload: dict[str, list[str]] = {stem: [] for stem in stems}
    for name, port in ports.items():
        owners = [stem for stem in stems if name.startswith(stem)]
        owner = max(owners, key=len, default="")
        if owner and name not in (owner + "valid", owner + "ready"):
            if port.direction == ports[owner + "valid"].direction:
                payload[owner].append(name)
    return payload


def _instance(module: str, name: str, parameter: tuple[str, str], pins: dict[str, str]) -> list[str]:
    joined = ", ".join(f".{pin}({value})" for pin, value in pins.items())
    return [f"  {module} #(.{parameter[0]}({parameter[1]})) {name} ({joined});"]


def _caught(stem: str, bits: int) -> list[str]:
    """What was broken at the edge before, and a change of `alarm` whenever something was."""
    return [
        f"  wire [{bits - 1}:0] rules_{stem}now;",
        f"  reg [{bits - 1}:0] rules_{stem}broken;",
        f"  reg rules_{stem}alarm;",
        "  initial begin",
        f"    rules_{stem}broken = {bits}'d0;",
        f"    rules_{stem}alarm = 1'b0;",
        "  end",
        "  always @(posedge clk) begin",
        f"    rules_{stem}broken <= rules_{stem}now;",
        f"    if (rules_{stem}now != 0) rules_{stem}alarm <= !rules_{stem}alarm;",
        "  end",
    ]


def _channel(stem: str, payload: list[str], ports: dict[str, Port]) -> list[str]:
    widths = " + ".join(ports[name].width for name in payload) or "1"
    pins = {
        "clk": "clk",
        "rst_n": "rst_n",
        "valid": f"{stem}valid",
        "ready": f"{stem}ready" if f"{stem}ready" in ports else "1'b1",
        "payload": f"{{{', '.join(payload)}}}" if payload else "1'b0",
        "moved": f"rules_{stem}moved",
        "broken": f"rules_{stem}now",
    }
    moved = [f"  wire rules_{stem}moved;"]
    return (
        _caught(stem, 6) + moved + _instance("channel_rules", f"u_rules_{stem}", ("PAYLOAD_W", widths), pins)
    )


def _bursts(prefix: str, separator: str, data: str, ports: dict[str, Port]) -> list[str]:
    """The rules on bursts; an absent size and type mean full-width INCR."""
    width = ports[data].width
    size = f"rules_{prefix}size"
    absent = {"addr": "12'd0", "len": "8'd0", "size": f"{size}[2:0]", "burst": "2'd1"}
    pins = {"clk": "clk", "rst_n": "rst_n"}
    for channel in ("ar", "aw"):
        stem = f"{prefix}{channel}{separator}"
        there = f"{stem}len" in ports
        pins[f"{channel}_moved"] = f"rules_{stem}moved" if there else "1'b0"
        for field, default in absent.items():
            value = f"{stem}{field}" if f"{stem}{field}" in ports else default
            pins[f"{channel}{field}"] = f"{value}[11:0]" if field == "addr" and there else value
    w = f"{prefix}w{separator}"
    pins["w_moved"] = f"rules_{w}moved" if f"{w}last" in ports else "1'b0"
    pins["wlast"] = f"{w}last" if f"{w}last" in ports else "1'b0"
    pins["broken"] = f"rules_{prefix}bursts_now"
    lines = _caught(f"{prefix}bursts_", 5)
    if absent["size"] in pins.values():
        lines.append(f"  localparam integer {size} = $clog2(({width}) / 8);")
    return lines + _instance("burst_rules", f"u_rules_{prefix}bursts", ("DATA_W", width), pins)


def bound(text: str, module: str, name: str) -> str:
    """The source `text` of a module, a file called `name`, with its checkers, if it has any stream."""
    ports = ports_of(text, module)
    streams = streams_of(ports)
    if not streams or not {"clk", "rst_n"} <= ports.keys():
        return text
    lines = [line for stem, payload in streams.items() for line in _channel(stem, payload, ports)]
    for prefix, separator in dict.fromkeys(re.findall(r"\b(\w*?)a[rw](_?)len\b", " ".join(ports))):
        data = [f"{prefix}{channel}{separator}data" for channel in ("r", "w")]
        if wide := next((pin for pin in data if pin in ports), None):
            lines += _bursts(prefix, separator, wide, ports)
    head, end, tail = text.rpartition("endmodule")
    place = head.count("\n") + 1
    off, on = "/* verilator coverage_off */", "/* verilator coverage_on */"
    return "\n".join(
        [
            f'`line 1 "{name}" 0',
            head,
            off,
            f'`line 1 "checkers of {name}" 0',
            *lines,
            on,
            f'`line {place} "{name}" 0',
            end + tail,
        ]
    )
