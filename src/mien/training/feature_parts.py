"""Features on the disk, in parts that are written as they are computed and read through memory maps.

A part is an array of records, the sha256 of a photo beside its features. It is whole or not there, so a command that is
stopped loses at most the part it was at; and it is named by the photos in it, so that processes that compute the same
ones write the same file. Of many photos, features are kept in 16 bits and never all read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.errors import OutputError
from mien.system.files import regular
from mien.system.sums import damage, kept_whole

__all__ = [
    "PHOTOS_A_PART",
    "FeatureParts",
    "Features",
    "Kept",
    "StoredFeatures",
    "are_many",
    "read_rows",
    "side_by_side",
]

PHOTOS_A_PART = 2_000
"""Photos whose features are written together: 20 MB of a network of 1,280 features, half a minute to some minutes."""
MANY = 40_000
"""Photos of a collection from which on features are kept in 16 bits, and a head is fitted to some of them at a time."""
ROWS = 4_096
"""Photos whose features are read at a time: 40 MB of two networks of 1,280 features."""
HALF = "-16bits"
LARGEST = float(np.finfo(np.float16).max)
SHA256 = "sha256"
Array: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]


def are_many(photos: pl.DataFrame) -> bool:
    """Whether features of photos stay on the disk, in 16 bits.

    Args:
        photos: the whole manifest, whatever part of it is learnt from, so that all runs of a study share their files.
    """
    return len(photos) >= MANY


@dataclass(frozen=True)
class _Kind:
    """Features (N, D) of one kind, in parts.

    Attributes:
        paths: of the parts.
        starts: (P,) the place of the first photo of each part.
        places: (N,) where the features of each photo are.
        width: D.
    """

    paths: tuple[Path, ...]
    starts: IntArray
    places: IntArray
    width: int

    def read(self, found: Array) -> None:
        """Read all into an array (N, D), one part after the other, for there may be thousands."""
        of_part = np.searchsorted(self.starts, self.places, side="right") - 1
        for number in np.unique(of_part):
            rows = np.flatnonzero(of_part == number)
            part = _mapped(self.paths[number])["features"]
            places = self.places[rows] - self.starts[number]
            if _in_a_row(rows) and _in_a_row(places):  # no copy in between
                found[rows[0] : rows[-1] + 1] = part[places[0] : places[-1] + 1]
            else:
                found[rows] = part[places]


@dataclass(frozen=True)
class StoredFeatures:
    """Features (N, D) that stay on the disk, of which some rows are read at a time; cheap to send to a process.

    Attributes:
        kinds: those of each network and view, side by side.
    """

    kinds: tuple[_Kind, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Photos, and features of each."""
        return len(self.kinds[0].places), sum(kind.width for kind in self.kinds)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | IntArray | NDArray[np.bool_]) -> StoredFeatures:
        """Those of some photos, still on the disk."""
        return StoredFeatures(tuple(replace(kind, places=kind.places[rows]) for kind in self.kinds))

    def read(self) -> Array:
        """All of them, in memory."""
        found, first = np.empty(self.shape, np.float32), 0
        for kind in self.kinds:
            kind.read(found[:, first : first + kind.width])
            first += kind.width
        return found

    def pieces(self) -> Iterator[tuple[slice, Array]]:
        """Some rows at a time, in their order: which, and an array that is the caller's."""
        for first in range(0, len(self), ROWS):
            some = slice(first, first + ROWS)
            yield some, self[some].read()

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read."""
        return tuple(path for kind in self.kinds for path in kind.paths)


Features: TypeAlias = Array | StoredFeatures
Kept = TypeVar("Kept", Array, StoredFeatures)
"""Features in memory, or on the disk."""


def side_by_side(one: Kept, other: Kept) -> Kept:
    """Features (N, D) and (N, D') of the same photos, joined: (N, D + D')."""
    if isinstance(one, StoredFeatures):
        return StoredFeatures((*one.kinds, *other.kinds))
    return np.concatenate([one, other], axis=1)


def read_rows(features: Features, rows: IntArray) -> Array:
    """Features of some photos, in memory."""
    return features[rows].read() if isinstance(features, StoredFeatures) else features[rows]


class FeatureParts:
    """The features of one backbone and view, of the photos that were computed so far."""

    def __init__(self, folder: Path, name: str, *, in_half: bool = False) -> None:
        """Look at what is there; parts that are damaged count as not there, and their photos are computed again.

        Args:
            folder: of the parts; made when the first is written.
            name: that those of this backbone and view begin with.
            in_half: whether they are kept in 16 bits, in files of their own.
        """
        self._folder, self._name = folder, name + HALF * in_half
        self._number: type[np.floating[Any]] = np.float16 if in_half else np.float32
        self._parts: list[Path] = []
        self._starts: list[int] = []
        self._known = pl.DataFrame(schema={SHA256: pl.String, "place": pl.Int64})
        self._width = 0
        for path in sorted(folder.glob(f"{self._name}.*.npy")):
            if (part := _opened(path, self._number)) is not None and self._width in (0, part["features"].shape[1]):
                self._add(path, part)

    def missing(self, photos: pl.DataFrame) -> pl.DataFrame:
        """Photos, each content once, whose features are not there yet; in their order.

        Args:
            photos: column ``sha256``.
        """
        return photos.unique(SHA256, maintain_order=True).join(self._known, on=SHA256, how="anti")

    def append(self, contents: Sequence[str], features: Array) -> None:
        """Keep the features (n, D) of photos, whose sha256 are given."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = np.empty(len(contents), _record(features.shape[1], self._number))
        kept = np.clip(features, -LARGEST, LARGEST) if self._number is np.float16 else features
        part[SHA256], part["features"] = np.array(contents, "S64"), kept
        digest = hashlib.sha256(part[SHA256].tobytes()).hexdigest()
        path = self._folder / f"{self._name}.{digest[:16]}.npy"
        with kept_whole(path, by_several=True) as partial, partial.open("wb") as file:
            np.save(file, part)
        self._add(path, part)

    def take(self, photos: pl.DataFrame, others: FeatureParts) -> None:
        """Keep what other parts hold of photos that are not there yet, such as features in more bits."""
        held = photos.filter(~pl.col(SHA256).is_in(others.missing(photos)[SHA256].implode()))
        for some in self.missing(held).iter_slices(PHOTOS_A_PART):
            self.append(some[SHA256].to_list(), others.of(some[SHA256]))

    def of(self, contents: pl.Series) -> Array:
        """Features (N, D) of photos that are all there, by their sha256; only these are read."""
        return self.stored(contents).read()

    def stored(self, contents: pl.Series) -> StoredFeatures:
        """The same without reading them."""
        wanted = pl.DataFrame({SHA256: contents}).join(self._known, on=SHA256, how="left", maintain_order="left")
        kind = _Kind(tuple(self._parts), np.array(self._starts, np.int64), wanted["place"].to_numpy(), self._width)
        return StoredFeatures((kind,))

    def _add(self, path: Path, part: NDArray[Any]) -> None:
        first = self._total
        self._parts.append(path)
        self._starts.append(first)
        self._width = part["features"].shape[1]
        places = np.arange(first, first + len(part), dtype=np.int64)
        new = pl.DataFrame({SHA256: part[SHA256].astype(str), "place": places})
        self._known = pl.concat([self._known, new.join(self._known, on=SHA256, how="anti")])
        self._total = first + len(part)

    _total = 0


def _record(width: int, number: type[np.floating[Any]]) -> np.dtype[np.void]:
    return np.dtype([(SHA256, "S64"), ("features", number, (width,))])


def _opened(path: Path, number: type[np.floating[Any]]) -> NDArray[Any] | None:
    """A part, memory-mapped; None where it is damaged or no part."""
    if damage(path):
        return None
    try:
        part = np.load(regular(path), mmap_mode="r", allow_pickle=False)
        width = part.dtype["features"].shape[0]
        return part if part.ndim == 1 and part.dtype == _record(width, number) else None
    except (OSError, ValueError, KeyError, IndexError, EOFError):
        return None


def _mapped(path: Path) -> NDArray[Any]:
    """A part that was whole when it was looked at."""
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        mend = "run the command again with --resume, which computes them again"
        raise OutputError(f"{path}: features that were there cannot be read now ({why}); {mend}") from error


def _in_a_row(places: IntArray) -> bool:
    return bool((np.diff(places) == 1).all())
