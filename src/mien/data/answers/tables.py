"""A table of answers in any of the usual forms → the answer of each row, checked.

What is not an answer is refused with its row: probabilities that add up to neither 1 nor 100, a class without one, an
answer that is not the likeliest class. Nothing is scaled or filled in by guessing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from mien.data.answers.records import NO_FACE, WHY, Row, flat_rows, is_nested_text, rows_of
from mien.data.answers.roles import PREDICTED, Roles, boxes_of, format_of, names_photos, roles_of
from mien.data.sources.columns import KNOWN, plain
from mien.data.sources.delimited import read_delimited
from mien.data.sources.files import NOT_GIVEN, existing_path, is_parquet
from mien.errors import AnswersError, SourceError
from mien.labels import canonical, class_places
from mien.results.file_names import ANSWER_PARTS, ANSWER_SUMMARY
from mien.settings.score import AnswerColumns
from mien.system.files import file_sha256, irregular, read_file, regular, why

__all__ = ["AnswerTable", "Given", "checksum_of_answers", "is_answers", "read_answers"]

MAX_BYTES = 2**30
KINDS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet")
HEADER = KNOWN | {plain(name) for name in (*PREDICTED, "input", "imgpath", "source")}
NO_ANSWER = frozenset(
    (
        *NOT_GIVEN,
        *("", "none detected", "no face", "noface", "no face found", "no face detected", "no faces", "face not found"),
        *("not found", "not detected", "no answer", "unknown", "error", "failed", "undetected", "nf"),
    )
)
"""What tools write in place of an answer, in lower case with spaces."""
USUAL = AnswerColumns()
OFF = 0.05
"""How far the probabilities of a row may be off in sum, from 1, and 100 times that from 100: fer rounds each of seven
to two digits."""
SLIGHTLY = 1e-4
"""By how much a probability in 32 bits may lie beyond 0 or 1."""


@dataclass(frozen=True)
class Given:
    """One row of a table of answers.

    Attributes:
        row: number in the table, from 1.
        name: of the photo, as the table has it.
        answer: place of the class among the labels; None where the row has no answer.
        area: of the face's box, px²; None where the table does not say it.
        frame: of a video; empty for a still.
        without_face: whether no face was found, answer or not.
    """

    row: int
    name: str
    answer: int | None
    area: float | None
    frame: str
    without_face: bool


@dataclass(frozen=True)
class AnswerTable:
    """The answers of a tool.

    Attributes:
        spec: what was given.
        format: whose table it is; see ``FORMATS``.
        labels: the K classes that it can answer.
        given: N rows.
        probs: (N, K) in [0, 1], zeros where there is no answer; None where answers are labels alone.
        in_percent: whether the table had them in per cent.
        label_column: the column that says the answer; None where probabilities alone do.
        notes: how it was read, a line each.
    """

    spec: str
    format: str
    labels: tuple[str, ...]
    given: tuple[Given, ...]
    probs: NDArray[np.float64] | None
    label_column: str | None = None
    in_percent: bool = False
    notes: tuple[str, ...] = ()


def read_answers(spec: str, known: Collection[str], asked: AnswerColumns = USUAL) -> AnswerTable:
    """Read a table of answers.

    Args:
        known: the photos' classes and those of the class map, which are taken for classes in columns' names too.

    Raises:
        AnswersError: if there is none, if it cannot be read, or if a row of it is no answer.
    """
    path = existing_path(spec)
    if path is None:
        raise AnswersError(f"{spec}: no such file; give a table of answers (CSV, TSV, JSON, JSON Lines or Parquet)")
    frame = _frame(path)
    if frame.is_empty():
        raise AnswersError(f"{path}: the table has no rows; expected one for each photo that was answered")
    roles = roles_of(frame, known, asked, str(path))
    table = _with_answers(frame, roles, str(path))
    return replace(table, spec=spec, notes=(_told(table, roles), *_of_truth(roles)))


def _frame(path: Path) -> pl.DataFrame:
    """The table as columns of text or numbers, what is nested under names with dots."""
    if path.is_dir():
        return pl.concat(_frame(part) for part in _parts(path))
    if kind := irregular(path):
        raise AnswersError(f"{path}: {kind}; give the table of answers itself")
    try:
        if is_parquet(path):
            return _unnested(pl.read_parquet(regular(path, MAX_BYTES), glob=False), path)
        ending = path.suffix.lower()
        if ending not in KINDS or ending == ".parquet":
            raise AnswersError(f"{path}: no table of answers; give CSV, TSV, JSON, JSON Lines or Parquet")
        if ending in (".json", ".jsonl", ".ndjson"):
            return _as_frame(_from_json(path, lines=ending != ".json"))
        read = read_delimited(path, HEADER)
        if not read.has_header:
            raise AnswersError(f"{path}: its first line does not name the columns; add a line such as path,label")
        return _unnested(read.frame, path)
    except SourceError as error:
        raise AnswersError(str(error)) from error
    except OSError as error:
        raise AnswersError(f"{path}: cannot be read ({why(error)})") from error
    except (PolarsError, PanicException) as error:
        reason = (str(error).splitlines() or ["empty"])[0][:200]
        raise AnswersError(f"{path}: the table cannot be read ({reason}); write it again") from error


def _parts(folder: Path) -> list[Path]:
    """The tables that ``mien predict --out`` wrote into a folder.

    Raises:
        AnswersError: if there are none, or if some are still to come.
    """
    parts = sorted(folder.glob(ANSWER_PARTS))
    if not parts:
        raise AnswersError(f"{folder}: a folder; give the table of answers itself")
    if not (folder / ANSWER_SUMMARY).exists():
        raise AnswersError(f"{folder}: not all photos are answered yet; go on with mien predict --out and --resume")
    return parts


def checksum_of_answers(spec: str) -> str:
    """The SHA-256 of a table of answers; of several parts, that of theirs in order.

    Raises:
        AnswersError: if there are none.
        OSError: if they cannot be read.
    """
    path = Path(existing_path(spec) or spec)
    if not path.is_dir():
        return file_sha256(path)
    return hashlib.sha256("".join(map(file_sha256, _parts(path))).encode()).hexdigest()


def _from_json(path: Path, *, lines: bool) -> list[Row]:
    try:
        text = read_file(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnswersError(
            f"{path}: not UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    if not text.strip():
        raise AnswersError(f"{path}: the file is empty; expected the answers as JSON")
    if not lines:
        try:
            return flat_rows(json.loads(text), str(path), names_photos)
        except ValueError as error:
            if "Extra data" not in str(error):
                raise AnswersError(f"{path}: not JSON ({error}); write it again") from error
        except RecursionError as error:
            raise AnswersError(f"{path}: nested too deeply; store a flat object for each photo") from error
    return [
        row for number, line in enumerate(text.splitlines(), 1) if line.strip() for row in _line(line, path, number)
    ]


def _line(line: str, path: Path, number: int) -> list[Row]:
    """The rows of a line of JSON Lines."""
    where = f"{path}, line {number}"
    try:
        told = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise AnswersError(f"{where}: not JSON ({error}); write that line again") from error
    if not isinstance(told, dict):
        raise AnswersError(f"{where}: no object; expected one with the photo's path and its answer")
    return rows_of(told, where)


def _unnested(frame: pl.DataFrame, path: Path) -> pl.DataFrame:
    """The same; rows whose cells hold dictionaries or lists, as values or as text, as one row for each face."""
    nested = [name for name in frame.columns if _is_nested(frame[name])]
    if not nested:
        return frame.select(name for name, kind in frame.schema.items() if kind != pl.Binary)
    rows = [row for i, record in enumerate(frame.to_dicts(), 1) for row in rows_of(record, f"{path}, row {i}")]
    return _as_frame(rows)


def _is_nested(column: pl.Series) -> bool:
    if column.dtype.is_nested():
        return True
    return column.dtype == pl.String and any(map(is_nested_text, column.drop_nulls().str.strip_chars().head(200)))


def _as_frame(rows: Sequence[Row]) -> pl.DataFrame:
    names = dict.fromkeys(name for row in rows for name in row)
    columns = []
    for name in names:
        cells = [row.get(name) for row in rows]
        is_number = all(not isinstance(cell, str) for cell in cells)
        values = cells if is_number else [cell if cell is None else str(cell) for cell in cells]
        columns.append(pl.Series(name, values, pl.Float64 if is_number else pl.String, strict=False))
    return pl.DataFrame(columns)


def _with_answers(frame: pl.DataFrame, roles: Roles, where: str) -> AnswerTable:
    names, labels = _texts(frame[roles.path]), _labels(frame, roles)
    probs, in_percent = _probabilities(frame, roles, where) if roles.classes else (None, False)
    if lost := next((i for i, name in enumerate(names, 1) if name is None), None):
        raise AnswersError(f"{where}, row {lost}: no photo is named in the column {roles.path!r}; write its path there")
    classes = tuple(roles.classes) or _classes(labels)
    if not classes:
        raise AnswersError(f"{where}: no row has an answer; check the column {roles.label!r}")
    answers = _answers(labels, probs, classes, where, roles)
    if probs is not None:
        probs = np.where(np.array([a is not None for a in answers])[:, None], probs, 0.0)
    area, frames, faceless = boxes_of(frame), _first_text(frame, ("frame", "time")), _faceless(frame)
    areas = area.to_list() if area is not None else [None] * len(frame)
    given = tuple(
        Given(i, name or "", answer, size if size is not None and size == size else None, still or "", bool(lacks))
        for i, (name, answer, size, still, lacks) in enumerate(
            zip(names, answers, areas, frames, faceless, strict=True), 1
        )
    )
    return AnswerTable("", format_of(frame.columns), classes, given, probs, roles.label, in_percent)


def _texts(column: pl.Series) -> list[str | None]:
    text = column.cast(pl.String, strict=False).str.strip_chars()
    return [each or None for each in text.to_list()]


def _labels(frame: pl.DataFrame, roles: Roles) -> list[str | None]:
    """The answer of each row as text; None where there is none."""
    if roles.label is None:
        return [None] * len(frame)
    told = _texts(frame[roles.label])
    return [
        None if each is None or " ".join(each.lower().replace("_", " ").split()) in NO_ANSWER else each for each in told
    ]


def _classes(labels: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(sorted({label for label in labels if label is not None}))


def _probabilities(frame: pl.DataFrame, roles: Roles, where: str) -> tuple[NDArray[np.float64], bool]:
    """Probabilities (N, K), NaN in rows without any; and whether the table had them in per cent.

    Raises:
        AnswersError: if a row has some and lacks others, or adds up to neither 1 nor 100, or if rows differ in that.
    """
    columns = [_numbers(frame[name], name, where) for name in roles.classes.values()]
    values = np.column_stack(columns)
    lacks = np.isnan(values)
    some = lacks.any(1) & ~lacks.all(1)
    if some.any():
        row = int(some.argmax())
        name = list(roles.classes.values())[int(lacks[row].argmax())]
        raise AnswersError(f"{where}, row {row + 1}: the column {name!r} is empty beside others that are not; fill it")
    sums = values.sum(1)
    told = ~np.isnan(sums) & (sums != 0)  # a row of zeros is a tool's way to say that it has no answer
    share, percent = np.abs(sums - 1) <= OFF, np.abs(sums - 100) <= 100 * OFF
    among = f"{next(iter(roles.classes.values()))!r} to {list(roles.classes.values())[-1]!r}"
    if (odd := told & ~share & ~percent).any():
        row = int(odd.argmax())
        raise AnswersError(
            f"{where}, row {row + 1}: the columns {among} add up to {sums[row]:.4g}, not to 1 or 100; give "
            "probabilities, or the answers alone in one column (--answer-label)"
        )
    if (told & share).any() and (told & percent).any():
        row = int((told & percent).argmax())
        raise AnswersError(
            f"{where}, row {row + 1}: the columns {among} add up to 100 here and to 1 in other rows; use one scale"
        )
    in_percent = bool((told & percent).any())
    values = np.where(told[:, None], values / 100 if in_percent else values, np.nan)
    if (off := (values < -SLIGHTLY) | (values > 1 + SLIGHTLY)).any():
        row, k = (int(i) for i in np.argwhere(off)[0])
        name = list(roles.classes.values())[k]
        raise AnswersError(f"{where}, row {row + 1}: {name!r} is {frame[name][row]}, which is no probability")
    return np.clip(values, 0.0, 1.0), in_percent


def _numbers(column: pl.Series, name: str, where: str) -> NDArray[np.float64]:
    """A column as numbers; NaN where it is empty.

    Raises:
        AnswersError: for a cell that is something else.
    """
    if column.dtype.is_numeric():
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    text = column.str.strip_chars(" \t%")
    empty = text.is_null() | text.str.to_lowercase().is_in([*NOT_GIVEN, "", "none"])
    numbers = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    if (odd := (numbers.is_null() & ~empty)).any():
        row = int(odd.arg_max() or 0)
        raise AnswersError(f"{where}, row {row + 1}: {name!r} is {column[row]!r}, which is no number")
    found = numbers.fill_null(float("nan")).to_numpy()
    if np.isinf(found).any():
        raise AnswersError(f"{where}, row {int(np.isinf(found).argmax()) + 1}: {name!r} is infinite")
    return found


def _answers(
    labels: Sequence[str | None],
    probs: NDArray[np.float64] | None,
    classes: Sequence[str],
    where: str,
    roles: Roles,
) -> list[int | None]:
    """The place of each row's answer among the classes.

    Raises:
        AnswersError: if an answer is none of the classes, or is not the likeliest.
    """
    place = _places(classes)
    if probs is None:
        return [None if label is None else place(label) for label in labels]
    found: list[int | None] = []
    for i, (label, row) in enumerate(zip(labels, probs, strict=True), 1):
        if np.isnan(row).any():
            if label is not None and roles.label is not None:
                raise AnswersError(f"{where}, row {i}: the answer {label!r} without probabilities, which others have")
            found.append(None)
            continue
        best = int(row.argmax())
        if label is not None and (said := place(label)) != best:
            if said is None or row[said] < row[best]:
                raise AnswersError(_contradiction(label, classes[best], where, i, roles))
            best = said
            row[best] = np.nextafter(row[best], 2)  # of several that are rounded to the same, the one that is meant
        found.append(best)
    return found


def _places(classes: Sequence[str]) -> Callable[[str], int | None]:
    """Where a class is: by name, else by meaning."""
    by_name, by_meaning = class_places(classes), class_places(canonical(label) for label in classes)
    return lambda label: by_name.get(label, by_meaning.get(canonical(label)))


def _contradiction(label: str, best: str, where: str, row: int, roles: Roles) -> str:
    column = roles.label or ""
    if plain(column) in PREDICTED:
        return f"{where}, row {row}: {column!r} says {label!r}, and the likeliest class is {best!r}; mend the table"
    return (
        f"{where}, row {row}: {column!r} says {label!r}, and the likeliest class is {best!r}; if that column holds the "
        "truth, give --answer-label none"
    )


def _first_text(frame: pl.DataFrame, names: Sequence[str]) -> list[str | None]:
    name = next((name for name in names if name in frame.columns), None)
    return [None] * len(frame) if name is None else _texts(frame[name])


def _faceless(frame: pl.DataFrame) -> list[bool]:
    """Whether each row says that no face was found."""
    found = pl.Series([False] * len(frame))
    if WHY in frame.columns:
        found = found | (frame[WHY] == NO_FACE).fill_null(False)
    for name in ("flags", "status"):
        if name in frame.columns and frame[name].dtype == pl.String:
            found = found | frame[name].str.contains(r"\bno_face\b").fill_null(False)
    flags = [name for name in frame.columns if name.startswith("flags.")]
    for name in flags:
        found = found | (frame[name].cast(pl.String) == "no_face").fill_null(False)
    for name in ("face_confidence", "FaceScore"):
        if name in frame.columns:
            score = frame[name].cast(pl.Float64, strict=False).fill_nan(None)
            found = found | (score == 0).fill_null(False) | (score.is_null() if name == "FaceScore" else False)
    return found.to_list()


def _told(table: AnswerTable, roles: Roles) -> str:
    """How the table was read."""
    whose = "" if table.format == "table" else f" as {table.format} writes them"
    what = (
        f"probabilities{' in per cent' if table.in_percent else ''} of {', '.join(table.labels)}"
        if table.probs is not None
        else f"labels in the column {roles.label!r}"
    )
    return f"answers{whose}: {what}; photos by the column {roles.path!r}"


def _of_truth(roles: Roles) -> tuple[str, ...]:
    return tuple(f"answers: the column {name!r} is not read; the truth is that of the photos" for name in roles.truth)


def is_answers(spec: str) -> bool:
    """Whether a name is that of a table of answers, by its ending, by what it begins with or what lies in it."""
    path = existing_path(spec)
    if spec.lower().endswith(KINDS):
        return True
    if path is not None and path.is_dir():
        return any(path.glob(ANSWER_PARTS))
    return path is not None and path.is_file() and is_parquet(path)
