"""``mien audit``: read photos once, examine them, write nothing but the table that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from mien.auditing.examine import examine, judges_labels
from mien.auditing.features import VIEWS
from mien.auditing.findings import check_out, findings_of, write_findings
from mien.data.audit import audit, audit_json
from mien.data.collection import open_collection
from mien.data.corrections import read_corrections
from mien.data.prepare import prepare
from mien.data.scratch import work_folder
from mien.data.sources import TableColumns
from mien.progress import Progress

__all__ = ["AuditOptions", "run_audit"]


@dataclass(frozen=True)
class AuditOptions:
    """What to look for.

    Attributes:
        columns: which columns of tables say what.
        corrections: table of decisions to apply first.
        find_faces: whether to look for faces.
        check_labels: whether to judge labels; None does for a few thousand photos.
        leak_premium: whether to measure what copies across a split are worth.
        out: where to write the table of findings.
        seed: of folds and permutations.
    """

    columns: TableColumns = field(default_factory=TableColumns)
    corrections: Path | None = None
    find_faces: bool = True
    check_labels: bool | None = None
    leak_premium: bool = False
    out: Path | None = None
    seed: int = 42


def run_audit(specs: Sequence[str], options: AuditOptions, progress: Progress) -> dict[str, Any]:
    """Audit one or more labelled sources as one set.

    Returns:
        The documented object, with the audit under ``data``.
    """
    if options.out is not None:
        check_out(options.out)
    corrections = read_corrections(options.corrections) if options.corrections else None
    collection = open_collection(specs, options.columns)
    n_files = sum(len(source.files) for source in collection.sources)
    unjudged = judges_labels(options.leak_premium or options.check_labels, n_files)
    prepared = prepare(
        [collection],
        () if unjudged else VIEWS,
        None,
        corrections=corrections,
        find_faces=options.find_faces,
        progress=progress,
    )
    with work_folder() as folder:
        found = examine(
            prepared.manifest if options.find_faces else _without_faces(prepared.manifest),
            prepared.pixels,
            folder / "features",
            labels_unjudged=unjudged,
            leak_premium=options.leak_premium,
            seed=options.seed,
            progress=progress,
        )
    data = audit_json(collection, audit(found.manifest)) | found.results
    data["corrections"] = corrections.record if corrections else None
    data["findings"] = len(findings_of(found.manifest))
    data["faces_searched"] = options.find_faces
    if options.out is not None:
        write_findings(found.manifest, options.out)
    return {"data": data, "paths": {"findings": str(options.out) if options.out else None}}


def _without_faces(manifest: pl.DataFrame) -> pl.DataFrame:
    """The manifest of photos in which no face was looked for, which does not mean that there is none."""
    is_none = pl.col("face_kind") == "none"
    return manifest.with_columns(
        pl.when(~is_none).then("face_kind").alias("face_kind"), pl.when(~is_none).then("face_count").alias("face_count")
    )
