"""A layer's commands: each kind of layer has its plan and its emitter."""

from __future__ import annotations

from dataclasses import replace

from compiler.depthwise import DepthwiseEmitter, plan_depthwise
from compiler.errors import CompileError
from compiler.grouped import GroupedEmitter, plan_grouped
from compiler.layer import ConvLayer, GroupedLayer, Layer, PoolLayer, SelectLayer
from compiler.memory import Memory
from compiler.pooling import PoolEmitter
from compiler.program import Program
from compiler.repeat import RepeatedLayer
from compiler.schedule import ConvEmitter
from compiler.select import SelectEmitter, plan_select
from compiler.tile import Tiling, plan_conv, plan_pool


def emit(layer: Layer, program: Program, memory: Memory) -> Tiling:
    """Append a layer's commands. Raises CompileError when the buffers are too small for it."""
    config, plan = program.config, None
    if isinstance(layer, RepeatedLayer):
        return emit_repeated(layer, program, memory)
    if isinstance(layer, GroupedLayer):
        plan, windows = plan_grouped(layer, config), plan_depthwise(layer, config)
        if windows and (not plan or windows.cycles < plan.cycles):
            plan = windows
            DepthwiseEmitter(layer, plan, program, memory).emit()
        elif plan:
            GroupedEmitter(layer, plan, program, memory).emit()
        else:
            # Not even one output block's window fits: the dense form can be cut in pieces.
            layer = layer.dense()
    if isinstance(layer, ConvLayer):
        plan = plan_conv(layer, config)
        if plan:
            ConvEmitter(layer, plan, program, memory).emit()
    elif isinstance(layer, PoolLayer):
        plan = plan_pool(layer, config)
        if plan:
            PoolEmitter(layer, plan, program, memory).emit()
    elif isinstance(layer, SelectLayer):
        plan = plan_select(layer, config)
        if plan:
            SelectEmitter(layer, plan, program, memory).emit()
    if plan is None:
        raise CompileError(
            f"{layer.op} {layer.name!r}: one window of it does not fit the buffers "
            f"(activation {config.act_words}, weight {config.wgt_words}, "
            f"output {config.out_words}, parameter {config.par_words} words); "
            "larger buffers are needed"
        )
    program.stamp()
    return plan


def emit_repeated(layer: RepeatedLayer, program: Program, memory: Memory) -> Tiling:
    """The copies, then the windows; returns the plan of the windows, with the cycles of both."""
    config = program.config
    copies, windows = plan_select(layer.copies, config), plan_depthwise(layer.windows, config)
    assert copies and windows, "planned before: compiler/repeat.py"
    SelectEmitter(layer.copies, copies, program, memory).emit()
    DepthwiseEmitter(layer.windows, windows, program, memory).emit()
    program.stamp()
    return replace(windows, compute=copies.compute + windows.compute, cycles=copies.cycles + windows.cycles)
