"""What the audit found, photo by photo: a table for a person to decide on."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import polars as pl

from mien.data.measuring.face_audit import face_flags
from mien.data.tables.corrections import COLUMNS
from mien.data.tables.manifest import usable
from mien.errors import OutputError
from mien.system.files import not_written, write_text

__all__ = ["as_csv", "check_out", "findings_of", "ranked_findings", "write_findings"]

DOUBT = ("suggested_label", "label_quality", "is_doubtful")
REST = (
    "copy",
    "blank",
    "no_face",
    "tiny_face",
    "cut_face",
    "blurred_face",
    "several_faces",
    "drawn",
    "perhaps_drawn",
)
"""Findings that say nothing of the label, the worst first."""
MOST_NAMED = 3
"""Copies of a photo that its row names."""


def findings_of(manifest: pl.DataFrame) -> pl.DataFrame:
    """One row for each usable photo with a finding, by ``row``.

    Returns:
        ``row``, ``findings`` (List(String)) and ``details`` (String).
    """
    ok = usable(manifest.select("status", "row", "source", "path", "label", "near_group", *DOUBT))
    flags = face_flags(manifest).drop("id")
    found = defaultdict[int, list[tuple[str, str]]](list)
    for name in flags.columns:
        for row in ok["row"].filter(flags[name]):
            found[row].append((name, ""))
    for row, name, detail in [*_copies(ok), *_doubts(ok)]:
        found[row].append((name, detail))
    rows = sorted(found)
    return pl.DataFrame(
        {
            "row": rows,
            "findings": [[name for name, _ in found[row]] for row in rows],
            "details": ["; ".join(detail for _, detail in found[row] if detail) for row in rows],
        },
        schema={"row": pl.Int64, "findings": pl.List(pl.String), "details": pl.String},
    )


def check_out(path: Path) -> None:
    """Raise an OutputError where a file stands, which may hold a person's decisions, or where none can."""
    if path.exists():
        raise OutputError(f"{path}: exists already, and may hold your decisions; give another --out")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}; make it, or give another --out")


def ranked_findings(manifest: pl.DataFrame) -> pl.DataFrame:
    """The photos with a finding, the worst first, with the columns of the manifest.

    Contradictions come first, then doubtful labels by how doubtful they are, then the rest by kind; copies of a picture
    are neighbours.

    Returns:
        As ``findings_of``, and every other column of the manifest.
    """
    findings = pl.col("findings")
    is_doubtful = findings.list.contains("doubtful_label")
    kinds = [pl.when(findings.list.contains(kind)).then(rank) for rank, kind in enumerate(REST)]
    return (
        findings_of(manifest)
        .join(manifest, on="row", how="left", suffix="_of_manifest")
        .sort(
            ~findings.list.contains("two_labels"),
            ~is_doubtful,
            pl.when(is_doubtful).then("label_quality"),
            pl.when(~is_doubtful & ~findings.list.contains("two_labels")).then(pl.coalesce(kinds)),
            "near_group",
            "row",
            nulls_last=True,
        )
    )


def as_csv(header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """A table as text, as RFC 4180 has it: line ends within a name are quoted."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def write_findings(manifest: pl.DataFrame, path: Path) -> int:
    """Write the findings as CSV with an empty column ``action``, for ``--corrections`` to read back.

    They are in the order of ``ranked_findings``.

    Returns:
        How many photos it lists.

    Raises:
        OutputError: if the file exists or cannot be written.
    """
    check_out(path)
    table = ranked_findings(manifest)
    written = table.with_columns(pl.lit("").alias("action"), pl.col("findings").list.join(" ")).select(COLUMNS)
    try:
        write_text(as_csv(COLUMNS, written.iter_rows()), path)
    except OSError as error:
        raise not_written(path, error) from error
    return len(written)


def _copies(ok: pl.DataFrame) -> list[tuple[int, str, str]]:
    """Every photo that has copies: ``two_labels`` where their classes differ, else ``copy`` from the second on."""
    entries = []
    several = ok.filter(pl.len().over("near_group") > 1).sort("near_group", maintain_order=True)
    columns = several.select("near_group", "row", "source", "path", "label").iter_rows()
    for _, group in groupby(columns, key=lambda photo: photo[0]):
        photos = list(group)
        names = [f"{source}/{path}" for _, _, source, path, _ in photos]
        contradict = len({label for *_, label in photos if label is not None}) > 1
        for i, (_, row, *_) in enumerate(photos):
            others = names[:i] + names[i + 1 :]
            detail = "same picture as " + ", ".join(others[:MOST_NAMED])
            detail += f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
            if contradict:
                entries.append((row, "two_labels", detail))
            elif i:
                entries.append((row, "copy", detail))
    return entries


def _doubts(ok: pl.DataFrame) -> list[tuple[int, str, str]]:
    doubtful = ok.filter(pl.col("is_doubtful").fill_null(False))
    return [
        (row, "doubtful_label", f"a probe would say {suggested} and gives {label} {quality:.2f}")
        for row, label, suggested, quality in doubtful.select(
            "row", "label", "suggested_label", "label_quality"
        ).iter_rows()
    ]
