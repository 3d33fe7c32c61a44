"""Scores of the photos of each value of a column, and whether a value differs from the others."""

from __future__ import annotations

from typing import Annotated, Literal

from mien.metrics import Interval
from mien.results.record import Record, about
from mien.results.scores import Over

__all__ = ["Slice", "SliceDifference", "SliceVerdict", "SlicedColumn", "Slices"]

SliceVerdict = Literal["worse", "better", "cannot tell", "too few"]


class SliceDifference(Record):
    """How much more often photos of one value are answered correctly than those of the others, class by class."""

    value: Annotated[
        float,
        about(
            "Share of right answers less that of the other values, of each class that both have, weighted by what both "
            "have of it (Mantel and Haenszel, 1959)."
        ),
    ]
    interval: Annotated[Interval, about("95 %, over groups, before correction.")]
    p: Annotated[float, about("Two-sided, of no difference, before correction.")]
    p_holm: Annotated[float, about("Corrected over all values of all columns (Holm, 1979).")]


class Slice(Record):
    """The photos of one value of a column."""

    value: Annotated[str | None, about("As the table has it; null for photos of which it says nothing.")]
    images: Annotated[int, about("Photos.")]
    over: Annotated[Over, about("The groups that they are in, such as people.")]
    classes: Annotated[tuple[str, ...], about("The classes that they show, which macro-F1 is the mean of.")]
    macro_f1: Annotated[float, about("Over these classes.")]
    interval: Annotated[Interval | None, about("Of `macro_f1`: 95 % over groups; null for too few.")]
    accuracy: Annotated[float, about("Share of right answers.")]
    accuracy_interval: Annotated[Interval | None, about("Of `accuracy`, likewise.")]
    rest_groups: Annotated[int, about("Groups in which photos of the other values are.")]
    difference: Annotated[
        SliceDifference | None, about("From the other values; null where `verdict` is `too few` or null.")
    ]
    verdict: Annotated[
        SliceVerdict | None,
        about(
            "`worse` or `better` than the other values where `p_holm` is at most `level`, else `cannot tell`; "
            "`too few` where the value or the others are in fewer groups than `over.least`, or hardly share a class; "
            "null of photos of which the table says nothing."
        ),
    ]

    @property
    def is_different(self) -> bool:
        """Whether it differs from the other values by more than chance."""
        return self.verdict in ("worse", "better")


class SlicedColumn(Record):
    """One column of the table."""

    column: Annotated[str, about("Its name.")]
    values: Annotated[tuple[Slice, ...], about("In order; photos without a value last.")]


class Slices(Record):
    """Scores by the values of columns."""

    columns: Annotated[tuple[SlicedColumn, ...], about("Those asked for that these photos have.")]
    lacking: Annotated[tuple[str, ...], about("Columns asked for that these photos do not have.")]
    comparisons: Annotated[
        int, about("Differences that `p_holm` is corrected for; two values of one column are a single one.")
    ]
    level: Annotated[float, about("Chance, at most, that any verdict is `worse` or `better` where nothing differs.")]

    @property
    def named(self) -> tuple[tuple[str, Slice], ...]:
        """Every slice with the name of its column."""
        return tuple((column.column, each) for column in self.columns for each in column.values)

    @property
    def different(self) -> tuple[tuple[str, Slice], ...]:
        """The slices that differ from the rest by more than chance."""
        return tuple((name, each) for name, each in self.named if each.is_different)

    @property
    def worst(self) -> tuple[str, Slice] | None:
        """The slice with the lowest difference, among those that are worse if any is; None where none was compared."""
        compared = [(name, each) for name, each in self.named if each.difference is not None]
        worse = [(name, each) for name, each in compared if each.verdict == "worse"]
        return min(
            worse or compared, key=lambda one: one[1].difference.value if one[1].difference else 0.0, default=None
        )
