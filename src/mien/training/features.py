"""Features of frozen backbones, computed once for each content and kept on disk.

They come from ONNX Runtime, which runs these networks several times faster on a CPU than PyTorch
(docs/ARCHITECTURE.md); on a GPU, for training alone, from PyTorch, whose numbers differ in the last digits and are kept
apart.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from mien.system.files import read_file
from mien.training.feature_parts import PHOTOS_A_PART, FeatureParts, StoredFeatures

__all__ = ["Extractor", "FeatureCache", "Wanted"]

BATCH = 8
"""Photos at a time: 32 take 300 MB more, no less time, and give the same numbers bit for bit."""
GPU_BATCH = 64
TOGETHER = 32
"""Photos that are a piece of work on a cluster."""
Features = NDArray[np.float32]
Network = Callable[[NDArray[np.uint8]], Features]
"""Pixels (n, S, S, 3) → features (n, D)."""
Piece = tuple[dict[str, NDArray[np.uint8]], list[NDArray[np.bool_]]]
"""Views of some photos, and for each kind of features which of them it lacks."""


@dataclass(frozen=True)
class Wanted:
    """Features that are wanted of photos.

    Attributes:
        mirrored: of the photos with left and right exchanged.
    """

    backbone: Backbone
    view: View
    mirrored: bool = False

    @property
    def network(self) -> str:
        """Names the backbone at the size of the view."""
        return f"{self.backbone.sha256[:12]}-{self.view.key}"


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
        (found,) = self.of_several([Wanted(backbone, view, mirrored)], photos, advance)
        return found

    def of_several(
        self, wanted: Sequence[Wanted], photos: pl.DataFrame, advance: Advance = lambda n: None
    ) -> list[Features]:
        """Features (N, D) of each kind, in their order; arguments as for ``of``.

        Views that are made of the photos are all made at once, so that each photo is decoded once. Where they are
        kept, one kind comes after the other, for two networks at a time take more memory.
        """
        stores = [FeatureParts(self._folder, self._name(each)) for each in wanted]
        self._fill(wanted, stores, photos, advance)
        return [store.of(photos["sha256"]) for store in stores]

    def stored(
        self, wanted: Sequence[Wanted], photos: pl.DataFrame, advance: Advance = lambda n: None
    ) -> list[StoredFeatures]:
        """The same of many photos: in 16 bits, left on the disk; what stands there in 32 is not computed again."""
        stores = [FeatureParts(self._folder, self._name(each), in_half=True) for each in wanted]
        for each, store in zip(wanted, stores, strict=True):
            store.take(photos, FeatureParts(self._folder, self._name(each)))
        self._fill(wanted, stores, photos, advance)
        return [store.stored(photos["sha256"]) for store in stores]

    def _fill(
        self, wanted: Sequence[Wanted], stores: Sequence[FeatureParts], photos: pl.DataFrame, advance: Advance
    ) -> None:
        """Compute what is not there yet."""
        kinds = range(len(wanted))
        for some in [[i] for i in kinds] if self._pixels.are_kept else [list(kinds)]:
            missing = [stores[i].missing(photos) for i in some]
            advance(len(some) * len(photos) - sum(map(len, missing)))
            self._compute([(wanted[i], stores[i], lacks) for i, lacks in zip(some, missing, strict=True)], advance)

    def model(self, backbone: Backbone, size: int) -> Path:
        """The ONNX model of a backbone: pixels uint8 (n, size, size, 3) → features (n, D)."""
        return exported(backbone, size, self._folder)

    def _name(self, wanted: Wanted) -> str:
        ways = ("-mirrored" if wanted.mirrored else "") + ("-torch" if self._device else "")
        return f"{wanted.network}{ways}"

    def _compute(self, lacking: Sequence[tuple[Wanted, FeatureParts, pl.DataFrame]], advance: Advance) -> None:
        """Compute what each kind lacks, and keep it part by part."""
        lacking = [each for each in lacking if len(each[2])]
        if not lacking:
            return
        kinds = [wanted for wanted, _, _ in lacking]
        work = _Extractors({each.network: self._extractor(each) for each in kinds}, kinds)
        for part in _joined([photos for _, _, photos in lacking]).iter_slices(PHOTOS_A_PART):
            pieces = self._pieces({each.view.key: each.view for each in kinds}, part, len(kinds))
            done = list[list[Features]]()
            for piece in spread(work, pieces, threads=1) if self._device is None else map(work, pieces):
                done.append(piece)
                advance(sum(map(len, piece)))
            for i, (_, store, _) in enumerate(lacking):
                contents = part.filter(pl.col(str(i)))["sha256"].to_list()
                if contents:
                    store.append(contents, np.concatenate([piece[i] for piece in done if len(piece[i])]))

    def _extractor(self, wanted: Wanted) -> Extractor:
        if self._device:
            return _TorchExtractor(wanted.backbone, self._device)
        return Extractor(read_file(self.model(wanted.backbone, wanted.view.size), MAX_MODEL_BYTES))

    def _pieces(self, views: Mapping[str, View], photos: pl.DataFrame, n_kinds: int) -> Iterator[Piece]:
        """Some photos at a time: their views, and which of them each kind lacks."""
        for some in photos.iter_slices(GPU_BATCH if self._device else TOGETHER):
            seen = self._pixels.read_views(list(views.values()), some["row"].to_numpy())
            yield seen, [some[str(i)].to_numpy() for i in range(n_kinds)]


def _joined(lacking: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Photos that any kind lacks: ``row``, ``sha256``, and for each kind, by its place, whether it lacks them."""
    every = pl.concat([photos.select("row", "sha256") for photos in lacking]).unique("sha256", maintain_order=True)
    for i, photos in enumerate(lacking):
        marked = photos.select("sha256", pl.lit(True).alias(str(i)))
        every = every.join(marked, on="sha256", how="left", maintain_order="left")
    return every.with_columns(pl.col(str(i)).fill_null(False) for i in range(len(lacking)))


class _Extractors:
    """What several kinds of features of a photo are computed with, as one piece of work."""

    def __init__(self, networks: Mapping[str, Extractor], kinds: Sequence[Wanted]) -> None:
        self._networks = dict(networks)
        self._kinds = [(each.network, each.view.key, each.mirrored) for each in kinds]

    def __call__(self, piece: Piece) -> list[Features]:
        """Features of each kind, of the photos that it lacks."""
        views, lacks = piece
        return [
            self._networks[network](views[key][lack], mirrored=mirrored)
            for (network, key, mirrored), lack in zip(self._kinds, lacks, strict=True)
        ]


class Extractor:
    """Pixels (N, S, S, 3) → features (N, D) by a frozen backbone; a copy in another process opens it there."""

    def __init__(self, model: bytes) -> None:
        """Extract features.

        Args:
            model: the backbone as ONNX.
        """
        self._model, self._batch = model, BATCH

    def __getstate__(self) -> dict[str, object]:
        return {"_model": self._model, "_batch": self._batch}

    def __call__(self, pixels: NDArray[np.uint8], *, mirrored: bool = False) -> Features:
        """Features of pixels that were rendered for the backbone.

        Args:
            mirrored: of the pictures with left and right exchanged.
        """
        step = self._batch
        parts = [self._of_batch(pixels[i : i + step], mirrored) for i in range(0, len(pixels), step)]
        return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)

    def _of_batch(self, pixels: NDArray[np.uint8], mirrored: bool) -> Features:
        pixels = np.ascontiguousarray(pixels[:, :, ::-1]) if mirrored else pixels
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

    def __init__(self, backbone: Backbone, device: str) -> None:
        self._backbone, self._device, self._batch = backbone, device, GPU_BATCH

    @cached_property
    def _network(self) -> Network:
        import torch

        network = copy.deepcopy(self._backbone.network()).eval().to(self._device)

        def run(pixels: NDArray[np.uint8]) -> Features:
            with torch.inference_mode():
                features: Features = network(torch.from_numpy(pixels).to(self._device)).float().cpu().numpy()
            return features

        return run
