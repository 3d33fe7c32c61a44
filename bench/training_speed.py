"""Images per second in training: the course notebook's procedure beside mien's, in one process, in turns.

Both train the same network at the same size with the same augmentation. The notebook's way decodes each photo in
every epoch with torchvision v2 in two worker processes and computes in fp32. Ours reads pixels that were decoded
once, augments the batch, and computes channels-last in the precision that ``auto`` comes to on this processor.

    python bench/training_speed.py [DATA]     DATA: a zip or folder with a folder per class; default: the real
                                              photos beside the checkout, or else the drawn demo
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from mien.data.measuring.faces import FaceDetector
from mien.data.reading.intake import take_in
from mien.data.reading.pixels import Pixels, PixelWriter
from mien.data.reading.preprocess import View
from mien.data.sources import Source, open_source
from mien.data.tables.manifest import usable
from mien.models.networks import IMAGENET_MEAN, IMAGENET_STD, EmotionCNN, PhotoNetwork
from mien.settings.budget import Budget
from mien.settings.recipes import NOTEBOOK
from mien.settings.training import TrainSettings
from mien.training.batches import TrainingSet
from mien.training.fit import fit
from mien.training.precision import is_dense, multiplies_bf16, precision_by_rule

ROUNDS, WARM_UP, STEPS = 3, 3, 8
REAL = Path("../shared/data/six-emotions.zip")


def unpack(source: Source, folder: Path) -> ImageFolder:
    """The photos as files, the way the notebook reads them."""
    for file in source.files:
        if file.label is not None and file.ignored is None:
            path = folder / file.label / Path(file.path).name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read(file))
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(224, scale=(0.8, 1.0), antialias=True),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomRotation(10),
            v2.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.10),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    return ImageFolder(str(folder), transform, is_valid_file=readable)


def readable(path: str) -> bool:
    """Leave out the demo's planted defect, which would end the notebook's loop."""
    from PIL import Image

    try:
        Image.open(path).load()
    except OSError:
        return False
    return True


def notebook_rate(photos: ImageFolder) -> float:
    """Images per second of the notebook's loop."""
    loader = torch.utils.data.DataLoader(photos, batch_size=NOTEBOOK.batch_size, shuffle=True, num_workers=2)
    network = EmotionCNN(len(photos.classes)).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-5)
    criterion = nn.CrossEntropyLoss()
    done, started = 0, 0.0
    for step, (images, y) in enumerate(loader):
        if step == WARM_UP:
            started = time.perf_counter()
        optimizer.zero_grad()
        criterion(network(images), y).backward()
        optimizer.step()
        done += len(y) if step >= WARM_UP else 0
        if step + 1 == WARM_UP + STEPS:
            break
    return done / (time.perf_counter() - started)


def mien_rate(photos: TrainingSet, settings: TrainSettings, n_classes: int) -> float:
    """Images per second of mien's own training, Lightning and all."""
    network = PhotoNetwork(EmotionCNN(n_classes), IMAGENET_MEAN, IMAGENET_STD)
    ends: list[float] = []
    tick: Callable[[int], None] = lambda n: ends.append(time.perf_counter()) if n else None  # noqa: E731
    few = replace(photos, rows=photos.rows[:2], y=photos.y[:2])
    budget = Budget(updates=WARM_UP + STEPS)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            network,
            (photos, few),
            replace(settings, budget=budget),
            seed=0,
            n_classes=n_classes,
            device="cpu",
            folder=Path(folder),
            advance=tick,
        )
    return STEPS * settings.batch_size / (ends[WARM_UP + STEPS - 1] - ends[WARM_UP - 1])


def main() -> None:
    spec = sys.argv[1] if len(sys.argv) > 1 else str(REAL) if REAL.exists() else "demo"
    source = open_source(spec)
    view = View("photo", NOTEBOOK.size)
    with tempfile.TemporaryDirectory() as folder:
        photos = unpack(source, Path(folder) / "files")
        started = time.perf_counter()
        with PixelWriter(Path(folder) / "pixels", [view], len(source.files)) as writer:
            table = usable(take_in(source, [view], writer, FaceDetector()))
        seconds = time.perf_counter() - started
        print(f"{spec}: {len(table)} photos, read once with audit and face search in {seconds:.0f} s")
        y = np.unique(table["label"].to_numpy(), return_inverse=True)[1]
        ours = TrainingSet(Pixels(Path(folder) / "pixels"), view, table["row"].to_numpy(), y)
        network = PhotoNetwork(EmotionCNN(len(source.labels)), IMAGENET_MEAN, IMAGENET_STD)
        rule = precision_by_rule(bf16_units=multiplies_bf16("cpu"), dense=is_dense(network))
        settings = replace(NOTEBOOK, precision=rule)
        print(f"{NOTEBOOK.size} px, batch {NOTEBOOK.batch_size}; mien computes in {settings.precision}")
        ratios = []
        for i in range(ROUNDS):
            theirs, mine = notebook_rate(photos), mien_rate(ours, settings, len(source.labels))
            ratios.append(mine / theirs)
            print(f"round {i + 1}: notebook {theirs:.1f} images/s, mien {mine:.1f} images/s, ratio {ratios[-1]:.2f}")
        low, high = min(ratios), max(ratios)
        print(f"ratio of images per second: median {statistics.median(ratios):.2f}, from {low:.2f} to {high:.2f}")


if __name__ == "__main__":
    main()
