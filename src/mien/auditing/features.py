"""Frozen ImageNet features of photos, by which the audit judges labels and drawings: the probe's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.config import ProbeSettings
from mien.data.pixels import Pixels
from mien.data.preprocess import View
from mien.progress import Advance

__all__ = ["VIEWS", "photo_features"]

SETTINGS = ProbeSettings()
VIEWS = (View("photo", SETTINGS.photo_size), View("face", SETTINGS.face_size))


def photo_features(pixels: Pixels, rows: NDArray[np.int64], advance: Advance) -> NDArray[np.float32]:
    """Features (N, 2560) of photos, those of the whole photo before those of the face.

    Raises:
        ModuleNotFoundError: without the packages that training needs.
    """
    from mien.models.backbones import load_backbone
    from mien.models.export import to_onnx
    from mien.models.networks import TwoStreamFeatures
    from mien.training.probe import compute_features

    backbone = load_backbone(SETTINGS.backbone)
    model = to_onnx(TwoStreamFeatures(backbone.module, backbone.mean, backbone.std), VIEWS, "features")
    return compute_features(model, VIEWS, pixels, rows, advance)
