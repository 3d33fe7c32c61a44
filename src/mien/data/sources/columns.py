"""Which column of a table plays which role: asked for by name, or recognised by a usual one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mien.data.sources.delimited import names_a_photo
from mien.data.sources.files import ROW
from mien.data.sources.split_words import as_split
from mien.errors import MissingColumnError, SourceError
from mien.labels import is_expression
from mien.settings.columns import NO_COLUMN, Columns

__all__ = [
    "KNOWN",
    "RATERS",
    "ROLES",
    "choose_columns",
    "columns_by_content",
    "is_embedded",
    "names_people",
    "plain",
    "usual_columns",
]

ROLES = ("path", "label", "group", "split")
_USUAL = {
    "path": (
        "path file filename filepath image imagepath imagefile imagename imagefilename img imgpath imgname "
        "imgfile imageid imgid photo photos photopath photoname photoid picture picturename pic picname stimulus "
        "stimuli stimulusname stimulusfile stim subdirectoryfilepath filepaths images files pth filenames "
        "imagepaths bild datei foto",
        "id name stimulusid idcode key fname",
    ),
    "label": (
        "label class emotion expression labels classes emotions expressions classname labelname emotionlabel "
        "expressionlabel facialexpression emotionname emotionclass category classlabel dominantemotion emoción "
        "émotion ausdruck klasse",
        "choice sentiment affect target annotation response gefühl emo expr",
    ),
    "group": (
        "subject subjectid subjectno subjectnumber subj participant participantid participantno person personid "
        "actor actorid identity identityid proband individual subjects",
    ),
    "split": ("split usage set subset partition phase datasplit splits",),
}
USUAL_NAMES = {role: tuple(tuple(names.split()) for names in kinds) for role, kinds in _USUAL.items()}
"""In lower case, without spaces, dashes and underscores; the second kind counts where there is none of the first."""
PEOPLE = ("subject", "participant", "person", "actor", "identit", "proband", "people", "patient", "child", "student")
"""What names of columns hold that say who is shown; by any other name, groups are not called people."""
NEEDED = ("path", "label")
_RATERS = "rater annotator coder judge raterid annotatorid coderid worker workerid labeler user"
RATERS = tuple(_RATERS.split())
"""Columns that say who rated, in tables with a row a rating."""
KNOWN = (
    frozenset(name for kinds in USUAL_NAMES.values() for names in kinds for name in names) | set(RATERS) | {"pixels"}
)
COLUMNS_SHOWN = 20


def choose_columns(
    schema: Mapping[str, pl.DataType], asked: Columns, roles: Sequence[str], where: str
) -> dict[str, str]:
    """Role → column.

    Args:
        roles: which roles to fill; only those found are in the answer.
        where: the table, as named in errors.

    Raises:
        SourceError: if a column is missing, in doubt, or of a type that cannot play its role.
    """
    chosen = {}
    for role in roles:
        wanted = asked.of(role)
        if wanted == NO_COLUMN and wanted not in schema and role not in NEEDED:
            continue
        column = _first_of(wanted, schema) if wanted else _recognised(schema, role, where)
        if column is None:
            continue
        if column not in schema:
            message = f"{where}: there is no column {column!r}; its columns are: {_shown(schema)}"
            raise MissingColumnError(message, (role,))
        _check_type(schema[column], role, column, where)
        chosen[role] = column
    return chosen


def _first_of(wanted: str, schema: Mapping[str, pl.DataType]) -> str:
    """The column that was named, or the first of several, separated by commas, that is there."""
    names = [wanted, *map(str.strip, wanted.split(","))]
    return next((name for name in names if name in schema), wanted)


def names_people(column: str) -> bool:
    """Whether a column is called as what says who a person is."""
    return plain(column) in USUAL_NAMES["group"][0] or any(word in plain(column) for word in PEOPLE)


def usual_columns(schema: Mapping[str, pl.DataType], role: str) -> list[str]:
    """The columns whose names are usual for a role; images that are embedded go before files that are named."""
    for names in USUAL_NAMES[role]:
        found = [name for name in schema if plain(name) in names]
        if found:
            return [name for name in found if role == "path" and is_embedded(schema[name])] or found
    return []


def columns_by_content(frame: pl.DataFrame, where: str, *, needs_label: bool = True) -> dict[str, str]:
    """Role → column of a table without a header, by what its cells hold.

    Args:
        needs_label: whether it has to say classes.

    Raises:
        SourceError: if more than one column could hold the paths or the classes.
    """
    cells = {name: [str(x).strip() for x in frame[name].drop_nulls().head(1000)] for name in frame.columns}
    paths = [name for name, values in cells.items() if values and all(map(names_a_photo, values))]
    if len(cells) == 1 and not needs_label:
        return {"path": frame.columns[0]}
    if len(cells) == 1 and needs_label and any(map(names_a_photo, *cells.values())):
        raise SourceError(f"{where}: it names photos and no classes; write the class of each behind its name")
    if not paths and len(cells) == 2:
        paths = [frame.columns[0]]
    rest = [name for name in cells if name not in paths]
    splits = [name for name in rest if cells[name] and all(map(as_split, cells[name]))]
    labels = [name for name in rest if name not in splits]
    if len(labels) > 1:
        labels = [
            name for name in labels if cells[name] and sum(map(is_expression, cells[name])) > 0.9 * len(cells[name])
        ]
    if len(paths) != 1 or len(labels) != 1:
        raise SourceError(
            f"{where}: the table has no header, and it is not clear which of its {len(cells)} columns is what; say it "
            "with --path-column 1 --label-column 2, or the numbers that are right"
        )
    found = {"path": paths[0], "label": labels[0]}
    return found | ({"split": splits[0]} if len(splits) == 1 else {})


def is_embedded(dtype: pl.DataType) -> bool:
    """Whether a column holds the bytes of images: bare, or with their names as Hugging Face writes them."""
    if isinstance(dtype, pl.Struct):
        return any(field.name == "bytes" and field.dtype == pl.Binary for field in dtype.fields)
    return dtype == pl.Binary


def plain(name: str) -> str:
    """A column's name in lower case, without spaces, dashes and underscores."""
    return "".join(c for c in name.lower() if c not in " _-")


def _recognised(schema: Mapping[str, pl.DataType], role: str, where: str) -> str | None:
    """The one column with a usual name."""
    found = usual_columns(schema, role)
    if len(found) == 1:
        return found[0]
    if found and role in NEEDED:
        raise SourceError(
            f"{where}: the columns {', '.join(found)} could each be the {role}; say which with --{role}-column"
        )
    if found:
        raise SourceError(
            f"{where}: the columns {', '.join(found)} could each be the {role}; say which with --{role}-column, or "
            f"--{role}-column {NO_COLUMN}"
        )
    if role == "path" and "pixels" in map(plain, schema):
        if not where.lower().endswith((".csv", ".tsv")):
            raise SourceError(f"{where}: photos as text are read from CSV and TSV; save the table as one of these")
        raise SourceError(f"{where}: the column of pixels holds no photos, which have 64 values or more a row")
    if role in NEEDED:
        usual = "path, image, photo or file" if role == "path" else "label, class, emotion or expression"
        raise SourceError(
            f"{where}: no column is called {usual}; its columns are: {_shown(schema)}; name one with --{role}-column"
        )
    return None


def _check_type(dtype: pl.DataType, role: str, column: str, where: str) -> None:
    if role == "path" and is_embedded(dtype):
        return
    if dtype.is_nested() or dtype == pl.Binary:
        raise SourceError(f"{where}: the column {column!r} holds {dtype} values; the {role} must be text or a number")


def _shown(schema: Mapping[str, pl.DataType]) -> str:
    names = [name for name in schema if name and name != ROW]
    more = f" and {len(names) - COLUMNS_SHOWN} more" if len(names) > COLUMNS_SHOWN else ""
    return (", ".join(names[:COLUMNS_SHOWN]) or "none") + more
