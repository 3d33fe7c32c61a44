"""Decoded photos as uint8 arrays on disk, one file per view, and their fingerprints; the only reader of pixels.

A study keeps them in its folder. Where they are of no use after the command, their files have no name. A large study
keeps the fingerprints alone, and its views are made of the photos again (``data/tables/streamed.py``).

Arrays are memory-mapped for reading, and the maps are let go again, so a training reads what a batch needs and memory
does not grow with the set. They are written as files are: a disk that is full is an error then, and not the end of the
process, as it is where a page of a map finds no room.
"""

from __future__ import annotations

import errno
import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.preprocess import Box, View
from mien.errors import DiskError, OutputError
from mien.system.sums import damage, keep

__all__ = ["BOXES", "Nameless", "PixelWriter", "Pixels", "ViewMaker", "pixels_are_whole"]

FINGERPRINTS = "fingerprints"
BOXES = "boxes"
BOX_BYTES = 4 * np.dtype(np.float64).itemsize
"""Boxes are kept as the bytes of their numbers, for the manifest rounds them to 32 bits."""


class PixelWriter:
    """Writes views, fingerprints and boxes of faces row by row into arrays of a known length; a context manager."""

    def __init__(self, folder: Path | None, views: Sequence[View], n_rows: int) -> None:
        """Make the arrays.

        Args:
            folder: to put them into; None for files without a name, which are gone with the last that reads them.
        """
        shapes = _shapes(views, n_rows)
        self._folder, self._rows = folder, n_rows
        self._needed = sum(math.prod(shape) for key, shape in shapes.items() if not key.startswith("scene-"))
        self._arrays: dict[str, _Rows] = {}
        with self._room_told():
            self._place: Path | Nameless = folder or Nameless(shapes)
            self._check_room()
            for key, shape in shapes.items():
                self._arrays[key] = _Rows(self._made(key, shape), shape, is_named=folder is not None)

    @property
    def pixels(self) -> Pixels:
        """What has been written, to be read."""
        return Pixels(self._place)

    def __enter__(self) -> PixelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._room_told() if error is None else suppress(OSError):
            for key, array in self._arrays.items():
                array.close()
                if self._folder and error is None:
                    keep(_array_path(self._folder, key))
        self._arrays.clear()

    def put(
        self,
        row: int,
        views: Mapping[str, NDArray[np.uint8]],
        fingerprint: NDArray[np.uint8],
        box: Box | None = None,
    ) -> None:
        """Store the views and the fingerprint of one photo, and the box of its main face."""
        others = {FINGERPRINTS: fingerprint, BOXES: np.frombuffer(np.array(box or (0.0,) * 4).tobytes(), np.uint8)}
        with self._room_told():
            for key, array in self._arrays.items():
                content = others[key] if key in others else views[key]
                if content.any():  # black is there already, and takes no room on the disk until something is written
                    array.write(row, content)

    def _made(self, key: str, shape: tuple[int, ...]) -> IO[bytes]:
        """The file of an array of zeros, which takes no room yet, open at its first row."""
        if isinstance(self._place, Nameless):
            return self._place.file(key)
        self._place.mkdir(parents=True, exist_ok=True)
        file = _array_path(self._place, key).open("wb", buffering=0)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        os.truncate(file.fileno(), file.tell() + math.prod(shape))
        return file

    def _check_room(self) -> None:
        """Refuse to begin what cannot end; pictures of scenes may be black, and are not counted."""
        where = self._folder or Path(tempfile.gettempdir())
        while not where.exists():
            where = where.parent
        if shutil.disk_usage(where).free < self._needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    @contextmanager
    def _room_told(self) -> Iterator[None]:
        """Say of an error of the system what was being written, where, and how much that is."""
        try:
            yield
        except OSError as error:
            place = self._folder or Path(tempfile.gettempdir())
            free = "an unknown amount is"
            with suppress(OSError):
                free = f"{shutil.disk_usage(place if place.exists() else place.parent).free / 2**20:.0f} MB are"
            mend = "go on with --resume" if self._folder else "name another place with TMPDIR"
            raise DiskError(
                f"{place}: the decoded photos cannot be written ({error.strerror}): {self._rows:,} need some "
                f"{self._needed / 2**20:.0f} MB, and {free} free; make room, or {mend}",
                error.errno,
            ) from error


class _Rows:
    """Writes the rows of an array into its file."""

    def __init__(self, file: IO[bytes], shape: tuple[int, ...], *, is_named: bool) -> None:
        self._is_named = is_named
        self._file, self._start, self._bytes = file, file.tell(), math.prod(shape[1:])

    def write(self, row: int, content: NDArray[np.uint8]) -> None:
        """Write one row, all of it."""
        left = np.ascontiguousarray(content).data.cast("B")
        self._file.seek(self._start + row * self._bytes)
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        """Have the system write what it has taken, whose errors may come only now, and let go of a file with a name."""
        os.fsync(self._file.fileno())
        if self._is_named:
            self._file.close()


class Nameless:
    """Arrays in files of the temporary folder that have no name: nothing is left of them, however the process ends."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Make arrays of zeros, which take no room until they are written to.

        Args:
            shapes: by key.
        """
        self._shapes = dict(shapes)
        self._files = {key: tempfile.TemporaryFile(prefix="mien-", buffering=0) for key in shapes}  # noqa: SIM115
        for key, shape in shapes.items():
            os.truncate(self._files[key].fileno(), max(1, math.prod(shape)))

    @property
    def keys(self) -> Sequence[str]:
        """The names of the arrays."""
        return list(self._shapes)

    def file(self, key: str) -> IO[bytes]:
        """The file of one of them, to be written."""
        return self._files[key]

    def open(self, key: str) -> NDArray[np.uint8]:
        """One of them, memory-mapped."""
        shape = self._shapes[key]
        mapped = mmap.mmap(self._files[key].fileno(), max(1, math.prod(shape)), access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.uint8, math.prod(shape)).reshape(shape)


class ViewMaker(Protocol):
    """Makes views when they are asked for; the fingerprints lie in a folder."""

    @property
    def folder(self) -> Path:
        """Where the fingerprints lie."""

    @property
    def keys(self) -> Sequence[str]:
        """The keys of the views that are looked at."""

    def made(self, views: Sequence[View], rows: NDArray[np.int64]) -> dict[str, NDArray[np.uint8]]:
        """Views of the given rows, by key."""


class Pixels:
    """Reads views and fingerprints by row."""

    def __init__(self, place: Path | Nameless | ViewMaker) -> None:
        """Read what a ``PixelWriter`` wrote into a folder, or without a name, or what is made when it is asked for."""
        self._place = place

    def read(self, view: View, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The given rows of a view, uint8 (len(rows), S, S, 3), as a copy."""
        return self.read_views([view], rows)[view.key]

    def read_views(
        self, views: Sequence[View], rows: NDArray[np.integer] | Sequence[int]
    ) -> dict[str, NDArray[np.uint8]]:
        """The given rows of several views, by key, as copies; what is made of photos takes each photo once."""
        if isinstance(self._place, Path | Nameless):
            return {view.key: self._read(view.key, rows) for view in views}
        return self._place.made(views, np.asarray(rows, dtype=np.int64))

    @property
    def are_kept(self) -> bool:
        """Whether the views lie on the disk, rather than being made of the photos each time."""
        return isinstance(self._place, Path | Nameless)

    @property
    def keys(self) -> list[str]:
        """The keys of the views that were kept, or are made when they are asked for, sorted."""
        kept = [p.stem for p in self._place.glob("*.npy")] if isinstance(self._place, Path) else self._place.keys
        return sorted(key for key in kept if key not in (FINGERPRINTS, BOXES))

    @property
    def files(self) -> list[Path]:
        """Where the arrays lie, for another process to read; none where they have no name."""
        if isinstance(self._place, Nameless):
            return []
        return sorted((self._place if isinstance(self._place, Path) else self._place.folder).glob("*.npy"))

    def largest(self, name: Literal["photo", "face", "scene"]) -> View | None:
        """The largest view of this name that was kept; None without one."""
        sizes = [int(key.rpartition("-")[2]) for key in self.keys if key.startswith(f"{name}-")]
        return View(name, max(sizes)) if sizes else None

    def fingerprints(self, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The fingerprints of the given rows, uint8 (len(rows), SIDE, SIDE), as a copy."""
        return self._read(FINGERPRINTS, rows)

    def boxes(self, rows: NDArray[np.integer] | Sequence[int]) -> list[Box | None]:
        """The boxes of the main faces of the given rows, as they were found; None where there is none."""
        kept = self._read(BOXES, rows).view(np.float64).tolist()
        return [(left, top, right, bottom) if any(box) else None for box in kept for left, top, right, bottom in [box]]

    def _read(self, key: str, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        place = self._place if isinstance(self._place, Path | Nameless) else self._place.folder
        return np.ascontiguousarray(_open(place, key)[np.asarray(rows, dtype=np.int64)])


def _shapes(views: Sequence[View], n_rows: int) -> dict[str, tuple[int, ...]]:
    """The shape of each array for a number of photos."""
    shapes: dict[str, tuple[int, ...]] = {view.key: (n_rows, view.size, view.size, 3) for view in views}
    return shapes | {FINGERPRINTS: (n_rows, SIDE, SIDE), BOXES: (n_rows, BOX_BYTES)}


def pixels_are_whole(folder: Path, views: Sequence[View], n_rows: int) -> bool:
    """Whether a folder holds these views of ``n_rows`` photos, and their fingerprints, as they were written.

    Where no views are kept, the boxes of faces must be whole too: views are made again with them.
    """
    shapes = _shapes(views, n_rows)
    if views:
        del shapes[BOXES]
    for key, shape in shapes.items():
        path = _array_path(folder, key)
        try:
            if not path.exists() or damage(path) or np.lib.format.open_memmap(path, "r").shape != shape:
                return False
        except (OSError, ValueError):
            return False
    return True


def _open(place: Path | Nameless, key: str) -> NDArray[np.uint8]:
    if isinstance(place, Nameless):
        return place.open(key)
    path = _array_path(place, key)
    try:
        return np.lib.format.open_memmap(path, "r")
    except (OSError, ValueError) as error:
        why = "they are gone" if not path.exists() else f"{error}"
        raise OutputError(
            f"{path}: the decoded photos cannot be read ({why}); a study makes them again with --resume"
        ) from error


def _array_path(folder: Path, key: str) -> Path:
    return folder / f"{key}.npy"
