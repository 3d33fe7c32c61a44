"""Which column of a table plays which role: asked for by name, or recognised by a usual one."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mien.errors import SourceError
from mien.settings.columns import Columns

__all__ = ["ROLES", "choose_columns", "is_embedded"]

ROLES = ("path", "label", "group", "split")
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "path": ("path", "file", "filename", "filepath", "image", "imagepath", "imagefile", "imagename"),
    "label": ("label", "class", "emotion", "expression"),
    "group": (),
    "split": ("split", "usage", "set"),
}
"""In lower case, without spaces, dashes and underscores. A group is never guessed."""
NEEDED = ("path", "label")
COLUMNS_SHOWN = 20


def choose_columns(schema: pl.Schema, asked: Columns, roles: Sequence[str], where: str) -> dict[str, str]:
    """Role → column.

    Args:
        roles: which roles to fill; only those found are in the answer.
        where: the table, as named in errors.

    Raises:
        SourceError: if a column is missing, in doubt, or of a type that cannot play its role.
    """
    chosen = {}
    for role in roles:
        column = asked.of(role) or _recognised(schema, role, where)
        if column is None:
            continue
        if column not in schema:
            raise SourceError(f"{where}: there is no column {column!r}; its columns are: {_shown(schema)}")
        _check_type(schema[column], role, column, where)
        chosen[role] = column
    return chosen


def is_embedded(dtype: pl.DataType) -> bool:
    """Whether a column holds the bytes of images: bare, or with their names as Hugging Face writes them."""
    if isinstance(dtype, pl.Struct):
        return any(field.name == "bytes" and field.dtype == pl.Binary for field in dtype.fields)
    return dtype == pl.Binary


def _recognised(schema: pl.Schema, role: str, where: str) -> str | None:
    """The one column with a usual name; images that are embedded go before files that are named."""
    usual = USUAL_NAMES[role]
    found = [name for name in schema if "".join(c for c in name.lower() if c not in " _-") in usual]
    embedded = [name for name in found if role == "path" and is_embedded(schema[name])]
    found = embedded or found
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceError(
            f"{where}: the columns {', '.join(found)} could each be the {role}; say which with --{role}-column"
        )
    if role == "path" and any(name.lower() == "pixels" for name in schema):
        raise SourceError(
            f"{where}: holds pixels as text (as FER2013's CSV does), which mien does not read; "
            "take the version of the set that consists of image files"
        )
    if role in NEEDED:
        raise SourceError(
            f"{where}: no column is called {', '.join(usual[:-1])} or {usual[-1]}; its columns are: {_shown(schema)}; "
            f"name one with --{role}-column"
        )
    return None


def _check_type(dtype: pl.DataType, role: str, column: str, where: str) -> None:
    if role == "path" and is_embedded(dtype):
        return
    if dtype.is_nested() or dtype == pl.Binary:
        raise SourceError(f"{where}: the column {column!r} holds {dtype} values; the {role} must be text or a number")


def _shown(schema: pl.Schema) -> str:
    names = [name for name in schema if name]
    more = f" and {len(names) - COLUMNS_SHOWN} more" if len(names) > COLUMNS_SHOWN else ""
    return (", ".join(names[:COLUMNS_SHOWN]) or "none") + more
