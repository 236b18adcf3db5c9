"""The networks that wheels bring: fetched by hash, read without their frameworks, equal to the runtime."""

from __future__ import annotations

import json
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from compiler.tests.onnx_networks import run_onnx
from nets.zoo import __main__ as zoo
from nets.zoo import faces
from nets.zoo.torch_file import MAGIC, PROTOCOL, read_state
from scripts.tools import UserError
from tb.chip import net
from tb.tests.test_net import folder  # noqa: F401


@pytest.fixture(scope="module")
def rnet() -> dict[str, np.ndarray]:
    """The weights of R-Net. Without a package index the tests of networks are left out, but not in CI."""
    try:
        return read_state(faces.WHEEL.read("facenet_pytorch/data/rnet.pt"))
    except UserError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def test_every_tensor_of_a_face_network(
    rnet: dict[str, np.ndarray],
    folder: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R-Net, PRelu with a slope per channel, a softmax on the host: 0 differ from ONNX Runtime."""
    model = tmp_path / "rnet.onnx"
    assert zoo.main(["rnet", str(model)]) == 0
    assert net.main(["--model", str(model), "--input", str(model.with_suffix(".npy")), "--seed", "1"]) == 0
    summary = json.loads((folder / "rnet" / "summary.json").read_text())
    assert (summary["images"], summary["mismatches"], summary["runtime_mismatches"]) == (2, 0, 0)
    assert set(summary["outputs"]) == {"chance", "box"}
    assert any(name.startswith("Softmax") for name in summary["host_operators"])


def test_the_graph_is_the_network_of_the_weights(rnet: dict[str, np.ndarray]) -> None:
    """PyTorch flattens columns, rows, channels: the dense layer in numpy, on the convolutions' result."""
    model = faces.network("rnet", (24, 24)).SerializeToString()
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 24, 24)).astype(np.float32)
    found = run_onnx(model, {"x": x}, ["prelu3", "dense4"])
    flat = found["prelu3"].transpose(0, 3, 2, 1).reshape(1, -1)
    expected = flat @ rnet["dense4.weight"].T + rnet["dense4.bias"]
    assert found["prelu3"].shape == (1, 64, 3, 3)
    np.testing.assert_allclose(found["dense4"], expected, rtol=1e-4, atol=1e-4)
    assert not np.allclose(found["prelu3"].reshape(1, -1) @ rnet["dense4.weight"].T, expected, atol=0.1)


def test_sizes_of_a_network_come_from_the_input(
    folder: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file may leave rows and columns open; without INPUT that is an error that says what helps."""
    info, helper = onnx.helper.make_tensor_value_info, onnx.helper
    w = onnx.numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "open",
        [info("x", onnx.TensorProto.FLOAT, ["n", 3, "rows", "columns"])],
        [info("y", onnx.TensorProto.FLOAT, ["n", 4, "r", "c"])],
        [w],
    )
    model, source = tmp_path / "open.onnx", tmp_path / "x.npy"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
    np.save(source, np.random.default_rng(1).normal(size=(2, 3, 7, 9)).astype(np.float32))
    assert net.main(["--model", str(model), "--input", str(source), "--seed", "1"]) == 0
    assert json.loads((folder / "open" / "summary.json").read_text())["layers"][0]["shape"] == [1, 5, 7, 4]
    assert net.main(["--model", str(model), "--seed", "1"]) == 2
    assert "fixes them" in capsys.readouterr().err
    np.save(source, np.zeros((2, 4, 7, 9), np.float32))
    assert net.main(["--model", str(model), "--input", str(source), "--seed", "1"]) == 2
    assert "an image is [4, 7, 9]; input 'x' is [3, 'any', 'any']" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wheel", "reason"),
    [
        (replace(faces.WHEEL, sha256="0" * 64), "another sha256"),
        (replace(faces.WHEEL, project="assay-no-such-project", file="none.whl"), "cannot download"),
    ],
)
def test_wheels_that_are_refused(
    wheel: faces.Wheel, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / faces.WHEEL.file).write_bytes(b"something else")
    monkeypatch.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(UserError, match=reason):
        wheel.read("facenet_pytorch/data/pnet.pt", tmp_path)


def state(content: object) -> bytes:
    parts: tuple[object, ...] = (MAGIC, PROTOCOL, {"little_endian": True}, content, [])
    return b"".join(pickle.dumps(part, 2) for part in parts)


@pytest.mark.parametrize("data", [b"", b"hello", state({})[:40], state({"w": Path})])
def test_files_that_are_no_state_dict(data: bytes) -> None:
    """A class that a state dict does not need is not even looked up: reading a file runs no code."""
    with pytest.raises(ValueError):
        read_state(data)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rnet", "--size", "30x30"], "rnet takes 24x24 only"),
        (["pnet", "--count", "0"], "at least one picture"),
    ],
)
def test_arguments(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *others = arguments
    assert zoo.main([name, str(tmp_path / "x.onnx"), *others]) == 2
    assert reason in capsys.readouterr().err and not list(tmp_path.iterdir())
