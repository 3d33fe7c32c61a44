"""The networks. Each takes uint8 pixels (N, H, W, 3) and normalises them itself.

Normalisation is part of the network, so that training, evaluation, ONNX and the app cannot disagree on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "EmotionCNN",
    "Ensemble",
    "PhotoNetwork",
    "PixelInput",
    "StagedFeatures",
    "TwoStreamFeatures",
    "TwoStreamNetwork",
    "as_one",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)


class PixelInput(nn.Module):
    """uint8 (N, H, W, 3) or floats in [0, 1] (N, 3, H, W) → normalised floats (N, 3, H, W).

    A (N, H, W, 3) array seen as (N, 3, H, W) is already in channels-last memory, so nothing is copied. With ``is_grey``
    the three channels are all the luma (ITU-R BT.601), for networks that never saw colour.
    """

    mean: Tensor
    std: Tensor
    luma: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], *, is_grey: bool = False) -> None:
        super().__init__()
        self.is_grey = is_grey
        self.register_buffer("luma", torch.tensor(LUMA).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalise one batch."""
        if pixels.dtype == torch.uint8:
            pixels = pixels.permute(0, 3, 1, 2).float() / 255
        if self.is_grey:
            pixels = (pixels * self.luma).sum(1, keepdim=True)
        return (pixels - self.mean) / self.std


def _block(channels_in: int, channels_out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(dropout),
    )


class EmotionCNN(nn.Module):
    """Four convolutional blocks and a small head; 1,208,102 parameters for six classes.

    Takes normalised floats (N, 3, H, W), H and W at least 16, and returns logits (N, K).
    """

    def __init__(self, n_classes: int, *, dropout_scale: float = 1.0) -> None:
        super().__init__()
        widths, dropouts = (3, 32, 64, 128, 256), (0.2, 0.3, 0.4, 0.5)
        self.features = nn.Sequential(
            *(_block(i, o, p * dropout_scale) for i, o, p in zip(widths, widths[1:], dropouts, strict=False))
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.BatchNorm1d(128),
            nn.Dropout(0.5 * dropout_scale),
            nn.Linear(128, n_classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits (N, K) of normalised images."""
        logits: Tensor = self.head(self.features(image))
        return logits

    def parts(self) -> tuple[nn.Module, nn.Linear]:
        """Images → features (N, 128), and the linear layer behind them."""
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        return nn.Sequential(self.features, self.head[:-1]), last


class PhotoNetwork(nn.Module):
    """A network of one view: pixels (N, H, W, 3) uint8 → what its body gives, logits (N, K) or features (N, D)."""

    def __init__(self, body: nn.Module, mean: Sequence[float], std: Sequence[float], *, is_grey: bool = False) -> None:
        super().__init__()
        self.input = PixelInput(mean, std, is_grey=is_grey)
        self.body = body

    def forward(self, photo: Tensor) -> Tensor:
        """The body's answer to normalised pixels."""
        answer: Tensor = self.body(self.input(photo))
        return answer

    def parts(self) -> tuple[nn.Module, nn.Linear]:
        """Pixels → features (N, D), and the linear layer behind them, of a network whose body can be so divided."""
        body: Any = self.body
        features, head = body.parts()
        return nn.Sequential(self.input, features), head


class Ensemble(nn.Module):
    """Networks of one view whose logits are averaged: uint8 (N, H, W, 3) → logits (N, K).

    Averaged logits are the geometric mean of the probabilities, up to their sum. Over all members' features they are
    one linear layer.
    """

    def __init__(self, members: Sequence[PhotoNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, photo: Tensor) -> Tensor:
        """Mean logits (N, K) of photos."""
        return torch.stack([member(photo) for member in self.members]).mean(0)


def as_one(members: Sequence[PhotoNetwork]) -> PhotoNetwork | Ensemble:
    """The one network there is, or the ensemble of several; so their weights are named in a file."""
    return members[0] if len(members) == 1 else Ensemble(members)


class StagedFeatures(nn.Module):
    """A network of timm's EfficientNet kind → the means of its stages, then its own features (N, D).

    The last layer of a network that was trained long on one task tells that task's classes and forgets the rest;
    earlier stages still hold it (Evci et al., "Head2Toe", 2022). ``pain`` is no class of FER2013.
    """

    def __init__(self, network: nn.Module, first: int) -> None:
        """Take the means from the stage ``first`` on, counted from 0."""
        super().__init__()
        self.network: Any = network
        self.first = first

    def forward(self, image: Tensor) -> Tensor:
        """Features of normalised images (N, 3, H, W)."""
        maps = self.network.bn1(self.network.conv_stem(image))
        means = []
        for i, stage in enumerate(self.network.blocks):
            maps = stage(maps)
            if i >= self.first:
                means.append(maps.mean((2, 3)))
        own = self.network.forward_head(self.network.bn2(self.network.conv_head(maps)))
        return torch.cat([*means, own], dim=1)


class TwoStreamFeatures(nn.Module):
    """The whole photo and the face, each through a backbone: uint8 (N, H, W, 3) each → joined features (N, D + D').

    Args:
        photo: network of the photo view, pixels → features (N, D).
        face: network of the face view, pixels → features (N, D'); may be the same one.
    """

    def __init__(self, photo: PhotoNetwork, face: PhotoNetwork) -> None:
        super().__init__()
        self.photo = photo
        self.face = face

    def forward(self, photo: Tensor, face: Tensor) -> Tensor:
        """Joined features (N, D + D'); the two views may differ in size."""
        return torch.cat([self.photo(photo), self.face(face)], dim=1)


class TwoStreamNetwork(nn.Module):
    """Features of photo and face, then a linear head: uint8 (N, H, W, 3) each → logits (N, K).

    Args:
        features: of both, (N, D).
        head: for pictures with a scene.
        face_head: for pictures whose first view is of one colour, as the scene of a face crop is; None takes ``head``.
    """

    def __init__(self, features: nn.Module, head: nn.Linear, face_head: nn.Linear | None = None) -> None:
        super().__init__()
        self.features = features
        self.head = head
        self.face_head = face_head

    def forward(self, photo: Tensor, face: Tensor) -> Tensor:
        """Logits (N, K) of photos and their faces."""
        features = self.features(photo, face)
        logits: Tensor = self.head(features)
        if self.face_head is None:
            return logits
        pixels = photo.flatten(1)
        return torch.where((pixels.amax(1) != pixels.amin(1))[:, None], logits, self.face_head(features))
