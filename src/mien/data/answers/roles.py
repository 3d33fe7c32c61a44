"""Which column of a table of answers names the photo, which says the answer, and which hold probabilities."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from mien.data.sources.columns import plain, usual_columns
from mien.errors import AnswersError
from mien.labels import canonical, is_code, says_nothing_else
from mien.settings.score import NO_LABEL, AnswerColumns

__all__ = ["FORMATS", "Roles", "boxes_of", "format_of", "names_photos", "roles_of"]

_PREDICTED = (
    "dominantemotion topemotion topemotion.0 dominantexpression predictedemotion predictedlabel predictedclass "
    "predictedexpression detectedemotion prediction predicted predlabel predemotion pred answer modelanswer output"
)
PREDICTED = tuple(_PREDICTED.split())
"""Names of columns, in plain form, that can only be answers; ``label`` and the like may be the truth as well."""
FURTHER_PATHS = ("input", "imgpath", "source", "sourcefile", "inputfile", "name")
_BEFORE = re.compile(
    r"^(?:probability of |prob(?:abilit(?:y|ies)|s)?|scores?|emotions?|expressions?|conf(?:idence)?|p|pred|faces?"
    r"|deepface|fer)[\s_.\-:]+",
    re.IGNORECASE,
)
_BEHIND = re.compile(r"(?:[\s_.\-:]*%|[\s_.\-:]+(?:prob(?:ability)?|score|conf(?:idence)?|percent))$", re.IGNORECASE)
_SURELY = re.compile(r"^(?:prob_|probability of |probabilities\.)")
"""How mien's own tables and lines begin the name of a class, whatever that is."""
_BOXES: Mapping[str, tuple[str, ...]] = {
    "edges": ("left", "top", "right", "bottom"),
    "edges of mien's lines": ("face.0", "face.1", "face.2", "face.3"),
    "py-feat": ("FaceRectWidth", "FaceRectHeight"),
    "deepface": ("region.w", "region.h"),
    "deepface faces": ("facial_area.w", "facial_area.h"),
    "fer": ("box.2", "box.3"),
    "a box": ("box.w", "box.h"),
    "width and height": ("box_w", "box_h"),
}
FORMATS = ("mien", "py-feat", "DeepFace", "fer", "table")


@dataclass(frozen=True)
class Roles:
    """What the columns of a table of answers say.

    Attributes:
        path: column that names the photo.
        label: column with the answer; None where probabilities alone say it.
        classes: class → column of its probability; empty where there are none.
        truth: columns that may hold the truth and were not read.
    """

    path: str
    label: str | None
    classes: dict[str, str]
    truth: tuple[str, ...] = ()


def names_photos(name: str) -> bool:
    """Whether a column or key is called as what names photos."""
    return plain(name) in FURTHER_PATHS or bool(usual_columns({name: pl.String()}, "path"))


def format_of(columns: Collection[str]) -> str:
    """Whose table it is, by its columns; one of ``FORMATS``."""
    has = set(columns)
    if {"split_group", "group_kind"} <= has or {"path", "status", "label"} <= has:
        return "mien"
    if {"FaceRectX", "FaceRectWidth"} <= has:
        return "py-feat"
    if "dominant_emotion" in has and any(name.startswith(("region.", "emotion.")) for name in has):
        return "DeepFace"
    return "fer" if any(name.startswith("emotions.") for name in has) else "table"


def roles_of(frame: pl.DataFrame, known: Collection[str], asked: AnswerColumns, where: str) -> Roles:
    """Find the columns.

    Args:
        known: the photos' classes and those of the class map; a column of numbers that is called so holds a
            probability, whatever word it is.

    Raises:
        AnswersError: if a column is missing or in doubt.
    """
    classes = _class_columns(frame, {canonical(name) for name in known} | set(known), where)
    path = _path(frame, asked.answer_path, where)
    if asked.answer_label == NO_LABEL or (format_of(frame.columns) == "mien" and "split_group" in frame.columns):
        label, truth = None, tuple[str, ...]()  # the label in mien's tables of predictions is the truth
    else:
        label, truth = _label(frame, asked.answer_label, where, {path, *classes.values()})
    if label is None and len(classes) < 2:
        raise AnswersError(
            f"{where}: no column says the answer, and no two hold probabilities of classes; its columns are: "
            f"{_shown(frame.columns)}; name the answer's with --answer-label"
        )
    return Roles(path, label, classes if len(classes) > 1 else {}, truth)


def boxes_of(frame: pl.DataFrame) -> pl.Series | None:
    """The area of each row's face, Float64 in px²; None where the table says nothing of it."""
    for names in _BOXES.values():
        if all(name in frame.columns for name in names):
            sides = [frame[name].cast(pl.Float64, strict=False) for name in names]
            if len(sides) == 4:
                sides = [sides[2] - sides[0], sides[3] - sides[1]]
            return (sides[0] * sides[1]).alias("area")
    return None


def _class_columns(frame: pl.DataFrame, known: Collection[str], where: str) -> dict[str, str]:
    """Class → the column of numbers that is called so."""
    found: dict[str, str] = {}
    for name in frame.columns:
        label = _class_in(name)
        is_word = label in known or (says_nothing_else(label) and not is_code(label)) or canonical(label) in known
        if not (is_word or _SURELY.match(name)) or not _holds_numbers(frame[name]):
            continue
        if label in found:
            raise AnswersError(
                f"{where}: the columns {found[label]!r} and {name!r} both hold numbers of {label!r}; leave one out"
            )
        found[label] = name
    return found


def _class_in(name: str) -> str:
    """The class in a column's name: ``happy`` in ``prob_happy``, ``emotion.happy`` and ``happy (%)``."""
    if match := _SURELY.match(name):
        return name[match.end() :]
    plainer = re.sub(r" \(\d+\)$", "", name.strip()).replace("(", "").replace(")", "")  # of a name that comes twice
    while (shorter := _BEHIND.sub("", _BEFORE.sub("", plainer))) != plainer and shorter:
        plainer = shorter
    return plainer


def _holds_numbers(column: pl.Series) -> bool:
    if column.dtype.is_numeric():
        return True
    if column.dtype != pl.String:
        return False
    told = column.drop_nulls().str.strip_chars()
    told = told.filter(~told.str.to_lowercase().is_in(["", "nan", "none", "null", "na"]))
    return len(told) > 0 and told.str.contains(r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*%?$").any()


def _path(frame: pl.DataFrame, asked: str | None, where: str) -> str:
    """The column that names the photo."""
    if asked is not None:
        return _named(frame, asked, "--answer-path", where)
    found = usual_columns(frame.schema, "path")
    found = found or [name for name in frame.columns if plain(name) in FURTHER_PATHS]
    if len(found) > 1 and "path" in found:
        found = ["path"]
    if len(found) == 1:
        return found[0]
    if found:
        raise AnswersError(
            f"{where}: the columns {', '.join(found)} could each name the photo; say which with --answer-path"
        )
    raise AnswersError(
        f"{where}: no column is called path, file, image or input; its columns are: {_shown(frame.columns)}; name the "
        "one with the photos' paths with --answer-path"
    )


def _label(
    frame: pl.DataFrame, asked: str | None, where: str, taken: Collection[str]
) -> tuple[str | None, tuple[str, ...]]:
    """The column with the answer, and those that may hold the truth."""
    if asked is not None:
        return _named(frame, asked, "--answer-label", where), ()
    sure = [name for name in frame.columns if plain(name) in PREDICTED and name not in taken]
    usual = [name for name in usual_columns(frame.schema, "label") if name not in taken and name not in sure]
    if len(sure) > 1:
        raise AnswersError(
            f"{where}: the columns {', '.join(sure)} could each be the answer; say which with --answer-label"
        )
    if sure:
        return sure[0], tuple(usual)
    if len(usual) > 1:
        raise AnswersError(
            f"{where}: the columns {', '.join(usual)} could each be the answer; say which with --answer-label"
        )
    return (usual[0] if usual else None), ()


def _named(frame: pl.DataFrame, name: str, option: str, where: str) -> str:
    if name not in frame.columns:
        raise AnswersError(f"{where}: no column {name!r} ({option}); its columns are: {_shown(frame.columns)}")
    return name


def _shown(names: Collection[str]) -> str:
    listed = list(names)[:20]
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return (", ".join(listed) or "none") + more
