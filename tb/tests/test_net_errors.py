"""What a user may get wrong with `make net` is one line, exit code 2, and leaves nothing behind."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.tests.random_networks import RandomNetwork
from compiler.tflite_build import TfliteBuilder
from tb.chip import net, runtime, subject_tflite
from tb.chip.png import SIGNATURE

SHAPE = (6, 5, 3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A good network with an int8 input of 6 x 5 x 3."""
    rng = np.random.default_rng(1)
    network = RandomNetwork(rng, rng.integers(-128, 128, SHAPE).astype(np.int8))
    network.conv(4, (3, 3))
    path = tmp_path / "good.tflite"
    path.write_bytes(network.finish())
    return path


@pytest.fixture(autouse=True)
def no_simulation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error must come before the simulation, and before anything is written."""

    def started(*_: object, **__: object) -> None:
        raise AssertionError("the simulation was started")

    monkeypatch.setattr(net.job, "run", started)
    monkeypatch.setattr(net, "BUILD", tmp_path / "build")


def refused(capsys: pytest.CaptureFixture[str], model: Path, source: Path | None = None) -> str:
    """The message with which a run ends."""
    arguments = ["--model", str(model), "--seed", "1"]
    if source:
        arguments += ["--input", str(source)]
    before = {path for path in model.parent.rglob("*")} if model.parent.is_dir() else set()
    assert net.main(arguments) == 2
    captured = capsys.readouterr()
    message, *rest = captured.err.splitlines()
    assert not rest and captured.out == "", captured
    assert message.startswith("error: ")
    assert {path for path in model.parent.rglob("*")} == before or not before
    return message


def built(path: Path, builder: TfliteBuilder, inputs: list[int], outputs: list[int]) -> Path:
    path.write_bytes(builder.finish(inputs, outputs))
    return path


def png(path: Path, pixels: NDArray[np.uint8], colour: int, filters: int = 0) -> Path:
    """A .png file of uint8 [rows, columns, values]; the same filter for every line, whose bytes are given."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.full((rows, 1), filters, np.uint8), pixels.reshape(rows, -1)], axis=1)

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, colour, 0, 0, 0)
    body = part(b"IHDR", header) + part(b"IDAT", zlib.compress(lines.tobytes())) + part(b"IEND", b"")
    path.write_bytes(SIGNATURE + body)
    return path


def test_a_good_network_reaches_the_simulation(model: Path) -> None:
    """The twin of all the others: what is refused there is not refused here."""
    with pytest.raises(AssertionError, match="the simulation was started"):
        net.main(["--model", str(model), "--seed", "1"])


def test_no_such_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no such file" in refused(capsys, tmp_path / "nothing.tflite")


def test_model_is_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "cannot be read" in refused(capsys, tmp_path)


@pytest.mark.parametrize("share", [0, 0.3, 0.6, 0.95])
def test_truncated_model(capsys: pytest.CaptureFixture[str], model: Path, share: float) -> None:
    raw = model.read_bytes()
    model.write_bytes(raw[: int(len(raw) * share)])
    message = refused(capsys, model)
    assert "empty" in message if share == 0 else ".tflite" in message


def test_every_truncation_is_refused(model: Path) -> None:
    raw = model.read_bytes()
    for length in range(0, len(raw) - 8, 37):
        model.write_bytes(raw[:length])
        assert net.main(["--model", str(model), "--seed", "1"]) == 2, length


def test_not_a_tflite_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "words.tflite"
    path.write_text("hello, world")
    assert "not a .tflite file" in refused(capsys, path)


def test_float_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    b = TfliteBuilder()
    x, y = (b.add_tensor(name, (1, 2, 2, 1), np.float32) for name in "xy")
    b.logistic(x, y)
    assert "not quantised" in refused(capsys, built(tmp_path / "float.tflite", b, [x], [y]))


def test_operator_that_nobody_has(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In the middle, softmax is not the host's either."""
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    m = b.add_tensor("chances", (1, 4, 4, 2), np.int8, 1 / 256, -128)
    y = b.add_tensor("y", (1, 2, 2, 2), np.int8, 1 / 256, -128)
    b.softmax(x, m)
    b.max_pool(m, y, kernel=(2, 2))
    message = refused(capsys, built(tmp_path / "middle.tflite", b, [x], [y]))
    assert "SOFTMAX 'chances': this operator is not supported; supported: " in message
    assert "CONV_2D, DEPTHWISE_CONV_2D" in message


def test_operator_in_a_form_that_is_not_supported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 4, 4, 2), np.int8, 0.1)
    y = b.add_tensor("y", (1, 4, 4, 1), np.int8, 0.1)
    b.mean(x, y, axes=(3,))
    assert "MEAN 'y': axes are [3]" in refused(capsys, built(tmp_path / "mean.tflite", b, [x], [y]))


def test_network_without_work_for_the_core(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, 10), np.int8, 0.1)
    y = b.add_tensor("y", (1, 10), np.int8, 1 / 256, -128)
    b.softmax(x, y)
    assert "no operator for the core" in refused(capsys, built(tmp_path / "host.tflite", b, [x], [y]))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((6, 5, 4), np.int8),
        np.zeros((5, 6, 3), np.int8),
        np.zeros(SHAPE, np.uint8),
        np.zeros(SHAPE, np.float32),
        np.zeros((2, 2, *SHAPE), np.int8),
        np.zeros((0, *SHAPE), np.int8),
        np.array([{}]),
    ],
)
def test_wrong_array(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, array: NDArray) -> None:
    source = tmp_path / "x.npy"
    np.save(source, array)
    message = refused(capsys, model, source)
    assert f"INPUT={source}" in message and (
        "int8[6, 5, 3]" in message or "no image" in message or ".npy" in message
    )


def test_no_such_input(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    assert "no such file or folder" in refused(capsys, model, tmp_path / "x.npy")


def test_input_of_an_unknown_kind(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8")
    assert ".npy, .npz, .png" in refused(capsys, model, tmp_path / "x.jpg")


def test_empty_folder(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert "the folder has no file" in refused(capsys, model, tmp_path / "images")


@pytest.mark.parametrize("damage", ["words", "cut", "bit"])
def test_damaged_png(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, damage: str) -> None:
    source = png(tmp_path / "x.png", np.zeros(SHAPE, np.uint8), 2)
    raw = bytearray(source.read_bytes())
    if damage == "words":
        raw[:4] = b"nope"
    elif damage == "cut":
        del raw[-20:]
    else:
        raw[45] ^= 1
    source.write_bytes(raw)
    assert "cannot read the .png image" in refused(capsys, model, source)


def test_png_of_another_size(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    message = refused(capsys, model, png(tmp_path / "x.png", np.zeros((6, 6, 3), np.uint8), 2))
    assert "6 rows, 6 columns and 3 channels" in message and "[6, 5, 3]" in message


def test_npz_must_name_every_input(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", other=np.zeros(SHAPE, np.int8))
    assert "it has the arrays other; the network's inputs are x" in refused(capsys, model, tmp_path / "x.npz")


def test_arrays_under_the_wrong_name(capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros(SHAPE, np.int8))
    np.save(tmp_path / "y.npy", np.zeros(SHAPE, np.int8))
    several = (tmp_path / "x.npz").rename(tmp_path / "x.npy")
    one = (tmp_path / "y.npy").rename(tmp_path / "y.npz")
    assert "several of them: name it .npz" in refused(capsys, model, several)
    assert "not a .npz file" in refused(capsys, model, one)


def test_no_damage_of_an_array_ends_in_a_traceback(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    """numpy reads the header as an expression of Python's, which has errors of its own."""
    source = tmp_path / "x.npy"
    np.save(source, np.zeros((6, 5, 4), np.int8))
    raw = source.read_bytes()
    for at in range(8, 128, 3):
        source.write_bytes(raw[:at] + bytes([raw[at] ^ 8]) + raw[at + 1 :])
        assert "INPUT=" in refused(capsys, model, source)


@pytest.mark.parametrize("sizes", [(0, 0), (2**31 - 1, 2**31 - 1), (1, 3)])
def test_png_that_holds_other_than_it_says(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path, sizes: tuple[int, int]
) -> None:
    source = png(tmp_path / "x.png", np.zeros(SHAPE, np.uint8), 2)
    raw = source.read_bytes()
    header = b"IHDR" + struct.pack(">II", *sizes) + raw[24:29]
    source.write_bytes(raw[:12] + header + struct.pack(">I", zlib.crc32(header)) + raw[33:])
    message = refused(capsys, model, source)
    assert "it holds more bytes of pixels, not 12" in message if sizes == (1, 3) else "rows and" in message


def test_png_without_the_colours_of_its_palette(
    capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    source = png(tmp_path / "x.png", np.full((6, 5, 1), 7, np.uint8), 3)
    assert "its palette of 0 bytes lacks colour 7" in refused(capsys, model, source)


@pytest.mark.parametrize("seed", ["-1", str(2**31), "x"])
def test_seed_that_is_none(capsys: pytest.CaptureFixture[str], model: Path, seed: str) -> None:
    with pytest.raises(SystemExit) as caught:
        net.main(["--model", str(model), "--seed", seed])
    assert caught.value.code == 2
    assert f"--seed: {'invalid' if seed == 'x' else seed}" in capsys.readouterr().err


@pytest.mark.parametrize("shape", [(1, 120), (6, 5, 4), (30, 4)])
def test_shape_that_litert_computes_otherwise(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, shape: tuple[int, ...]
) -> None:
    b = TfliteBuilder()
    x = b.add_tensor("x", (1, *SHAPE), np.int8, 0.1)
    w = b.add_tensor("w", (4, 1, 1, 3), np.int8, 0.01, data=np.ones((4, 1, 1, 3), np.int8))
    k = b.add_tensor("k", (4,), np.int32, 0.001, data=np.zeros(4, np.int32))
    y = b.add_tensor("y", shape, np.int8, 0.1)
    b.conv2d(x, w, k, y)
    message = refused(capsys, built(tmp_path / "f.tflite", b, [x], [y]))
    assert f"tensor 'y' is {list(shape)} in the model; LiteRT makes [1, 6, 5, 4]" in message


class Reached(Exception):
    """The damage was harmless: the network came as far as LiteRT."""


def test_no_damage_ends_in_a_traceback(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changed bytes, most of them among the offsets and options at the end of the file."""

    def reached(*_: object) -> None:
        raise Reached

    monkeypatch.setattr(subject_tflite, "check", reached)
    rng = np.random.default_rng(7)
    raw = model.read_bytes()
    ends = []
    for _ in range(200):
        damaged = bytearray(raw)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(raw)))
            damaged[at] = int(rng.choice([0, 255, damaged[at] ^ 1 << int(rng.integers(8))]))
        model.write_bytes(damaged)
        try:
            ends.append(net.main(["--model", str(model), "--seed", "1"]))
        except Reached:
            ends.append(0)
    assert set(ends) == {0, 2} and ends.count(2) > 40, ends


def test_model_that_litert_dies_of(
    capsys: pytest.CaptureFixture[str], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LiteRT checks little: some damaged files end its process. It looks at every model in one of its own."""
    monkeypatch.setattr(runtime, "PROBE", [sys.executable, "-c", "import os; os.abort()"])
    assert "LiteRT dies of the model (SIGABRT)" in refused(capsys, model)
