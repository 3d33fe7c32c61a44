"""Scores by the values of columns as the section of a report: sentences, tables and charts."""

from __future__ import annotations

from dataclasses import dataclass

from mien.results.scores import Scores
from mien.results.slices import SlicedColumn, Slices
from mien.results.study import StudyResults
from mien.telling.report import tables
from mien.telling.words import numerals
from mien.telling.words import slices as wording

__all__ = ["Part", "asked", "parts"]


@dataclass(frozen=True)
class Row:
    """One value of a column, as the cells of a table; ``marked`` where it shows not all classes."""

    value: str
    photos: str
    groups: str
    macro_f1: tuple[str, str]
    accuracy: tuple[str, str]
    difference: tuple[str, str]
    p: str
    verdict: str
    marked: bool


@dataclass(frozen=True)
class Part:
    """The slices of one set of photos.

    Attributes:
        title: which photos.
        told: the worst value first.
        columns: name of each, with its rows.
        groups: what the groups are called.
        scores: macro-F1 of each value, with that of all photos as the mark.
        differences: those that were compared, with the value at the right end of their line.
        read: how the numbers are read.
    """

    title: str
    told: list[str]
    columns: list[tuple[str, list[Row]]]
    groups: str
    scores: list[tables.Dot]
    differences: tuple[list[tables.Dot], float]
    read: list[str]


def asked(results: StudyResults) -> bool:
    """Whether there is anything to show."""
    return bool(parts(results))


def parts(results: StudyResults) -> list[Part]:
    """One part for the study's own photos, and one for those from elsewhere where these have such columns."""
    sets = [("Held-out photos" if results.folds else "Test photos", results.slices, results.test)]
    if results.target:
        sets.append(("Photos from elsewhere, shared classes", results.target.slices, results.target.shared))
    told = wording.more_people(results)
    return [
        _part(title, found, scores, told if found is results.slices else []) for title, found, scores in sets if found
    ]


def _part(title: str, found: Slices, scores: Scores, more: list[str]) -> Part:
    changes = [
        (wording.named(name, each), wording.verdict_text(each), each.difference.value, each.difference.interval)
        for name, each in found.named
        if each.difference
    ]
    return Part(
        title=title,
        told=[*wording.slice_sentences(found), *more],
        columns=[(column.column, _rows(column, found)) for column in found.columns],
        groups=wording.groups_noun(found),
        scores=[dot for column in found.columns for dot in _dots(column, scores.macro_f1)],
        differences=tables.change_dots(changes),
        read=wording.how_read(found) if found.named else [],
    )


def _rows(column: SlicedColumn, found: Slices) -> list[Row]:
    return [
        Row(
            value=wording.value_name(each),
            photos=numerals.count(each.images),
            groups=numerals.count(each.over.number),
            macro_f1=(numerals.score(each.macro_f1), numerals.interval(each.interval)),
            accuracy=(numerals.score(each.accuracy), numerals.interval(each.accuracy_interval)),
            difference=(
                numerals.signed(each.difference.value if each.difference else None),
                numerals.interval(each.difference.interval if each.difference else None, "signed"),
            ),
            p=wording.p_text(each),
            verdict=wording.verdict_text(each),
            marked=bool(wording.missing_classes(each, found)),
        )
        for each in column.values
    ]


def _dots(column: SlicedColumn, overall: float | None) -> list[tables.Dot]:
    dots = [tables.heading(column.column)]
    for each in column.values:
        note = numerals.plural(each.images, "photo")
        dots.append(tables.value_dot(wording.value_name(each), note, each.macro_f1, each.interval, overall))
    return dots
