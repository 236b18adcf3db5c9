"""`make net` from file to summary, with the reference machine in the place of the simulation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.network import Compiled
from compiler.tests.random_networks import RandomNetwork
from compiler.tflite_build import TfliteBuilder
from models.machine import Machine
from models.tests.litert import run as litert
from tb.chip import net, subject_tflite
from tb.chip.host import ACCOUNT
from tb.chip.job import LayerResult, Result

Spoil = Callable[[Compiled, NDArray[np.uint8]], None]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where summaries go. The simulation is replaced by the machine."""
    monkeypatch.setattr(net, "BUILD", tmp_path)
    monkeypatch.setattr(net, "ROOT", tmp_path)
    monkeypatch.setattr(net.job, "run", simulated(lambda *_: None))
    monkeypatch.setattr(net.report, "draw", lambda *_: None)  # as it takes longer than all else
    return tmp_path / "net"


def simulated(spoil: Spoil) -> Callable[..., tuple[Result, dict[str, NDArray[np.uint8]]]]:
    """A job.run whose RTL is the machine, up to what spoil does to its memory."""

    def run(
        name: str, compiled: Compiled, inputs: Sequence[Mapping[str, NDArray]], sim: str, seed: int, **_: Any
    ) -> tuple[Result, dict[str, NDArray[np.uint8]]]:
        dram = compiled.dram.copy()
        for number, image in enumerate(inputs):
            for tensor, value in image.items():
                compiled.write_input(dram, number, value, tensor)
        for program in compiled.programs:
            assert Machine(compiled.config).run(dram, *program).stop is None
        rtl = dram.copy()
        spoil(compiled, rtl)
        account = dict.fromkeys(ACCOUNT, 0) | {"busy": 4, "fill": 3}
        layers = [LayerResult(layer.name, layer.op, layer.macs, 7, account) for layer in compiled.layers]
        counters = {"cycles": 7, **account}
        result = Result(len(inputs), 7 * len(layers), 1, layers=layers, counters=counters)
        return result, {"rtl": rtl, "machine": dram}

    return run


def run(model: Path, *options: str) -> int:
    return net.main(["--model", str(model), "--seed", "3", *options])


def summary(folder: Path, model: Path) -> dict[str, Any]:
    return json.loads((folder / model.stem / "summary.json").read_text())


def with_host_operators(path: Path) -> bytes:
    """float -> QUANTIZE -> CONV_2D -> RESHAPE -> FULLY_CONNECTED -> SOFTMAX -> DEQUANTIZE."""
    rng = np.random.default_rng(2)
    network = RandomNetwork(rng, rng.integers(-128, 128, (6, 6, 3)).astype(np.int8))
    b = network.builder
    real = b.add_tensor("image", (1, 6, 6, 3), np.float32)
    b.quantize(real, network.input)
    network.conv(8, (3, 3), activation="RELU")
    network.flatten()
    network.dense(10)
    chances = b.add_tensor("chances", (1, 10), np.int8, 1 / 256, -128)
    b.softmax(network.last, chances)
    out = b.add_tensor("out", (1, 10), np.float32)
    b.dequantize(chances, out)
    path.write_bytes(b.finish([real], [out]))
    return path.read_bytes()


def test_host_operators_at_both_ends(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "ends.tflite"
    raw = with_host_operators(model)
    images = np.random.default_rng(4).uniform(-3, 3, (3, 6, 6, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", images)
    assert run(model, "--input", str(tmp_path / "x.npy")) == 0
    text = capsys.readouterr().out
    assert "SOFTMAX (host)" in text and "QUANTIZE (host)" in text and "FULLY_CONNECTED as integer" in text
    found = summary(folder, model)
    assert found["host_operators"] == ["QUANTIZE x", "SOFTMAX chances", "DEQUANTIZE out"]
    assert (found["images"], found["runtime_mismatches"], found["mismatches"]) == (3, 0, 0)
    assert [layer["op"] for layer in found["layers"]] == ["CONV_2D", "FULLY_CONNECTED"]
    (path,) = found["outputs"].values()
    outputs = np.load(tmp_path / path)
    assert outputs.shape == (3, 1, 10) and outputs.dtype == np.float32
    expected = np.stack([litert(raw, image[None])[0] for image in images])
    # LiteRT's own fully connected layer may be one step off, which moves a softmax by less than a tenth.
    assert np.abs(outputs - expected).max() < 0.1


def test_summary_has_the_keys_of_the_main_job(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "keys.tflite"
    with_host_operators(model)
    assert run(model) == 0
    found = summary(folder, model)
    main = (
        "network title n images accuracy accuracy_reference accuracy_float layers bursts mismatches cycles"
        " account counters"
    )
    own = "runtime runtime_mismatches host_operators outputs contract fully_connected"
    assert set(found) == set(f"{main} {own} seed simulator repeat".split())
    assert found["repeat"] == f"make net MODEL={model} SIM=verilator SEED=3"
    for layer in found["layers"]:
        assert {"name", "op", "macs", "cycles", "account", "utilisation", "mismatches"} < set(layer)
        assert tuple(layer["account"]) == ACCOUNT
        assert {"shape", "runtime_mismatches", "largest_difference"} < set(layer)


def test_one_wrong_value_is_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The twin: a value of the RTL's tensor that is off by three, and what the host makes of it."""
    model = tmp_path / "spoilt.tflite"
    with_host_operators(model)

    def spoil(compiled: Compiled, dram: NDArray[np.uint8]) -> None:
        at = compiled.address(0, compiled.outputs[0])
        dram[at] = (int(dram[at]) + 3) % 256

    monkeypatch.setattr(net.job, "run", simulated(spoil))
    assert run(model) == 1
    found = summary(folder, model)
    by_op = {layer["op"]: layer for layer in found["layers"]}
    assert by_op["CONV_2D"]["runtime_mismatches"] == 0
    assert by_op["FULLY_CONNECTED"]["runtime_mismatches"] == 1
    assert by_op["FULLY_CONNECTED"]["largest_difference"] in (3, 253)


def dense_network(path: Path) -> Path:
    """So many outputs that some differ between LiteRT's float form and integers."""
    rng = np.random.default_rng(8)
    network = RandomNetwork(rng, rng.integers(-128, 128, (1, 1, 30)).astype(np.int8))
    network.flatten()
    network.dense(8000)
    path.write_bytes(network.finish())
    return path


def test_fully_connected_by_either_form(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = dense_network(tmp_path / "dense.tflite")
    assert run(model) == 0
    found = summary(folder, model)
    assert (found["fully_connected"], found["runtime_mismatches"]) == ("integer", 0)
    capsys.readouterr()
    assert run(model, "--fc", "litert") == 0
    found = summary(folder, model)
    assert found["fully_connected"] == "litert" and found["repeat"].endswith(" FC=litert")
    assert 0 < found["runtime_mismatches"] < 80
    assert found["layers"][0]["largest_difference"] == 1
    assert "requantises it in float" in capsys.readouterr().out


def test_float_form_that_is_not_as_modelled_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = dense_network(tmp_path / "dense.tflite")
    exact = subject_tflite.requantize_litert_fc

    def wrong(acc: NDArray, real: NDArray) -> NDArray:
        return exact(acc, real) + (acc % 997 == 0)

    monkeypatch.setattr(subject_tflite, "requantize_litert_fc", wrong)
    assert run(model, "--fc", "litert") == 1


def test_uint8_network(folder: Path, tmp_path: Path) -> None:
    """Weights with zero point 128, a padded convolution, an average that rounds ties up, a uint8 output."""
    rng = np.random.default_rng(6)
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 8, 8, 4), np.uint8, 0.05, 120)
    w = b.add_tensor(
        "w", (12, 3, 3, 4), np.uint8, 0.01, 128, data=rng.integers(1, 256, (12, 3, 3, 4)).astype(np.uint8)
    )
    k = b.add_tensor("k", (12,), np.int32, 0.0005, 0, data=rng.integers(-999, 999, 12).astype(np.int32))
    m = b.add_tensor("m", (1, 8, 8, 12), np.uint8, 0.3, 110)
    y = b.add_tensor("y", (1, 4, 4, 12), np.uint8, 0.3, 110)
    b.conv2d(x, w, k, m)
    b.average_pool(m, y, kernel=(2, 2))
    model = tmp_path / "bytes.tflite"
    model.write_bytes(b.finish([x], [y]))
    image = rng.integers(0, 256, (8, 8, 4)).astype(np.uint8)
    np.save(tmp_path / "x.npy", image)
    assert run(model, "--input", str(tmp_path / "x.npy")) == 0
    (path,) = summary(folder, model)["outputs"].values()
    assert np.array_equal(np.load(tmp_path / path)[0], litert(model.read_bytes(), image[None])[0])


def test_arg_max_at_the_end_and_two_outputs(folder: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    network = RandomNetwork(rng, rng.integers(-128, 128, (5, 7, 6)).astype(np.int8))
    network.conv(9, (3, 3))
    b = network.builder
    best = b.add_tensor("best", (1, 5, 7), np.int32)
    b.arg_max(network.last, best)
    model = tmp_path / "best.tflite"
    model.write_bytes(b.finish([network.input], [network.last, best]))
    assert run(model) == 0
    found = summary(folder, model)
    assert found["host_operators"] == ["ARG_MAX best"] and len(found["outputs"]) == 2
    scores, chosen = (np.load(tmp_path / path) for path in found["outputs"].values())
    assert np.array_equal(scores.argmax(axis=-1), chosen)


def test_a_run_leaves_pictures_and_a_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("BUILD", "ROOT"):
        monkeypatch.setattr(net, name, tmp_path)
    monkeypatch.setattr(net.job, "run", simulated(lambda *_: None))
    model = tmp_path / "seen.tflite"
    with_host_operators(model)
    assert run(model) == 0
    assert (tmp_path / "net" / "seen" / "roofline.png").exists()
    assert "<h1>seen.tflite</h1>" in (tmp_path / "net" / "seen" / "index.html").read_text()
    assert "pictures: " in capsys.readouterr().out
