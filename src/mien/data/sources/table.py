"""CSV, JSON Lines, Parquet and lists with a row per photo → files with labels, groups, splits and the user's columns.

Cells are taken as text. A row without a path or without a label is listed as ignored, and so is one that repeats
an earlier row. A row that names the same file as an earlier one, but with another label, group or split, is kept
beside it under a path of its own, so that the audit sees the contradiction. Whether a file exists is found out
when it is read. Votes of several raters become the class that most of them chose, and stay beside it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO, Literal, TypeVar

import polars as pl
from polars.exceptions import PanicException, PolarsError

from mien.data.sources.classes import check_classes, expressions_only, named_classes, spelt_alike
from mien.data.sources.columns import (
    KNOWN,
    RATERS,
    ROLES,
    choose_columns,
    columns_by_content,
    is_embedded,
    names_people,
    plain,
    usual_columns,
)
from mien.data.sources.delimited import EXPECTED, read_delimited, read_list, text_of
from mien.data.sources.embedded import EmbeddedColumn, EmbeddedImages
from mien.data.sources.files import NOT_GIVEN, OWN, VOTES, Source, SourceFile, Tables, is_parquet
from mien.data.sources.layout import described
from mien.data.sources.pattern import compile_pattern
from mien.data.sources.pixel_text import PixelTable, is_pixels, read_pixel_table
from mien.data.sources.presets import FER2013, parse_class_names, preset_of
from mien.data.sources.split_words import LEFT_OUT, as_split, as_splits, check_splits, parse_split_map, split_in
from mien.data.sources.store import Store, open_store
from mien.data.sources.votes import Votes, cast, class_columns, rater_columns, said_by, tallied
from mien.data.sources.whereabouts import find_photos
from mien.errors import SourceError
from mien.settings.columns import Columns
from mien.system.addresses import is_address
from mien.system.files import open_regular, read_file, regular
from mien.system.paths import user_path

__all__ = ["is_list", "open_tables"]

T = TypeVar("T")

ELSEWHERE = r"^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)"
"""A path that is absolute or climbs out of its folder."""
"""What programs write into a cell that is empty, in lower case."""
MAX_TEXT_BYTES = 2**30
"""Of a table that is text: ten million rows of a path and a label have less."""
SHOWN = 6
KEEPS_HEIGHT = "\0"
"""A column of the user's, which may have none, while they are put together: a table without columns has no rows."""
MOST_RATERS = 50
"""Raters who are told apart in a table with a row a rating; of a crowd, each has rated few photos."""
SPLITS_ALONE = ("split", "splits", "datasplit", "usage", "partition")
"""Names of columns that hold nothing but splits; a set or a phase may be something else."""
RATED_BY_SEVERAL = 0.5
"""Share of the photos that several people of a column must come with for these to be raters."""


@dataclass(frozen=True)
class Table:
    """One table whose rows were read.

    Attributes:
        file: relative to the root, with ``/``.
        rows: row (from 1), path, label, group, split, and why a row is not usable; all but the row are text, null where
            there is none.
        own: the other columns as text, and votes.
        columns: role → column.
        embedded: the column of images, or None.
        pixels: the images as text, or None.
        notes: how it was read.
    """

    file: str
    rows: pl.DataFrame
    own: pl.DataFrame
    columns: dict[str, str]
    embedded: EmbeddedColumn | None = None
    pixels: PixelTable | None = None
    notes: tuple[str, ...] = ()

    @property
    def holds_images(self) -> bool:
        """Whether the images are in the table itself."""
        return self.embedded is not None or self.pixels is not None


@dataclass(frozen=True)
class PhotoFolder:
    """The folder that the names in a table start from, on this machine or in a store.

    Attributes:
        root: the folder; inside the store, where there is one.
        looked: where its photos were looked for, for the reason of what is missing.
    """

    root: PurePath
    store: Store | None = None
    looked: str = ""

    def read(self, location: str) -> bytes:
        """The bytes of the file that a row names.

        Raises:
            OSError: if there is none, or if it is an address elsewhere.
        """
        if self.store is not None:
            return _in_either_spelling(self.store.read, self._inner(location), self.looked)
        return self._here(read_file, location)

    def opened(self, location: str) -> BinaryIO:
        """The same file, to be read piece by piece."""
        if self.store is not None:
            return _in_either_spelling(self.store.opened, self._inner(location), self.looked)
        return self._here(open_regular, location)

    def _inner(self, location: str) -> str:
        return location if "://" in location else (self.root / location).as_posix()

    def _here(self, take: Callable[[Path], T], location: str) -> T:
        if "://" in location:
            raise OSError("a web address; mien reads no row from there unless --root names the bucket or host")
        return _in_either_spelling(lambda name: take(Path(self.root / name)), location, self.looked)


def is_list(path: Path) -> bool:
    """Whether a text file is a list with a photo and more a line."""
    try:
        return (_from_json(path) if path.suffix.lower() == ".json" else read_list(path)) is not None
    except SourceError:  # one with a line that is odd
        return True


def open_tables(tables: Tables, columns: Columns, roles: Sequence[str] = ROLES, *, is_known: bool = False) -> Source:
    """List the photos that tables name or hold.

    Args:
        columns: which column plays which role; a role that is left open goes to a column with a usual name.
        roles: what to read of each row; a label is needed only where it is among them.
        is_known: whether a model says which classes count, so that those which are no words need no asking.

    Raises:
        SourceError: if a table cannot be read, if a column is missing or in doubt, if several tables do not
            belong together, if there is no such part, or if photos are in several places.
    """
    _check_one_set(tables)
    opened = [_read_one(tables, file, columns, roles) for file in tables.files]
    if len({table.holds_images for table in opened}) > 1:
        raise SourceError(f"{tables.spec}: some tables hold images and others name files; {_pick_one(tables)}")
    rows = pl.concat([_located(table, place) for place, table in enumerate(opened)])
    own = pl.concat([table.own for table in opened], how="diagonal")
    if rows.is_empty():
        raise SourceError(f"{tables.spec}: the table has a header but no rows; expected one row per photo")
    notes = [note for table in opened for note in table.notes]
    photos = PhotoFolder(tables.root, tables.store)
    if not opened[0].holds_images:
        rows, photos, found = _found(rows, tables, columns)
        notes += [found] if found else []
    rows = _by_layout(rows.with_columns(pl.int_range(pl.len()).alias("number")), columns)
    split_names = set(rows["split"].drop_nulls()) if "split" in roles else set()
    if "split" in roles:
        rows = _divided(rows, tables, columns, opened[0].columns.get("split", ""))
    if split_names and rows["split"].null_count() == len(rows) and (unused := opened[0].columns.get("split")):
        own = own.with_columns(pl.concat([table.rows["split"] for table in opened]).alias(OWN + unused))
        if set(as_splits(split_names, parse_split_map(columns.split_map))) < split_names:
            notes.append(f"column {unused!r} holds {_shown(split_names)}, which are no splits; it is not used as one")
    notes += _told_of_flags(own, columns) if not split_names else []
    own = own[rows["number"].to_list()].drop(KEEPS_HEIGHT)
    rows = _judged(rows, needs_label="label" in roles, confined=tables.confined)
    name = "-".join(filter(None, (tables.name, tables.part)))
    source = Source(
        name,
        tables.spec,
        _source_files(rows),
        _reader(photos, opened),
        own=own if own.columns else None,
        opened=None if opened[0].holds_images else lambda f: photos.opened(f.location),
        store=photos.store,
    )
    by = opened[0].columns.get("group")
    kind: Literal["people", "groups"] = "groups" if by and not names_people(by) else "people"
    source = replace(source, group_kind=kind, roles=opened[0].columns)
    if "label" not in roles:
        return source
    return _named(replace(source, notes=tuple(notes)), columns, opened, split_names, is_known=is_known)


def _named(source: Source, asked: Columns, opened: Sequence[Table], split_names: set[str], *, is_known: bool) -> Source:
    """The source with names for its classes, and what is to be said of it."""
    names, notes = _names(asked), list(source.notes)
    is_fer2013 = opened[0].pixels is not None or {"PublicTest", "PrivateTest"} <= split_names
    if is_fer2013 and not asked.class_names and not names and source.labels and set(source.labels) <= set(FER2013):
        names = FER2013
        notes.append("0 to 6 are named as in FER2013: " + ", ".join(FER2013.values()))
    has_votes = source.own is not None and any(column.startswith(VOTES) for column in source.own.columns)
    source = named_classes(source, names, None if has_votes else asked.class_names)
    source = expressions_only(source, preset_of(asked.layout))
    column = opened[0].columns.get("label")
    if column and not is_known and not (asked.label_column or asked.class_names or asked.layout):
        way_out = f"if these are the classes, say so with --label-column {_quoted(column)}; else correct the table, or "
        check_classes(source.spec, source.labels, way_out + "rename classes with --class-names OLD=NEW")
    if not source.labels:
        return source
    source = spelt_alike(replace(source, notes=()))
    where: dict[str, str] = {role: f"column {opened[0].columns[role]!r}" for role in ROLES if role in opened[0].columns}
    return replace(source, notes=(described(source, where), *notes, *source.notes))


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


def _told_of_flags(own: pl.DataFrame, asked: Columns) -> list[str]:
    """Lines on columns such as ``is_train`` that seem to divide the photos, and how they would."""
    lines = []
    for column in own.columns if asked.split_column is None else []:
        name = column.removeprefix(OWN)
        if not column.startswith(OWN) or not (split := split_in(name)):
            continue
        values = set(own[column].drop_nulls().unique())
        yes = next((value for value in values if value.lower() in ("true", "1", "yes")), None)
        if yes and len(values) == 2:
            (no,) = values - {yes}
            other = "test" if split == "train" else "train"
            lines.append(
                f"column {name!r} does not divide the photos; --split-column {_quoted(name)} --split-map "
                f"{yes}={split},{no}={other} would"
            )
    return lines


def _split_of(file: str) -> str | None:
    """What the name of a table, or of its folder, says: ``data/test-00000-of-00001.parquet`` is test."""
    path = PurePosixPath(file)
    return split_in(path.name.partition(".")[0]) or as_split(path.parent.name)


def _set_of(file: str) -> str:
    folder = PurePosixPath(file).parent
    return str(folder.parent if as_split(folder.name) else folder).removeprefix(".")


def _pick_one(tables: Tables, one: str = "") -> str:
    return f"give one of them, as in {tables.spec.partition('::')[0]}::{one or tables.files[0]}"


def _shown(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more


def _read_one(tables: Tables, file: str, asked: Columns, roles: Sequence[str]) -> Table:
    """One of the tables; what is wrong with one of several says that another may be given alone."""
    try:
        return _read_table(tables.here(file), file, asked, roles)
    except SourceError as error:
        others = [other for other in tables.files if other != file]
        if not others or tables.part:
            raise
        raise SourceError(f"{error}; or give another table alone, as in {_spec_of(tables)}::{others[-1]}") from error


def _spec_of(tables: Tables) -> str:
    return tables.spec.partition("::")[0]


def _read_table(path: Path, file: str, asked: Columns, roles: Sequence[str]) -> Table:
    try:
        if not is_parquet(path) and path.suffix.lower() in (".csv", ".tsv") and (pixels := read_pixel_table(path)):
            return _pixel_table(pixels, file, asked, roles)
        frame, has_header = _frame(path)
        return _named_table(path, file, frame, asked, roles, has_header=has_header)
    except (PolarsError, PanicException, OSError) as error:
        reason = (str(error).splitlines() or ["empty"])[0][:200]
        raise SourceError(f"{path}: the table cannot be read ({reason}); {EXPECTED}") from error


def _frame(path: Path) -> tuple[pl.DataFrame, bool]:
    """The columns of a table of any kind but those of images, and whether its first line names them."""
    if is_parquet(path):
        lazy = pl.scan_parquet(regular(path), glob=False)
        kept = [name for name, kind in lazy.collect_schema().items() if not is_embedded(kind)]
        return lazy.select(kept).collect(), True
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return _from_json_lines(path), True
    if path.suffix.lower() == ".json":
        told = _from_json(path)
        if told is None:
            raise SourceError(f"{path}: not a list of objects with a path and a label each")
        return told, True
    if path.suffix.lower() in (".txt", ".lst", ".list"):
        listed = read_list(path)
        if listed is None:
            raise SourceError(f"{path}: not a list of photos; expected the name of a photo and its class in each line")
        return listed.frame, listed.has_header
    read = read_delimited(path, KNOWN)
    if not read.has_header and any(map(is_pixels, read.frame.head(1).row(0))):
        raise SourceError(
            f"{path}: pixels without a line that names the columns; write one above them, such as emotion,pixels,Usage"
        )
    return read.frame, read.has_header


def _from_json_lines(path: Path) -> pl.DataFrame:
    """A table with an object a line.

    Raises:
        SourceError: if a line is none, with its number.
    """
    content = text_of(path)
    try:
        return pl.read_ndjson(content, infer_schema_length=None)
    except (PolarsError, PanicException):
        for i, line in enumerate(content.splitlines(), 1):
            if line.strip() and not _is_object(line):
                what = f"{path}, line {i}: the table cannot be read (not a JSON object); mend that line"
                raise SourceError(what) from None
        raise


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _from_json(path: Path) -> pl.DataFrame | None:
    """A list of flat objects, columns, or one object with the class of each photo, as text; None if it is none."""
    try:
        told = json.loads(read_file(path, MAX_TEXT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    if isinstance(told, dict) and len(told) > 1 and all(isinstance(value, str | int) for value in told.values()):
        told = [{"path": name, "label": value} for name, value in told.items()]
    told = _from_json_columns(told) or told
    if not isinstance(told, list) or not told or not all(isinstance(row, dict) for row in told):
        return None
    names = dict.fromkeys(name for row in told for name, value in row.items() if isinstance(value, str | int | float))
    if not any(plain(name) in KNOWN for name in names):
        return None
    rows = [[None if row.get(name) is None else str(row[name]) for name in names] for row in told]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _from_json_columns(told: object) -> list[dict[str, object]]:
    """Rows of an object that holds columns: lists, or objects by row as pandas writes them; none if it does not."""
    if not isinstance(told, dict) or not any(plain(name) in KNOWN for name in told):
        return []
    columns = [
        column if isinstance(column, dict) else dict(enumerate(column))
        for column in told.values()
        if isinstance(column, dict | list)
    ]
    if len(columns) < max(2, len(told)) or len({tuple(column) for column in columns}) > 1:
        return []
    return [dict(zip(told, [column[key] for column in columns], strict=True)) for key in columns[0]]


def _schema(path: Path, frame: pl.DataFrame) -> dict[str, pl.DataType]:
    return dict(pl.scan_parquet(regular(path), glob=False).collect_schema()) if is_parquet(path) else dict(frame.schema)


def _named_table(
    path: Path, file: str, frame: pl.DataFrame, asked: Columns, roles: Sequence[str], *, has_header: bool
) -> Table:
    """A table with its rows and its other columns, its roles found."""
    schema, where = _schema(path, frame), str(path)
    votes = _votes(frame, schema, asked, where) if "label" in roles else None
    open_roles = [role for role in roles if role != "label"] if votes else roles
    guessed = (
        {}
        if has_header or any(asked.of(r) for r in ("path", "label"))
        else columns_by_content(frame, where, needs_label="label" in roles)
    )
    if not has_header and "label" not in roles:
        guessed = {role: column for role, column in guessed.items() if role in roles}
    chosen = guessed or choose_columns(schema, asked, open_roles, where)
    embedded = is_embedded(schema[chosen["path"]])
    rows = frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"),
        *(_as_text(path, schema, chosen.get(role), role).alias(role) for role in ROLES),
        pl.lit(None, pl.String).alias("reason"),
    )
    own = _own(frame, set(chosen.values()))
    notes: tuple[str, ...] = () if has_header else (f"{path.name} has no header; column {chosen['path']} is the path",)
    if votes:
        rows = rows.with_columns(votes.label, votes.reason)
        own = own.drop([OWN + c for c in votes.columns if OWN + c in own.columns]).hstack(votes.kept)
        notes += _told_of(votes)
    elif "label" in chosen:
        rows, own, told = _rated(rows, own, frame, chosen, asked)
        notes += told
        _check_one_class(rows, where)
    held = EmbeddedColumn(path, chosen["path"], len(frame)) if embedded else None
    return Table(file, rows, own, chosen, embedded=held, notes=notes)


def _pixel_table(pixels: PixelTable, file: str, asked: Columns, roles: Sequence[str]) -> Table:
    """A table that holds its photos as text."""
    frame, where = pixels.frame, str(pixels.path)
    votes = _votes(frame, dict(frame.schema), asked, where) if "label" in roles else None
    wanted = [role for role in roles if role != "path" and not (votes and role == "label")]
    chosen = choose_columns(frame.schema, replace(asked, path_column=None), wanted, where)
    rows = frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"),
        *(_as_text(pixels.path, frame.schema, chosen.get(role), role).alias(role) for role in ROLES),
        pl.lit(None, pl.String).alias("reason"),
    )
    own = _own(frame, set(chosen.values()) | {"row"})
    notes: tuple[str, ...] = ("the photos are in the table itself, as text",)
    if votes:
        rows, own = (
            rows.with_columns(votes.label, votes.reason),
            own.drop(OWN + c for c in votes.columns).hstack(votes.counts),
        )
        notes += _told_of(votes)
    return Table(file, rows, own, chosen, pixels=pixels, notes=notes)


def _own(frame: pl.DataFrame, used: set[str]) -> pl.DataFrame:
    """The columns that play no role, as text."""
    kept = [c for c, kind in frame.schema.items() if c not in used and not kind.is_nested() and kind != pl.Binary]
    columns = [pl.col(c).cast(pl.String, strict=False).alias(OWN + c) for c in kept]
    return frame.select(pl.int_range(pl.len()).alias(KEEPS_HEIGHT), *columns)


def _votes(frame: pl.DataFrame, schema: dict[str, pl.DataType], asked: Columns, where: str) -> Votes | None:
    """What columns of votes say; None where there are none, or where a column says the label itself.

    Raises:
        SourceError: if one of them was asked for as the label.
    """
    columns = class_columns(frame)
    if asked.label_column in columns and len(columns) > 1:
        raise SourceError(
            f"{where}: the column {asked.label_column!r} counts votes for one class beside {_shown(columns)}; leave "
            "--label-column out, and the votes of all become the label"
        )
    if asked.label_column or usual_columns(schema, "label"):
        return None
    if columns:
        return tallied(frame, columns, _names(asked))
    raters = rater_columns(frame)
    return cast(frame, raters, _names(asked)) if raters else None


def _names(asked: Columns) -> dict[str, str]:
    """The names that classes are given."""
    preset = preset_of(asked.layout)
    return (dict(preset.class_names) if preset else {}) | parse_class_names(asked.class_names)


def _told_of(votes: Votes) -> tuple[str, ...]:
    undecided = len(votes.reason) - votes.reason.null_count()
    left = f"; {undecided} photos without one are not used, each with its reason" if undecided else ""
    return (f"votes in {votes.kind}: the label is the class with most{left}",)


def _rated(
    rows: pl.DataFrame, own: pl.DataFrame, frame: pl.DataFrame, chosen: dict[str, str], asked: Columns
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[str, ...]]:
    """Rows of one rating each as one row a photo with votes; the same rows where a row is no rating."""
    raters = [name for name in frame.columns if plain(name) in RATERS and name not in chosen.values()]
    by_group = "group" in chosen and asked.group_column is None
    column = raters[0] if len(raters) == 1 else chosen["group"] if by_group and not raters else None
    if column is None:
        return rows, own, ()
    told = rows.with_columns(frame[column].cast(pl.String).alias("rater")).filter(pl.col("path").is_not_null())
    several = told.group_by("path").agg(pl.col("rater").n_unique().alias("n"))["n"] > 1
    if not len(several) or several.mean() < RATED_BY_SEVERAL:  # type: ignore[operator]
        return rows, own, ()
    if column == chosen.get("group"):
        del chosen["group"]
        rows = rows.with_columns(pl.lit(None, pl.String).alias("group"))
    label = _not_empty(pl.col("label"))
    counts = (
        rows.filter(pl.col("path").is_not_null())
        .with_columns(label)
        .filter(pl.col("label").is_not_null())
        .pivot("label", index="path", values="row", aggregate_function="len", sort_columns=True)
    )
    numbered = rows.with_columns(pl.int_range(pl.len()).alias("place"))
    first = numbered.filter(pl.col("path").is_null() | pl.col("path").is_first_distinct())
    same = first.select("path").join(counts, on="path", how="left", maintain_order="left").drop("path")
    votes = tallied(same, same.columns, _names(asked))
    votes = replace(votes, raters=_said_by_each(told.with_columns(label), first["path"], _names(asked)))
    kept = (
        own[first["place"].to_list()].drop([name for name in (OWN + column,) if name in own.columns]).hstack(votes.kept)
    )
    merged = first.drop("place").with_columns(votes.label, votes.reason)
    note = _told_of(replace(votes, kind=f"rows, one for each rating, by {column!r}"))
    return merged, kept, note


def _check_one_class(rows: pl.DataFrame, where: str) -> None:
    """Refuse a table where most photos are in rows of several classes, which may be ratings, counts or faces.

    Raises:
        SourceError: with what to do.
    """
    told = rows.with_columns(_not_empty(pl.col("label"))).drop_nulls(["path", "label"])
    several = told.group_by("path").agg(pl.col("label").n_unique())["label"] > 1
    if several.sum() > 1 and several.mean() >= RATED_BY_SEVERAL:  # type: ignore[operator]
        raise SourceError(
            f"{where}: most photos are in several rows, of different classes; for rows that are ratings add a column "
            "'rater', for counts of votes have one column per class, else keep one row per photo"
        )


def _said_by_each(ratings: pl.DataFrame, paths: pl.Series, names: Mapping[str, str]) -> pl.DataFrame | None:
    """What each rater said of each photo, of a row a rating; None where there are too many raters to look at each."""
    named = ratings.filter(pl.col("rater").is_not_null())
    if named["rater"].n_unique() > MOST_RATERS:
        return None
    wide = named.pivot("rater", index="path", values="label", aggregate_function="first", sort_columns=True)
    same = paths.to_frame().join(wide, on="path", how="left", maintain_order="left").drop("path")
    return said_by({name: same[name] for name in same.columns}, names)


def _as_text(path: Path, schema: Mapping[str, pl.DataType], column: str | None, role: str) -> pl.Expr:
    """A column as text, null where a cell is empty; with the names that a Parquet file gives its integers."""
    if column is None or is_embedded(schema[column]):
        return pl.lit(None, pl.String)
    if role == "label" and schema[column].is_integer() and (names := _label_names(path, column)):
        return pl.col(column).replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    text = pl.col(column).cast(pl.String)
    text = text if role == "path" else text.str.strip_chars()
    return pl.when(text != "").then(text)


def _not_empty(label: pl.Expr) -> pl.Expr:
    """The label, null where a program wrote that there is none."""
    return pl.when(~label.str.to_lowercase().is_in(NOT_GIVEN)).then(label)


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
    bare = pl.col("path").str.strip_prefix("./")
    path = pl.when(bare.str.contains("://", literal=True)).then(bare).otherwise(pl.concat_str(pl.lit(folder), bare))
    location = path
    if table.holds_images:
        path = pl.format("{}/{}", pl.lit(table.file), "row")
        location = pl.format("{}:{}", pl.lit(place), pl.col("row") - 1)
    return table.rows.with_columns(path=path, location=location, bare=bare, file=pl.lit(table.file))


def _found(rows: pl.DataFrame, tables: Tables, asked: Columns) -> tuple[pl.DataFrame, PhotoFolder, str]:
    """The rows with where their files are; the folder that they are in, and what was found out."""
    photos = PhotoFolder(tables.root, tables.store)
    if asked.root is not None:
        photos = _asked_folder(asked.root)
    column = "path" if asked.root is None else "bare"
    distinct = rows[column].drop_nulls().unique(maintain_order=True)
    found = find_photos(
        distinct.to_list(),
        photos.root,
        tables.spec,
        ending=asked.ending,
        top=None if asked.root else tables.top,
        store=photos.store,
    )
    is_local = asked.root is not None and isinstance(photos.root, Path)
    places = [str(Path(photos.root).absolute() / place) for place in found.locations] if is_local else found.locations
    located = rows[column].replace_strict(distinct, pl.Series(places, dtype=pl.String), default=None)
    return rows.with_columns(located.alias("location")), replace(photos, looked=found.where), found.note


def _asked_folder(root: str) -> PhotoFolder:
    """The folder, here or in a store, that ``--root`` names."""
    if is_address(root):
        return PhotoFolder(PurePosixPath(), open_store(root))
    folder = user_path(root, "--root")
    if not folder.is_dir():
        raise SourceError(f"--root {root}: there is no such folder; give the one that the paths start from")
    return PhotoFolder(folder)


def _by_layout(rows: pl.DataFrame, asked: Columns) -> pl.DataFrame:
    """The rows with the group, the split and the label that ``--layout`` reads off their paths, where no column does.

    Raises:
        SourceError: if it fits no path.
    """
    preset = preset_of(asked.layout)
    patterns = preset.layouts if preset else (asked.layout,) if asked.layout else ()
    for text in patterns:
        pattern = compile_pattern(text or "")
        places = [pattern.match(path.replace("\\", "/")) if path else None for path in rows["path"]]
        if not any(places):
            continue
        told = {
            role: pl.Series(role, [place and getattr(place, role) for place in places], pl.String)
            for role in ("label", "group", "split")
            if role in pattern.roles and rows[role].null_count() == len(rows)
        }
        return rows.with_columns(**told)
    if patterns and preset is None:
        raise SourceError(f"--layout {asked.layout}: fits no path of the table; the first is {rows['path'][0]}")
    return rows


def _divided(rows: pl.DataFrame, tables: Tables, asked: Columns, column: str) -> pl.DataFrame:
    """Splits under their usual names; none where there is only one, or where the column says something else.

    Args:
        column: that of the splits, or nothing.
    """
    if asked.split_column is None and len(tables.files) > 1 and _split_of(tables.files[0]):
        rows = rows.with_columns(split=pl.col("file").replace_strict({f: _split_of(f) for f in tables.files}))
    names = sorted(rows["split"].drop_nulls().unique())
    splits = as_splits(names, parse_split_map(asked.split_map))
    unknown = [name for name in names if name not in splits]
    if unknown and (splits or asked.split_column or plain(column) in SPLITS_ALONE):
        raise SourceError(
            f"{tables.spec}: the split column holds {_shown(names)}; expected train, val and test alone; say what "
            f"others are with --split-map {_quoted(unknown[0])}=train (or val, test, none), or give --split-column none"
        )
    rows = rows.with_columns(split=pl.col("split").replace_strict(splits, default=None, return_dtype=pl.String))
    if tables.part:
        return _part(rows, tables)
    if len(set(splits.values()) - {LEFT_OUT}) < 2:
        kept = pl.when(pl.col("split") == LEFT_OUT).then("split")
        return rows.with_columns(kept.alias("split"))
    check_splits(names, splits, "splits", "pick one with PATH::test")
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
    is_divided = (rows["split"].is_not_null() & (rows["split"] != LEFT_OUT)).any()
    label = _not_empty(pl.col("label"))
    elsewhere = pl.col("location").str.contains(ELSEWHERE) & confined
    reason = (
        pl.when(pl.col("path").is_null())
        .then(pl.lit("no path in this row"))
        .when(elsewhere)
        .then(pl.lit("the path leads out of the downloaded set"))
        .when(pl.col("split") == LEFT_OUT)
        .then(pl.lit("left out by --split-map"))
        .when(pl.col("reason").is_not_null() & needs_label)
        .then("reason")
        .when(pl.col("label").is_null() & needs_label)
        .then(pl.lit("no label in this row"))
        .when(label.is_null() & needs_label)
        .then(pl.format("no label in this row, but {}", "label"))
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
    split = pl.when(pl.col("split") != LEFT_OUT).then("split")
    return rows.with_columns(
        ignored=reason, path=path, location=pl.col("location").fill_null(""), label=label, split=split
    )


def _source_files(rows: pl.DataFrame) -> tuple[SourceFile, ...]:
    """One file per row; labels, splits and groups of a kind share one text, for a table may have a million rows."""
    columns = ("path", "location", "label", "split", "ignored", "group")
    return tuple(
        SourceFile(path, path if location == path else location, *(text and sys.intern(text) for text in rest))
        for path, location, *rest in rows.select(columns).iter_rows()
    )


def _reader(photos: PhotoFolder, opened: list[Table]) -> Callable[[SourceFile], bytes]:
    pixels = [table.pixels for table in opened if table.pixels]
    columns = [table.embedded for table in opened if table.embedded]
    if not columns and not pixels:
        return lambda f: photos.read(f.location)
    files = [table.file for table in opened]
    beside = None if photos.store is None else lambda table, name: photos.read(_beside(files[table], name))
    images = EmbeddedImages(columns, beside) if columns else None

    def read(file: SourceFile) -> bytes:
        table, _, row = file.location.partition(":")
        return images.read(int(table), int(row)) if images else pixels[int(table)].read(int(row))

    return read


def _beside(table: str, name: str) -> str:
    return (PurePosixPath(table).parent / name).as_posix()


def _missing(looked: str) -> OSError:
    return OSError(f"No such file; {looked}; --root says where photos are, --ending how their names end")


def _in_either_spelling(take: Callable[[str], T], location: str, looked: str) -> T:
    """What is taken of the file that a row names; a table written on Windows may name it with backslashes."""
    try:
        return take(location)
    except FileNotFoundError as error:
        if "\\" not in location:
            raise _missing(looked) from error
        try:
            return take(location.replace("\\", "/"))
        except FileNotFoundError as again:
            raise _missing(looked) from again
    except ValueError as error:
        raise OSError(f"not a path: {error}") from error


def _quoted(name: str) -> str:
    return name if name.isalnum() else f"'{name}'"
