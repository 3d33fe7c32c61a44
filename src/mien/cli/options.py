"""What several commands take that is no setting: where results go, and in what form."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from mien.settings.columns import Columns
from mien.settings.groups import OUTPUT, READING
from mien.settings.places import folder_for
from mien.system.paths import user_path

__all__ = ["ColumnOptions", "DryRun", "Folder", "Json", "Sources", "output_folder"]

Sources: TypeAlias = tuple[str, ...]
ColumnOptions: TypeAlias = Annotated[Columns, Parameter(name="*", group=READING)]
"""Flattened here, and not where the class is defined: the library reads photos without loading the parser."""
DryRun: TypeAlias = Annotated[
    bool,
    Parameter(
        group=OUTPUT,
        help="Show what would be read (classes, groups, splits, counts) and, from a timed sample, the time, memory and "
        "disk it would take; keep nothing.",
    ),
]
Json: TypeAlias = Annotated[bool, Parameter(group=OUTPUT, help="Print the results as one JSON object.")]


@Parameter(name="*", group=OUTPUT)
@dataclass(frozen=True, kw_only=True)
class Folder:
    """Where a command writes, and whether it goes on there.

    Attributes:
        out: Folder to write. Default: mien-NAME in the current folder, or mien-compare-NAME.
        resume: Go on with what was interrupted; a comparison also with more pairs or other arms, whose runs that exist
            are used.
    """

    out: str | None = None
    resume: bool = False


def output_folder(out: str | None, data: Sources, start: str) -> Path:
    """The folder to write: what was asked for, or ``start`` and the name of the data in the current folder."""
    return user_path(out, "--out") if out is not None else folder_for(data, start)
