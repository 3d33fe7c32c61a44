"""The drawn demo as a source: its files, and the columns that a table of it would have."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from mien.data.sources.files import OWN, Source, SourceFile
from mien.errors import MissingColumnError
from mien.settings.columns import NO_COLUMN, Columns

__all__ = ["COLUMNS", "list_drawn", "with_people"]

COLUMNS = ("person", "age_group")
"""Of these the person is the group unless the other is asked for."""


def list_drawn(spec: str) -> Source:
    """The files of ``demo`` or ``demo::PART``, without labels yet.

    Raises:
        SourceError: if there is no such part.
    """
    from mien import demo  # here, for photos need no pen

    part = _part(spec)
    files = tuple(SourceFile(name, name) for name in demo.file_names(part))
    return Source(spec.replace("::", "-"), spec, files, lambda f: demo.read_file(part, f.location))


def with_people(source: Source, asked: Columns) -> Source:
    """The labelled demo with its groups, and its other columns beside.

    Raises:
        MissingColumnError: if another column is asked for.
    """
    import polars as pl

    from mien import demo

    names = [name.strip() for name in (asked.group_column or COLUMNS[0]).split(",")]
    chosen = next((name for name in names if name in COLUMNS), names[0])
    roles = tuple(role for role in ("path", "label", "split") if asked.of(role))
    lacking = roles if chosen in (*COLUMNS, NO_COLUMN) else (*roles, "group")
    if lacking:
        columns = ", ".join(COLUMNS)
        message = f"{source.spec}: its columns are {columns}; give --group-column one of them, or none"
        raise MissingColumnError(message, lacking)
    part = _part(source.spec)
    values = {
        "person": [demo.person_of(part, f.path) for f in source.files],
        "age_group": [demo.age_group_of(part, f.path) for f in source.files],
    }
    groups = values.pop(chosen, [None] * len(source.files))
    files = tuple(replace(f, group=group) for f, group in zip(source.files, groups, strict=True))
    own = pl.DataFrame({OWN + name: column for name, column in values.items()})
    note = f"{len(set(groups))} groups by the column {chosen}" if chosen != NO_COLUMN else "no groups, as asked"
    kind: Literal["people", "groups"] = "people" if chosen == COLUMNS[0] else "groups"
    return replace(source, files=files, own=own, notes=(*source.notes, note), group_kind=kind)


def _part(spec: str) -> str:
    return spec.partition("::")[2] or "demo"
