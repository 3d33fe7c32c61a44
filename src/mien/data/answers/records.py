"""Answers as programs store them, nested or flat → flat rows, one for each face that was answered.

A list of objects, an object with an entry for each photo, columns as pandas writes them, and cells that hold a
dictionary or a list as text, as CSVs of DeepFace's and fer's results do.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from mien.errors import AnswersError

__all__ = ["NO_FACE", "WHY", "Cell", "Row", "flat_rows", "is_nested_text", "rows_of"]

Cell: TypeAlias = str | float | None
Row: TypeAlias = dict[str, Cell]

NO_FACE = "no face found"
"""What a row says of a photo in which a tool found no face."""
WHY = "why there is no answer"
"""The column in which it says so."""
FACES = (
    *("face", "faces", "result", "results", "detection", "detections", "analysis", "analyses", "emotion", "emotions"),
    *("deepface", "fer", "prediction", "predictions", "output", "response"),
)
"""Keys under which an empty list says that no face was found."""
DEEPEST = 6
"""Levels of nesting that are looked through; the formats that are known have three."""
LONGEST = 100_000
"""Characters of a cell that is read as a dictionary or list."""
_NUMPY = (
    (re.compile(r"\b(?:np\.|numpy\.)?(?:float|int|uint)\d+\(([^()]*)\)"), r"\1"),
    (re.compile(r"\b(?:np\.|numpy\.)?array\((\[[^\[\]]*\])[^()]*\)"), r"\1"),
    (re.compile(r"\bnan\b"), "None"),
    (re.compile(r"(?<=\d)\.?\s+(?=-?\d)"), ", "),
)
"""How NumPy writes numbers and arrays into the text of a dictionary, and what is read instead."""


def flat_rows(told: object, where: str, names_photos: Callable[[str], bool]) -> list[Row]:
    """The rows of what a JSON file holds.

    Args:
        told: as ``json.loads`` gives it.
        where: the file, for messages.
        names_photos: whether a key is called as what names photos.

    Raises:
        AnswersError: if it is none of the forms that are known.
    """
    if isinstance(told, dict):
        told = _listed(told, where, names_photos)
    if not isinstance(told, list) or not told:
        raise AnswersError(f"{where}: holds no answers; expected a list with an object for each photo")
    rows: list[Row] = []
    for place, record in enumerate(told, 1):
        if not isinstance(record, dict):
            raise AnswersError(
                f"{where}, entry {place}: {_kind(record)}, where an object with the photo's path and its answer was "
                "expected; store the path with each answer"
            )
        rows += rows_of(record, f"{where}, entry {place}")
    return rows


def _listed(told: Mapping[str, object], where: str, names_photos: Callable[[str], bool]) -> list[object]:
    """An object as a list of records: its one list, its columns, or an entry for each photo."""
    if any(names_photos(key) and isinstance(value, str) for key, value in told.items()):
        return [told]
    if any(names_photos(key) for key in told):
        return _transposed(told, where)
    if len(told) == 1 and isinstance(only := next(iter(told.values())), list) and _are_records(only):
        return list(only)
    return [_of_photo(path, value) for path, value in told.items()]


def _are_records(values: Sequence[object]) -> bool:
    """Whether these are answers with the names of their photos, rather than the faces of one photo."""
    return bool(values) and all(isinstance(each, dict) and not {"box", "region"} & set(each) for each in values)


def _transposed(told: Mapping[str, object], where: str) -> list[object]:
    """Columns, each a list or a mapping from row to value, as records."""
    columns = {
        name: list(values.values()) if isinstance(values, dict) else values if isinstance(values, list) else None
        for name, values in told.items()
    }
    lengths = {len(values) for values in columns.values() if values is not None}
    if len(lengths) != 1 or None in columns.values():
        raise AnswersError(f"{where}: columns of different lengths; expected an object for each photo")
    return [
        {name: values[i] for name, values in columns.items() if values is not None} for i in range(next(iter(lengths)))
    ]


def _of_photo(path: str, value: object) -> object:
    """An entry under the name of a photo as a record."""
    if isinstance(value, dict):
        numbers = all(isinstance(each, int | float) for each in value.values())
        return {"path": path, "emotion": value} if numbers else {"path": path} | value
    return {"path": path, "faces": value} if isinstance(value, list) else {"path": path, "label": value}


def rows_of(record: Mapping[str, object], where: str) -> list[Row]:
    """One record as a row for each face; one row that says so where a tool looked for faces and found none.

    Raises:
        AnswersError: if it holds two lists of faces, or is nested too deeply.
    """
    flat: Row = {}
    faces: list[object] | None = None
    for name, value in record.items():
        value = _read(value)
        if isinstance(value, list) and _are_classes(value):
            _put(flat, "scores", {str(each["label"]): each["score"] for each in value}, where, 1)
        elif isinstance(value, list) and _are_faces(name, value):
            if faces:
                raise AnswersError(f"{where}: two lists of faces, the second under {name!r}; keep one")
            faces = value
        else:
            _put(flat, name, value, where, 1)
    if faces is None:
        return [flat]
    if not faces:
        return [flat | {WHY: NO_FACE}]
    rows = []
    for face in faces:
        row = dict(flat)
        assert isinstance(face, dict)
        for name, value in face.items():
            _put(row, str(name), _read(value), where, 1)
        rows.append(row)
    return rows


def _are_classes(values: Sequence[object]) -> bool:
    """Whether a list has an entry for each class, as pipelines of Transformers give it, rather than for each face."""
    return len(values) > 1 and all(isinstance(each, dict) and {"label", "score"} == set(each) for each in values)


def _are_faces(name: str, values: Sequence[object]) -> bool:
    """Whether a list holds what was answered of each face; an empty one by what it is called."""
    if not values:
        return name.lower() in FACES
    return all(isinstance(each, dict) for each in values)


def is_nested_text(value: object) -> bool:
    """Whether a cell is the text of a dictionary, a list or a tuple."""
    return (
        isinstance(value, str)
        and value[:1] in ("{", "[", "(")
        and value[-1:] in ("}", "]", ")")
        and len(value) <= LONGEST
    )


def _read(value: object) -> object:
    """A value; of a text that is a dictionary or list in JSON's or Python's spelling, what it holds."""
    if not isinstance(value, str) or not is_nested_text(value.strip()):
        return value
    text = value.strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    for pattern, by in _NUMPY:
        text = pattern.sub(by, text)
    try:
        with warnings.catch_warnings():  # of numbers that are none
            warnings.simplefilter("ignore")
            read: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value
    return list(read) if isinstance(read, tuple) else read


def _put(row: Row, name: str, value: object, where: str, depth: int) -> None:
    """Put a value into a row, what is nested in it under names with dots."""
    if depth > DEEPEST:
        raise AnswersError(f"{where}: nested more than {DEEPEST} levels deep; store a flat object for each photo")
    if isinstance(value, dict):
        for key, each in value.items():
            _put(row, f"{name}.{key}", each, where, depth + 1)
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            _put(row, f"{name}.{i}", each, where, depth + 1)
    elif isinstance(value, bool) or not isinstance(value, int | float | None):
        row[name] = str(value)
    else:
        row[name] = None if value is None or value != value else value


def _kind(value: object) -> str:
    names = {list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false"}
    return names.get(type(value), "nothing")
