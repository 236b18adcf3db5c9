"""`make net CONTRACT=fp32` of a .tflite file, with the reference machine in the place of the simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.network import Compiled
from compiler.tests.random_networks import RandomNetwork
from compiler.tflite_build import TfliteBuilder
from models import xnnpack
from tb.chip import net, subject_tflite
from tb.tests.test_net import folder, run, simulated, summary, with_host_operators

__all__ = ["folder"]  # a fixture


def with_a_mean_of_ties(path: Path) -> Path:
    """Input and output share a scale and the sum is of 8 x 8: an eighth of the sums are ties."""
    rng = np.random.default_rng(5)
    network = RandomNetwork(rng, rng.integers(-128, 128, (8, 8, 40)).astype(np.int8), "fp32")
    network.table("relu")
    b = network.builder
    y = b.add_tensor("mean", (1, 1, 1, 40), np.int8, network.scale, network.zero_point)
    z = b.add_tensor("z", (1, 1, 1, 40), np.int8, network.scale * 2, 3)
    b.mean(network.last, y)
    b.quantize(y, z)
    path.write_bytes(b.finish([network.input], [z]))
    return path


def test_every_tensor_equals_the_default_path(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """QUANTIZE at the border and a softmax at the end run on LiteRT's default path, too."""
    model = tmp_path / "ends.tflite"
    with_host_operators(model)
    assert run(model, "--contract", "fp32") == 0
    found = summary(folder, model)
    assert (found["contract"], found["runtime_mismatches"]) == ("fp32", 0)
    assert found["runtime"] == "LiteRT default path (XNNPACK)"
    assert found["fully_connected"] == "float32"
    assert found["repeat"].endswith(" CONTRACT=fp32")
    text = capsys.readouterr().out
    assert "FULLY_CONNECTED as float32" in text and "every tensor as an output" in text


def test_contracts_differ(folder: Path, tmp_path: Path) -> None:
    """The twin: held to the reference kernels, contract fp32's values are found to differ."""
    rng = np.random.default_rng(2)
    network = RandomNetwork(rng, rng.integers(-128, 128, (20, 20, 8)).astype(np.int8), "fp32")
    network.conv(64, (3, 3))
    model = tmp_path / "both.tflite"
    model.write_bytes(network.finish())
    results = []
    for contract in ("tflite", "fp32"):
        assert run(model, "--contract", contract) == 0
        (path,) = summary(folder, model)["outputs"].values()
        results.append(np.load(tmp_path / path))
    assert 0 < np.count_nonzero(results[0] != results[1]) < 100


def test_one_wrong_value_is_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "spoilt.tflite"
    with_host_operators(model)

    def spoil(compiled: Compiled, dram: NDArray[np.uint8]) -> None:
        dram[compiled.address(0, compiled.layers[0].target)] ^= 2

    monkeypatch.setattr(net.job, "run", simulated(spoil))
    assert run(model, "--contract", "fp32") == 1


def test_ties_of_a_mean_are_explained(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a mean off by one that is no such tie is not."""
    model = with_a_mean_of_ties(tmp_path / "ties.tflite")
    image = np.zeros((8, 8, 40), np.int8)
    compare = subject_tflite.TfliteSubject.compare
    for seed in range(20):
        image[:] = np.random.default_rng(seed).integers(-128, 128, image.shape)
        np.save(tmp_path / "x.npy", image)
        assert run(model, "--contract", "fp32", "--input", str(tmp_path / "x.npy")) == 0
        found = summary(folder, model)
        if found["runtime_mismatches"]:
            break
    mean = next(layer for layer in found["layers"] if layer["op"] == "MEAN")
    assert mean["sums_apart"] > 0 and mean["own_differences"] > 0 and mean["largest_difference"] == 1
    assert "are ties that XNNPACK's float32 decides otherwise" in capsys.readouterr().out
    assert subject_tflite.TfliteSubject.compare is compare

    def spoil(compiled: Compiled, dram: NDArray[np.uint8]) -> None:
        at = compiled.address(0, "mean")
        dram[at + 39] = (int(dram[at + 39]) + 1) % 256

    monkeypatch.setattr(net.job, "run", simulated(spoil))
    assert run(model, "--contract", "fp32", "--input", str(tmp_path / "x.npy")) == 1


def test_a_runtime_that_is_not_as_modelled_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Differences count as ties only while the float32 model predicts LiteRT's every value."""
    model = with_a_mean_of_ties(tmp_path / "ties.tflite")
    exact = xnnpack.mean_levels
    monkeypatch.setattr(subject_tflite, "mean_levels", lambda *a, **k: exact(*a, **k) ^ 1)
    results = {run(model, "--contract", "fp32", "--seed", str(seed)) for seed in range(1, 12)}
    assert 1 in results


def test_exposing_tensors_must_not_change_the_outputs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "ends.tflite"
    with_host_operators(model)
    tensor = subject_tflite.Runtime.tensor

    def other(self: subject_tflite.Runtime, name: str) -> NDArray:
        value = tensor(self, name)
        return value + 1 if len(self.parts[0].get_output_details()) == 1 and name == "out" else value

    monkeypatch.setattr(subject_tflite.Runtime, "tensor", other)
    assert run(model, "--contract", "fp32") == 1


def test_what_only_tflite_can_run_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    w = b.add_tensor("w", (2, 1, 1, 2), np.int8, 0.1, data=np.ones((2, 1, 1, 2), np.int8))
    k = b.add_tensor("k", (2,), np.int32, data=np.zeros(2, np.int32))
    y = b.add_tensor("y", (1, 4, 4, 2), np.int8, 0.1)
    b.conv2d(x, w, k, y)
    model = tmp_path / "bias.tflite"
    model.write_bytes(b.finish([x], [y]))
    assert run(model, "--contract", "fp32") == 2
    assert "CONV_2D 'y': XNNPACK leaves it to a kernel of TFLite's" in capsys.readouterr().err
    assert run(model) == 0
    assert run(model, "--contract", "fp32", "--fc", "litert") == 2
    assert "in CONTRACT=tflite" in capsys.readouterr().err


def test_elu_has_no_reference_kernel(folder: Path, tmp_path: Path) -> None:
    """In contract tflite LiteRT's optimised kernel, a table, judges it inside a network; XNNPACK in fp32."""
    for contract in ("tflite", "fp32"):
        rng = np.random.default_rng(4)
        network = RandomNetwork(rng, rng.integers(-128, 128, (6, 6, 5)).astype(np.int8), contract)
        network.conv(7, (3, 3))
        b = network.builder
        y = b.add_tensor("elu", (1, 6, 6, 7), np.int8, network.scale * 0.7, 4)
        z = b.add_tensor("largest", (1, 3, 3, 7), np.int8, network.scale * 0.7, 4)
        b.unary("ELU", network.last, y)
        b.max_pool(y, z, kernel=(2, 2))
        model = tmp_path / f"elu-{contract}.tflite"
        model.write_bytes(b.finish([network.input], [z]))
        assert run(model, "--contract", contract) == 0
        assert summary(folder, model)["runtime_mismatches"] == 0
