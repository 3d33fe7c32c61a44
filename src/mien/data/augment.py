"""Changes to training photos, on the whole batch at once; validation, test and use never see them."""

from __future__ import annotations

from collections.abc import Callable

import kornia.augmentation as ka
from torch import Tensor

from mien.config import Augmentation

__all__ = ["augmentation"]


def augmentation(name: Augmentation, size: int, grey_share: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function of image batches: floats (N, 3, H, W) in [0, 1] → the same shape and range.

    ``none`` leaves them as they are, but for the share that is shown without colour.
    ``notebook``: random resized crop of 80 to 100 % of the area, horizontal flip, rotation up to 10°, brightness and
    contrast ±15 %, saturation ±10 %; each photo of the batch is drawn for itself, from PyTorch's global generator.
    """
    steps = [ka.RandomGrayscale(p=grey_share)] if grey_share else []
    if name == "notebook":
        steps = [
            ka.RandomResizedCrop((size, size), scale=(0.8, 1.0)),
            ka.RandomHorizontalFlip(p=0.5),
            ka.RandomRotation(10.0, p=1.0),
            ka.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.10, hue=0.0, p=1.0),
            *steps,
        ]
    return ka.AugmentationSequential(*steps, data_keys=["input"]) if steps else lambda images: images
