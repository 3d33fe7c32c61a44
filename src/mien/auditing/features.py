"""Frozen ImageNet features of photos, by which the audit judges labels and drawings: the probe's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.progress import Progress
from mien.settings.training import HeadSettings

__all__ = ["PHOTO", "VIEWS", "photo_features"]

SETTINGS = HeadSettings()
PHOTO = View("photo", SETTINGS.photo_size)
VIEWS = (PHOTO, View("face", SETTINGS.face_size))


def photo_features(pixels: Pixels, photos: pl.DataFrame, folder: Path, progress: Progress) -> NDArray[np.float32]:
    """Features (N, 2560) of photos, those of the whole photo before those of the face.

    Args:
        photos: columns ``row`` and ``sha256``.
        folder: where features are kept.

    Raises:
        ModuleNotFoundError: without the packages that training needs.
    """
    from mien.models.backbones import load_backbone
    from mien.models.exports import export_backbones
    from mien.training.features import FeatureCache, Wanted

    backbone, cache = load_backbone(SETTINGS.photo_backbone), FeatureCache(folder, pixels)
    export_backbones([(backbone, view.size) for view in VIEWS], folder, progress)
    with progress.step("look at photos and faces", len(VIEWS) * len(photos), "views") as advance:
        return np.concatenate(cache.of_several([Wanted(backbone, view) for view in VIEWS], photos, advance), axis=1)
