"""Decoded photos as uint8 arrays on disk, one file per view, and their fingerprints; the only reader of pixels.

A study keeps them in its folder. Where they are of no use after the command, their files have no name.

Arrays are memory-mapped and the maps are let go again, so a training reads what a batch needs and memory does not
grow with the set.
"""

from __future__ import annotations

import math
import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.data.measuring.fingerprints import SIDE
from mien.data.reading.preprocess import View
from mien.errors import OutputError

__all__ = ["Nameless", "PixelWriter", "Pixels"]

FINGERPRINTS = "fingerprints"
ROWS_MAPPED = 512
"""Rows after which the writer's maps are renewed: pages that were written through a map count as memory in use."""


class PixelWriter:
    """Writes views and fingerprints row by row into arrays of a known length; a context manager."""

    def __init__(self, folder: Path | None, views: Sequence[View], n_rows: int) -> None:
        """Make the arrays.

        Args:
            folder: to put them into; None for files without a name, which are gone with the last that reads them.
        """
        shapes: dict[str, tuple[int, ...]] = {view.key: (n_rows, view.size, view.size, 3) for view in views}
        shapes[FINGERPRINTS] = (n_rows, SIDE, SIDE)
        self._place: Path | Nameless = folder or Nameless(shapes)
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
            for key, shape in shapes.items():
                np.lib.format.open_memmap(_array_path(folder, key), "w+", np.uint8, shape)
        self._keys, self._written = list(shapes), 0
        self._arrays = self._mapped()

    @property
    def pixels(self) -> Pixels:
        """What has been written, to be read."""
        return Pixels(self._place)

    def __enter__(self) -> PixelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for array in self._arrays.values():
            if isinstance(array, np.memmap):
                array.flush()
        self._arrays.clear()

    def put(self, row: int, views: Mapping[str, NDArray[np.uint8]], fingerprint: NDArray[np.uint8]) -> None:
        """Store the views and the fingerprint of one photo."""
        self._written += 1
        if self._written % ROWS_MAPPED == 0:
            self._arrays = self._mapped()
        for key, array in self._arrays.items():
            content = fingerprint if key == FINGERPRINTS else views[key]
            if content.any():  # black is there already, and takes no room on the disk until something is written
                array[row] = content

    def _mapped(self) -> dict[str, NDArray[np.uint8]]:
        return {key: _open(self._place, key, writable=True) for key in self._keys}


class Nameless:
    """Arrays in files of the temporary folder that have no name: nothing is left of them, however the process ends."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Make arrays of zeros, which take no room until they are written to.

        Args:
            shapes: by key.
        """
        self._shapes = dict(shapes)
        self._files = {key: tempfile.TemporaryFile(prefix="mien-") for key in shapes}  # noqa: SIM115 - open while read
        for key, shape in shapes.items():
            os.truncate(self._files[key].fileno(), max(1, math.prod(shape)))

    @property
    def keys(self) -> Sequence[str]:
        """The names of the arrays."""
        return list(self._shapes)

    def open(self, key: str, *, writable: bool) -> NDArray[np.uint8]:
        """One of them, memory-mapped."""
        shape, access = self._shapes[key], mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
        mapped = mmap.mmap(self._files[key].fileno(), max(1, math.prod(shape)), access=access)
        return np.frombuffer(mapped, np.uint8, math.prod(shape)).reshape(shape)


class Pixels:
    """Reads views and fingerprints by row."""

    def __init__(self, place: Path | Nameless) -> None:
        """Read what a ``PixelWriter`` wrote into a folder, or without a name."""
        self._place = place

    def read(self, view: View, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The given rows of a view, uint8 (len(rows), S, S, 3), as a copy."""
        return self._read(view.key, rows)

    def largest(self, name: Literal["photo", "face"]) -> View | None:
        """The largest view of this name that was kept; None without one."""
        keys = self._place.keys if isinstance(self._place, Nameless) else [p.stem for p in self._place.glob("*.npy")]
        sizes = [int(key.rpartition("-")[2]) for key in keys if key.startswith(f"{name}-")]
        return View(name, max(sizes)) if sizes else None

    def fingerprints(self, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The fingerprints of the given rows, uint8 (len(rows), SIDE, SIDE), as a copy."""
        return self._read(FINGERPRINTS, rows)

    def _read(self, key: str, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(_open(self._place, key, writable=False)[np.asarray(rows, dtype=np.int64)])


def _open(place: Path | Nameless, key: str, *, writable: bool) -> NDArray[np.uint8]:
    if isinstance(place, Nameless):
        return place.open(key, writable=writable)
    path = _array_path(place, key)
    if not path.exists():
        raise OutputError(f"{path}: the decoded pixels are missing; run again without --resume")
    return np.lib.format.open_memmap(path, "r+" if writable else "r")


def _array_path(folder: Path, key: str) -> Path:
    return folder / f"{key}.npy"
