"""Images inside Parquet tables, read a few megabytes at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mien.system.files import MAX_FILE_BYTES, read_file, regular

__all__ = ["EmbeddedColumn", "EmbeddedImages"]

BLOCK_BYTES = 4 * 2**20
"""About how much of a file is read for an image and its neighbours."""
BLOCK_ROWS = 256
BLOCKS_KEPT = 4

Cell = tuple[bytes | None, str | None]


@dataclass(frozen=True)
class EmbeddedColumn:
    """A column of images in a Parquet file.

    Attributes:
        path: the Parquet file.
        rows: how many rows it has.
    """

    path: Path
    column: str
    rows: int

    @property
    def block(self) -> int:
        """Rows that are read together."""
        return max(1, min(BLOCK_ROWS, BLOCK_BYTES * self.rows // max(1, self.path.stat().st_size)))


class EmbeddedImages:
    """Reads single images, from several threads; keeps the last few blocks of rows that were read.

    Args:
        far: reads what a cell names beside its table, where that lies in a store: table, name → bytes.
    """

    def __init__(self, columns: list[EmbeddedColumn], far: Callable[[int, str], bytes] | None = None) -> None:
        self._columns, self._far = columns, far
        self._rows = [pl.scan_parquet(regular(c.path), glob=False).select(c.column) for c in columns]
        self._sizes = [c.block for c in columns]
        self._blocks: OrderedDict[tuple[int, int], list[Cell]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, table: int, row: int) -> bytes:
        """The bytes of one image.

        Args:
            table: place of the file among the columns.
            row: from 0.

        Raises:
            OSError: if the cell is empty or cannot be read.
        """
        block, place = divmod(row, self._sizes[table])
        with self._lock:
            content, name = self._block(table, block)[place]
        if content is None and name:
            return self._beside(table, name)
        if content is None:
            raise OSError("no image in this row")
        if len(content) > MAX_FILE_BYTES:
            raise OSError(f"larger than {MAX_FILE_BYTES >> 20} MB")
        return content

    def _block(self, table: int, block: int) -> list[Cell]:
        key = (table, block)
        if key not in self._blocks:
            size = self._sizes[table]
            try:
                cells = self._rows[table].slice(block * size, size).collect().to_series()
            except (PolarsError, PanicException) as error:
                raise OSError(f"damaged in the Parquet file: {str(error).splitlines()[0]}") from error
            self._blocks[key] = _cells(cells)
            while len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _beside(self, table: int, name: str) -> bytes:
        """The file that a cell without bytes names, relative to the table."""
        inner = PurePosixPath(name)
        if inner.is_absolute() or ".." in inner.parts:
            raise OSError("no image in this row, only a path that points elsewhere")
        if self._far is not None:
            return self._far(table, name)
        return read_file(self._columns[table].path.parent / name)


def _cells(series: pl.Series) -> list[Cell]:
    if not isinstance(series.dtype, pl.Struct):
        return [(content, None) for content in series.to_list()]
    contents = series.struct.field("bytes").to_list()
    if "path" not in series.struct.fields:
        return [(content, None) for content in contents]
    return list(zip(contents, series.struct.field("path").to_list(), strict=True))
