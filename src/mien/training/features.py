"""Features of frozen backbones, computed once for each content and kept on disk.

They come from ONNX Runtime, which runs these networks several times faster on a CPU than PyTorch
(docs/ARCHITECTURE.md); on a GPU, for training alone, from PyTorch, whose numbers differ in the last digits and are kept
apart.
"""

from __future__ import annotations

import copy
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.measuring.runtime import open_session
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.data.reading.processes import spread
from mien.models.backbones import Backbone
from mien.models.exports import exported
from mien.models.seal import MAX_MODEL_BYTES
from mien.progress import Advance
from mien.system.files import open_regular, read_file
from mien.system.sums import damage, kept_whole

__all__ = ["Extractor", "FeatureCache"]

BATCH = 8
"""Photos at a time: 32 take 300 MB more, no less time, and give the same numbers bit for bit."""
GPU_BATCH = 64
TOGETHER = 32
"""Photos that are a piece of work on a cluster."""
Features = NDArray[np.float32]
Network = Callable[[NDArray[np.uint8]], Features]
"""Pixels (n, S, S, 3) → features (n, D)."""


class FeatureCache:
    """Features by backbone, view and the sha256 of the photo: 5 kB each for a network of 1,280 features.

    The backbones stand beside them as ONNX models, for to make one takes seconds.
    """

    def __init__(self, folder: Path, pixels: Pixels, *, torch_device: str | None = None) -> None:
        """Keep features in a folder, of photos whose pixels stand in ``pixels``.

        Args:
            torch_device: what PyTorch computes them on, as in ``cuda``; None leaves them to ONNX Runtime.
        """
        self._folder, self._pixels, self._device = folder, pixels, torch_device

    def of(
        self,
        backbone: Backbone,
        view: View,
        photos: pl.DataFrame,
        advance: Advance = lambda n: None,
        *,
        mirrored: bool = False,
    ) -> Features:
        """Features (N, D) of photos.

        Args:
            photos: columns ``row``, the place of their pixels, and ``sha256``.
            advance: called with the number of photos done.
            mirrored: of the photos with left and right exchanged.
        """
        ways = ("-mirrored" if mirrored else "") + ("-torch" if self._device else "")
        path = self._folder / f"{backbone.sha256[:12]}-{view.key}{ways}.npz"
        known = _read(path)
        distinct = photos.unique("sha256", maintain_order=True)
        missing = distinct.filter(~pl.col("sha256").is_in(list(known)))
        advance(len(photos) - len(missing))
        if len(missing):
            computed = self._compute(backbone, view, missing["row"].to_numpy(), advance, mirrored)
            known |= dict(zip(missing["sha256"], computed, strict=True))
            _write(known, path)
        return np.stack([known[content] for content in photos["sha256"]])

    def model(self, backbone: Backbone, size: int) -> Path:
        """The ONNX model of a backbone: pixels uint8 (n, size, size, 3) → features (n, D)."""
        return exported(backbone, size, self._folder)

    def _compute(
        self, backbone: Backbone, view: View, rows: NDArray[np.int64], advance: Advance, mirrored: bool
    ) -> Features:
        if self._device:
            extract: Extractor = _TorchExtractor(backbone, self._device, mirrored=mirrored)
            found: Iterator[Features] = map(extract, self._batches(view, rows, GPU_BATCH))
        else:
            extract = Extractor(read_file(self.model(backbone, view.size), MAX_MODEL_BYTES), mirrored=mirrored)
            found = spread(extract, self._batches(view, rows, TOGETHER), threads=1)
        parts = []
        for part in found:
            parts.append(part)
            advance(len(part))
        return np.concatenate(parts)

    def _batches(self, view: View, rows: NDArray[np.int64], together: int) -> Iterator[NDArray[np.uint8]]:
        for i in range(0, len(rows), together):
            yield self._pixels.read(view, rows[i : i + together])


class Extractor:
    """Pixels (N, S, S, 3) → features (N, D) by a frozen backbone; a copy in another process opens it there."""

    def __init__(self, model: bytes, *, mirrored: bool) -> None:
        """Extract features.

        Args:
            model: the backbone as ONNX.
            mirrored: of the pictures with left and right exchanged.
        """
        self._model, self._mirrored, self._batch = model, mirrored, BATCH

    def __getstate__(self) -> dict[str, object]:
        return {"_model": self._model, "_mirrored": self._mirrored, "_batch": self._batch}

    def __call__(self, pixels: NDArray[np.uint8]) -> Features:
        """Features of pixels that were rendered for the backbone."""
        step = self._batch
        return np.concatenate([self._of_batch(pixels[i : i + step]) for i in range(0, len(pixels), step)])

    def _of_batch(self, pixels: NDArray[np.uint8]) -> Features:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1]) if self._mirrored else pixels
        if self._nothing is None:
            self._nothing = self._network(np.zeros((1, *pixels.shape[1:]), np.uint8))
        part = np.tile(self._nothing, (len(pixels), 1))
        shows = pixels.any((1, 2, 3))  # a set of face crops has thousands of blank scenes
        if shows.any():
            part[shows] = self._network(pixels[shows])
        return part

    _nothing: Features | None = None
    """(1, D) of a black picture."""

    @cached_property
    def _network(self) -> Network:
        session = open_session(self._model)

        def run(pixels: NDArray[np.uint8]) -> Features:
            features: Features = session.run(None, {"pixels": pixels})[0]
            return features

        return run


class _TorchExtractor(Extractor):
    """The same network in 32 bits on a device; the backbone itself, which becomes the model file, stays where it is."""

    def __init__(self, backbone: Backbone, device: str, *, mirrored: bool) -> None:
        self._backbone, self._device, self._mirrored, self._batch = backbone, device, mirrored, GPU_BATCH

    @cached_property
    def _network(self) -> Network:
        import torch

        network = copy.deepcopy(self._backbone.network()).eval().to(self._device)

        def run(pixels: NDArray[np.uint8]) -> Features:
            with torch.inference_mode():
                features: Features = network(torch.from_numpy(pixels).to(self._device)).float().cpu().numpy()
            return features

        return run


def _read(path: Path) -> dict[str, Features]:
    """Features that are there; none of a damaged file, which are computed again."""
    if damage(path):
        return {}
    try:
        with open_regular(path) as file, np.load(file) as stored:
            return dict(zip(stored["sha256"].tolist(), stored["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return {}


def _write(known: dict[str, Features], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with kept_whole(path, by_several=True) as partial, partial.open("wb") as file:
        np.savez(file, sha256=np.array(list(known)), features=np.stack(list(known.values())))
