"""Operators that only move values: compiler and reference machine against numpy and LiteRT."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from ai_edge_litert.interpreter import OpResolverType

from compiler.network import compile_network
from compiler.tests.random_networks import CONFIGS, RandomNetwork, start
from compiler.tests.run import assert_right
from compiler.tests.test_errors import refused
from compiler.tests.test_network import assert_litert_agrees, generator, pair
from compiler.tflite import read_contract
from compiler.tflite_build import TfliteBuilder
from models.config import Config
from models.machine import Machine
from models.tests.litert import run as litert


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(4))
def test_pad(config: str, trial: int) -> None:
    rng = generator("pad", config, trial)
    network = start(rng, most=9)
    network.pad(pair(rng, 0, 4), pair(rng, 0, 4))
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(6))
def test_strided_slice(config: str, trial: int) -> None:
    rng = generator("cut", config, trial)
    network = start(rng, most=12)

    def part(size: int) -> slice:
        first = int(rng.integers(size))
        return slice(first, int(rng.integers(first + 1, size + 1)), int(rng.integers(1, 4)))

    rows, columns, channels = network.x.shape
    network.cut(part(rows), part(columns), part(channels) if trial % 2 else slice(0, channels, 1))
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("trial", range(6))
def test_concatenation_of_channels(config: str, trial: int) -> None:
    """Aligned and not; the same tensor twice; three and more."""
    rng = generator("concat", config, trial)
    network = start(rng, most=8)
    to = (network.scale, network.zero_point)
    aligned = CONFIGS[config].n
    branches = []
    for _ in range(int(rng.integers(1, 4))):
        outputs = aligned * int(rng.integers(1, 3)) if trial % 2 else int(rng.integers(1, 25))
        branches.append([partial(network.conv, outputs, pair(rng, 1, 4), to=to)])
    network.concat(branches, keep=bool(rng.integers(2)) or len(branches) == 1)
    network.conv(5, (1, 1))
    assert_litert_agrees(network, assert_right(network, CONFIGS[config]))


def test_concatenation_of_flat_tensors_and_with_itself() -> None:
    rng = generator("flat")
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 21), np.int8, 0.1, 3)
    y = b.add_tensor("y", (1, 42), np.int8, 0.1, 3)
    b.concatenation([x, x], y, axis=-1)
    assert_same(b.finish([x], [y]), rng.integers(-128, 128, (1, 21)).astype(np.int8))


@pytest.mark.parametrize(
    "shapes", [[(1, 4, 3, 32), (1, 12, 32)], [(1, 4, 3, 32), (1, 6, 2, 32)], [(1, 2, 2, 16), (1, 1, 64)]]
)
def test_reshape_that_leaves_dram_as_it_is(shapes: list[tuple[int, ...]]) -> None:
    b = TfliteBuilder()
    x, m, y = (
        b.add_tensor(name, shape, np.int8, 0.1)
        for name, shape in zip("xmy", [*shapes, shapes[1]], strict=True)
    )
    b.reshape(x, m)
    b.leaky_relu(m, y, alpha=0.5)
    assert_same(b.finish([x], [y]), generator("reshape").integers(-128, 128, shapes[0]).astype(np.int8))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_split(axis: int) -> None:
    rng = generator("split", axis)
    shape = (1, 6, 4, 26)
    sizes = [1, shape[axis] - 3, 2]
    b = TfliteBuilder()
    x = b.add_tensor("x", shape, np.int8, 0.1, 3)
    parts = []
    for number, size in enumerate(sizes):
        part = [*shape]
        part[axis] = size
        parts.append(b.add_tensor(f"y{number}", part, np.int8, 0.1, 3))
    b.split(x, parts, sizes, axis=axis)
    assert_same(b.finish([x], parts), rng.integers(-128, 128, shape).astype(np.int8))


@pytest.mark.parametrize(
    ("begin", "end", "steps"),
    [((0, 1), (1, 5), (1, 1)), ((0, 0, 1), (1, 6, 4), (1, 2, 2)), ((0,), (1,), (1,))],
)
def test_slice_that_says_nothing_of_the_last_axes(
    begin: tuple[int, ...], end: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    """x[:, 1:5] of an image."""
    value = generator("short", begin).integers(-128, 128, (1, 6, 4, 9)).astype(np.int8)
    kept = value[tuple(slice(*bounds) for bounds in zip(begin, end, steps, strict=True))]
    b = TfliteBuilder()
    x = b.add_tensor("x", value.shape, np.int8, 0.1, 3)
    m = b.add_tensor("m", kept.shape, np.int8, 0.1, 3)
    y = b.add_tensor("y", kept.shape, np.int8, 0.1, 3)
    b.strided_slice(x, m, begin, end, steps)
    b.leaky_relu(m, y, alpha=0.5)
    assert_same(b.finish([x], [y]), value)


def test_shape_arithmetic_of_a_converter_is_dropped() -> None:
    """SHAPE, STRIDED_SLICE, PACK and RESHAPE: what Keras' Reshape becomes."""
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 3, 16), np.int8, 0.1, 3)
    shape = b.add_tensor("shape", (4,), np.int32)
    b.unary("SHAPE", x, shape)
    m = b.add_tensor("m", (1, 12, 16), np.int8, 0.1, 3)
    b.reshape_by(x, shape, m)
    y = b.add_tensor("y", (1, 12, 16), np.int8, 0.1, 3)
    b.leaky_relu(m, y, alpha=0.2)
    compiled = compile_network(b.finish([x], [y]), CONFIGS["n16"])
    assert [layer.op for layer in compiled.layers] == ["LEAKY_RELU"]


def test_transpose_of_dimensions_of_one() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 5, 1, 7), np.int8, 0.1)
    m = b.add_tensor("m", (1, 1, 5, 7), np.int8, 0.1)
    y = b.add_tensor("y", (1, 1, 5, 7), np.int8, 0.1)
    b.transpose(x, m, [0, 2, 1, 3])
    b.leaky_relu(m, y, alpha=0.5)
    assert_same(b.finish([x], [y]), generator("transpose").integers(-128, 128, (1, 5, 1, 7)).astype(np.int8))


def test_transpose_that_moves_values_is_refused() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 5, 2, 7), np.int8, 0.1)
    y = b.add_tensor("y", (1, 2, 5, 7), np.int8, 0.1)
    b.transpose(x, y, [0, 2, 1, 3])
    assert "moves values" in refused(b.finish([x], [y]))


def test_copies_that_would_change_values_are_refused() -> None:
    for op in ("pad", "concat", "cut"):
        b = TfliteBuilder()
        x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1, 3)
        if op == "pad":
            y = b.add_tensor("y", (1, 6, 6, 2), np.int8, 0.1, 4)
            b.pad(x, y, [(0, 0), (1, 1), (1, 1), (0, 0)])
        elif op == "concat":
            y = b.add_tensor("y", (1, 4, 4, 4), np.int8, 0.2, 3)
            b.concatenation([x, x], y)
        else:
            y = b.add_tensor("y", (1, 2, 2, 2), np.int8, 0.1, 4)
            b.strided_slice(x, y, [0, 0, 0, 0], [1, 2, 2, 2], [1, 1, 1, 1])
        assert "share scale and zero point" in refused(b.finish([x], [y]))


def test_padded_channels_and_other_axes_are_refused() -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 4, 4, 4), np.int8, 0.1)
    b.pad(x, y, [(0, 0), (0, 0), (0, 0), (1, 1)])
    assert "only rows and columns" in refused(b.finish([x], [y]))
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (2, 4, 4, 2), np.int8, 0.1)
    b.concatenation([x, x], y, axis=0)
    assert "axis 0 of [2, 4, 4, 2]; rows, columns or channels only" in refused(b.finish([x], [y]))
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 8, 5, 2), np.int8, 0.1)
    b.concatenation([x, x], y, axis=1)
    assert "does not fit beside the others" in refused(b.finish([x], [y]))


@pytest.mark.parametrize("axis", [1, 2])
def test_concatenation_of_rows_or_columns(axis: int) -> None:
    """The same image twice, above and below or left and right."""
    b = TfliteBuilder()
    shape = (1, 5, 7, 19)
    x = b.add_tensor("x", shape, np.int8, 0.1, 3)
    y = b.add_tensor("y", tuple(n * (1 + (i == axis)) for i, n in enumerate(shape)), np.int8, 0.1, 3)
    b.concatenation([x, x], y, axis=axis)
    image = generator("sides").integers(-128, 128, shape).astype(np.int8)
    assert_same(b.finish([x], [y]), image)


def test_copy_of_many_channels_in_small_buffers() -> None:
    rng = generator("wide")
    network = RandomNetwork(rng, rng.integers(-128, 128, (5, 7, 70)).astype(np.int8))
    network.concat([[partial(network.conv, 9, (1, 1), to=(network.scale, network.zero_point))]], keep=True)
    network.cut(slice(1, 5, 2), slice(0, 7, 3), slice(3, 70, 2))
    assert_litert_agrees(network, assert_right(network, CONFIGS["n4_small"]))


def assert_same(
    model: bytes,
    x: np.ndarray,
    config: Config = CONFIGS["n16"],
    resolver: OpResolverType = OpResolverType.BUILTIN_REF,
    contract: str = "tflite",
) -> None:
    """The compiled network on the reference machine makes what LiteRT makes, in fp32 its default path."""
    compiled = compile_network(read_contract(model, contract), config)
    resolver = OpResolverType.BUILTIN if contract == "fp32" else resolver
    dram = compiled.dram.copy()
    compiled.write_input(dram, 0, as_int8(x))
    assert Machine(config).run(dram, *compiled.programs[0]).stop is None
    for name, expected in zip(compiled.outputs, litert(model, x, resolver=resolver), strict=True):
        assert np.array_equal(compiled.read_tensor(dram, 0, name), as_int8(expected)), name


def as_int8(value: np.ndarray) -> np.ndarray:
    """A uint8 tensor as the compiler has it."""
    return (value ^ 0x80).view(np.int8) if value.dtype == np.uint8 else value
