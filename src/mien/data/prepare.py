"""Sources → one manifest with groups and splits, and their pixels on disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from mien.data.audit import Audit, assign_groups, audit
from mien.data.intake import take_in
from mien.data.manifest import read_manifest, usable, write_manifest
from mien.data.pixels import Pixels, PixelWriter
from mien.data.preprocess import View
from mien.data.sources import Source, open_source
from mien.data.splits import SplitShares, assign_splits
from mien.errors import SourceError
from mien.progress import Progress

__all__ = ["Prepared", "audit_json", "audit_source", "distinct_names", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """Photos that were read once.

    Attributes:
        manifest: every file of every source.
        pixels: the views asked for.
    """

    manifest: pl.DataFrame
    pixels: Pixels

    def of(self, source: Source) -> pl.DataFrame:
        """The rows of one source."""
        return self.manifest.filter(pl.col("source") == source.name)


def prepare(
    data: Source | None,
    targets: Sequence[Source],
    views: Sequence[View],
    folder: Path,
    *,
    shares: SplitShares | None = None,
    seed: int = 0,
    progress: Progress,
) -> Prepared:
    """Read all sources once, group near-duplicates over all of them, and divide ``data``.

    What stands in the folder from an earlier call with the same sources and views is used again.

    Args:
        data: photos to divide into train, validation and test; None where there are only targets.
        targets: photos from elsewhere, whose split is ``target``.
        views: what to keep of each photo; with none, no pixels are written.
    """
    path = folder / "manifest.parquet"
    distinct = sorted({view.key: view for view in views}.values(), key=lambda v: v.key)
    if path.exists():
        return Prepared(read_manifest(path), Pixels(folder / "pixels"))
    sources = [*([data] if data else []), *targets]
    pixels = folder / "pixels"
    shutil.rmtree(pixels, ignore_errors=True)  # of a reading that was interrupted
    tables = []
    with PixelWriter(pixels, distinct, sum(len(s.files) for s in sources)) as writer:
        first_row = 0
        for source in sources:
            with progress.step(f"read {source.name}", len(source.files), "files") as advance:
                table = take_in(source, distinct, writer, first_row=first_row, advance=advance)
            _check_readable(source, table)
            tables.append(table)
            first_row += len(source.files)
    manifest = assign_groups(pl.concat(tables))
    is_data = pl.col("source") == (data.name if data else "")
    parts = [assign_splits(manifest.filter(is_data), shares or SplitShares(), seed)] if data else []
    rest = manifest.filter(~is_data)
    as_target = pl.when(pl.col("status") == "ok").then(pl.lit("target")).alias("split")
    manifest = pl.concat([*parts, rest.with_columns(as_target)])
    write_manifest(manifest, path)
    return Prepared(manifest, Pixels(pixels))


def distinct_names(data: Source, targets: Sequence[Source]) -> list[Source]:
    """The targets, renamed where another source has the same name."""
    taken = {data.name}
    renamed = []
    for target in targets:
        name = target.name
        while name in taken:
            name += "-target"
        taken.add(name)
        renamed.append(replace(target, name=name))
    return renamed


def audit_source(spec: str, progress: Progress) -> dict[str, Any]:
    """Read a labelled source and count what is in it; nothing is written.

    Returns:
        The documented object, with the audit under ``data``.
    """
    source = open_source(spec)
    with progress.step(f"read {source.name}", len(source.files), "files") as advance:
        table = take_in(source, [], None, advance=advance)
    _check_readable(source, table)
    return {"data": audit_json(source, audit(assign_groups(table)))}


def audit_json(source: Source, found: Audit) -> dict[str, Any]:
    """An audit as the documented JSON object."""
    return asdict(found) | {
        "source": source.spec,
        "name": source.name,
        "conflicting_labels": len(found.conflicting_labels),
        "conflicts": [asdict(conflict) for conflict in found.conflicting_labels],
        "ignored": len(found.ignored_files),
    }


def _check_readable(source: Source, table: pl.DataFrame) -> None:
    if usable(table).is_empty():
        reasons = table.filter(pl.col("status") == "unreadable").select("path", "reason").rows()
        first = f"; the first: {reasons[0][0]}: {reasons[0][1]}" if reasons else ""
        raise SourceError(f"{source.spec}: none of its {len(table)} files can be read as an image{first}")
    for label in source.labels:
        if usable(table).filter(pl.col("label") == label).is_empty():
            raise SourceError(
                f"{source.spec}: class {label!r} has no image that can be read; repair its files or remove the folder"
            )
