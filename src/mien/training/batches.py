"""Photos of a split as batches of pixels, in an order that depends on seed and epoch alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.settings.training import TrainSettings

__all__ = ["EpochOrder", "PhotoBatches", "TrainingSet", "class_weights"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingSet:
    """Photos of one split: where their pixels are and what they show.

    Attributes:
        rows: (N,) rows in the pixel arrays.
        y: (N,) class indices.
        shares: (N, K) of each class in what raters said, rows summing to 1, learnt in place of ``y``; None where there
            are no raters.
    """

    pixels: Pixels
    view: View
    rows: IntArray
    y: IntArray
    shares: NDArray[np.float32] | None = None


class PhotoBatches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """A list of positions → one batch: pixels uint8 (N, S, S, 3), class indices (N,), and what is learnt.

    What is learnt is the same indices, or shares (N, K) of the classes.
    """

    def __init__(self, photos: TrainingSet) -> None:
        self._photos = photos

    def __getitem__(self, positions: Any) -> tuple[Tensor, Tensor, Tensor]:
        photos = self._photos
        pixels = torch.from_numpy(photos.pixels.read(photos.view, photos.rows[positions]))
        y = torch.from_numpy(photos.y[positions])
        return pixels, y, y if photos.shares is None else torch.from_numpy(photos.shares[positions])


class EpochOrder(Sampler[list[int]]):
    """The batches of an epoch, in an order that depends on seed and epoch alone.

    It has no length on purpose: the last epoch of a budget in updates is shorter than the others. A single
    photo that would be left over joins the batch before it, because batch normalisation needs two.
    """

    def __init__(self, y: IntArray, settings: TrainSettings, seed: int) -> None:
        """Order the photos of classes ``y`` (N,); with the sampler, each class has the same chance of every place."""
        self._n, self._batch, self._updates, self._seed = len(y), settings.batch_size, settings.budget.updates, seed
        self._chances = _chances(y) if settings.balance == "sampler" else None
        self._epoch, n = 0, len(y)
        self.per_epoch = max(1, math.ceil(n / self._batch) - (n % self._batch == 1))

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng((self._seed, self._epoch))
        if self._chances is None:
            order = rng.permutation(self._n).tolist()
        else:
            order = rng.choice(self._n, self._n, p=self._chances).tolist()
        count = self.per_epoch
        if self._updates is not None:
            count = min(count, self._updates - self._epoch * self.per_epoch)
        for i in range(count):
            stop = (i + 1) * self._batch if i + 1 < self.per_epoch else self._n
            yield order[i * self._batch : stop]


def class_weights(y: IntArray, n_classes: int) -> NDArray[np.float32]:
    """Weights (K,) of the classes in a loss, the inverse of their photos; their mean over the photos is 1."""
    counts = np.bincount(y, minlength=n_classes)
    present = int((counts > 0).sum())
    return (len(y) / (present * np.maximum(counts, 1))).astype(np.float32)


def _chances(y: IntArray) -> NDArray[np.float64]:
    """How likely each photo (N,) is to be drawn so that every class is drawn as often."""
    weights = class_weights(y, int(y.max()) + 1)[y].astype(np.float64)
    return np.asarray(weights / weights.sum())
