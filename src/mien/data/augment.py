"""Changes to training photos, on the whole batch at once; validation, test and use never see them."""

from __future__ import annotations

from collections.abc import Callable

import kornia.augmentation as ka
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mien.config import Augmentation

__all__ = ["augmentation"]

COARSEST, FINEST = 32, 64
"""Sides that photos are reduced to and enlarged from, px; faces of FER2013 have 48."""


def augmentation(name: Augmentation, size: int, grey_share: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function of image batches: floats (N, 3, H, W) in [0, 1] → the same shape and range.

    ``none`` leaves them as they are, but for the share that is shown without colour.
    ``notebook``: random resized crop of 80 to 100 % of the area, horizontal flip, rotation up to 10°, brightness and
    contrast ±15 %, saturation ±10 %; each photo of the batch is drawn for itself, from PyTorch's global generator.
    ``elsewhere``: what photos from other places differ in. Crop of 40 to 90 % of the area, horizontal flip, rotation
    up to 12°, brightness, contrast and saturation ±40 %; half of the photos without colour, and half of them as coarse
    as 32 to 64 px.
    """
    grey = {"none": grey_share, "notebook": grey_share, "elsewhere": max(grey_share, 0.5)}[name]
    steps = [ka.RandomGrayscale(p=grey)] if grey else []
    if name == "notebook":
        steps = [
            ka.RandomResizedCrop((size, size), scale=(0.8, 1.0)),
            ka.RandomHorizontalFlip(p=0.5),
            ka.RandomRotation(10.0, p=1.0),
            ka.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.10, hue=0.0, p=1.0),
            *steps,
        ]
    if name == "elsewhere":
        steps = [
            ka.RandomHorizontalFlip(p=0.5),
            ka.RandomRotation(12.0, p=1.0),
            ka.RandomResizedCrop((size, size), scale=(0.4, 0.9), ratio=(0.85, 1.18)),
            ka.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0, p=1.0),
            *steps,
        ]
    if not steps:
        return lambda images: images
    changed = ka.AugmentationSequential(*steps, data_keys=["input"])
    return (lambda images: _partly_coarse(changed(images))) if name == "elsewhere" else changed


def _partly_coarse(images: Tensor) -> Tensor:
    """Half of the photos (N, 3, H, W) reduced to one side, drawn for the batch, and enlarged again."""
    side = int(torch.randint(COARSEST, FINEST + 1, ()))
    reduced = interpolate(images, (side, side), mode="bilinear", antialias=True)
    coarse = interpolate(reduced, images.shape[-2:], mode="bilinear")
    return torch.where((torch.rand(len(images), device=images.device) < 0.5)[:, None, None, None], coarse, images)
