"""Results as the rows of the report's tables and of its charts of dots and intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mien.metrics import Interval
from mien.results.behaviour import ErrorRate
from mien.results.scores import RunComparison, Scores
from mien.results.study import StudyResults
from mien.telling.words import numerals
from mien.telling.words.cross_validation import evidence

__all__ = [
    "Cell",
    "ClassRow",
    "Confusion",
    "ConfusionRow",
    "Dot",
    "answer_dots",
    "change_dots",
    "class_rows",
    "confusion_table",
    "counts_by",
    "difference_dots",
    "error_dot",
    "frequent_confusions",
    "heading",
    "score_dot",
    "share_dot",
    "value_dot",
]


@dataclass(frozen=True)
class Dot:
    """One row of a chart: a value with its interval on a line; places are per cent of the line's length.

    Attributes:
        label: what it is of.
        note: more about it, in smaller type.
        text: value and interval in figures.
        kind: decides the colour.
        at: place of the value, or None.
        start: place of the interval's lower end, or None.
        end: place of the interval's upper end, or None.
        mark: place to compare with, or None.
    """

    label: str
    note: str
    text: str
    kind: str
    at: float | None
    start: float | None = None
    end: float | None = None
    mark: float | None = None


@dataclass(frozen=True)
class ClassRow:
    """Scores of one class; recall with its 95 % interval, None for too few groups."""

    label: str
    precision: float | None
    recall: float | None
    recall_interval: Interval | None
    f1: float | None
    support: int


@dataclass(frozen=True)
class Cell:
    """A count and its share of the row; None in a row without photos."""

    count: int
    share: float | None
    is_right: bool


@dataclass(frozen=True)
class ConfusionRow:
    """The answers given to the photos of one true class."""

    label: str
    support: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Confusion:
    """True classes down, answers across."""

    answers: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]


def score_dot(label: str, note: str, scores: Scores, kind: str) -> Dot:
    """Macro-F1 on a line from 0 to 1, with chance as the mark."""
    value, ends = scores.macro_f1, scores.interval
    text = numerals.score(value) + (f" ({numerals.interval(ends)})" if ends else "")
    return _dot(label, note, text, kind, (value, ends, scores.chance_macro_f1))


def answer_dots(results: StudyResults) -> list[Dot]:
    """Macro-F1 on the test photos, on those from elsewhere, and as published of these."""
    test = results.test
    title = f"{evidence(results).capitalize()}s"
    dots = [score_dot(title, numerals.plural(test.images, "photo"), test, "test")]
    if results.target is None:
        return dots
    shared = results.target.shared
    note = f"{numerals.plural(shared.images, 'photo')}, shared classes"
    dots.append(score_dot("Photos from elsewhere", note, shared, "target"))
    if known := results.target.reference:
        text = numerals.score(known.macro_f1)
        dots.append(Dot("Published reference", "same photos", text, "reference", 100 * known.macro_f1))
    return dots


def error_dot(entry: ErrorRate, overall: float | None) -> Dot:
    """Error rate of one bin on a line from 0 to 1, with the overall rate as the mark."""
    rate, ends = entry.error_rate, entry.interval
    text = numerals.percent(rate) + (f" ({numerals.interval(ends, 'percent')})" if ends else "")
    return _dot(entry.bin, numerals.plural(entry.images, "photo"), text, "error", (rate, ends, overall))


def share_dot(label: str, note: str, value: float, overall: float | None) -> Dot:
    """A share on a line from 0 to 1, with the overall one as the mark."""
    return _dot(label, note, numerals.percent(value), "test", (value, None, overall))


def value_dot(label: str, note: str, value: float, ends: Interval | None, overall: float | None) -> Dot:
    """A score on a line from 0 to 1, with the overall one as the mark."""
    text = numerals.score(value) + (f" ({numerals.interval(ends)})" if ends else "")
    return _dot(label, note, text, "test", (value, ends, overall))


def heading(label: str) -> Dot:
    """A row that only names the rows after it."""
    return Dot(label, "", "", "head", None)


def difference_dots(comparisons: Sequence[RunComparison], *, digits: int = 2) -> tuple[list[Dot], float]:
    """Differences of macro-F1 between two models; see ``change_dots``."""
    rows = [
        (f"{entry.first} − {entry.second}", entry.verdict, entry.macro_f1_difference, entry.interval)
        for entry in comparisons
    ]
    return change_dots(rows, digits=digits)


def change_dots(rows: Sequence[tuple[str, str, float, Interval | None]], *, digits: int = 2) -> tuple[list[Dot], float]:
    """Changes on a line whose middle is zero, and the value at its right end.

    Args:
        rows: label, note, change and its interval.
    """
    reach: float = max([1, *(math.ceil(10 * abs(end)) for row in rows for end in row[3] or (row[2],))]) / 10

    def place(value: float) -> float:
        return 50 + 50 * value / reach

    dots = [
        Dot(
            label,
            note,
            numerals.signed(change, digits) + (f" ({numerals.interval(ends, 'signed', digits)})" if ends else ""),
            "val",
            place(change),
            place(ends[0]) if ends else None,
            place(ends[1]) if ends else None,
            50,
        )
        for label, note, change, ends in rows
    ]
    return dots, reach


def class_rows(scores: Scores, labels: Sequence[str]) -> list[ClassRow]:
    """One row for each of the classes; classes without photos have no scores."""
    rows = []
    for label in labels:
        entry = scores.per_class[label]
        rows.append(ClassRow(label, entry.precision, entry.recall, entry.recall_interval, entry.f1, entry.support))
    return rows


def confusion_table(scores: Scores, answers: Sequence[str]) -> Confusion:
    """The confusion matrix with shares of each row.

    Args:
        answers: the classes the model could answer, in order.
    """
    columns = [scores.labels.index(label) for label in answers]
    rows = []
    for i, label in enumerate(scores.labels):
        counts = [scores.confusion[i][j] for j in columns]
        n = scores.support[label]
        cells = (Cell(c, c / n if n else None, i == j) for c, j in zip(counts, columns, strict=True))
        rows.append(ConfusionRow(label, n, tuple(cells)))
    return Confusion(tuple(answers), tuple(rows))


def frequent_confusions(scores: Scores, most: int = 5) -> list[tuple[str, str, int, int]]:
    """True class, wrong answer, how often, and of how many; the most frequent first."""
    labels, confusion = scores.labels, scores.confusion
    pairs = [
        (labels[i], labels[j], confusion[i][j], scores.support[labels[i]])
        for i in range(len(labels))
        for j in range(len(labels))
        if i != j and confusion[i][j]
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))[:most]


def counts_by(reasons: Mapping[str, str]) -> dict[str, int]:
    """Reason → how many, the most frequent first."""
    counts: dict[str, int] = {}
    for reason in reasons.values():
        counts[reason] = counts.get(reason, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _dot(
    label: str, note: str, text: str, kind: str, values: tuple[float | None, Sequence[float] | None, float | None]
) -> Dot:
    value, ends, mark = values
    return Dot(
        label,
        note,
        text,
        kind,
        None if value is None else 100 * value,
        None if ends is None else 100 * ends[0],
        None if ends is None else 100 * ends[1],
        None if mark is None else 100 * mark,
    )
