"""Decoded photos as uint8 arrays on disk, one file per view, and their fingerprints; the only reader of pixels.

Arrays are memory-mapped and the maps are let go again, so a training reads what a batch needs and memory does not
grow with the set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.data.fingerprints import SIDE
from mien.data.preprocess import View
from mien.errors import OutputError

__all__ = ["PixelWriter", "Pixels"]

FINGERPRINTS = "fingerprints"
ROWS_MAPPED = 512
"""Rows after which the writer's maps are renewed: pages that were written through a map count as memory in use."""


class PixelWriter:
    """Writes views and fingerprints row by row into arrays of a known length; a context manager."""

    def __init__(self, folder: Path, views: Sequence[View], n_rows: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shapes: dict[str, tuple[int, ...]] = {view.key: (n_rows, view.size, view.size, 3) for view in views}
        shapes[FINGERPRINTS] = (n_rows, SIDE, SIDE)
        self._paths = {key: _array_path(folder, key) for key in shapes}
        self._arrays = {
            key: np.lib.format.open_memmap(self._paths[key], "w+", np.uint8, shape) for key, shape in shapes.items()
        }
        self._written = 0

    def __enter__(self) -> PixelWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for array in self._arrays.values():
            array.flush()
        self._arrays.clear()

    def put(self, row: int, views: Mapping[str, NDArray[np.uint8]], fingerprint: NDArray[np.uint8]) -> None:
        """Store the views and the fingerprint of one photo."""
        self._written += 1
        if self._written % ROWS_MAPPED == 0:
            self._arrays = {key: np.lib.format.open_memmap(path, "r+") for key, path in self._paths.items()}
        for key, array in self._arrays.items():
            content = fingerprint if key == FINGERPRINTS else views[key]
            if content.any():  # black is there already, and takes no room on the disk until something is written
                array[row] = content


class Pixels:
    """Reads views and fingerprints by row."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, view: View, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The given rows of a view, uint8 (len(rows), S, S, 3), as a copy."""
        return self._read(view.key, rows)

    def largest(self, name: Literal["photo", "face"]) -> View | None:
        """The largest view of this name that was kept; None without one."""
        sizes = [int(path.stem.rpartition("-")[2]) for path in self._folder.glob(f"{name}-*.npy")]
        return View(name, max(sizes)) if sizes else None

    def fingerprints(self, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        """The fingerprints of the given rows, uint8 (len(rows), SIDE, SIDE), as a copy."""
        return self._read(FINGERPRINTS, rows)

    def _read(self, key: str, rows: NDArray[np.integer] | Sequence[int]) -> NDArray[np.uint8]:
        path = _array_path(self._folder, key)
        if not path.exists():
            raise OutputError(f"{path}: the decoded pixels are missing; run again without --resume")
        return np.ascontiguousarray(np.lib.format.open_memmap(path, "r")[np.asarray(rows, dtype=np.int64)])


def _array_path(folder: Path, key: str) -> Path:
    return folder / f"{key}.npy"
