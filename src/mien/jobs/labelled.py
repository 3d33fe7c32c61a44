"""Labelled photos as Python code has them → sources that every command reads: paths, or one table in Parquet.

A table of the caller's and photos that lie in memory are written down, so that what is audited, split and resumed is
the same thing each time; photos in memory are kept without loss, as PNG.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import polars as pl
from PIL import Image

from mien.data.reading.given import Photo, given
from mien.data.reading.pictures import Picture
from mien.data.sources.columns import usual_columns
from mien.data.sources.files import ROW, existing_path
from mien.errors import AnswersError, OutputError, SourceError
from mien.system.addresses import kept_aside
from mien.system.files import regular, written_whole

__all__ = ["Labelled", "Photos", "answers_at", "label_column", "taken"]

Photos: TypeAlias = object
"""A path, several paths, a table of pandas or Polars, a mapping of columns, or photos that come with ``labels``."""


@dataclass(frozen=True)
class Labelled:
    """Labelled photos that were handed over.

    Attributes:
        sources: what a command takes, where paths were given; else empty.
        table: the photos as a table, else None.
        root: the folder that paths in the table start from; None where it holds the images.
    """

    sources: tuple[str, ...] = ()
    table: pl.DataFrame | None = None
    root: str | None = None

    def sources_at(self, path: Path) -> tuple[str, ...]:
        """What a command takes once ``write`` has put the table there."""
        return self.sources if self.table is None else (str(path),)

    def write(self, path: Path) -> bool:
        """Write the table, whole or not at all; never over another.

        Returns:
            Whether it was written: not where paths were given, and not where the same table is there.

        Raises:
            OutputError: if there is something else.
        """
        if self.table is None:
            return False
        if path.exists():
            if _is_same(path, self.table):
                return False
            raise OutputError(f"{path}: exists already, and is not the table that was given now; give another out")
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            self.table.write_parquet(partial)
        return True


def taken(data: Photos, labels: object | None = None, groups: object | None = None) -> Labelled:
    """Take labelled photos.

    Args:
        data: a path or several, as for ``mien study``; a table with a row a photo; or, with ``labels``, photos as
            ``Recognizer.predict`` takes them.
        labels: (N,) the class of each photo.
        groups: (N,) what each depends on, such as a person.

    Raises:
        SourceError: if it is none of these, or if the numbers differ.
        PhotoError: if any of it is no photo.
    """
    if labels is not None:
        return _listed(data, labels, groups)
    if groups is not None:
        raise SourceError("groups: give them with labels, as many as photos")
    table = _as_table(data)
    if table is not None:
        if table.is_empty():
            raise SourceError("data: a table without rows; give one with a row for each photo")
        embedded = usual_columns(table.schema, "path")[:1]
        is_embedded = bool(embedded) and table.schema[embedded[0]] not in (pl.String, pl.Categorical)
        return Labelled(table=_numbered(table), root=None if is_embedded else str(Path.cwd()))
    if isinstance(data, str | os.PathLike):
        return Labelled(sources=(kept_aside(os.fspath(data)),))
    if isinstance(data, Sequence) and data and all(isinstance(each, str | os.PathLike) for each in data):
        return Labelled(sources=tuple(kept_aside(os.fspath(each)) for each in data))
    raise SourceError(
        f"data: {type(data).__name__}, where labelled photos were expected: give a path, a table of pandas or Polars "
        "with a row for each photo, or photos together with labels="
    )


def answers_at(answers: object, folder: Path) -> str:
    """A table of answers as the path of a file, written into a folder where it lies in memory.

    Raises:
        AnswersError: if it is no table.
    """
    if isinstance(answers, str | os.PathLike):
        return os.fspath(answers)
    if _is_nested(answers):
        path = folder / "answers.json"
        told = {_as_key(key): value for key, value in answers.items()} if isinstance(answers, Mapping) else answers
        try:
            path.write_text(json.dumps(told, default=_as_json), encoding="utf-8")
        except (TypeError, ValueError) as error:
            raise AnswersError(f"answers: {error}; give texts and numbers") from error
        return str(path)
    table = _as_table(answers)
    if table is None:
        raise AnswersError(
            f"answers: {type(answers).__name__}, where a table was expected: give a path, a table of pandas or Polars, "
            "or a list with a dictionary for each photo"
        )
    path = folder / "answers.parquet"
    table.write_parquet(path)
    return str(path)


def _is_nested(answers: object) -> bool:
    """Whether these are a list of answers, or answers by the photo's path, rather than a table or its columns."""
    if isinstance(answers, Mapping):
        return bool(answers) and all(map(_is_answer, answers.values()))
    return isinstance(answers, list | tuple) and bool(answers)


def _is_answer(value: object) -> bool:
    """Whether it is what a tool says of one photo: a dictionary, or a list of one for each face."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and all(isinstance(each, Mapping) for each in value)


def _as_key(name: object) -> object:
    return os.fspath(name) if isinstance(name, os.PathLike) else name


def _as_json(value: object) -> object:
    """A path, a mapping, or a number or array of NumPy, as JSON has it."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is among them")


def label_column(name: str, values: object) -> list[str | None]:
    """Classes or groups, one for each photo, as text; None for what says nothing, such as NaN.

    Args:
        name: of the argument, for the error.

    Raises:
        SourceError: if they are no list of single values.
    """
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise SourceError(f"{name}: {type(values).__name__}, where a list with one value per photo was expected")
    items = _whole([_plain(each) for each in values])
    odd = next((each for each in items if not isinstance(each, str | int | float | bool | None)), None)
    if odd is not None:
        raise SourceError(f"{name}: a {type(odd).__name__} for one photo; give one value per photo, not a row")
    return [None if each is None else str(each) for each in items]


def _listed(photos: object, labels: object, groups: object | None) -> Labelled:
    """Photos that come with their classes."""
    own = {"label": label_column("labels", labels)}
    if groups is not None:
        own["person"] = label_column("groups", groups)
    names, pictures = _read(photos)
    for name, column in zip(("labels", "groups"), own.values(), strict=False):
        if len(column) != len(names):
            raise SourceError(f"{name}: {len(column)} for {len(names)} photos; give one for each")
    texts = dict.fromkeys(own, pl.String)
    if all(name is not None for name in names):
        paths = [_absolute(name) for name in names if name is not None]
        table = pl.DataFrame({"path": paths} | own, schema_overrides=texts)
        return Labelled(table=_numbered(table), root=str(Path.cwd()))
    images = [_png(picture.load()) for picture in pictures]
    return Labelled(table=_numbered(pl.DataFrame({"image": images} | own, schema_overrides=texts)))


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    """The same with the number of each row, by which answers are found again."""
    if ROW in table.columns:
        raise SourceError(f"data: a column is called {ROW}, as mien's own is; rename it")
    return table.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))


def _read(photos: object) -> tuple[list[str | None], list[Picture]]:
    """Each photo's path, None for one in memory; and the photos, each copied as it comes from a generator."""
    if isinstance(photos, str | os.PathLike | bytes) or not isinstance(photos, Iterable):
        raise SourceError("data: one photo, where several were expected beside labels=; give a list")
    names: list[str | None] = []

    def noted() -> Iterator[Photo]:
        for each in photos:
            names.append(kept_aside(os.fspath(each)) if isinstance(each, str | os.PathLike) else None)
            yield each

    pictures = given(noted()).pictures
    return names, pictures


def _as_table(data: object) -> pl.DataFrame | None:
    """A table of Polars, of pandas, or a mapping of columns; None for anything else."""
    columns: list[tuple[str, Iterable[object]]]
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pl.DataFrame):
        if pl.Object not in data.dtypes:
            return data
        columns = [(name, data[name].to_list()) for name in data.columns]
    elif type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        columns = [(str(name), data.iloc[:, i].tolist()) for i, name in enumerate(data.columns)]  # type: ignore[attr-defined]
    elif isinstance(data, Mapping):
        columns = [(str(name), list(values)) for name, values in data.items()]
    else:
        return None
    names = [name for name, _ in columns]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SourceError(f"data: two columns are called {twice}; rename one")
    lengths = {len(values) for _, values in columns}  # type: ignore[arg-type]  # lists
    if len(lengths) > 1:
        raise SourceError(
            f"data: columns of {min(lengths)} and of {max(lengths)} rows; give one value per photo in each"
        )
    return pl.DataFrame([_column(name, values) for name, values in columns])


def _column(name: str, values: Iterable[object]) -> pl.Series:
    """A column of a table; what no table can hold becomes its text."""
    items = _whole([_plain(each) for each in values])
    try:
        column = pl.Series(name, items, strict=True)
    except (pl.exceptions.PolarsError, TypeError, ValueError):
        return pl.Series(name, [None if each is None else str(each) for each in items], pl.String)
    if column.dtype == pl.Object:
        return pl.Series(name, [None if each is None else str(each) for each in items], pl.String)
    return column


def _plain(value: object) -> object:
    """A cell as Polars takes it; None for what says nothing: NaN, NaT and the missing values of pandas."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Image.Image):
        return _png(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, np.ndarray | list | tuple):
        return np.asarray(value).item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(value, np.generic):
        value = value.item()
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return None if isinstance(value, float) and value != value else value


def _whole(items: list[object]) -> list[object]:
    """The same; numbers that pandas made floats, since some of the column are missing, are whole again."""
    given_ = [each for each in items if each is not None]
    are_whole = all(isinstance(each, float) and each.is_integer() for each in given_)
    if given_ and are_whole and len(given_) < len(items):
        return [None if each is None else int(each) for each in items]  # type: ignore[call-overload]  # floats
    return items


def _is_same(path: Path, table: pl.DataFrame) -> bool:
    try:
        kept = pl.read_parquet(regular(path), glob=False)
        return kept.equals(table) or kept.equals(table.drop(ROW))  # one that was kept before rows had numbers
    except (OSError, pl.exceptions.PolarsError):
        return False


def _absolute(path: str) -> str:
    found = existing_path(path)
    return str(found.absolute()) if found else path


def _png(image: object) -> bytes:
    if not isinstance(image, Image.Image):
        raise SourceError("photos: a video or animation cannot be learnt from; give its frames")
    into = io.BytesIO()
    image.save(into, format="PNG")
    return into.getvalue()
