"""A person's decisions on single photos: drop this one, that one shows something else. The photos are never touched."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mien.errors import CorrectionsError
from mien.results.audit import CorrectionsRecord
from mien.system.files import read_file, why
from mien.system.paths import user_path

__all__ = [
    "COLUMNS",
    "Correction",
    "Corrections",
    "apply_corrections",
    "is_writable_class",
    "read_corrections",
    "read_rows",
    "relabelled_to",
]

COLUMNS = ("action", "label", "findings", "details", "source", "path", "sha256")
"""Of the table that the audit writes. ``action`` is left empty, for a person to fill in."""
NEEDED = ("action", "source", "path", "sha256")
RELABEL = re.compile(r"relabel\s+to\s+(.+)", re.IGNORECASE | re.DOTALL)
ACTIONS = "keep, drop, or relabel to CLASS"


@dataclass(frozen=True)
class Correction:
    """What to do with one photo.

    Attributes:
        line: of the file, for messages.
        label: the class it really shows; None drops it.
    """

    line: int
    source: str
    path: str
    sha256: str
    label: str | None


@dataclass(frozen=True)
class Corrections:
    """The decisions of one file.

    Attributes:
        file: as it was given.
        sha256: of the file's bytes, which results record.
        entries: photos to drop or to relabel; those to keep are left out.
    """

    file: str
    sha256: str
    entries: tuple[Correction, ...]

    @property
    def record(self) -> CorrectionsRecord:
        """What results say of it."""
        return CorrectionsRecord(file=self.file, sha256=self.sha256)


def read_corrections(given: str | Path) -> Corrections:
    """Read a table that ``mien audit --out`` wrote and a person filled in.

    Separators may be commas, semicolons or tabs, as spreadsheets write them. An empty action keeps a photo.

    Raises:
        CorrectionsError: if the file is not such a table, or an action is none of those known.
    """
    path = user_path(given, "--corrections")
    content, text = _read(path)
    entries: dict[tuple[str, str], Correction] = {}
    for line, row in _rows(text, path):
        correction = _correction(row, line, path)
        if correction is None:
            continue
        earlier = entries.setdefault((correction.source, correction.path), correction)
        if earlier.label != correction.label:
            raise CorrectionsError(
                f"{path}, lines {earlier.line} and {correction.line}: two decisions on {correction.path}; keep one"
            )
    return Corrections(str(path), hashlib.sha256(content).hexdigest(), tuple(entries.values()))


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a table of corrections as they stand, with whatever further columns it has.

    Raises:
        CorrectionsError: as ``read_corrections`` does.
    """
    read_corrections(path)
    _, text = _read(path)
    return [{name: cell or "" for name, cell in row.items() if name is not None} for _, row in _rows(text, path)]


def relabelled_to(action: str) -> str | None:
    """The class that an action gives a photo; None where it gives none."""
    found = RELABEL.fullmatch(action.strip())
    return found[1] if found else None


def is_writable_class(label: str) -> bool:
    """Whether a table can name this class: blanks around a name are lost in one."""
    return relabelled_to(f"relabel to {label}") == label


def apply_corrections(table: pl.DataFrame, corrections: Corrections) -> pl.DataFrame:
    """Drop and relabel photos of a manifest.

    Returns:
        The manifest, in which dropped photos have the status ``dropped``, and relabelled ones their class in the
        source as ``given_label``.

    Raises:
        CorrectionsError: if a photo is not in the manifest, has changed since, or is given a class that no photo has.
    """
    known = {
        (source, path): (sha, row)
        for source, path, sha, row in table.select("source", "path", "sha256", "row").iter_rows()
    }
    classes = sorted(set(table.filter(pl.col("status") != "ignored")["label"].drop_nulls()))
    labels: dict[int, str] = {}
    dropped: list[int] = []
    for entry in corrections.entries:
        where = f"{corrections.file}, line {entry.line}"
        sha, row = known.get((entry.source, entry.path), (None, -1))
        if row < 0:
            raise CorrectionsError(
                f"{where}: no photo {entry.path!r} in {entry.source!r}; is this table of other data?"
            )
        if sha != entry.sha256:
            raise CorrectionsError(f"{where}: {entry.path} has changed since the audit; audit again and decide anew")
        if entry.label is None:
            dropped.append(row)
        elif entry.label not in classes:
            raise CorrectionsError(f"{where}: no class {entry.label!r}; the classes are {', '.join(classes)}")
        else:
            labels[row] = entry.label
    return _changed(table, dropped, labels)


def _changed(table: pl.DataFrame, dropped: list[int], labels: dict[int, str]) -> pl.DataFrame:
    changes = pl.DataFrame(
        {"row": list(labels), "new_label": list(labels.values())}, schema={"row": pl.Int64, "new_label": pl.String}
    )
    is_dropped = pl.col("row").is_in(dropped) & (pl.col("status") == "ok")
    is_new = pl.col("new_label") != pl.col("label")
    return (
        table.join(changes, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.when(is_dropped).then(pl.lit("dropped")).otherwise("status").alias("status"),
            pl.when(is_dropped).then(pl.lit("dropped by the corrections")).otherwise("reason").alias("reason"),
            pl.when(is_new).then("label").otherwise("given_label").alias("given_label"),
            pl.coalesce("new_label", "label").alias("label"),
        )
        .select(table.columns)
    )


def _read(path: Path) -> tuple[bytes, str]:
    """The bytes of a table, and its text."""
    try:
        content = read_file(path)
        return content, content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = why(error) if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CorrectionsError(
            f"{path}: cannot be read ({reason}); give a table written by mien audit --out"
        ) from error


def _rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The rows with the lines they end on."""
    separator = max(",;\t", key=(text.splitlines() or [""])[0].count)
    # Lines end as files have them, not as Python splits text: a name may hold a Unicode line separator.
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        missing = [name for name in NEEDED if name not in (table.fieldnames or ())]
        if missing:
            raise CorrectionsError(
                f"{path}: no column {' and no column '.join(missing)}; give a table written by mien audit --out"
            )
        for row in table:
            yield table.line_num, row
    except csv.Error as error:
        # A quote left open would take all decisions behind it for one cell.
        raise CorrectionsError(
            f"{path}, line {table.line_num}: not CSV ({error}); mend it, or give a table written by mien audit --out"
        ) from error


def _correction(row: dict[str, str | None], line: int, path: Path) -> Correction | None:
    action = (row["action"] or "").strip()
    if action.lower() in ("", "keep"):
        return None
    relabel = RELABEL.fullmatch(action)
    if action.lower() != "drop" and relabel is None:
        raise CorrectionsError(f"{path}, line {line}: unknown action {action!r}; write {ACTIONS}")
    label = relabel[1] if relabel else None
    return Correction(line, row["source"] or "", row["path"] or "", row["sha256"] or "", label)
