"""Features on the disk, in parts that are written as they are computed and read through memory maps.

A part is an array of records, the sha256 of a photo beside its features. It is whole or not there, so a command that is
stopped loses at most the part it was at; and it is named by the photos in it, so that processes that compute the same
ones write the same file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.system.files import regular
from mien.system.sums import damage, kept_whole

__all__ = ["PHOTOS_A_PART", "FeatureParts"]

PHOTOS_A_PART = 2_000
"""Photos whose features are written together: 20 MB of a network of 1,280 features, half a minute to some minutes."""
SHA256 = "sha256"
Features = NDArray[np.float32]


class FeatureParts:
    """The features of one backbone and view, of the photos that were computed so far."""

    def __init__(self, folder: Path, name: str) -> None:
        """Look at what is there; parts that are damaged count as not there, and their photos are computed again.

        Args:
            folder: of the parts; made when the first is written.
            name: that those of this backbone and view begin with.
        """
        self._folder, self._name = folder, name
        self._parts: list[Path] = []
        self._known = pl.DataFrame(schema={SHA256: pl.String, "place": pl.Int64})
        self._width = 0
        for path in sorted(folder.glob(f"{name}.*.npy")):
            if (part := _opened(path)) is not None and self._width in (0, part["features"].shape[1]):
                self._add(path, part)

    def missing(self, photos: pl.DataFrame) -> pl.DataFrame:
        """Photos, each content once, whose features are not there yet; in their order.

        Args:
            photos: column ``sha256``.
        """
        return photos.unique(SHA256, maintain_order=True).join(self._known, on=SHA256, how="anti")

    def append(self, contents: Sequence[str], features: Features) -> None:
        """Keep the features (n, D) of photos, whose sha256 are given."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = np.empty(len(contents), _record(features.shape[1]))
        part[SHA256], part["features"] = np.array(contents, "S64"), features
        digest = hashlib.sha256(part[SHA256].tobytes()).hexdigest()
        path = self._folder / f"{self._name}.{digest[:16]}.npy"
        with kept_whole(path, by_several=True) as partial, partial.open("wb") as file:
            np.save(file, part)
        self._add(path, part)

    def of(self, contents: pl.Series) -> Features:
        """Features (N, D) of photos that are all there, by their sha256; only these are read."""
        wanted = pl.DataFrame({SHA256: contents}).with_row_index("at").join(self._known, on=SHA256, how="left")
        wanted = wanted.sort("place", "at")
        places, at = wanted["place"].to_numpy(), wanted["at"].to_numpy()
        found = np.empty((len(places), self._width), np.float32)
        for first, part in self._each():
            some = slice(*np.searchsorted(places, (first, first + len(part))))
            found[at[some]] = part["features"][places[some] - first]
        return found

    def _each(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Each part with the place of its first photo; one is open at a time, for there may be thousands."""
        first = 0
        for path in self._parts:
            part = np.load(path, mmap_mode="r")
            yield first, part
            first += len(part)

    def _add(self, path: Path, part: NDArray[Any]) -> None:
        self._parts.append(path)
        self._width = part["features"].shape[1]
        first = self._total
        places = np.arange(first, first + len(part), dtype=np.int64)
        new = pl.DataFrame({SHA256: part[SHA256].astype(str), "place": places})
        self._known = pl.concat([self._known, new.join(self._known, on=SHA256, how="anti")])
        self._total = first + len(part)

    _total = 0


def _record(width: int) -> np.dtype[np.void]:
    return np.dtype([(SHA256, "S64"), ("features", np.float32, (width,))])


def _opened(path: Path) -> NDArray[Any] | None:
    """A part, memory-mapped; None where it is damaged or no part."""
    if damage(path):
        return None
    try:
        part = np.load(regular(path), mmap_mode="r", allow_pickle=False)
        width = part.dtype["features"].shape[0]
        return part if part.ndim == 1 and part.dtype == _record(width) else None
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        return None
