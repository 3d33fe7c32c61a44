"""CSV and lists, as spreadsheets and people write them → a table of text.

UTF-8 and UTF-16, a line ``sep=;``, commas, semicolons, tabs, bars or spaces between cells, quoted cells, and tables
without a header. Nothing is repaired: a line with more cells than the header is refused by its number.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mien.data.sources.folder import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from mien.errors import SourceError
from mien.system.files import read_file

__all__ = ["TextTable", "names_a_photo", "read_delimited", "read_list", "text_of"]

SEPARATORS = ",;\t|"
HEADER_BYTES = 65536
MAX_BYTES = 2**30
"""Of a table that is text: ten million rows of a path and a label have less."""
EXPECTED = "expected CSV or JSON Lines in UTF-8 or UTF-16, or Parquet"


@dataclass(frozen=True)
class TextTable:
    """The cells of a table, all as text.

    Attributes:
        frame: columns by their names; ``1``, ``2``, … where the table has no header.
        has_header: whether its first line names the columns.
    """

    frame: pl.DataFrame
    has_header: bool


def names_a_photo(cell: str) -> bool:
    """Whether a cell ends as the name of a photo or of a video does."""
    return cell.strip().lower().endswith((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))


def read_delimited(path: Path, is_header: frozenset[str] = frozenset()) -> TextTable:
    """Read a table whose cells are parted by commas, semicolons, tabs or bars.

    Args:
        is_header: words, in plain form; a first line that has one of them is a header.

    Raises:
        SourceError: if it is no such table, with the line that is not.
    """
    content = text_of(path)
    start, is_cut = content[:HEADER_BYTES].decode("utf-8", "replace"), len(content) > HEADER_BYTES
    if b"\0" in content[:HEADER_BYTES]:
        raise SourceError(f"{path}: the table cannot be read (it holds zero bytes, which no text does); {EXPECTED}")
    if "\n" not in start and is_cut:  # Polars would hold a line of any length
        raise SourceError(f"{path}: the table cannot be read (its first line is not the header of a table); {EXPECTED}")
    first, _, rest = start.partition("\n")
    told = re.fullmatch(r"\s*\"?sep=(.)\"?[;,\s]*", first)
    if told:
        content, start = content.partition(b"\n")[2], rest
    separator = told[1] if told else max(SEPARATORS, key=_outside_quotes(first).count)
    rows = _first_rows(path, start, separator)
    return _parsed(path, content, separator, rows, has_header=_has_header(rows, is_header), line=2 if told else 1)


def read_list(path: Path) -> TextTable | None:
    """Read a text with a photo and more a line, parted by spaces, tabs, commas or semicolons; None if it is none.

    The last cells of a line have no space, so the name of a photo may.
    """
    try:
        lines = [line.rstrip("\r") for line in text_of(path).decode().split("\n") if line.strip() and line[0] != "#"]
    except (SourceError, UnicodeDecodeError):
        return None
    some = lines[:200]
    for separator in ("\t", ",", ";", "|", None):
        widths = {len(_cells(line, separator)) for line in some}
        if some and len(widths) == 1 and 2 <= widths.pop() <= 12:
            break
    else:
        return _of_names(lines)
    rows = [_cells(line, separator) for line in lines]
    width = len(rows[0])
    if not any(names_a_photo(cell) for row in rows[1:50] or rows for cell in row):
        return None
    if odd := next((i for i, row in enumerate(rows, 1) if len(row) != width), None):
        raise SourceError(
            f"{path}, line {odd}: {len(rows[odd - 1])} cells where other lines have {width}; mend that line"
        )
    has_header = not any(names_a_photo(cell) for cell in rows[0])
    names = rows[0] if has_header else [str(i) for i in range(1, width + 1)]
    frame = pl.DataFrame(rows[has_header:], schema=dict.fromkeys(_distinct(names), pl.String), orient="row")
    return TextTable(frame, has_header)


def _of_names(lines: Sequence[str]) -> TextTable | None:
    """A list of nothing but names of photos and videos; None where a line is none."""
    names = [line.strip() for line in lines]
    if not names or not all(map(names_a_photo, names)):
        return None
    return TextTable(pl.DataFrame({"1": names}), False)


def _cells(line: str, separator: str | None) -> list[str]:
    if separator is not None:
        try:
            return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
        except csv.Error:  # a cell of more than 128 KB, or an end of a line within it
            return []
    # A name with spaces ends in the suffix of a photo.
    photo = re.match(
        rf"(.*?(?:{'|'.join(map(re.escape, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)))}))\s+(.*)$", line, re.IGNORECASE
    )
    return [photo[1], *photo[2].split()] if photo else line.split()


def text_of(path: Path) -> bytes:
    """The bytes of a text in UTF-8, without a mark at its start, and with lines that end as elsewhere.

    Raises:
        SourceError: if it is damaged UTF-16.
    """
    content = _in_utf8(path)
    return content if b"\n" in content else content.replace(b"\r", b"\n")  # of spreadsheets on old Macs


def _in_utf8(path: Path) -> bytes:
    content = read_file(path, MAX_BYTES)
    if content.startswith(b"\xef\xbb\xbf"):
        return content[3:]
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else _unmarked(content[:1000])
    if encoding is None:
        return content
    try:
        return content.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: the table cannot be read ({encoding} that is damaged); {EXPECTED}") from error


def _unmarked(start: bytes) -> str | None:
    """UTF-16 without a mark, where nearly every second byte is zero; None for anything else."""
    half = max(1, len(start) // 2)
    evens, odds = start[::2].count(0) / half, start[1::2].count(0) / half
    return "utf-16-le" if odds > 0.4 > evens else "utf-16-be" if evens > 0.4 > odds else None


def _first_rows(path: Path, start: str, separator: str) -> list[list[str]]:
    try:
        rows = list(islice(csv.reader(io.StringIO(start, newline=""), delimiter=separator), 50))
    except csv.Error as error:
        raise SourceError(f"{path}: the table cannot be read ({error}); {EXPECTED}") from error
    if not rows or not any(cell.strip() for cell in rows[0]):
        raise SourceError(f"{path}: the table cannot be read (its first line is empty); {EXPECTED}")
    told = [sum(bool(cell.strip()) for cell in row) for row in rows[:2]]
    if told[0] == 1 < told[-1]:
        raise SourceError(f"{path}: its first line is a title, not the names of columns; delete that line")
    return rows


def _parsed(
    path: Path, content: bytes, separator: str, rows: list[list[str]], *, has_header: bool, line: int
) -> TextTable:
    width = len(rows[0])
    names = [_bare(name) for name in rows[0]] if has_header else [str(i) for i in range(1, width + 1)]
    while names and not names[-1]:  # a spreadsheet's empty columns
        names.pop()
    try:
        frame = pl.read_csv(content, separator=separator, has_header=has_header, infer_schema=False)
    except (PolarsError, PanicException) as error:
        raise SourceError(_why_not(path, content, separator, width, line, error)) from error
    if len(frame.columns) < len(names):  # a quote that is not closed, which the two readers take otherwise
        raise SourceError(
            f"{path}: the table cannot be read (its first line names {len(names)} columns, and rows have "
            f"{len(frame.columns)} cells); mend the quotes of its first lines"
        )
    frame = _without_wraps(frame.select(frame.columns[: len(names)]))
    return TextTable(frame.rename(dict(zip(frame.columns, _distinct(names), strict=True))), has_header)


def _bare(name: str) -> str:
    name = name.strip()
    return name[1:-1] if len(name) > 2 and name[0] == name[-1] == "'" else name


def _without_wraps(frame: pl.DataFrame) -> pl.DataFrame:
    """The table without blanks, and without single quotes, that stand around all cells of a column."""
    for is_wrapped, bare in (
        (pl.all().str.contains(r"^\s|\s$"), pl.all().str.strip_chars()),
        (pl.all().str.contains(r"^'.*'$"), pl.all().str.slice(1, pl.all().str.len_chars() - 2)),
    ):
        told = frame.select(is_wrapped.all())
        columns = [name for name in frame.columns if told[name].item() and frame[name].null_count() < len(frame)]
        if columns:
            frame = frame.with_columns(frame.select(columns).select(bare))
    return frame


def _has_header(rows: Sequence[Sequence[str]], known: frozenset[str]) -> bool:
    """Whether the first line names the columns: it has a usual name, or neither a photo nor what comes again below."""
    first = [_bare(cell) for cell in rows[0]]
    if any("".join(c for c in cell.lower() if c.isalnum()) in known for cell in first):
        return True
    if any(names_a_photo(cell) for cell in first):
        return False
    below = [{row[i].strip() for row in rows[1:] if i < len(row)} for i in range(len(first))]
    return not any(cell and cell in column for cell, column in zip(first, below, strict=True))


def _why_not(path: Path, content: bytes, separator: str, width: int, line: int, error: Exception) -> str:
    """The line that is no row of the table; the reader's own words where none is found."""
    try:
        text = content.decode()
    except UnicodeDecodeError as odd:
        where = content[: odd.start].count(b"\n") + line
        return f"{path}, line {where}: the table cannot be read (not UTF-8 text); save it as CSV UTF-8"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    last = 0
    try:
        for row in reader:
            if len(row) > width:
                return (
                    f"{path}, line {last + line}: {len(row)} cells where the first line has {width}; put the cell that "
                    f"holds a {separator!r} in quotes, or mend the line"
                )
            last = reader.line_num
    except csv.Error as odd:
        return f"{path}, line {last + line}: the table cannot be read ({odd}); mend the quotes of that line"
    reason = (str(error).splitlines() or ["empty"])[0][:200]
    return f"{path}: the table cannot be read ({reason}); {EXPECTED}"


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _distinct(names: Sequence[str]) -> list[str]:
    """The names with a number behind those that came before, and one for those that are empty."""
    taken: dict[str, int] = {}
    out = []
    for i, name in enumerate(names, 1):
        name = name or f"column {i}"
        taken[name] = taken.get(name, 0) + 1
        out.append(name if taken[name] == 1 else f"{name} ({taken[name]})")
    return out
