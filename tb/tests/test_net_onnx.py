"""`make net` with .onnx networks, and with contract tflite-single; the machine in the place of the RTL."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from compiler.network import Compiled
from compiler.tests.onnx_networks import STYLES, FloatNetwork, quantised
from compiler.tests.onnx_nodes import FRONT, conv_constants, network, node, scales
from compiler.tests.torch_networks import TorchNetwork
from tb.chip import net
from tb.tests.test_net import folder, simulated, with_host_operators  # noqa: F401
from tb.tests.test_net_errors import png

RGB = 2  # a colour type of PNG

Run = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def run(folder: Path) -> Run:  # noqa: F811
    """Runs a model; returns the exit code and the summary, empty where there is none."""

    def start(model: Path, *options: str) -> tuple[int, dict[str, Any]]:
        code = net.main(["--model", str(model), "--seed", "3", *options])
        path = folder / model.stem / "summary.json"
        return code, json.loads(path.read_text()) if path.exists() else {}

    return start


def grown(ends: str = "") -> FloatNetwork:
    """Two convolutions, a residual add, a global average, a dense layer, a softmax."""
    rng = np.random.default_rng(21)
    network = FloatNetwork(rng, (3, 9, 7))
    network.conv(10, (3, 3), pads=[1, 1, 1, 1])
    trunk = network.last
    network.conv(10, (3, 3), pads=[1, 1, 1, 1])
    network.add("Add", network.last, trunk)
    network.add("Relu")
    network.pool("GlobalAveragePool")
    network.flatten()
    network.dense(6, gemm=True)
    if ends:
        network.add(ends)
    return network


@pytest.mark.parametrize("style", STYLES)
def test_every_tensor_equals_the_runtime(run: Run, tmp_path: Path, style: str) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(quantised(grown("Softmax"), style))
    images = np.random.default_rng(4).normal(0, 1, (3, 3, 9, 7)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    code, found = run(model, "--input", str(tmp_path / "x.npy"))
    assert code == 0
    assert (found["images"], found["runtime_mismatches"], found["mismatches"]) == (3, 0, 0)
    assert found["contract"] == "fp32" and found["runtime"].startswith("ONNX Runtime 1.")
    assert [layer["op"] for layer in found["layers"]] == [
        "CONV_2D", "CONV_2D+ADD", "MEAN", "FULLY_CONNECTED",
    ]  # fmt: skip
    assert all(layer["runtime_mismatches"] == 0 for layer in found["layers"])
    (path,) = found["outputs"].values()
    outputs = np.load(tmp_path / path)
    assert outputs.shape == (3, 1, 6) and np.allclose(outputs.sum(axis=2), 1, atol=0.05)
    assert any(name.startswith("QuantizeLinear") for name in found["host_operators"])


def test_float_network_is_quantised_on_the_way(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Sum of two is an Add; a batch normalisation goes into its convolution or is one of its own."""
    small = grown()
    for added in small.nodes:
        if added.op_type == "Add":
            added.op_type = "Sum"
    parsed = small.model()
    ten = [np.linspace(0.5, 1.5, 10, dtype=np.float32)] * 4
    parsed.graph.initializer.extend(numpy_helper.from_array(v, f"n{i}") for i, v in enumerate(ten))
    first = parsed.graph.node[0]
    scaled = onnx.helper.make_node("BatchNormalization", ["bare", "n0", "n1", "n2", "n3"], list(first.output))
    first.output[0] = "bare"
    parsed.graph.node.insert(1, scaled)
    again = onnx.helper.make_node("BatchNormalization", ["mean", "n0", "n1", "n2", "n3"], ["normal"])
    pool = next(n for n in parsed.graph.node if n.op_type == "GlobalAveragePool")
    flatten = next(n for n in parsed.graph.node if n.input[0] == pool.output[0])
    pool.output[0] = "mean"
    flatten.input[0] = "normal"
    parsed.graph.node.insert(list(parsed.graph.node).index(flatten), again)
    model = tmp_path / "real.onnx"
    model.write_bytes(parsed.SerializeToString())
    code, found = run(model)
    assert code == 0 and found["runtime_mismatches"] == 0
    assert [layer["op"] for layer in found["layers"]] == [
        "CONV_2D", "CONV_2D+ADD", "MEAN", "CONV_2D", "FULLY_CONNECTED",
    ]  # fmt: skip
    assert "a float network: quantised with 4 inputs" in capsys.readouterr().out
    assert (tmp_path / "net" / "real" / "quantised.onnx").exists()


def test_a_wrong_value_is_found(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: also in a tensor that an element-wise operator, which may differ by one, has made."""
    model = tmp_path / "spoilt.onnx"
    model.write_bytes(quantised(grown(), "qdq int8"))
    for op in ("CONV_2D", "CONV_2D+ADD", "FULLY_CONNECTED"):

        def spoil(compiled: Compiled, dram: NDArray[np.uint8], op: str = op) -> None:
            target = next(layer.target for layer in compiled.layers if layer.op == op)
            at = compiled.address(0, target)
            dram[at] = (int(dram[at]) + 2) % 256

        monkeypatch.setattr(net.job, "run", simulated(spoil))
        code, found = run(model)
        assert code == 1 and found["runtime_mismatches"] > 0, op


def every_pair() -> bytes:
    """A sum of int8 values x, one per row, and k, one per column, with scales that leave some pairs apart."""
    values = np.arange(-128, 128)
    constants: dict[str, NDArray] = {
        "sx": np.array(0.039, np.float32), "sk": np.array(0.0635, np.float32),
        "sy": np.array(0.0404, np.float32), "zx": np.array(14, np.int8),
        "zk": np.array(52, np.int8), "zy": np.array(-22, np.int8),
        "k": np.tile(values, (256, 1))[None, None].astype(np.int8),
    }  # fmt: skip
    nodes = [
        node("QLinearAdd", "x sx zx k sk zk sy zy", "sum"),
        node("MaxPool", "sum", "y", kernel_shape=[2, 2]),
    ]
    return network(nodes, constants, shape=(1, 1, 256, 256), dtype=np.int8)


def test_pairs_that_round_otherwise_are_shown_and_excused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All pairs of values in one sum: as many differ as the compiler has counted, and what is behind them."""
    model = tmp_path / "pairs.onnx"
    model.write_bytes(every_pair())
    np.save(tmp_path / "x.npy", np.tile(np.arange(-128, 128), (256, 1)).T[None].astype(np.int8))
    code, found = run(model, "--input", str(tmp_path / "x.npy"))
    total, behind = found["layers"]
    assert code == 0 and total["op"] == "ADD" and total["largest_difference"] == 1
    assert 0 < total["pairs_apart"] == total["own_differences"] == total["runtime_mismatches"]
    assert behind["own_differences"] == 0 < behind["runtime_mismatches"]
    text = capsys.readouterr().out
    assert f"{total['pairs_apart']} of 65536 pairs of values round otherwise" in text
    assert "values in all differ there and behind" in text


def average_with_ties() -> bytes:
    """Input and output of the pool share their scale: a tie in one of four windows."""
    nodes = [
        *FRONT,
        node("AveragePool", "xr", "a", kernel_shape=[2, 2], strides=[1, 1], pads=[1, 1, 0, 0]),
        node("QuantizeLinear", "a s z", "y"),
    ]
    return network(nodes, scales(5), shape=(1, 4, 40, 40))


def test_an_average_rounded_once_is_shown_and_excused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One scale, so ties are frequent, and the runtime's float32 sums move some of them."""
    model = tmp_path / "ties.onnx"
    model.write_bytes(average_with_ties())
    code, found = run(model)
    (layer,) = found["layers"]
    assert code == 0 and 0 < layer["own_differences"] == layer["runtime_mismatches"]
    assert layer["largest_difference"] == 1
    assert "the core rounds once" in capsys.readouterr().out


@pytest.mark.parametrize("op", ["CONV_2D+ADD", "AVERAGE_POOL_2D"])
def test_a_difference_without_a_proof_fails(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, op: str
) -> None:
    """The twin: a sum or an average that is off by one, in a layer that may be."""
    model = tmp_path / "sum.onnx"
    model.write_bytes(quantised(grown(), "qdq int8") if op == "CONV_2D+ADD" else average_with_ties())
    for number in range(6):

        def spoil(compiled: Compiled, dram: NDArray[np.uint8], number: int = number) -> None:
            layer = next(layer for layer in compiled.layers if layer.op == op)
            at = compiled.address(0, layer.target) + 16 * number
            dram[at] = (int(dram[at]) + 1) % 256

        monkeypatch.setattr(net.job, "run", simulated(spoil))
        assert run(model)[0] == 1


def test_a_network_in_the_form_of_torch(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its float32 biases, which ONNX Runtime would compute whole layers in float32 for."""
    network = TorchNetwork(np.random.default_rng(8), (3, 14, 11))
    network.conv(8, 3, "relu", pads=[1, 1, 1, 1])
    network.conv(8, 3, "hardswish", groups=8, pads=[1, 1, 1, 1])
    network.quantise(network.node("GlobalAveragePool", network.last))
    network.quantise(network.node("Flatten", network.last, axis=1))
    network.linear(5)
    model = tmp_path / "torch.onnx"
    model.write_bytes(network.model(network.last))
    code, found = run(model)
    assert (code, found["runtime_mismatches"], found["mismatches"]) == (0, 0, 0)
    assert "3 float32 biases quantised to int32" in capsys.readouterr().out


def test_integers_at_the_border_and_png(run: Run, tmp_path: Path) -> None:
    """A uint8 picture in, uint8 out: nothing for the host but to put the channels last."""
    constants = scales(100, np.uint8) | conv_constants()
    constants |= {"w": np.ones((6, 3, 3, 3), np.int8), "ws": np.array(0.01, np.float32)}
    constants["wz"] = np.array(0, np.int8)
    model = tmp_path / "bytes.onnx"
    nodes = [node("QLinearConv", "x s z w ws wz t z", "y")]
    model.write_bytes(network(nodes, constants, shape=(1, 3, 6, 5), dtype=np.uint8, out_dtype=np.uint8))
    pixels = np.random.default_rng(2).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    picture = png(tmp_path / "x.png", pixels, RGB)
    code, found = run(model, "--input", str(picture))
    assert code == 0 and found["runtime_mismatches"] == 0 and found["host_operators"] == []
    (path,) = found["outputs"].values()
    y = np.load(tmp_path / path)
    total = pixels[:3, :3].astype(int).sum() - 100 * 27
    assert y.dtype == np.uint8 and y[0, 0, 0, 0, 0] == round(total * 0.031 * 0.01 / 0.047) + 100


def test_single_rounding_has_no_runtime(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "single.tflite"
    with_host_operators(model)
    code, found = run(model, "--contract", "tflite-single")
    assert code == 0 and found["contract"] == "tflite-single"
    assert found["runtime"] is None and found["runtime_mismatches"] is None
    assert found["repeat"].endswith(" CONTRACT=tflite-single") and len(found["outputs"]) == 1
    assert "no runtime here rounds once" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"hello, world", (), "not an .onnx file, or a truncated one"),
        (b"\x08\x08", (), "empty one"),
        ("half", (), "not an .onnx file, or a truncated one"),
        ("whole", ("--contract", "tflite"), "an .onnx network has fp32"),
        ("resize", (), "Resize 'v': mode is 'linear'; only nearest is supported"),
        ("lrn", (), "LRN 'v': this operator is not supported; supported: Abs, "),
        ("float norm", (), "LpNormalization '"),
    ],
)
def test_refusals(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | str,
    options: tuple[str, ...],
    reason: str,
) -> None:
    whole = network([*FRONT, node("QLinearConv", "xq s z w s z t z", "y")], scales() | conv_constants())
    resize = [*FRONT, node("Resize", "xr - k", "v", mode="linear"), node("QuantizeLinear", "v t z", "y")]
    k = {"k": np.array([1, 1, 2, 2], np.float32)}
    lrn = [*FRONT, node("LRN", "xr", "v", size=3), node("QuantizeLinear", "v t z", "y")]
    made = {
        "whole": whole,
        "half": whole[: len(whole) // 2],
        "resize": network(resize, scales() | k),
        "lrn": network(lrn, scales()),
        "float norm": network([node("LpNormalization", "x", "y", axis=1)], {}, out_dtype=np.float32),
    }
    model = tmp_path / "bad.onnx"
    model.write_bytes(made[content] if isinstance(content, str) else content)
    code, found = run(model, *options)
    error = capsys.readouterr().err.splitlines()
    assert code == 2 and len(error) == 1 and not found
    assert error[0].startswith("error: ") and reason in error[0]


def test_input_of_the_wrong_shape_or_type(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "net.onnx"
    model.write_bytes(quantised(grown(), "qdq int8"))
    for wrong in (np.zeros((9, 7, 3), np.float32), np.zeros((3, 9, 7), np.int8)):
        np.save(tmp_path / "x.npy", wrong)
        assert run(model, "--input", str(tmp_path / "x.npy"))[0] == 2
        assert "input 'x' is float32[3, 9, 7]" in capsys.readouterr().err
