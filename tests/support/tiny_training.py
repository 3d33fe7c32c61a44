"""A training of a small network on noise, in no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.models.networks import IMAGENET_MEAN, IMAGENET_STD, EmotionCNN, PhotoNetwork
from mien.settings.budget import Budget
from mien.settings.training import TrainSettings
from mien.training.batches import TrainingSet
from mien.training.fit import fit


class DrawnPixels(Pixels):
    """Stands in for the arrays on disk."""

    def __init__(self, count: int, size: int) -> None:
        self._array = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)

    def read(self, view: View, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        return np.asarray(self._array[rows])


def noise(size: int = 32) -> tuple[TrainingSet, TrainingSet]:
    """Of three classes: 20 pictures of ``size`` px to train on, and 8 to validate on."""
    pixels, view = DrawnPixels(28, size), View("photo", size)
    train, val = (TrainingSet(pixels, view, rows, rows % 3) for rows in (np.arange(20), np.arange(20, 28)))
    return train, val


def trained(folder: Path, epochs: int, **changes: Any) -> torch.nn.Module:
    return trained_on(noise(), folder, epochs, **changes)


def trained_on(
    splits: tuple[TrainingSet, TrainingSet], folder: Path, epochs: int, *, device: str = "cpu", **changes: Any
) -> torch.nn.Module:
    usual: dict[str, Any] = {
        "size": 32,
        "batch_size": 8,
        "budget": Budget(epochs=epochs),
        "precision": "fp32",
        "stop_patience": 2,
    }
    settings = TrainSettings(**usual | changes)
    torch.manual_seed(1)
    network = PhotoNetwork(EmotionCNN(3, dropout_scale=settings.dropout_scale), IMAGENET_MEAN, IMAGENET_STD)
    folder.mkdir(exist_ok=True)
    return fit(network, splits, settings, seed=1, n_classes=3, device=device, folder=folder, advance=lambda n: None)


def same_weights(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
