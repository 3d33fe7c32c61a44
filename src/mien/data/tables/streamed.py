"""Views of photos that are not kept: made of the files again whenever they are asked for.

They are the bytes that would have been kept: a file that is no longer the one that was read is refused, the box of its
face is the one that was found then, kept beside the fingerprint, and both are drawn by the same function.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.reading.intake import SMALL_FILE
from mien.data.reading.pixels import BOXES, Pixels
from mien.data.reading.preprocess import Box, UnreadableImageError, View, decode, render
from mien.data.reading.read_ahead import side_by_side
from mien.data.sources import Source, SourceFile
from mien.data.sources.collection import Collection, open_with_target
from mien.data.sources.files import existing_path
from mien.data.tables.unchanged import not_as_before
from mien.errors import OutputError, SourceError
from mien.system.addresses import is_address
from mien.system.files import read_text
from mien.system.sums import check_kept, kept_whole

__all__ = ["STREAMED", "Streamed", "note_streamed", "pixels_of_study", "sets_of_study"]

STREAMED = "streamed.json"
"""Names the views that a study looks at and does not keep, beside the fingerprints that it does."""
Views = dict[str, NDArray[np.uint8]]


class Streamed:
    """Makes views of the photos of a study; a copy in another process opens the photos there."""

    def __init__(
        self,
        folder: Path,
        manifest: pl.DataFrame,
        sets: Callable[[], Sequence[Collection]],
        opened: Sequence[Collection] | None = None,
    ) -> None:
        """Make views of photos.

        Args:
            folder: of fingerprints and boxes, with the names of the views.
            manifest: every file of every collection.
            sets: opens the collections, in the order in which they were read.
            opened: the same, where they are open.
        """
        self.folder = folder
        self._photos = manifest.sort("row").select("id", "sha256", "status", "bytes")
        self._sets = sets
        self._opened = None if opened is None else _Files(opened)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_opened": None}

    @property
    def keys(self) -> Sequence[str]:
        """The keys of the views."""
        return _noted(self.folder).views

    def made(self, views: Sequence[View], rows: NDArray[np.int64]) -> Views:
        """Views of photos, by key, uint8 (len(rows), S, S, 3); black for a file that is no picture.

        Raises:
            SourceError: if a photo has changed since it was read, or is gone.
        """
        found = {view.key: np.zeros((len(rows), view.size, view.size, 3), np.uint8) for view in views}

        boxes = Pixels(self.folder).boxes(rows)

        def work(places: Sequence[int]) -> list[None]:
            for place in places:
                for key, pixels in self._made_of(int(rows[place]), views, boxes[place]).items():
                    found[key][place] = pixels
            return [None] * len(places)

        if self._are_waited_for(rows):
            for _ in side_by_side(work, range(len(rows))):
                pass
        else:
            work(range(len(rows)))
        return found

    def _are_waited_for(self, rows: NDArray[np.int64]) -> bool:
        """Whether threads pay: small photos of this machine are decoded sooner without."""
        if len(rows) and any(source.store for source in self._files.sources):
            return True
        return bool((self._photos["bytes"].gather(rows) >= SMALL_FILE).any())

    def _made_of(self, row: int, views: Sequence[View], box: Box | None) -> Views:
        name, sha256, status, _ = self._photos.row(row)
        if sha256 is None or status == "unreadable":
            return {}
        source, file = self._files.at(row)
        if f"{source.name}/{file.path}" != name:
            raise not_as_before({"added or removed": [name]})
        try:
            content = source.read(file)
        except FileNotFoundError:
            raise not_as_before({"removed": [name]}) from None
        except OSError as error:
            why = error.strerror or str(error)
            raise SourceError(f"{name}: cannot be read again ({why}); go on with --resume") from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise not_as_before({"changed": [name]})
        try:
            image = decode(content).image
        except UnreadableImageError as error:  # by a library that is not here any more
            raise SourceError(f"{name}: was read before, and cannot be now: {error}") from error
        return {view.key: render(image, view, box) for view in views}

    @property
    def _files(self) -> _Files:
        if self._opened is None:
            check_kept(self.folder / f"{BOXES}.npy")
            self._opened = _Files(self._sets())
        return self._opened


class _Files:
    """The files of collections by their row: where one stands among all."""

    def __init__(self, collections: Sequence[Collection]) -> None:
        self.sources = [source for collection in collections for source in collection.sources]
        self._first = [0, *accumulate(len(source.files) for source in self.sources)]

    def at(self, row: int) -> tuple[Source, SourceFile]:
        """The file of a row, with its source.

        Raises:
            SourceError: if there are fewer.
        """
        if row >= self._first[-1]:
            raise not_as_before({"removed": [f"{row + 1 - self._first[-1]} or more files"]})
        place = bisect_right(self._first, row) - 1
        return self.sources[place], self.sources[place].files[row - self._first[place]]


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    """What stands beside the fingerprints.

    Attributes:
        views: keys of the views that are made when they are asked for.
        place: the folder that the photos were named in, since ``study.toml`` has their paths as they were given.
    """

    views: list[str]
    place: str


def note_streamed(views: Sequence[View], folder: Path) -> None:
    """Note beside the fingerprints which views are made when they are asked for, and of photos named where."""
    with kept_whole(folder / STREAMED) as path:
        path.write_bytes(msgspec.json.encode(_Note(sorted(view.key for view in views), str(Path.cwd()))))


def _noted(folder: Path) -> _Note:
    """What was noted.

    Raises:
        OutputError: if that is damaged.
    """
    path = check_kept(folder / STREAMED)
    try:
        return msgspec.json.decode(read_text(path), type=_Note)
    except (msgspec.DecodeError, ValueError, OSError) as error:
        raise OutputError(f"{path}: damaged ({error}); the study makes it again with --resume") from error


def pixels_of_study(folder: Path, manifest: pl.DataFrame) -> Pixels:
    """The views of a study: those that it kept, or what makes them of its photos.

    Args:
        folder: of the study.
        manifest: all of it.
    """
    place = folder / "pixels"
    if not (place / STREAMED).exists():
        return Pixels(place)
    return Pixels(Streamed(place, manifest, partial(sets_of_study, folder)))


def sets_of_study(folder: Path) -> list[Collection]:
    """The collections of a study, opened again, with its photos from elsewhere.

    Raises:
        SourceError: if they cannot be.
    """
    from mien.settings.study import StudySettings  # here, for who only reads photos needs no parser of options
    from mien.settings.toml import read_toml

    settings = read_toml(StudySettings, folder / "study.toml")
    given = settings.elsewhere.target
    data_specs = [_found(spec, folder) for spec in settings.data]
    target_spec = _found(given, folder) if given is not None else None
    try:
        data, target = open_with_target(data_specs, target_spec, settings.columns)
    except SourceError as error:
        raise SourceError(f"{folder}: its photos cannot be read again: {error}") from error
    return [data, *([target] if target else [])]


def _found(spec: str, folder: Path) -> str:
    """A path of ``study.toml`` from here, or from where the study was begun."""
    path = spec.partition("::")[0]
    if not (folder / "pixels" / STREAMED).exists() or is_address(spec) or existing_path(path) is not None:
        return spec
    place = Path(_noted(folder / "pixels").place)
    return str(place / spec) if (place / path).exists() else spec
