"""What several raters said of a photo: a column a class, a column a rater, or a row a rating → votes, and a label.

The label is the class with most votes. A photo on whose first place two classes share, or that most raters could not
place, takes no part, with that reason; its votes stay in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mien.data.sources.classes import name_of
from mien.data.sources.files import VOTES
from mien.labels import is_code, is_expression

__all__ = ["Votes", "cast", "class_columns", "rater_columns", "tallied"]

NO_CLASS = re.compile(
    r"(?:unknown|nf|non ?face|no ?face|not a face|uncertain|unsure|dont know|don t know|na)", re.IGNORECASE
)
RATER = re.compile(
    r"(?:rater|annotator|annot|coder|judge|labell?er|observer|reviewer|expert|rating|label by|r|a|worker|vote)"
    r"[\s_\-.]*(?:\d+|[a-h])",
    re.IGNORECASE,
)
_NUMBER = r"^\s*\d*[.,]?\d+(?:[eE]-?\d+)?\s*%?\s*$"


@dataclass(frozen=True)
class Votes:
    """Votes of each row.

    Attributes:
        counts: a Float64 column a class, named ``votes.CLASS``.
        label: the class with most votes; null where there is none.
        reason: why a row has none; null where it has one.
        kind: what they were read from, for messages.
        columns: those of the table that they were read from.
    """

    counts: pl.DataFrame
    label: pl.Series
    reason: pl.Series
    kind: str
    columns: tuple[str, ...] = ()


def class_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold numbers and are called like expressions; none where there are not two that are."""
    found = [name for name in frame.columns if is_expression(name) and not is_code(name) and _is_numeric(frame[name])]
    return found if sum(not _is_no_class(name) for name in found) >= 2 else []


def rater_columns(frame: pl.DataFrame) -> list[str]:
    """The columns of several raters, such as rater1 and rater2, that hold words for expressions or numbers of them."""
    found = [name for name in frame.columns if RATER.fullmatch(name.strip()) and not frame[name].dtype.is_nested()]
    if len(found) < 2:
        return []
    values = {str(value).strip() for name in found for value in frame[name].drop_nulls().unique()}
    told = {value for value in values if is_expression(value) or value.isdecimal() or not value}
    return found if values and len(told) >= 0.8 * len(values) else []


def tallied(frame: pl.DataFrame, columns: Sequence[str], names: Mapping[str, str]) -> Votes:
    """The votes of columns that hold counts, shares or 0 and 1 of each class.

    Args:
        names: of classes, where they have other ones; the votes of two that get one name add up.
    """
    numbers = [
        frame[name]
        .cast(pl.String)
        .str.strip_chars(" \t%")
        .str.replace(",", ".", literal=True)
        .cast(pl.Float64, strict=False)
        for name in columns
    ]
    counts = pl.DataFrame(
        {f"{VOTES}{name.strip()}": values.fill_null(0) for name, values in zip(columns, numbers, strict=True)}
    )
    return _decided(_named(counts, names), f"columns {columns[0].strip()} to {columns[-1].strip()}", columns)


def cast(frame: pl.DataFrame, columns: Sequence[str], names: Mapping[str, str]) -> Votes:
    """The votes of columns that each hold what one rater said; ``names`` as in ``tallied``."""
    texts = [frame[name].cast(pl.String).str.strip_chars() for name in columns]
    classes = sorted({value for text in texts for value in text.drop_nulls().unique() if value})
    counts = pl.DataFrame(
        {
            f"{VOTES}{label}": sum((text == label).fill_null(False).cast(pl.Float64) for text in texts)
            for label in classes
        }
    )
    return _decided(_named(counts, names), f"columns of raters, {columns[0]} to {columns[-1]}", columns)


def _named(counts: pl.DataFrame, names: Mapping[str, str]) -> pl.DataFrame:
    """The votes under the names that classes are given, added up where two are one."""
    new = {
        column: VOTES + (name_of(column.removeprefix(VOTES), names) or column.removeprefix(VOTES))
        for column in counts.columns
    }
    return counts.select(
        pl.sum_horizontal([old for old, name in new.items() if name == each]).alias(each)
        for each in dict.fromkeys(new.values())
    )


def _decided(counts: pl.DataFrame, kind: str, columns: Sequence[str]) -> Votes:
    """The class with most votes of each row, or why there is none."""
    labels, reasons = list[str | None](), list[str | None]()
    names = [name.removeprefix(VOTES) for name in counts.columns]
    for row in counts.iter_rows():
        label, reason = _winner(names, row)
        labels.append(label)
        reasons.append(reason)
    return Votes(
        counts, pl.Series("label", labels, pl.String), pl.Series("reason", reasons, pl.String), kind, tuple(columns)
    )


def _winner(names: Sequence[str], votes: Sequence[float]) -> tuple[str | None, str | None]:
    most = max(votes, default=0)
    if not most > 0:
        return None, "no votes"
    first = [name for name, n in zip(names, votes, strict=True) if n == most]
    if len(first) > 1:
        return None, f"a tie of votes: {' and '.join(f'{name} {most:g}' for name in first)}"
    return (
        (None, f"most votes are for {first[0]!r}, which is no expression")
        if _is_no_class(first[0])
        else (first[0], None)
    )


def _is_no_class(name: str) -> bool:
    return NO_CLASS.fullmatch(re.sub(r"[\s_\-]+", " ", name).strip()) is not None


def _is_numeric(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    told = column.drop_nulls()
    told = told.filter(told.str.strip_chars() != "")
    return len(told) > 0 and bool(told.str.contains(_NUMBER).all())
