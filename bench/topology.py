"""The shapes of networks: steps without weights, from sources that nobody here wrote.

ResNet-50 is read from the onnx package's own graph (onnx/backend/test/data/light/light_resnet50.onnx, the
one that its backend tests load). In it the 3x3 convolution of a bottleneck has the stride: the variant known
as v1.5. MobileNetV2 is table 2 of Sandler et al., arXiv:1801.04381.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import onnx

BLOCKS = (3, 4, 6, 3)  # of the four stages of ResNet-50
SIZE = 224

# Table 2 of the paper: expansion, channels, repeats, stride of the first.
_MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class Step:
    """One tensor and what makes it. kind: conv, depthwise, max, average, add or dense.

    average: over the whole picture. name: of the tensor. sources: names; "input" is the network's input.
    channels: of the tensor. pad: before and after, rows and columns alike. activation: as TFLite names it.
    """

    kind: str
    name: str
    sources: tuple[str, ...]
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    activation: str = "NONE"


@dataclass(frozen=True)
class Topology:
    """steps in an order that can be executed; the last makes the output. size: rows and columns of the input,
    which has 3 channels."""

    name: str
    size: int
    steps: tuple[Step, ...]


def resnet50(size: int = SIZE, blocks: Sequence[int] = BLOCKS, classes: int = 1000) -> Topology:
    """ResNet-50 v1.5, or one with a smaller input, fewer blocks in its stages or another last layer.

    blocks: up to 3, 4, 6, 3 of each stage; after a stage of none, none. Raises ValueError if the graph of the
    onnx package is not what is expected of it.
    """
    kept = [step for step in _read_resnet50() if _stage_has(step, blocks)]
    made = {"input", *(step.name for step in kept)}
    steps = []
    last = "input"
    for step in kept:
        # What follows a block that was left out follows the last block before it.
        step = replace(step, sources=tuple(name if name in made else last for name in step.sources))
        last = step.name if step.kind == "add" else last
        steps.append(replace(step, channels=classes) if step.kind == "dense" else step)
    whole = (size, tuple(blocks), classes) == (SIZE, BLOCKS, 1000)
    name = "resnet50" if whole else f"resnet50_{size}px_{''.join(map(str, blocks))}_{classes}"
    return Topology(name, size, tuple(steps))


def _stage_has(step: Step, blocks: Sequence[int]) -> bool:
    found = re.match(r"res(\d)_(\d)", step.name)
    return not found or int(found[2]) < blocks[int(found[1]) - 2]


def _read_resnet50() -> list[Step]:
    """The graph's nodes with each batch norm and ReLU in the step that it follows, softmax left out."""
    file = files("onnx") / "backend" / "test" / "data" / "light" / "light_resnet50.onnx"
    graph = onnx.load_from_string(file.read_bytes()).graph
    sizes = {value.name: onnx.numpy_helper.to_array(value).tolist() for value in graph.initializer}
    # Constants are given by their shape only; that is what makes the graph light.
    constants = [node for node in graph.node if node.op_type == "ConstantOfShape"]
    shapes = {node.output[0]: sizes[node.input[0]] for node in constants}
    steps: dict[str, Step] = {}
    image = next(node.input[0] for node in graph.node if node.op_type == "Conv")
    alias = {image: "input"}  # tensor of the graph -> step that makes it
    for node in graph.node:
        options = {option.name: onnx.helper.get_attribute_value(option) for option in node.attribute}
        source = alias.get(node.input[0], "")
        if node.op_type in ("ConstantOfShape", "Softmax"):
            continue
        if node.op_type in ("BatchNormalization", "Reshape"):
            alias[node.output[0]] = source
            continue
        if node.op_type == "Relu":
            steps[source] = replace(steps[source], activation="RELU")
            alias[node.output[0]] = source
            continue
        step = _step(node, options, tuple(alias[name] for name in node.input if name in alias), shapes)
        steps[step.name] = step
        alias[node.output[0]] = step.name
    return list(steps.values())


def _step(node: Any, options: dict[str, Any], sources: tuple[str, ...], shapes: dict[str, list[int]]) -> Step:
    kernel, stride = (options.get(name, [1, 1]) for name in ("kernel_shape", "strides"))
    pads = options.get("pads", [0, 0, 0, 0])
    if len({*kernel}) > 1 or len({*stride}) > 1 or len({*pads}) > 1 or options.get("group", 1) != 1:
        raise ValueError(f"{node.op_type} of light_resnet50.onnx is not as it was: {options}")
    window = {"kernel": kernel[0], "stride": stride[0], "pad": pads[0]}
    if node.op_type == "Conv":
        name = node.input[1].removeprefix("gpu_0/").removesuffix("_w_0")
        return Step("conv", name, sources, shapes[node.input[1]][0], **window)
    if node.op_type == "Gemm":
        return Step("dense", "pred", sources, shapes[node.input[1]][0])
    if node.op_type == "Sum":
        # The block has the name of its first operand: res2_0_branch2c -> res2_0
        return Step("add", sources[0].rpartition("_")[0], sources)
    kinds = {"MaxPool": "max", "AveragePool": "average"}
    if node.op_type not in kinds:
        raise ValueError(f"light_resnet50.onnx has a {node.op_type}, which it had not")
    return Step(kinds[node.op_type], f"{kinds[node.op_type]}pool", sources, 0, **window)


def mobilenet_v2(size: int = SIZE, classes: int = 1000) -> Topology:
    """MobileNetV2 1.0: depthwise convolutions between 1x1 ones."""
    steps = [Step("conv", "stem", ("input",), 32, 3, 2, 1, "RELU6")]
    width = 32
    for stage, (expansion, channels, repeats, first) in enumerate(_MOBILENET_V2, 1):
        for block in range(repeats):
            name, stride, start = f"b{stage}_{block}", first if block == 0 else 1, steps[-1].name
            if expansion > 1:
                wide = Step("conv", f"{name}_expand", (start,), width * expansion, activation="RELU6")
                steps.append(wide)
            deep = (steps[-1].name,)
            steps.append(Step("depthwise", f"{name}_deep", deep, width * expansion, 3, stride, 1, "RELU6"))
            steps.append(Step("conv", f"{name}_project", (steps[-1].name,), channels))
            if stride == 1 and width == channels:
                steps.append(Step("add", name, (steps[-1].name, start)))
            width = channels
    steps.append(Step("conv", "head", (steps[-1].name,), 1280, activation="RELU6"))
    steps.append(Step("average", "averagepool", ("head",)))
    steps.append(Step("dense", "pred", ("averagepool",), classes))
    return Topology("mobilenet_v2", size, tuple(steps))
