"""Changes to training photos, on the whole batch at once; validation, test and use never see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import kornia.augmentation as ka
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mien.settings.choices import augmentation_parts

__all__ = ["augmentation"]

COARSEST, FINEST = 32, 64
"""Sides that photos are reduced to and enlarged from, px; faces of FER2013 have 48."""


def augmentation(text: str, size: int, grey_share: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A function of image batches: floats (N, 3, H, W) in [0, 1] → the same shape and range.

    ``none`` leaves them as they are, but for the share that is shown without colour.
    ``notebook``: random resized crop of 80 to 100 % of the area, horizontal flip, rotation up to 10°, brightness and
    contrast ±15 %, saturation ±10 %; each photo of the batch is drawn for itself, from PyTorch's global generator.
    ``elsewhere``: what photos from other places differ in. Horizontal flip, rotation up to 12°, crop of 40 to 90 % of
    the area, brightness, contrast and saturation ±40 %; half of the photos without colour, and half of them as coarse
    as 32 to 64 px.

    Args:
        text: one of these names, with ``-PART`` behind it for parts left out, as in ``notebook-flip``.
        size: side of the square that a crop is enlarged to, px.
        grey_share: share of the photos shown without colour, whatever the augmentation.

    Raises:
        ConfigError: if there is no such augmentation.
    """
    parts, made = augmentation_parts(text), _KINDS[text.split("-")[0]](size)
    steps = [made[part] for part in parts if part in made]
    if share := max(grey_share, 0.5 * ("grey" in parts)):
        steps.append(ka.RandomGrayscale(p=share))
    changed: nn.Module = ka.AugmentationSequential(*steps, data_keys=["input"]) if steps else nn.Identity()
    return (lambda images: _partly_coarse(changed(images))) if "coarse" in parts else changed


def _of_notebook(size: int) -> Mapping[str, Any]:
    return {
        "crop": ka.RandomResizedCrop((size, size), scale=(0.8, 1.0)),
        "flip": ka.RandomHorizontalFlip(p=0.5),
        "rotation": ka.RandomRotation(10.0, p=1.0),
        "colour": ka.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.10, hue=0.0, p=1.0),
    }


def _of_elsewhere(size: int) -> Mapping[str, Any]:
    """But for what follows colour."""
    return {
        "flip": ka.RandomHorizontalFlip(p=0.5),
        "rotation": ka.RandomRotation(12.0, p=1.0),
        "crop": ka.RandomResizedCrop((size, size), scale=(0.4, 0.9), ratio=(0.85, 1.18)),
        "colour": ka.ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.0, p=1.0),
    }


_KINDS: dict[str, Callable[[int], Mapping[str, Any]]] = {
    "none": lambda size: {},
    "notebook": _of_notebook,
    "elsewhere": _of_elsewhere,
}


def _partly_coarse(images: Tensor) -> Tensor:
    """Half of the photos (N, 3, H, W) reduced to one side, drawn for the batch, and enlarged again."""
    side = int(torch.randint(COARSEST, FINEST + 1, ()))
    reduced = interpolate(images, (side, side), mode="bilinear", antialias=True)
    coarse = interpolate(reduced, images.shape[-2:], mode="bilinear")
    return torch.where((torch.rand(len(images), device=images.device) < 0.5)[:, None, None, None], coarse, images)
