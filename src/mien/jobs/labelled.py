"""Labelled photos as Python code has them → sources that every command reads: paths, or one table in Parquet.

A table of the caller's and photos that lie in memory are written down, so that what is audited, split and resumed is
the same thing each time; photos in memory are kept without loss, as PNG.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import polars as pl
from PIL import Image

from mien.data.reading.given import Photo, given
from mien.data.sources.files import existing_path
from mien.errors import SourceError
from mien.system.files import written_whole

__all__ = ["Labelled", "Photos", "taken"]

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

    def write(self, path: Path) -> None:
        """Write the table, whole or not at all; nothing where paths were given."""
        if self.table is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            self.table.write_parquet(partial)


def taken(data: Photos, labels: Iterable[object] | None = None, groups: Iterable[object] | None = None) -> Labelled:
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
        holds_images = pl.Binary in table.dtypes or pl.Struct in {type(each) for each in table.dtypes}
        return Labelled(table=table, root=None if holds_images else str(Path.cwd()))
    if isinstance(data, str | os.PathLike):
        return Labelled(sources=(os.fspath(data),))
    if isinstance(data, Sequence) and data and all(isinstance(each, str | os.PathLike) for each in data):
        return Labelled(sources=tuple(os.fspath(each) for each in data))
    raise SourceError(
        f"data: {type(data).__name__}, where labelled photos were expected: give a path, a table of pandas or Polars "
        "with a row for each photo, or photos together with labels="
    )


def _listed(photos: object, labels: Iterable[object], groups: Iterable[object] | None) -> Labelled:
    """Photos that come with their classes."""
    items = _items(photos)
    classes = [_text(each) for each in labels]
    persons = None if groups is None else [_text(each) for each in groups]
    for name, column in (("labels", classes), ("groups", persons)):
        if column is not None and len(column) != len(items):
            raise SourceError(f"{name}: {len(column)} for {len(items)} photos; give one for each")
    own: dict[str, list[str | None]] = {"label": classes} | ({} if persons is None else {"person": persons})
    names = [os.fspath(each) for each in items if isinstance(each, str | os.PathLike)]
    if len(names) == len(items):
        paths = [_absolute(name) for name in names]
        return Labelled(table=pl.DataFrame({"path": paths} | own, schema_overrides=_texts(own)), root=str(Path.cwd()))
    images = [_png(picture.load()) for picture in given(items).pictures]
    return Labelled(table=pl.DataFrame({"image": images} | own, schema_overrides=_texts(own)))


def _items(photos: object) -> Sequence[Photo]:
    """Several photos, one by one."""
    if isinstance(photos, str | os.PathLike | bytes) or not isinstance(photos, Iterable):
        raise SourceError("data: one photo, where several were expected beside labels=; give a list")
    return photos if isinstance(photos, Sequence) else list(photos)


def _as_table(data: object) -> pl.DataFrame | None:
    """A table of Polars, of pandas, or a mapping of columns; None for anything else."""
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        columns = {str(name): data[name].tolist() for name in data.columns}  # type: ignore[index]  # a DataFrame
    elif isinstance(data, Mapping):
        columns = {str(name): list(values) for name, values in data.items()}
    else:
        return None
    try:
        return pl.DataFrame(columns, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise SourceError(f"data: no table that can be read ({error})") from error


def _text(value: object) -> str | None:
    """A class or group as text; None for what says nothing."""
    if value is None or value != value:
        return None
    return str(value)


def _texts(columns: Mapping[str, object]) -> dict[str, type[pl.String]]:
    return dict.fromkeys(columns, pl.String)


def _absolute(path: str) -> str:
    found = existing_path(path)
    return str(found.absolute()) if found else path


def _png(image: object) -> bytes:
    if not isinstance(image, Image.Image):
        raise SourceError("photos: a video or animation cannot be learnt from; give its frames")
    into = io.BytesIO()
    image.save(into, format="PNG")
    return into.getvalue()
