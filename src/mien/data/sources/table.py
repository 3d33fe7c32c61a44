"""CSV, JSON Lines and Parquet with a row per photo → files with labels, groups and splits.

Cells are taken as text. A row without a path or without a label is listed as ignored, and so is one that repeats
an earlier row. A row that names the same file as an earlier one, but with another label, group or split, is kept
beside it under a path of its own, so that the audit sees the contradiction. Whether a file exists is found out
when it is read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mien.data.sources.columns import ROLES, choose_columns, is_embedded
from mien.data.sources.embedded import EmbeddedColumn, EmbeddedImages
from mien.data.sources.files import Source, SourceFile, Tables, is_parquet
from mien.data.sources.layout import as_split, check_splits
from mien.errors import SourceError
from mien.settings.columns import Columns
from mien.system.files import open_regular, read_file, regular

__all__ = ["open_tables"]

SEPARATORS = ",;\t"
HEADER_BYTES = 65536
MAX_TEXT_BYTES = 2**30
"""Of a table that is text: ten million rows of a path and a label have less."""
ELSEWHERE = r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)"
"""A path that is absolute or climbs out of its folder."""
SHOWN = 6


@dataclass(frozen=True)
class Table:
    """One table whose rows were read.

    Attributes:
        file: relative to the root, with ``/``.
        rows: row (from 1), path, label, group and split; all but the row are text, null where there is none.
        embedded: the column of images, or None where files are named.
    """

    file: str
    rows: pl.DataFrame
    embedded: EmbeddedColumn | None


def open_tables(tables: Tables, columns: Columns, roles: Sequence[str] = ROLES) -> Source:
    """List the photos that tables name or hold.

    Args:
        columns: which column plays which role; a role that is left open goes to a column with a usual name.
        roles: what to read of each row; a label is needed only where it is among them.

    Raises:
        SourceError: if a table cannot be read, if a column is missing or in doubt, if several tables do not
            belong together, or if there is no such part.
    """
    _check_one_set(tables)
    opened = [_read_table(tables.root / file, file, columns, roles) for file in tables.files]
    if len({table.embedded is None for table in opened}) > 1:
        raise SourceError(f"{tables.spec}: some tables hold images and others name files; {_pick_one(tables)}")
    rows = pl.concat([_located(table, place) for place, table in enumerate(opened)])
    if rows.is_empty():
        raise SourceError(f"{tables.spec}: the table has a header but no rows; expected one row per photo")
    if "split" in roles:
        rows = _divided(rows, tables, columns)
    rows = _judged(rows, needs_label="label" in roles, confined=tables.confined)
    name = "-".join(filter(None, (tables.name, tables.part)))
    return Source(name, tables.spec, _source_files(rows), _reader(tables.root, opened))


def _check_one_set(tables: Tables) -> None:
    """Refuse tables that are not the splits, or the shards, of one set."""
    sets = {_set_of(file) for file in tables.files}
    if len(sets) > 1:
        names = _shown(name or "." for name in sets)
        raise SourceError(
            f"{tables.spec}: holds several sets of tables: {names}; {_pick_one(tables, min(filter(None, sets)))}"
        )
    is_named = [_split_of(file) is not None for file in tables.files]
    are_shards = not any(is_named) and all(file.lower().endswith(".parquet") for file in tables.files)
    if len(tables.files) > 1 and not all(is_named) and not are_shards:
        raise SourceError(f"{tables.spec}: holds several tables: {_shown(tables.files)}; {_pick_one(tables)}")


def _split_of(file: str) -> str | None:
    """What the name of a table, or of its folder, says: ``data/test-00000-of-00001.parquet`` is test."""
    path = PurePosixPath(file)
    return as_split(re.split(r"[-_.]", path.name)[0]) or as_split(path.parent.name)


def _set_of(file: str) -> str:
    folder = PurePosixPath(file).parent
    return str(folder.parent if as_split(folder.name) else folder).removeprefix(".")


def _pick_one(tables: Tables, one: str = "") -> str:
    return f"give one of them, as in {tables.spec.partition('::')[0]}::{one or tables.files[0]}"


def _shown(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def _read_table(path: Path, file: str, asked: Columns, roles: Sequence[str]) -> Table:
    try:
        lazy = _scan(path)
        schema = lazy.collect_schema()
        chosen = choose_columns(schema, asked, roles, str(path))
        embedded = is_embedded(schema[chosen["path"]])
        cells = [_as_text(path, schema, chosen.get(role), role).alias(role) for role in ROLES]
        row = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row")
        rows = lazy.select(row, *cells).collect()
    except (PolarsError, PanicException, OSError) as error:
        reason = (str(error).splitlines() or ["empty"])[0][:200]
        raise SourceError(
            f"{path}: the table cannot be read ({reason}); expected CSV or JSON Lines in UTF-8, or Parquet"
        ) from error
    return Table(file, rows, EmbeddedColumn(path, chosen["path"], len(rows)) if embedded else None)


def _scan(path: Path) -> pl.LazyFrame:
    """A table of any kind; CSV cells stay text, and the separator is the one most frequent in the first line."""
    if is_parquet(path):
        return pl.scan_parquet(regular(path), glob=False)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        content = read_file(path, MAX_TEXT_BYTES)
        return pl.scan_ndjson(content, infer_schema_length=None)  # by name it would take [ ] for a pattern
    with open_regular(path) as file:
        start = file.read(HEADER_BYTES)
    first = start.splitlines()[0] if start else b""
    if b"\0" in start or len(first) == HEADER_BYTES:  # Polars would hold a line of any length, and more than once
        raise OSError("its first line is not the header of a table")
    header = first.decode("utf-8", "replace")
    separator = max(SEPARATORS, key=header.count)
    return pl.scan_csv(regular(path, MAX_TEXT_BYTES), separator=separator, infer_schema=False, glob=False)


def _as_text(path: Path, schema: pl.Schema, column: str | None, role: str) -> pl.Expr:
    """A column as text, null where a cell is empty; with the names that a Parquet file gives its integers."""
    if column is None or is_embedded(schema[column]):
        return pl.lit(None, pl.String)
    if role == "label" and schema[column].is_integer() and (names := _label_names(path, column)):
        return pl.col(column).replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    text = pl.col(column).cast(pl.String)
    text = text if role == "path" else text.str.strip_chars()
    return pl.when(text != "").then(text)


def _label_names(path: Path, column: str) -> list[str]:
    """Names of a column's integers, from the metadata that Hugging Face's ``datasets`` writes into Parquet."""
    if not is_parquet(path):
        return []
    try:
        features = json.loads(pl.read_parquet_metadata(regular(path))["huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []


def _located(table: Table, place: int) -> pl.DataFrame:
    """Where each row's image is: a file below the root, or table and row for an embedded one."""
    folder = table.file[: table.file.rfind("/") + 1]
    path = pl.concat_str(pl.lit(folder), pl.col("path").str.strip_prefix("./"))
    location = path
    if table.embedded:
        path = pl.format("{}/{}", pl.lit(table.file), "row")
        location = pl.format("{}:{}", pl.lit(place), pl.col("row") - 1)
    return table.rows.with_columns(path=path, location=location, file=pl.lit(table.file))


def _divided(rows: pl.DataFrame, tables: Tables, asked: Columns) -> pl.DataFrame:
    """Splits under their usual names; none where there is only one, or where the column says something else."""
    if asked.split_column is None and len(tables.files) > 1 and _split_of(tables.files[0]):
        rows = rows.with_columns(split=pl.col("file").replace_strict({f: _split_of(f) for f in tables.files}))
    names = {name.lower() for name in rows["split"].drop_nulls().unique()}
    splits = {name: split for name in names if (split := as_split(name))}
    if len(splits) < len(names) and (splits or asked.split_column):
        raise SourceError(
            f"{tables.spec}: the split column holds {_shown(names)}; expected train, val and test alone; "
            "correct it, or name another one with --split-column"
        )
    rows = rows.with_columns(split=pl.col("split").str.to_lowercase().replace_strict(splits, default=None))
    if tables.part:
        return _part(rows, tables)
    if len(set(splits.values())) < 2:
        return rows.with_columns(split=pl.lit(None, pl.String))
    check_splits(names, "splits", "pick one with PATH::test")
    return rows


def _part(rows: pl.DataFrame, tables: Tables) -> pl.DataFrame:
    """The rows of one split, which are not divided any more."""
    chosen = rows.filter(pl.col("split") == as_split(tables.part))
    if chosen.is_empty():
        there = _shown(rows["split"].drop_nulls().unique())
        raise SourceError(f"{tables.spec}: no split {tables.part!r} in the table; there are: {there or 'no splits'}")
    return chosen.with_columns(split=pl.lit(None, pl.String))


def _judged(rows: pl.DataFrame, *, needs_label: bool, confined: bool) -> pl.DataFrame:
    """Add why a row takes no part, and tell apart rows that name the same file."""
    is_divided = rows["split"].is_not_null().any()
    elsewhere = pl.col("location").str.contains(ELSEWHERE) & confined
    reason = (
        pl.when(pl.col("path").is_null())
        .then(pl.lit("no path in this row"))
        .when(elsewhere)
        .then(pl.lit("the path leads out of the downloaded set"))
        .when(pl.col("label").is_null() & needs_label)
        .then(pl.lit("no label in this row"))
        .when(pl.col("split").is_null() & is_divided)
        .then(pl.lit("no split in this row"))
        .when(~pl.struct("location", "label", "group", "split").is_first_distinct())
        .then(pl.lit("repeats an earlier row"))
    )
    place = pl.format("{}, row {}", "file", "row")
    path = (
        pl.when(pl.col("path").is_null())
        .then(place)
        .when(pl.col("location").is_first_distinct())
        .then("path")
        .otherwise(pl.format("{} ({})", "path", place))
    )
    return rows.with_columns(ignored=reason, path=path, location=pl.col("location").fill_null(""))


def _source_files(rows: pl.DataFrame) -> tuple[SourceFile, ...]:
    """One file per row; labels, splits and groups of a kind share one text, for a table may have a million rows."""
    columns = ("path", "location", "label", "split", "ignored", "group")
    return tuple(
        SourceFile(path, path if location == path else location, *(text and sys.intern(text) for text in rest))
        for path, location, *rest in rows.select(columns).iter_rows()
    )


def _reader(root: Path, opened: list[Table]) -> Callable[[SourceFile], bytes]:
    columns = [table.embedded for table in opened if table.embedded]
    if not columns:
        return lambda f: _read_named(root, f.location)
    images = EmbeddedImages(columns)

    def read(file: SourceFile) -> bytes:
        table, _, row = file.location.partition(":")
        return images.read(int(table), int(row))

    return read


def _read_named(root: Path, location: str) -> bytes:
    """The file that a row names; a table written on Windows may name it with backslashes."""
    if "://" in location:
        raise OSError("a web address; mien reads files only")
    try:
        return read_file(root / location)
    except FileNotFoundError:
        if "\\" not in location:
            raise
        return read_file(root / location.replace("\\", "/"))
    except ValueError as error:
        raise OSError(f"not a path: {error}") from error
