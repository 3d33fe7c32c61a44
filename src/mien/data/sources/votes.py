"""What several raters said of a photo: a column a class, a column a rater, or a row a rating → votes, and a label.

The label is the class with most votes. A photo on whose first place two classes share, or that most raters could not
place, takes no part, with that reason; its votes stay in the manifest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from mien.data.sources.classes import name_of
from mien.data.sources.files import RATERS, VOTES
from mien.labels import is_code, is_expression, says_nothing_else

__all__ = ["UNDECIDED", "Votes", "cast", "class_columns", "is_no_class", "rater_columns", "said_by", "tallied"]

NO_CLASS = re.compile(
    r"(?:unknown|nf|non ?face|no ?face|not a face|uncertain|unsure|dont know|don t know|na)", re.IGNORECASE
)
RATER = re.compile(
    r"(?:rater|annotator|annot|coder|judge|labell?er|observer|reviewer|expert|rating|label by|r|a|worker|vote)"
    r"[\s_\-.]*(?:\d+|[a-h])",
    re.IGNORECASE,
)
UNDECIDED = ("a tie of votes", "most votes are for")
"""How the reason of a photo begins that has votes and no label."""
_TRUTH = r"^\s*(?i:true|false)\s*$"
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
        raters: a text column a rater with the rater's class, named ``raters.NAME``; None where they have no names.
    """

    counts: pl.DataFrame
    label: pl.Series
    reason: pl.Series
    kind: str
    columns: tuple[str, ...] = ()
    raters: pl.DataFrame | None = None

    @property
    def kept(self) -> pl.DataFrame:
        """What goes on with the photos: the votes, and where raters have names what each of them said."""
        return self.counts if self.raters is None else self.counts.hstack(self.raters)


def class_columns(frame: pl.DataFrame) -> list[str]:
    """The columns that hold numbers and are called like expressions; none where there are not two that are."""
    found = [name for name in frame.columns if is_expression(name) and not is_code(name) and _is_numeric(frame[name])]
    return found if sum(not is_no_class(name) for name in found) >= 2 else []


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
    numbers = [_numbers(frame[name]) for name in columns]
    counts = pl.DataFrame(
        {f"{VOTES}{name}": values.fill_null(0) for name, values in zip(_bare(columns), numbers, strict=True)}
    )
    return _decided(_named(counts, names), f"columns {columns[0].strip()} to {columns[-1].strip()}", columns)


def _numbers(column: pl.Series) -> pl.Series:
    """The numbers of a column; 1 and 0 for true and false."""
    text = column.cast(pl.String).str.strip_chars(" \t%").str.replace(",", ".", literal=True)
    return text.str.to_lowercase().replace({"true": "1", "false": "0"}).cast(pl.Float64, strict=False)


def _bare(columns: Sequence[str]) -> list[str]:
    """Names of columns without what all begin or end with (``emotion_anger``), where words for classes are left."""
    names = [name.strip() for name in columns]
    start = re.match(r".*[\s_\-.:]", _shared(names))
    end = re.match(r".*[\s_\-.:]", _shared([name[::-1] for name in names]))
    first, last = start.end() if start else 0, -end.end() if end else None
    for cut in (slice(first, None), slice(None, last), slice(first, last)):
        short = [name[cut] for name in names]
        if all(map(says_nothing_else, short)):
            return short
    return names


def _shared(names: Sequence[str]) -> str:
    """What all names begin with."""
    first, last = min(names), max(names)
    n = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


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
    decided = _decided(_named(counts, names), f"columns of raters, {columns[0]} to {columns[-1]}", columns)
    return replace(decided, raters=said_by(dict(zip(map(str.strip, columns), texts, strict=True)), names))


def said_by(raters: Mapping[str, pl.Series], names: Mapping[str, str]) -> pl.DataFrame:
    """What each rater said, a text column ``raters.NAME`` each, null where nothing; ``names`` as in ``tallied``."""
    columns = []
    for rater, said in raters.items():
        told = {value: name_of(value, names) or value for value in said.drop_nulls().unique() if value.strip()}
        columns.append(said.replace_strict(told, default=None, return_dtype=pl.String).alias(RATERS + rater))
    return pl.DataFrame(columns)


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
        return None, f"{UNDECIDED[0]}: {' and '.join(f'{name} {most:g}' for name in first)}"
    return (None, f"{UNDECIDED[1]} {first[0]!r}, which is no expression") if is_no_class(first[0]) else (first[0], None)


def is_no_class(name: str) -> bool:
    """Whether a class that raters could choose says that a photo shows no expression that they could tell."""
    return NO_CLASS.fullmatch(re.sub(r"[\s_\-]+", " ", name).strip()) is not None


def _is_numeric(column: pl.Series) -> bool:
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return True
    if column.dtype != pl.String:
        return False
    told = column.drop_nulls()
    told = told.filter(told.str.strip_chars() != "")
    return len(told) > 0 and (bool(told.str.contains(_NUMBER).all()) or bool(told.str.contains(_TRUTH).all()))
