"""Columns by whose values scores are looked at apart: they must be there, and have few values."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from mien.data.sources.files import NOT_GIVEN, OWN, ROW, Source
from mien.errors import SourceError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MOST_VALUES", "check_sliced", "given_values"]

MOST_VALUES = 20
"""Of a column; of more, each would have few people, and the correction would leave nothing to tell."""


def check_sliced(sets: Sequence[Sequence[Source]], asked: Sequence[str]) -> None:
    """Refuse columns that none of the photos has, or that have fewer than two values or too many to compare.

    Args:
        sets: sources that are scored together, such as the data, and photos from elsewhere.

    Raises:
        SourceError: for the first one.
    """
    for column in asked:
        having = [[source for source in each if _has(source, column)] for each in sets]
        if not any(having):
            raise SourceError(_missing([source for each in sets for source in each], column))
        found = {_spec(some): _values(some, column) for some in having if some}
        spec, values = max(found.items(), key=lambda item: len(item[1]))
        most = len(values)
        if most == 1:
            raise SourceError(
                f"{spec}: the column {column!r} has a single value, {values.pop()}; there is nothing to compare, so "
                "leave it out of --slice"
            )
        if most == 0:
            raise SourceError(f"{spec}: the column {column!r} has no values to slice by; leave it out of --slice")
        if most > MOST_VALUES:
            raise SourceError(
                f"{spec}: the column {column!r} has {most} values, and scores can be sliced by at most {MOST_VALUES}; "
                "add a column that puts them in groups, as in 18-29, 30-49, 50+, and slice by that"
            )


def given_values(values: pl.Series) -> pl.Series:
    """The values of a column as text without blanks around them; null where a program wrote that there is none."""
    import polars as pl

    text = values.cast(pl.String).str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(["", *NOT_GIVEN]).fill_null(False), None)


def _has(source: Source, column: str) -> bool:
    return source.own is not None and OWN + column in source.own.columns


def _spec(sources: Sequence[Source]) -> str:
    return " ".join(source.spec for source in sources)


def _values(sources: Sequence[Source], column: str) -> set[str]:
    """The values of the photos that take part."""
    found: set[str] = set()
    for source in sources:
        if source.own is not None:
            values = given_values(source.own[OWN + column])
            used = [file.ignored is None and file.label is not None for file in source.files]
            found |= {value for value, is_used in zip(values, used, strict=True) if is_used and value is not None}
    return found


SAYS = {"label": "the classes", "group": "who is shown", "split": "the division", "path": "the paths"}
"""What a column with a role holds."""


def _missing(sources: Sequence[Source], column: str) -> str:
    """Why there is no such column to slice by: it has another role, or it is called otherwise, or it is nowhere."""
    names = [name for source in sources if source.own is not None for name in source.own.columns]
    further = list(
        dict.fromkeys(name.removeprefix(OWN) for name in names if name.startswith(OWN) and name != OWN + ROW)
    )
    roles = [role for source in sources for role, name in source.roles.items() if name == column]
    if roles:
        where = f"{_spec(sources)}: the column {column!r} holds {SAYS[roles[0]]} and cannot be sliced by"
    else:
        where = f"{_spec(sources)}: there is no column {column!r} to slice by{_meant(column, further)}"
    if further:
        return f"{where}; columns you can slice by: {', '.join(further)}"
    return (
        f"{where}; the photos have no other column than path, label, split and group; add it to a table that lists them"
    )


def _meant(column: str, further: Sequence[str]) -> str:
    """``, did you mean sex?``, where a column is called nearly so."""
    plain = {name.casefold(): name for name in reversed(further)}
    close = get_close_matches(column.casefold(), list(plain), n=1)
    return f", did you mean {plain[close[0]]}?" if close else ""
