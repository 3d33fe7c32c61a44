"""Train the expression backbone: ``python pretraining/train_expression.py FOLDER --seconds 240 280``.

Needs PyTorch, timm and safetensors alone, so that it runs on a machine that has a GPU and little else. FOLDER holds
``faces.npz`` and ``imagenet.safetensors`` (``fit_expression.py`` writes them); what is trained comes beside them.

Three teachers, EfficientNet-lite0 with ImageNet weights each, learn from the labels, which people often disagree with.
The student, the same network again, then learns from what they say together of the very faces it is shown, as they
are augmented (Hinton et al. 2015; Beyer et al., "a good teacher is patient and consistent", 2022). Budgets are in
seconds: the learning rate follows the share that is spent. What is kept is the moving average of the weights.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import timm
import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional

GREY, SPREAD = 127 / 255, 128 / 255
BATCH, PEAK_RATE, WEIGHT_DECAY, CLIP, EMA_DECAY = 256, 2e-3, 0.05, 2.0, 0.998
DROPOUT, DROP_PATH, WARM_UP = 0.3, 0.1, 0.04
"""The last is the share of the budget in which the learning rate rises."""
DEGREES, SCALES, SHIFT, SHEAR = 15.0, (0.85, 1.2), 0.08, 0.08
CONTRAST, BRIGHTNESS, GAMMA = 0.35, 0.15, 0.3
ERASED, BLURRED = 0.3, 0.25
"""Shares of the faces of a batch that lose a rectangle, and that are made coarser."""
SOFTNESS, LABEL_WEIGHT = 2.0, 0.25
"""Temperature of the teachers' answers, and the weight of the labels beside them."""


@dataclass(frozen=True)
class Settings:
    """How one network is trained.

    Attributes:
        side: of the faces, px.
        smoothing: of the labels.
        mixed: Beta parameter of mixup (Zhang et al. 2018), 0 for none.
    """

    seed: int
    side: int
    smoothing: float
    mixed: float


TEACHERS = {
    "smoothed": Settings(seed=0, side=128, smoothing=0.1, mixed=0.0),
    "mixed": Settings(seed=1, side=128, smoothing=0.0, mixed=0.3),
    "coarse": Settings(seed=2, side=96, smoothing=0.05, mixed=0.2),
}
STUDENT = Settings(seed=3, side=128, smoothing=0.0, mixed=0.0)


class FaceNetwork(nn.Module):
    """Grey faces in [0, 1] (N, 1, H, W) → logits (N, K)."""

    def __init__(self, n_classes: int, imagenet: Path | None = None) -> None:
        super().__init__()
        self.backbone: Any = timm.create_model(
            "tf_efficientnet_lite0", num_classes=n_classes, drop_rate=DROPOUT, drop_path_rate=DROP_PATH
        )
        if imagenet is not None:
            stored = {k: v.float() for k, v in safetensors.torch.load_file(imagenet).items()}
            left = self.backbone.load_state_dict(stored, strict=False)
            assert left.missing_keys == ["classifier.weight", "classifier.bias"], left

    def forward(self, grey: Tensor) -> Tensor:
        """Logits of one batch."""
        image = ((grey - GREY) / SPREAD).expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.backbone(image)
        return logits


def enlarged(grey: Tensor, side: int) -> Tensor:
    """uint8 (N, h, w) → floats in [0, 1] (N, 1, side, side), as Pillow's bilinear enlarges."""
    return functional.interpolate(grey[:, None].float() / 255, size=(side, side), mode="bilinear", align_corners=False)


def augmented(grey: Tensor, side: int) -> Tensor:
    """A batch of faces turned, moved, scaled, mirrored, relit, coarsened and partly covered, each in its own way."""
    n, device = len(grey), grey.device
    image = grey[:, None].float() / 255
    low = int(torch.randint(18, 40, ()))
    small = functional.interpolate(image, size=(low, low), mode="bilinear", antialias=True)
    blurred = functional.interpolate(small, size=image.shape[2:], mode="bilinear", align_corners=False)
    image = torch.where(torch.rand(n, 1, 1, 1, device=device) < BLURRED, blurred, image)
    grid = functional.affine_grid(_affine(n, device), [n, 1, side, side], align_corners=False)
    image = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    image = image ** torch.exp(_spread(n, GAMMA, device))
    mean = image.mean((2, 3), keepdim=True)
    image = (image - mean) * torch.exp(_spread(n, CONTRAST, device)) + mean + _spread(n, BRIGHTNESS, device)
    covered = _rectangles(n, side, device) & (torch.rand(n, 1, 1, 1, device=device) < ERASED)
    return torch.where(covered, torch.rand(n, 1, 1, 1, device=device), image.clamp(0, 1))


def _affine(n: int, device: torch.device) -> Tensor:
    """Matrices (n, 2, 3) from places in the new picture to places in the old."""
    angle = torch.deg2rad(_spread(n, DEGREES, device)).flatten()
    low, high = (math.log(s) for s in SCALES)
    scale = torch.exp(-(low + (high - low) * torch.rand(n, device=device)))
    mirror = torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    shear = _spread(n, SHEAR, device).flatten()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = 2 * SHIFT * (2 * torch.rand(n, 2, device=device) - 1)
    rows = [torch.stack([cos * mirror, shear - sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)]
    return torch.stack(rows, 1)


def _rectangles(n: int, side: int, device: torch.device) -> Tensor:
    """Where a rectangle lies in each picture, bool (n, 1, side, side); its sides are 0.15 to 0.45 of the picture's."""
    size = 0.15 + 0.3 * torch.rand(n, 2, 1, device=device)
    start = (1 - size) * torch.rand(n, 2, 1, device=device)
    place = (torch.arange(side, device=device) + 0.5) / side
    inside = (place >= start) & (place < start + size)  # (n, 2, side)
    return (inside[:, 0, :, None] & inside[:, 1, None, :])[:, None]


def _spread(n: int, size: float, device: torch.device) -> Tensor:
    """Uniform in [-size, size], (n, 1, 1, 1)."""
    return size * (2 * torch.rand(n, 1, 1, 1, device=device) - 1)


def rate(spent: float) -> float:
    """Share of the peak learning rate when a share of the budget is spent: linear warm-up, cosine to a hundredth."""
    if spent < WARM_UP:
        return (spent + 0.002) / WARM_UP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min((spent - WARM_UP) / (1 - WARM_UP), 1.0)))


def loss_of(network: nn.Module, image: Tensor, y: Tensor, settings: Settings) -> Tensor:
    """Cross-entropy with the labels, smoothed or mixed as the settings say."""
    if not settings.mixed:
        return functional.cross_entropy(network(image).float(), y, label_smoothing=settings.smoothing)
    share = float(np.random.beta(settings.mixed, settings.mixed))
    other = torch.randperm(len(y), device=y.device)
    logits = network(share * image + (1 - share) * image[other]).float()
    first, second = (
        functional.cross_entropy(logits, target, label_smoothing=settings.smoothing) for target in (y, y[other])
    )
    return share * first + (1 - share) * second


def loss_beside(network: nn.Module, image: Tensor, y: Tensor, teachers: Sequence[nn.Module]) -> Tensor:
    """How far a student's answers are from the mean of its teachers', and from the labels."""
    with torch.no_grad():
        said = torch.stack([t(_resized(image, side)).float() for t, side in zip(teachers, _sides(), strict=True)])
        wanted = (said / SOFTNESS).softmax(2).mean(0)
    logits = network(image).float()
    told = functional.kl_div((logits / SOFTNESS).log_softmax(1), wanted, reduction="batchmean") * SOFTNESS**2
    return (1 - LABEL_WEIGHT) * told + LABEL_WEIGHT * functional.cross_entropy(logits, y)


def _resized(image: Tensor, side: int) -> Tensor:
    if image.shape[2] == side:
        return image
    return functional.interpolate(image, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def _sides() -> list[int]:
    return [settings.side for settings in TEACHERS.values()]


@torch.inference_mode()
def accuracy(network: nn.Module, grey: Tensor, y: Tensor, side: int) -> float:
    """Share of faces that are named as their labels say."""
    network.eval()
    named = torch.cat([network(enlarged(batch, side)).argmax(1) for batch in grey.split(512)])
    return float((named == y).float().mean())


def train(
    folder: Path, name: str, settings: Settings, seconds: float, device: torch.device, teachers: Sequence[nn.Module]
) -> None:
    """Train one network within a budget and write its averaged weights, with 16 bits, as ``NAME.safetensors``."""
    faces = {key: torch.from_numpy(value).to(device) for key, value in np.load(folder / "faces.npz").items()}
    torch.manual_seed(settings.seed)
    np.random.seed(settings.seed)
    network = FaceNetwork(int(faces["train_y"].max()) + 1, folder / "imagenet.safetensors")
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = ModelEmaV3(network, decay=EMA_DECAY, use_warmup=True, foreach=True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    start, epoch, update, spent = time.monotonic(), 0, 0, 0.0
    while spent < 1:
        network.train()
        order = torch.randperm(len(faces["train_y"]), device=device)
        for chosen in order.split(BATCH)[: len(order) // BATCH]:
            spent = (time.monotonic() - start) / seconds
            if spent >= 1:
                break
            optimizer.param_groups[0]["lr"] = PEAK_RATE * rate(spent)
            image, y = augmented(faces["train_grey"][chosen], settings.side), faces["train_y"][chosen]
            with torch.autocast(device.type, torch.bfloat16):
                loss = loss_beside(network, image, y, teachers) if teachers else loss_of(network, image, y, settings)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimizer.step()
            average.update(network, step=update)
            update += 1
        epoch += 1
        if epoch % 5 == 0 or spent >= 1:
            scored = accuracy(average.module, faces["val_grey"], faces["val_y"], settings.side)
            print(json.dumps({"name": name, "epoch": epoch, "spent": round(spent, 3), "val": scored}), flush=True)
    path = folder / f"{name}.safetensors"
    metadata = {"epochs": str(epoch), "updates": str(update), "seconds": f"{seconds:g}"}
    safetensors.torch.save_file(halved(average.module.state_dict()), path, metadata=metadata)


def halved(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights with 16 bits; what has one dimension (biases, normalisation) as it is."""
    small = {k: v.half() if v.is_floating_point() and v.ndim > 1 else v for k, v in state.items()}
    return {k: v.contiguous().cpu() for k, v in small.items()}


def load(folder: Path, name: str, device: torch.device) -> FaceNetwork:
    """A network that was trained before, in evaluation mode."""
    halves = safetensors.torch.load_file(folder / f"{name}.safetensors")
    stored = {k: v.float() if v.is_floating_point() else v for k, v in halves.items()}
    network = FaceNetwork(len(stored["backbone.classifier.bias"]))
    network.load_state_dict(stored)
    return network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload, no-any-return]


def main() -> None:
    """Train the teachers side by side, then the student."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, nargs=2, default=(240, 280), help="for the teachers, for the student")
    parser.add_argument("--only", choices=TEACHERS)
    asked = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.benchmark = True
    if asked.only:
        train(asked.folder, asked.only, TEACHERS[asked.only], asked.seconds[0], device, ())
        return
    command = [sys.executable, __file__, str(asked.folder), "--seconds", *map(str, asked.seconds), "--only"]
    for each in [subprocess.Popen([*command, name]) for name in TEACHERS]:
        if each.wait():
            raise SystemExit("a teacher failed")
    teachers = [load(asked.folder, name, device) for name in TEACHERS]
    train(asked.folder, "student", STUDENT, asked.seconds[1], device, teachers)


if __name__ == "__main__":
    main()
