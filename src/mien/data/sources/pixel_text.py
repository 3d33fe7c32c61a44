"""Tables that hold photos as text, a number a pixel, as FER2013's CSV does → images that can be read one by one."""

from __future__ import annotations

import io
import math
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from mien.errors import SourceError
from mien.system.files import open_regular

__all__ = ["PixelTable", "is_pixels", "read_pixel_table"]

HEADER_BYTES = 2**20
MAX_ROW = 64 * 2**20
SEPARATORS = ",;\t"
LEAST_PIXELS = 64
"""Of a photo."""
NAMES = ("pixels", "pixel", "pixelvalues", "imagepixels")
ONE_EACH = re.compile(r"(?:pixel|px|pix)[ _-]?\d+", re.IGNORECASE)
"""Columns of one pixel each."""


@dataclass(frozen=True)
class PixelTable:
    """A table with photos as text.

    Attributes:
        frame: its other columns, as text.
        places: of each row: where in the file it starts, and its length.
    """

    path: Path
    separator: str
    columns: tuple[int, ...]
    frame: pl.DataFrame
    places: tuple[tuple[int, int], ...]
    lock: threading.Lock

    def read(self, row: int) -> bytes:
        """A photo as PNG.

        Args:
            row: from 0.

        Raises:
            OSError: if its text is no square of grey values or colours from 0 to 255.
        """
        start, length = self.places[row]
        with self.lock, open_regular(self.path) as file:
            file.seek(start)
            line = file.read(length).decode("utf-8", "replace")
        cells = _cells(line, self.separator)
        text = " ".join(cells[i] for i in self.columns if i < len(cells))
        return _as_png(text)


def read_pixel_table(path: Path) -> PixelTable | None:
    """Read a CSV with a column ``pixels``, or one column a pixel; None where it has neither.

    Raises:
        SourceError: if a row is too long to be one, or if it is not in UTF-8.
    """
    with open_regular(path) as file:
        header = file.readline(HEADER_BYTES)
        if len(header) >= HEADER_BYTES or b"\0" in header:
            _refuse_utf16(path, header)
            return None
        text = header.decode("utf-8-sig", "replace").rstrip("\r\n")
        position = len(header)
        told = re.fullmatch(r"\s*\"?sep=(.)\"?[;,\s]*", text)
        if told:
            header = file.readline(HEADER_BYTES)
            position += len(header)
            text = header.decode("utf-8", "replace").rstrip("\r\n")
        separator = told[1] if told else max(SEPARATORS, key=text.count)
        names = [name.strip() for name in _cells(text, separator)]
        columns = _pixel_columns(names)
        if not columns:
            return None
        if "\r" in text:
            raise SourceError(f"{path}: photos as text with lines as of old Macs; save it as CSV UTF-8")
        rows: list[list[str | None]] = []
        places: list[tuple[int, int]] = []
        for line in iter(lambda: file.readline(MAX_ROW), b""):
            if len(line) >= MAX_ROW:
                raise SourceError(
                    f"{path}, line {len(rows) + 2}: a row of more than {MAX_ROW >> 20} MB; is this a table of pixels?"
                )
            if line.strip():
                cells = _cells(line.decode("utf-8", "replace").rstrip("\r\n"), separator)
                if not rows and len(" ".join(cells[i] for i in columns if i < len(cells)).split()) < LEAST_PIXELS:
                    return None  # a column of that name that counts them, perhaps
                rows.append(
                    [cells[i].strip() if i < len(cells) else None for i in range(len(names)) if i not in columns]
                )
                places.append((position, len(line)))
            position += len(line)
    others = [name for i, name in enumerate(names) if i not in columns]
    schema = {name or f"column {i}": pl.String for i, name in enumerate(others, 1)}
    frame = pl.DataFrame(rows, schema=schema, orient="row") if schema else pl.DataFrame({"row": range(len(rows))})
    return PixelTable(path, separator, tuple(sorted(columns)), frame, tuple(places), threading.Lock())


def _cells(line: str, separator: str) -> list[str]:
    """The cells of a line, of any length; the reader of the standard library has a bound for all of a process."""
    if '"' not in line:
        return line.split(separator)
    sign = re.escape(separator)
    cell = re.compile(rf'(?:^|{sign})(?:\s*"([^"]*(?:""[^"]*)*)"\s*(?={sign}|$)|([^{sign}]*))')
    return [
        match[2] if match[1] is None else match[1].replace('""', '"') for match in cell.finditer(line.rstrip("\r\n"))
    ]


def _refuse_utf16(path: Path, header: bytes) -> None:
    """Refuse pixels as text in UTF-16, whose rows cannot be found one by one.

    Raises:
        SourceError: with what to do.
    """
    if header.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = header[: len(header) // 2 * 2].decode("utf-16", "replace")
        if _pixel_columns(re.split(r"[,;\t]", text.strip())):
            raise SourceError(f"{path}: photos as text in UTF-16; save it as CSV UTF-8")


def is_pixels(cell: str | None) -> bool:
    """Whether a cell holds the pixels of a photo."""
    numbers = list(_numbers(cell or ""))
    return len(numbers) >= LEAST_PIXELS and all(number.replace(".", "", 1).isdecimal() for number in numbers)


def _pixel_columns(names: list[str]) -> set[int]:
    plain = ["".join(c for c in name.lower() if c.isalnum()) for name in names]
    whole = {i for i, name in enumerate(plain) if name in NAMES}
    if whole:
        return whole
    each = {i for i, name in enumerate(names) if ONE_EACH.fullmatch(name)}
    return each if len(each) >= LEAST_PIXELS else set()


def _as_png(text: str) -> bytes:
    """A square photo, grey or RGB, from its values as text with spaces or commas between."""
    try:
        values = np.array([float(v) for v in _numbers(text)])
    except ValueError as error:
        raise OSError("its pixels are no numbers") from error
    grey, colour = math.isqrt(len(values)), math.isqrt(len(values) // 3)
    if not len(values) or (grey**2 != len(values) and 3 * colour**2 != len(values)):
        raise OSError(f"its {len(values)} pixels make no square")
    if values.min() < 0 or values.max() > 255 or (values != np.round(values)).any():
        raise OSError("its pixels are no whole numbers from 0 to 255")
    shape = (grey, grey) if grey**2 == len(values) else (colour, colour, 3)
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint8).reshape(shape)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _numbers(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"[^\s,;\[\]]+", text))
