"""Which photo each answer is for: by the whole path, by its end, or by a file name that is there only once.

Of several answers to one photo, as of several faces, that of the largest face counts, as where mien itself answers.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.answers.tables import AnswerTable, Given
from mien.data.sources.collection import Collection
from mien.errors import AnswersError

__all__ = ["Matched", "match_answers"]

MOST_NAMED = 3


@dataclass(frozen=True)
class Matched:
    """The answer to each of N photos.

    Attributes:
        answers: (N,) place among the labels; -1 where there is none.
        probs: (N, K); None where answers are labels alone.
        has_row: (N,) whether the table has a row for the photo.
        without_face: (N,) whether the row says that no face was found.
        several: photos with more than one row; the row of the largest face counts.
        elsewhere: names of answers to photos that are not there.
        by_name: whether photos were found by file name alone.
    """

    answers: NDArray[np.int64]
    probs: NDArray[np.float64] | None
    has_row: NDArray[np.bool_]
    without_face: NDArray[np.bool_]
    several: int
    elsewhere: tuple[str, ...]
    by_name: bool


@dataclass(frozen=True)
class _Photo:
    """A photo's whole path as parts, and how many of the last of them its name inside the source has."""

    parts: tuple[str, ...]
    inside: int


def match_answers(table: AnswerTable, rows: pl.DataFrame, collection: Collection, taken: Iterable[str] = ()) -> Matched:
    """Match a table's answers to photos.

    Args:
        rows: usable rows of the manifest.
        taken: paths of files that are known but take no part, whose answers are left aside.

    Raises:
        AnswersError: if no answer is for any of them, if a name fits several photos, or if answers to one photo
            contradict each other.
    """
    photos = _photos(rows, collection)
    names = list(dict.fromkeys(each.name for each in table.given))
    found, by_name = _found(names, photos, table.spec)
    unused = {_parts(path)[-1:] for path in taken}
    given: dict[int, list[Given]] = defaultdict(list)
    for each in table.given:
        for photo in found.get(each.name, ()):
            given[photo].append(each)
    if not given:
        raise AnswersError(
            f"{table.spec}: none of its {len(names)} photos is among these, as in {names[0]!r} where a photo is "
            f"{'/'.join(photos[0].parts[-photos[0].inside :])!r}; check that both are of the same set"
        )
    elsewhere = tuple(name for name in names if name not in found and _parts(name)[-1:] not in unused)
    return _gathered(table, given, len(rows), elsewhere, by_name=by_name)


def _gathered(
    table: AnswerTable, given: dict[int, list[Given]], n: int, elsewhere: tuple[str, ...], *, by_name: bool
) -> Matched:
    answers, has_row, faceless = np.full(n, -1, np.int64), np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    probs = None if table.probs is None else np.zeros((n, len(table.labels)))
    several = 0
    for photo, rows in given.items():
        one = _counted(rows, table)
        several += len(rows) > 1
        has_row[photo], faceless[photo] = True, one.without_face
        answers[photo] = -1 if one.answer is None else one.answer
        if probs is not None and table.probs is not None:
            probs[photo] = table.probs[one.row - 1]
    return Matched(answers, probs, has_row, faceless, several, elsewhere, by_name)


def _counted(rows: Sequence[Given], table: AnswerTable) -> Given:
    """The one of several rows for a photo that counts.

    Raises:
        AnswersError: if they are frames of a video, of photos of different names, or if it is not clear which.
    """
    first = rows[0]
    if len(rows) == 1:
        return first
    if len({each.frame for each in rows}) > 1:
        raise AnswersError(f"{table.spec}: rows {_numbers(rows)} are frames of {first.name!r}; only photos are scored")
    if len({_parts(each.name) for each in rows}) > 1 and not _are_same(rows, table):
        other = next(each for each in rows if _parts(each.name) != _parts(first.name))
        raise AnswersError(
            f"{table.spec}: rows {first.row} and {other.row}, {first.name!r} and {other.name!r}, are for one photo and "
            "answer otherwise; keep one"
        )
    if _are_same(rows, table):
        return first
    answered = [each for each in rows if each.answer is not None]
    if len(answered) == 1:
        return answered[0]
    sizes = sorted((each.area for each in answered if each.area is not None), reverse=True)
    if len(sizes) < len(answered) or sizes[0] == sizes[1]:
        raise AnswersError(
            f"{table.spec}: rows {_numbers(rows)} answer {first.name!r} otherwise, and nothing says whose face is the "
            "largest; keep one row for each photo"
        )
    return next(each for each in answered if each.area == sizes[0])


def _are_same(rows: Sequence[Given], table: AnswerTable) -> bool:
    if len({each.answer for each in rows}) > 1:
        return False
    return table.probs is None or all(
        (table.probs[each.row - 1] == table.probs[rows[0].row - 1]).all() for each in rows
    )


def _numbers(rows: Sequence[Given]) -> str:
    shown = [str(each.row) for each in rows[:MOST_NAMED]]
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(rows) <= MOST_NAMED else [", ".join(shown), "more"])


def _photos(rows: pl.DataFrame, collection: Collection) -> list[_Photo]:
    """What each photo may be called, in the order of the rows."""
    known: dict[tuple[str, str], _Photo] = {}
    for source in collection.sources:
        base = _parts(str(Path(source.folder).resolve())) if source.folder else _parts(source.spec.replace("::", "/"))
        in_table = bool(source.roles)
        for file in source.files:
            inside = _parts(file.location if in_table else file.path)
            known[source.name, file.path] = _Photo(inside if in_table else (*base, *inside), len(inside))
    default = {name: _parts(name) for name in rows["path"].unique()}
    return [
        known.get((source, path)) or _Photo(default[path], len(default[path]))
        for source, path in rows.select("source", "path").iter_rows()
    ]


def _parts(name: str) -> tuple[str, ...]:
    """A path as its parts, whatever wrote it; ``ARCHIVE::PATH`` too."""
    plain = re.sub(r"^[A-Za-z]:", "", name.replace("::", "/"))
    return tuple(part for part in re.split(r"[/\\]", plain) if part not in ("", ".", ".."))


def _found(names: Sequence[str], photos: Sequence[_Photo], spec: str) -> tuple[dict[str, list[int]], bool]:
    """Name → its photos, several where one file has several rows; and whether by file name alone."""
    by_last: dict[str, list[int]] = defaultdict(list)
    for i, photo in enumerate(photos):
        by_last[photo.parts[-1]].append(i)
    found = {name: same for name in names if (same := _by_tail(name, photos, by_last, spec))}
    if found:
        return found, False
    called: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if parts := _parts(name):
            called[parts[-1]].append(name)
    for last, alike in called.items():
        fits = by_last.get(last, [])
        if fits and (len(alike) > 1 or len({photos[i].parts for i in fits}) > 1):
            raise AnswersError(
                f"{spec}: {last} is the name of {max(len(alike), len(fits))} photos in different folders, and their "
                "folders do not agree; write paths as in the photos' folder into the table"
            )
    return {alike[0]: by_last[last] for last, alike in called.items() if last in by_last}, True


def _by_tail(name: str, photos: Sequence[_Photo], by_last: dict[str, list[int]], spec: str) -> list[int]:
    """The photos whose path ends as a name does, or that a name ends with; the longest such end counts.

    Raises:
        AnswersError: if photos of several paths would do.
    """
    parts = _parts(name)
    if not parts:
        return []
    best, found = 0, list[int]()
    for i in by_last.get(parts[-1], ()):
        shared = _shared(parts, photos[i].parts)
        if shared < len(parts) and shared < photos[i].inside:
            continue
        if shared > best:
            best, found = shared, []
        if shared == best:
            found.append(i)
    if len({photos[i].parts for i in found}) > 1:
        one, other = sorted({"/".join(photos[i].parts[-photos[i].inside :]) for i in found})[:2]
        raise AnswersError(
            f"{spec}: {name!r} could be {one} or {other}; write the photos' folders into the table of answers"
        )
    return found


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many of the last parts are the same."""
    n = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        n += 1
    return n
