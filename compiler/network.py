"""A .tflite or .onnx file in, a DRAM image with its programs out.

compiled = compile_network(model, config, images=100)
dram = compiled.dram.copy()
compiled.write_input(dram, 0, image)
Machine(config).run(dram, *compiled.programs[0])
scores = compiled.read_tensor(dram, 0, compiled.outputs[0])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compiler.emit import emit
from compiler.errors import CompileError, ProgramTooLong, UnsupportedError
from compiler.fuse import fuse_pads
from compiler.ir import Graph, Node
from compiler.layer import Alias, Layer, Layout, PoolLayer
from compiler.memory import DRAM_MAX, Memory, Placement, align
from compiler.ops import lower
from compiler.ops.context import Context, fault_of_activation
from compiler.optimise import Fold, Repeat, fold_input, fuse_joins, uses
from compiler.program import Program
from compiler.repeat import RepeatedLayer, repeat_input, with_copies
from compiler.shapes import without_shapes
from compiler.tflite import read_tflite
from compiler.tile import Tiling
from models.config import Config
from models.isa import COMMAND_BYTES, PAGE


@dataclass(frozen=True)
class LayerInfo:
    """index: the number that commands and STAMP carry. macs: multiplications of the network, padding not
    counted. commands: [first, after the last) in every program. source, target: tensor names. pairs_apart: of
    an element-wise operator, the pairs of values that the runtime computes otherwise, sums_apart: of a mean,
    such sums (compiler/layer.py)."""

    index: int
    name: str
    op: str
    macs: int
    source: str
    target: str
    commands: range
    tiling: Tiling
    pairs_apart: int = 0
    sums_apart: int = 0


@dataclass(frozen=True)
class Compiled:
    """dram: uint8, the whole image: constants, programs, and one area per image (zeros). programs: (byte
    address, commands) per image. tensors: every activation by name. inputs, outputs: names.
    fused: tensors that are never made, and the layers that took them in."""

    config: Config
    graph: Graph
    dram: NDArray[np.uint8]
    programs: list[tuple[int, int]]
    layers: list[LayerInfo]
    tensors: dict[str, Placement]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    image_base: int
    image_stride: int
    fused: dict[str, str] = field(default_factory=dict)

    def address(self, image: int, name: str) -> int:
        """Byte address of a tensor of an image."""
        return self.image_base + image * self.image_stride + self._placement(name).offset

    def write_input(
        self, dram: NDArray[np.uint8], image: int, tensor: NDArray[np.int8], name: str | None = None
    ) -> None:
        """Put an image's input, int8 of the tensor's shape (the leading 1 may be missing), into DRAM.

        Channels up to the next multiple of n are set to the zero point. Their value makes no difference to a
        convolution, whose weights are zero there.
        """
        name = name or self.inputs[0]
        placement = self._placement(name)
        if tensor.dtype != np.int8 or tensor.shape not in (placement.shape, placement.shape[1:]):
            raise ValueError(
                f"input {name!r} is int8{list(placement.shape)}, not {tensor.dtype}{list(tensor.shape)}"
            )
        words, zero_point = self._view(dram, image, placement), self.graph.tensors[name].zero_point
        words[...] = zero_point
        if placement.fold is not None:
            tensor = placement.fold.apply(tensor.reshape(placement.shape[-3:]), zero_point)
        words[..., : placement.layout[2]] = tensor.reshape(placement.layout)

    def read_tensor(self, dram: NDArray[np.uint8], image: int, name: str) -> NDArray[np.int8]:
        """A tensor of an image, int8 of its own shape (NHWC), channel padding removed."""
        placement = self._placement(name)
        words = self._view(dram, image, placement)[..., : placement.layout[2]]
        if placement.fold is not None:
            words = placement.fold.undo(words, placement.shape[-2])
        return words.reshape(placement.shape).copy()

    def _placement(self, name: str) -> Placement:
        if name not in self.tensors:
            raise KeyError(f"no tensor {name!r}; there are: {', '.join(self.tensors)}")
        return self.tensors[name]

    def _view(self, dram: NDArray[np.uint8], image: int, placement: Placement) -> NDArray[np.int8]:
        if not 0 <= image < len(self.programs):
            raise IndexError(f"image {image}; the DRAM image holds {len(self.programs)}")
        rows, columns, channels = placement.layout
        padded = align(channels, self.config.n)
        start = self.image_base + image * self.image_stride + placement.offset
        flat = dram[start : start + rows * columns * padded]
        return flat.view(np.int8).reshape(rows, columns, padded)


def read_network(model: bytes) -> Graph:
    """The network in the bytes of a .tflite or a quantised .onnx file. Raises CompileError."""
    # An .onnx file starts with its first field, ir_version; a .tflite one has a mark.
    if model[:1] != b"\x08" or model[4:8] == b"TFL3":
        return read_tflite(model)
    # Here, because ONNX Runtime takes a second to load and most runs do without.
    from compiler.onnx import read_onnx

    return read_onnx(model)


def compile_network(model: bytes | Graph, config: Config, images: int = 1, optimise: bool = True) -> Compiled:
    """Compile a network for `images` images that run one after the other, one program each.

    model: of read_network, or its graph; Graph.contract says whose arithmetic the layers have.
    optimise: use compiler/optimise.py; tensors that it makes unnecessary are not in `Compiled.tensors`.
    Raises CompileError (UnsupportedError for a node that cannot be executed); both are one line for the user.
    """
    if images < 1:
        raise ValueError(f"images is {images}; at least one is needed")
    fused = fuse_pads(without_shapes(model if isinstance(model, Graph) else read_network(model)))
    graph = fused.graph
    context = Context(graph, config.n)
    memory = Memory(config)
    for name in graph.inputs:
        _check_input(context, name)
    layers: list[Layer] = []
    aliases: list[Alias] = []
    for node, lowered in _lowered(graph, context):
        target, layout = graph.tensors[lowered.target], context.layouts[lowered.target]
        if isinstance(lowered, Alias):
            aliases.append(lowered)
            continue
        if not _lies_like(target.shape, layout):
            raise UnsupportedError(
                node.name, node.op, f"output is {list(target.shape)}, expected {[1, *layout]}"
            )
        layers.append(lowered)
    if not layers:
        raise CompileError("the network computes nothing")
    kept = {*graph.outputs, *(alias.source for alias in aliases)}
    joined: dict[str, str] = {}
    if optimise:
        layers, joined = fuse_joins(layers, kept)
    _place_inputs(graph, context, memory, layers, kept, optimise)
    _place_outputs(graph, context, memory, layers, aliases)
    program = Program(config, memory.area_bytes // config.n)
    infos = _emit(layers, program, memory)
    return replace(_assemble(graph, config, memory, program, infos, images), fused=fused.pads | joined)


def _lowered(graph: Graph, context: Context) -> Iterator[tuple[Node, Layer | Alias]]:
    for node in graph.nodes:
        for layer in lower(node, context):
            yield node, layer


def _lies_like(shape: tuple[int, ...], layout: Layout) -> bool:
    """Whether a tensor of that shape is that layout with neighbouring dimensions merged, if any: all of them
    in a flattened image, rows and columns where every pixel is a row of a fully connected layer."""
    starts = np.cumprod(layout[::-1]).tolist()
    ends = np.cumprod(shape[::-1], dtype=np.int64).tolist()
    return ends[-1:] == starts[-1:] and all(end in (1, *starts) for end in ends)


def _check_input(context: Context, name: str) -> None:
    tensor = context.graph.tensors[name]
    fault = fault_of_activation(tensor)
    if fault:
        raise CompileError(f"input {name!r} {fault}")
    if not 2 <= len(tensor.shape) <= 4 or tensor.shape[0] != 1 or min(tensor.shape) < 1:
        raise CompileError(
            f"input {name!r} is {list(tensor.shape)}; [1, rows, columns, channels] or shorter is needed"
        )
    sizes = tensor.shape[1:]
    layout: Layout = ((1, 1) + sizes)[-3:]  # type: ignore[assignment]
    context.layouts[name] = layout


def _place_inputs(
    graph: Graph, context: Context, memory: Memory, layers: list[Layer], kept: set[str], optimise: bool
) -> None:
    """Give the inputs their places; replace, in `layers`, those that read a folded one."""
    count = uses(layers)
    for name in graph.inputs:
        layout = context.layouts[name]
        fold: Fold | Repeat | None = None
        readers = [at for at, layer in enumerate(layers) if layer.source == name]
        if optimise and count[name] == len(readers) == 1 and name not in kept:
            reader = layers[readers[0]]
            folded = fold_input(reader, layout, context.n) or repeat_input(reader, layout, memory.config)
            if folded is not None:
                layers[readers[0]], fold, layout = folded
        memory.add_tensor(name, graph.tensors[name].shape, layout, fold)


def _place_outputs(
    graph: Graph, context: Context, memory: Memory, layers: list[Layer], aliases: list[Alias]
) -> None:
    """Give what the layers compute its places; replace, in `layers`, those that need copies before them."""
    for name in dict.fromkeys(layer.target for layer in layers):
        memory.add_tensor(name, graph.tensors[name].shape, context.layouts[name])
    for alias in aliases:
        shape = graph.tensors[alias.target].shape
        memory.add_alias(alias.target, alias.source, shape, context.layouts[alias.target])
    for at, layer in enumerate(layers):
        layers[at] = repeated = with_copies(layer, context.layouts[layer.source], memory.config)
        if isinstance(repeated, RepeatedLayer):
            g = repeated.copies.geometry
            memory.add_between(repeated.copies.target, (g.out_h, g.out_w, g.groups * context.n))


def _emit(layers: list[Layer], program: Program, memory: Memory) -> list[LayerInfo]:
    """Append the commands of all layers."""
    infos = []
    for index, layer in enumerate(layers):
        program.layer, first = index, len(program)
        tiling = emit(layer, program, memory)
        commands = range(first, len(program))
        apart = layer.partner.pairs_apart if layer.partner else 0
        infos.append(
            LayerInfo(
                index,
                layer.name,
                layer.op,
                layer.macs,
                layer.source,
                layer.target,
                commands,
                tiling,
                apart,
                layer.sums_apart if isinstance(layer, PoolLayer) else 0,
            )
        )
    return infos


def _assemble(
    graph: Graph, config: Config, memory: Memory, program: Program, layers: list[LayerInfo], images: int
) -> Compiled:
    binary = program.finish()
    length = len(program)
    if length > 0xFFFF:
        raise ProgramTooLong(f"the program has {length} commands; PROG_LEN holds 65535")
    prog_base = align(memory.constant_bytes, COMMAND_BYTES)
    image_base = align(prog_base + images * length * COMMAND_BYTES, PAGE)
    stride = align(memory.area_bytes, PAGE)
    total = image_base + images * stride
    if total > DRAM_MAX:
        raise CompileError(f"{images} images need {total / 2**30:.1f} GiB of DRAM; there are 2")
    dram = np.zeros(total, dtype=np.uint8)
    dram[: memory.constant_bytes] = np.concatenate([np.zeros(0, np.uint8), *memory.constants])
    programs = []
    for image in range(images):
        base = prog_base + image * length * COMMAND_BYTES
        raw = binary.at(image_base + image * stride)
        dram[base : base + len(raw)] = np.frombuffer(raw, dtype=np.uint8)
        programs.append((base, length))
    return Compiled(
        config, graph, dram, programs, layers, memory.tensors, graph.inputs, graph.outputs, image_base, stride
    )
