"""Make the expression backbone: ``python pretraining/fit_expression.py FER2013.zip OUT``.

EfficientNet-lite0 with ImageNet weights is trained on the train part of FER2013, without what recurs in its test
part, in an hour and a half on two cores; it wants a C++ compiler for ``torch.compile``. The size of the faces grows
with the epochs, as in progressive resizing (Howard, DAWNBench 2018; Tan and Le, EfficientNetV2, 2021), because small
faces teach most of it for a fraction of the time. What is kept is the moving average of the weights. A twentieth of
train, copies kept together, is held out to watch; nothing is chosen on the test part, which is scored once, at the end.

``OUT/last.pt`` holds all that is needed to go on; give the same command again. At the end the weights, the hashes of
the photos and the scores for the model card are written into ``src/mien/models/weights``.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import safetensors.torch
import torch
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional

from mien.data.collection import open_collection
from mien.data.prepare import prepare
from mien.data.preprocess import View
from mien.data.splits import SplitShares, assign_splits
from mien.evaluation.predictions import scores_json
from mien.metrics import confusion_matrix, macro_f1, score
from mien.models.artifact import HASH_LENGTH, shipped
from mien.models.backbones import Backbone, load_backbone
from mien.terminal import TerminalProgress

STAGES = ((64, 10), (80, 8), (96, 6))
"""Side of the faces in px, and epochs at it."""
LICENCE = "for research only; see docs/MODEL_CARDS.md"
WIDTH = 1280  # features
BATCH, SEED = 64, 0
PEAK_RATE, HEAD_FACTOR, WARM_UP, WEIGHT_DECAY = 8e-4, 4.0, 300, 0.02
"""AdamW's learning rate at its peak, how much larger the head's is, updates until the peak, and decay of weights."""
SMOOTHING, CLIP, DROPOUT, DROP_PATH = 0.1, 2.0, 0.3, 0.1
EMA_DECAY = 0.9985
DEGREES, SCALES, SHIFT, SHEAR = 15.0, (0.85, 1.2), 0.08, 0.08
CONTRAST, BRIGHTNESS, GAMMA = 0.35, 0.15, 0.3
ERASED, BLURRED = 0.3, 0.25
"""Shares of the faces of a batch that lose a rectangle, and that are made coarser."""


class Faces(NamedTuple):
    """Grey faces uint8 (N, 48, 48), their classes (N,), and what names their part of the set."""

    grey: Tensor
    y: Tensor
    paths: list[str]


def read_faces(zip_file: str, folder: Path) -> tuple[tuple[str, ...], dict[str, Faces], list[str]]:
    """The classes, the faces of train, val and test, and the sha256 of all that it was fitted to or chosen by."""
    collection = open_collection([zip_file])
    view = View("photo", 48)
    prepared = prepare([collection], [view], folder, progress=TerminalProgress())
    manifest = assign_splits(prepared.manifest, SplitShares(0.94, 0.05, 0.01), SEED)
    labels = collection.labels
    parts = {}
    for split in ("train", "val", "test"):
        rows = manifest.filter(pl.col("split") == split)
        grey = prepared.pixels.read(view, rows["row"].to_numpy())[..., 0]
        y = np.array([labels.index(label) for label in rows["label"]])
        parts[split] = Faces(torch.from_numpy(np.ascontiguousarray(grey)), torch.from_numpy(y), rows["path"].to_list())
    seen = manifest.filter(pl.col("split").is_in(["train", "val"]))
    return labels, parts, seen["sha256"].to_list()


def enlarged(grey: Tensor, side: int) -> Tensor:
    """uint8 (N, h, w) → floats in [0, 1] (N, 1, side, side), as Pillow's bilinear enlarges."""
    return functional.interpolate(grey[:, None].float() / 255, size=(side, side), mode="bilinear", align_corners=False)


def augmented(grey: Tensor, side: int) -> Tensor:
    """A batch of faces turned, moved, scaled, mirrored, relit, coarsened and partly covered, each in its own way."""
    n = len(grey)
    image = grey[:, None].float() / 255
    coarse = torch.rand(n) < BLURRED
    if coarse.any():
        low = int(torch.randint(18, 40, ()))
        small = functional.interpolate(image[coarse], size=(low, low), mode="bilinear", antialias=True)
        image[coarse] = functional.interpolate(small, size=image.shape[2:], mode="bilinear", align_corners=False)
    grid = functional.affine_grid(_affine(n), [n, 1, side, side], align_corners=False)
    image = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    image = image ** torch.exp(_spread(n, GAMMA))
    mean = image.mean((2, 3), keepdim=True)
    image = (image - mean) * torch.exp(_spread(n, CONTRAST)) + mean + _spread(n, BRIGHTNESS)
    image = image.clamp(0, 1)
    for i in torch.nonzero(torch.rand(n) < ERASED).flatten().tolist():
        height, width = (side * (0.15 + 0.3 * torch.rand(2))).int().tolist()
        top, left = int(torch.randint(side - height, ())), int(torch.randint(side - width, ()))
        image[i, :, top : top + height, left : left + width] = torch.rand(())
    return image


def _affine(n: int) -> Tensor:
    """Matrices (n, 2, 3) from places in the new picture to places in the old."""
    angle = torch.deg2rad(_spread(n, DEGREES)).flatten()
    low, high = (math.log(s) for s in SCALES)
    scale = torch.exp(-(low + (high - low) * torch.rand(n)))
    mirror = torch.where(torch.rand(n) < 0.5, -1.0, 1.0)
    shear = _spread(n, SHEAR).flatten()
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = 2 * SHIFT * (2 * torch.rand(n, 2) - 1)
    rows = [torch.stack([cos * mirror, shear - sin, shift[:, 0]], 1), torch.stack([sin * mirror, cos, shift[:, 1]], 1)]
    return torch.stack(rows, 1)


def _spread(n: int, size: float) -> Tensor:
    """Uniform in [-size, size], (n, 1, 1, 1)."""
    return size * (2 * torch.rand(n, 1, 1, 1) - 1)


class FaceNetwork(nn.Module):
    """A backbone with a head: grey faces in [0, 1] (N, 1, H, W) → logits (N, K)."""

    def __init__(self, backbone: Backbone, n_classes: int) -> None:
        super().__init__()
        self.backbone, self.mean, self.std = backbone.module, backbone.mean[0], backbone.std[0]
        self.head = nn.Sequential(nn.Dropout(DROPOUT), nn.Linear(WIDTH, n_classes))

    def forward(self, grey: Tensor) -> Tensor:
        """Logits of one batch."""
        image = ((grey - self.mean) / self.std).expand(-1, 3, -1, -1)
        logits: Tensor = self.head(self.backbone(image))
        return logits


def batches(n: int, epoch: int) -> Iterator[Tensor]:
    """Whole batches of an epoch, in an order that depends on seed and epoch alone."""
    order = torch.from_numpy(np.random.default_rng((SEED, epoch)).permutation(n))
    for i in range(n // BATCH):
        yield order[i * BATCH : (i + 1) * BATCH]


def rate(update: int, n_updates: int) -> float:
    """Share of the peak learning rate: linear warm-up, then a cosine to a hundredth."""
    if update < WARM_UP:
        return (update + 1) / WARM_UP
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (update - WARM_UP) / max(n_updates - WARM_UP, 1)))


@torch.inference_mode()
def logits_of(network: nn.Module, grey: Tensor, side: int, *, mirrored: bool = False) -> NDArray[np.float32]:
    """Logits (N, K) of faces enlarged to a side; with ``mirrored`` the mean with those of the mirror image."""
    network.eval()
    parts = []
    for batch in grey.split(256):
        image = enlarged(batch, side)
        logits = network(image)
        parts.append((logits + network(image.flip(3))) / 2 if mirrored else logits)
    return torch.cat(parts).numpy()


def _score(network: nn.Module, faces: Faces, side: int, *, mirrored: bool = False) -> dict[str, float]:
    y, logits = faces.y.numpy(), logits_of(network, faces.grey, side, mirrored=mirrored)
    confusion = confusion_matrix(y, logits.argmax(1), logits.shape[1])
    return {"accuracy": float(np.trace(confusion) / confusion.sum()), "macro_f1": float(macro_f1(confusion))}


def train(faces: dict[str, Faces], n_classes: int, folder: Path) -> nn.Module:
    """Train, a line an epoch; goes on from ``last.pt`` where there is one. Gives the averaged network."""
    torch.manual_seed(SEED)
    network = FaceNetwork(_trainable(), n_classes)
    average = ModelEmaV3(network, decay=EMA_DECAY, use_warmup=True)
    groups = [
        {"params": list(network.backbone.parameters()), "factor": 1.0},
        {"params": list(network.head.parameters()), "factor": HEAD_FACTOR},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, weight_decay=WEIGHT_DECAY)
    sides = [side for side, epochs in STAGES for _ in range(epochs)]
    first = _resume(folder, network, average, optimizer)
    # It fuses normalisation and activations, which makes an update a third faster on a CPU. Sizes are compiled one by
    # one: for sizes left open it takes longer than the training.
    compiled: Any = torch.compile(network, dynamic=False)
    for epoch in range(first, len(sides)):
        start = time.monotonic()
        told = _epoch(compiled, average, optimizer, faces["train"], epoch, sides)
        told |= _score(average.module, faces["val"], sides[epoch])
        row = {"epoch": epoch + 1, "side": sides[epoch], "seconds": time.monotonic() - start} | told
        print(json.dumps({k: round(v, 4) for k, v in row.items()}), flush=True)
        _save(folder, network, average, optimizer, epoch + 1)
    return average.module


def _epoch(
    network: Any, average: ModelEmaV3, optimizer: Any, faces: Faces, epoch: int, sides: list[int]
) -> dict[str, float]:
    """One pass over the training faces; gives loss and accuracy on them as they were augmented."""
    torch.manual_seed(SEED * 1_000_003 + epoch)
    network.train()
    per_epoch, loss_sum, right = len(faces.y) // BATCH, 0.0, 0
    for i, chosen in enumerate(batches(len(faces.y), epoch)):
        update = epoch * per_epoch + i
        for group in optimizer.param_groups:
            group["lr"] = PEAK_RATE * group["factor"] * rate(update, per_epoch * len(sides))
        logits, y = network(augmented(faces.grey[chosen], sides[epoch])), faces.y[chosen]
        loss = functional.cross_entropy(logits, y, label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimizer.step()
        average.update(network._orig_mod, step=update)
        loss_sum, right = loss_sum + loss.item(), right + int((logits.argmax(1) == y).sum())
    return {"train_loss": loss_sum / per_epoch, "train_accuracy": right / per_epoch / BATCH}


def _trainable() -> Backbone:
    backbone = load_backbone()
    backbone.module.requires_grad_(True)
    blocks: list[Any] = [block for stage in backbone.module.blocks for block in stage]  # type: ignore[union-attr]
    for i, block in enumerate(blocks):  # stochastic depth, more of it the deeper the block
        if block.has_skip:
            block.drop_path = _drop_path(DROP_PATH * i / len(blocks))
    return backbone


def _drop_path(share: float) -> nn.Module:
    from timm.layers import DropPath

    return DropPath(share)


def _save(folder: Path, network: nn.Module, average: ModelEmaV3, optimizer: Any, epoch: int) -> None:
    state = {
        "network": network.state_dict(),
        "average": average.module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
    }
    torch.save(state, folder / "last.partial")
    os.replace(folder / "last.partial", folder / "last.pt")


def _resume(folder: Path, network: nn.Module, average: ModelEmaV3, optimizer: Any) -> int:
    path = folder / "last.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.module.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epoch"])


def finish(network: nn.Module, labels: tuple[str, ...], faces: dict[str, Faces], seen: list[str]) -> None:
    """Score the network on the test part, once, and write what mien ships."""
    side = STAGES[-1][0]
    test = faces["test"]
    half = {name: np.array([name in path for path in test.paths]) for name in ("PublicTest", "PrivateTest")}
    parts = {"test": np.ones(len(test.y), bool), "private": half["PrivateTest"], "public": half["PublicTest"]}
    about: dict[str, Any] = {"labels": labels, "size": side, "train": len(faces["train"].y), "val": len(faces["val"].y)}
    about["validation"] = _score(network, faces["val"], side)
    logits = {mirrored: logits_of(network, test.grey, side, mirrored=mirrored) for mirrored in (False, True)}
    for name, chosen in parts.items():
        y = test.y.numpy()[chosen]
        plain, both = (score(y, logits[m][chosen].argmax(1), labels) for m in (False, True))
        about[name] = scores_json(plain) | {"mirrored": {"accuracy": both.accuracy, "macro_f1": both.macro_f1}}
    state = {
        name.removeprefix("backbone."): v for name, v in network.state_dict().items() if name.startswith("backbone.")
    }
    halved = {name: (v.half() if v.is_floating_point() and v.ndim > 1 else v).contiguous() for name, v in state.items()}
    contract = {"size": side, "collections": ["ImageNet-1k", "fer2013"], "licence": LICENCE}
    safetensors.torch.save_file(halved, shipped("expression.safetensors"), metadata={"mien": json.dumps(contract)})
    shipped("expression.hashes").write_bytes(bytes.fromhex("".join(sorted({sha[:HASH_LENGTH] for sha in seen}))))
    shipped("expression.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read, train, score, write."""
    zip_file, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    labels, faces, seen = read_faces(zip_file, folder / "data")
    finish(train(faces, len(labels), folder), labels, faces, seen)


if __name__ == "__main__":
    main()
