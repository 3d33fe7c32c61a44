"""``mien audit``: read photos once, examine them, write nothing but the table that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl

from mien.auditing.examine import Examined, examine, judges_labels
from mien.auditing.features import VIEWS
from mien.auditing.findings import check_out, findings_of, write_findings
from mien.cluster.connecting import on_cluster
from mien.data.reading.pixels import Pixels
from mien.data.sources.collection import Collection, open_collection
from mien.data.tables.corrections import Corrections, read_corrections
from mien.data.tables.prepare import prepare
from mien.evaluation.raters import measure_agreement
from mien.progress import Progress
from mien.results.commands import AuditedData, AuditPaths, AuditResults
from mien.settings.audit import AuditSettings
from mien.system.scratch import work_folder

__all__ = ["Audited", "audited", "run_audit"]


@dataclass(frozen=True)
class Audited:
    """Photos that were read and examined.

    Attributes:
        collection: where they came from.
        found: what was found, with the manifest.
        pixels: the decoded photos.
        features: folder of what the probe saw of each; empty where labels were not judged.
        corrections: the decisions that were applied.
    """

    collection: Collection
    found: Examined
    pixels: Pixels
    features: Path
    corrections: Corrections | None


@contextmanager
def audited(settings: AuditSettings, progress: Progress, *, to_be_seen: bool = False) -> Iterator[Audited]:
    """Audit one or more labelled sources as one set; the pixels and features are there for the block.

    Args:
        to_be_seen: whether to keep pixels of every photo, also where no label is judged.
    """
    decided, checks, find_faces = settings.decisions.corrections, settings.checks, settings.face_search.find_faces
    corrections = read_corrections(decided) if decided is not None else None
    collection = open_collection(settings.data, settings.columns)
    n_files = sum(len(source.files) for source in collection.sources)
    unjudged = judges_labels(checks.leak_premium or checks.check_labels, n_files)
    prepared = prepare(
        [collection],
        () if unjudged and not to_be_seen else VIEWS,
        None,
        corrections=corrections,
        find_faces=find_faces,
        progress=progress,
    )
    with work_folder() as folder:
        found = examine(
            prepared.manifest if find_faces else _without_faces(prepared.manifest),
            prepared.pixels,
            folder / "features",
            labels_unjudged=unjudged,
            leak_premium=checks.leak_premium,
            seed=settings.randomness.seed,
            progress=progress,
        )
        yield Audited(collection, found, prepared.pixels, folder / "features", corrections)


def run_audit(settings: AuditSettings, out: Path | None, progress: Progress) -> AuditResults:
    """Audit one or more labelled sources as one set.

    Args:
        out: where to write the table of findings, if anywhere.
    """
    if out is not None:
        check_out(out)
    with on_cluster(settings.workers.cluster, progress), audited(settings, progress) as audit:
        found, corrections = audit.found, audit.corrections
        told = found.audit(audit.collection, faces_searched=settings.face_search.find_faces)
    data = AuditedData(
        **msgspec.structs.asdict(told),
        corrections=corrections.record if corrections else None,
        findings=len(findings_of(found.manifest)),
        agreement=measure_agreement(found.manifest),
    )
    if out is not None:
        write_findings(found.manifest, out)
    return AuditResults(data=data, paths=AuditPaths(findings=str(out) if out else None))


def _without_faces(manifest: pl.DataFrame) -> pl.DataFrame:
    """The manifest of photos in which no face was looked for, which does not mean that there is none."""
    is_none = pl.col("face_kind") == "none"
    return manifest.with_columns(
        pl.when(~is_none).then("face_kind").alias("face_kind"), pl.when(~is_none).then("face_count").alias("face_count")
    )
