"""Photos of a study as a dataset of PyTorch, for people who train a network of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.fold_plan import divided_for, is_cross_validated
from mien.data.reading.pixels import Pixels, pixels_are_whole
from mien.data.reading.preprocess import View
from mien.data.tables.manifest import read_manifest, usable
from mien.data.tables.prepare import Prepared, further_view
from mien.data.tables.streamed import pixels_of_study, sets_of_study
from mien.errors import ConfigError, OutputError, ResultsError, SourceError, said_in_python
from mien.extras import extra
from mien.jobs.handles import Study
from mien.labels import class_indices
from mien.progress import Silent
from mien.settings.study import StudySettings
from mien.settings.toml import read_toml
from mien.settings.views import ViewName, named_view
from mien.system.paths import user_path

with extra("train", "mien.FaceDataset"):
    import torch
    from torch import Tensor
    from torch.utils.data import Dataset

    from mien.training.batches import class_weights

__all__ = ["FaceDataset"]

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class FaceDataset(Dataset[tuple[Any, int]]):  # type: ignore[explicit-any]  # whatever a transform makes
    """One split of a study, for training a network of your own: audited, divided and read as the study did.

    An item is ``(pixels, class)``: a uint8 tensor (3, S, S), RGB from 0 to 255, or what ``transform`` makes of it;
    and the place of its class in ``classes``. It goes into a ``DataLoader``, also with workers. Give what was trained
    to ``mien.wrap`` with the same ``classes`` and ``view``.

    No photo of ``test`` has a copy, nor another photo of its person where people are known, in ``train`` or ``val``.
    Read ``test`` once, when everything is decided: a score on photos by which anything was chosen is too high.

    Attributes:
        classes: (K,) their names, in the order of the study's own models.
        split: of the study.

    Example:
        >>> photos = mien.FaceDataset(study, "train", view="face-64")
        >>> pixels, labels = next(iter(torch.utils.data.DataLoader(photos, batch_size=8, shuffle=True)))
        >>> tuple(pixels.shape), pixels.dtype
        ((8, 3, 64, 64), torch.uint8)
    """

    @said_in_python()
    def __init__(  # type: ignore[explicit-any]  # whatever a transform makes
        self,
        study: Study | str | Path,
        split: Split = "train",
        transform: Callable[[Tensor], Any] | None = None,
        *,
        view: str = "face",
        size: int | None = None,
        fold: int | None = None,
    ) -> None:
        """Open a split.

        Args:
            study: a study, or its folder; of one that was interrupted the photos must have been divided.
            split: ``train``, ``val``, or ``test``, which is never the default.
            transform: is given each uint8 tensor (3, S, S).
            view: ``face``, ``photo`` or ``scene``, also with a size, as in ``face-64``.
            size: side of the pictures, px; by default the largest that the study looked at. What it did not keep is
                made from the photos once, and kept in the study's folder.
            fold: of a study with folds, the one whose photos are ``test``, from 1.

        Raises:
            ConfigError: for an argument out of range.
            ResultsError: if it is no study.
            SourceError: if a size is asked for that was not kept, and the photos have changed or are gone.
            OutputError: if a file of the study is damaged, or the disk is full.
        """
        if split not in SPLITS:
            told = "; score photos from elsewhere with mien.evaluate" if str(split) == "target" else ""
            raise ConfigError(f"split={split!r}: choose from {', '.join(SPLITS)}{told}")
        name, side = named_view(view, size)
        folder = study.folder if isinstance(study, Study) else user_path(study, "study")
        config = _settings_of(folder)
        manifest = read_manifest(folder / "manifest.parquet")
        divided = _divided(manifest, folder, fold, config.randomness.seed)
        self.split, self.transform = split, transform
        self.classes = _classes(study, divided)
        self._view, self._pixels = _opened(folder, manifest, (name, side))
        kept = usable(divided).filter(pl.col("split") == split, pl.col("label").is_not_null())
        self.rows = kept
        self._places: NDArray[np.int64] = kept["row"].to_numpy().astype(np.int64)
        self._classes: list[int] = class_indices(kept["label"], self.classes).tolist()

    rows: pl.DataFrame
    """One row per item, in their order, with ``path``, ``label``, ``group`` and what else the study's manifest says."""

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> tuple[Any, int]:  # type: ignore[explicit-any]  # whatever a transform makes
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {len(self)}")
        return self.__getitems__([index])[0]

    @said_in_python()
    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, int]]:  # type: ignore[explicit-any]  # whatever a transform makes
        """Several items, which are read at once; a ``DataLoader`` asks so."""
        found = self._pixels.read(self._view, self._places[np.asarray(indices, np.int64)])
        pictures = torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()
        shown = pictures if self.transform is None else map(self.transform, pictures)
        return [(each, self._classes[i]) for each, i in zip(shown, indices, strict=True)]

    def __repr__(self) -> str:
        return f"<FaceDataset {self.split}: {len(self)} photos of {len(self.classes)} classes, {self.view}>"

    @property
    def view(self) -> str:
        """What the pictures show, and their side in pixels, as ``mien.wrap`` takes it, such as ``face-112``."""
        return self._view.key

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) the place of each item's class in ``classes``."""
        return np.array(self._classes, np.int64)

    @cached_property
    def class_counts(self) -> dict[str, int]:
        """Class → its items."""
        counts = np.bincount(self.labels, minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    @property
    def class_weights(self) -> Tensor:
        """(K,) by which a loss counts every class alike; their mean over the items is 1."""
        if not len(self):
            return torch.ones(len(self.classes))
        return torch.from_numpy(class_weights(self.labels, len(self.classes)))

    @property
    def sample_weights(self) -> Tensor:
        """(N,) the weight of each item's class, for ``WeightedRandomSampler``."""
        return self.class_weights[torch.from_numpy(self.labels)]


def _settings_of(folder: Path) -> StudySettings:
    if not (folder / "study.toml").is_file() or not (folder / "manifest.parquet").is_file():
        raise ResultsError(f"{folder}: no study; give a folder that mien.study wrote, or the study itself")
    settings: StudySettings = read_toml(StudySettings, folder / "study.toml")
    return settings


def _divided(manifest: pl.DataFrame, folder: Path, fold: int | None, seed: int) -> pl.DataFrame:
    """The manifest with the splits to take."""
    if not is_cross_validated(manifest):
        if fold is not None:
            raise ConfigError(f"fold={fold}: {folder} has no folds; leave it out")
        if manifest["split"].null_count() == len(manifest):
            raise ResultsError(f"{folder}: its photos are not divided yet; go on with resume=True")
        return manifest
    last = max(manifest["fold"].drop_nulls().to_list(), default=0)
    if fold is None or isinstance(fold, bool) or not 1 <= fold <= last:
        raise ConfigError(f"fold={fold}: {folder} has folds; give the one whose photos are test, from 1 to {last}")
    return divided_for(manifest, fold, seed)


def _classes(study: Study | str | Path, manifest: pl.DataFrame) -> tuple[str, ...]:
    """In the order of the study's models, which is by name."""
    if isinstance(study, Study):
        return study.results.labels
    own = manifest.filter(pl.col("split").is_in(SPLITS))
    return tuple(sorted(own["label"].drop_nulls().unique()))


def _opened(folder: Path, manifest: pl.DataFrame, asked: tuple[ViewName, int | None]) -> tuple[View, Pixels]:
    """The view, and its pixels."""
    name, side = asked
    kept = pixels_of_study(folder, manifest)
    view = kept.largest(name) if side is None else View(name, side)
    if view is None:
        raise ConfigError(f"view={name!r}: the study looked at {', '.join(kept.keys)}; say how large, as in {name}-112")
    if view.key in kept.keys and kept.are_kept:
        if not pixels_are_whole(folder / "pixels", [view], len(manifest)):
            raise OutputError(f"{folder / 'pixels'}: damaged; the study makes it again with --resume")
        return view, kept
    try:
        sets = sets_of_study(folder)
    except SourceError as error:
        raise SourceError(f"{view.key}: not kept by the study, and made of its photos; {error}") from error
    further = folder / "further" / view.key
    return view, further_view(sets, Prepared(manifest, kept), view, further, progress=Silent())
