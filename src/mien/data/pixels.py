"""Decoded photos as uint8 arrays on disk, one file per view; the only reader of pixels in training.

An array is memory-mapped, so a training reads what a batch needs and memory does not grow with the set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mien.data.preprocess import View
from mien.errors import OutputError

__all__ = ["PixelWriter", "Pixels"]


class PixelWriter:
    """Writes views row by row into arrays of a known length; a context manager."""

    def __init__(self, folder: Path, views: Sequence[View], n_rows: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._arrays = {}
        for view in views:
            shape = (n_rows, view.size, view.size, 3)
            path = _array_path(folder, view)
            self._arrays[view.key] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)

    def __enter__(self) -> PixelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for array in self._arrays.values():
            array.flush()

    def put(self, row: int, views: Mapping[str, NDArray[np.uint8]]) -> None:
        """Store the views of one photo."""
        for key, array in self._arrays.items():
            array[row] = views[key]


class Pixels:
    """Reads views by row."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._arrays: dict[str, NDArray[np.uint8]] = {}

    def read(self, view: View, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The given rows of a view, uint8 (len(rows), S, S, 3), as a copy."""
        return np.ascontiguousarray(self._array(view)[np.asarray(rows, dtype=np.int64)])

    def _array(self, view: View) -> NDArray[np.uint8]:
        if view.key not in self._arrays:
            path = _array_path(self._folder, view)
            if not path.exists():
                raise OutputError(f"{path}: the decoded pixels are missing; run again without --resume")
            self._arrays[view.key] = np.lib.format.open_memmap(path, "r")
        return self._arrays[view.key]


def _array_path(folder: Path, view: View) -> Path:
    return folder / f"{view.key}.npy"
