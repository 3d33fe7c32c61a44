"""What is in a set of photos, counted from its manifest: classes, copies, contradictions, faces, unreadable files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from mien.data.measuring.face_audit import FLAGS, PERHAPS_DRAWN, SURELY_DRAWN, face_flags
from mien.data.sources.collection import Collection
from mien.data.tables.manifest import usable, vote_columns
from mien.results.audit import Audit, Copies, CopiesFound, LabelConflict

__all__ = ["count_audit"]


def count_audit(collection: Collection, manifest: pl.DataFrame) -> Audit:
    """Count what a manifest with groups holds."""
    ok = usable(manifest)
    unreadable = manifest.filter(pl.col("status") == "unreadable")
    ignored = manifest.filter(pl.col("status") == "ignored")
    dropped = manifest.filter(pl.col("status") == "dropped")
    classes = dict(sorted(ok["label"].drop_nulls().value_counts().iter_rows()))
    flags = face_flags(manifest).join(ok.select("id", "label", "path", "drawn"), on="id")
    exact, near, conflicts = _copies(ok, "exact_group"), _copies(ok, "near_group"), _conflicts(ok)
    return Audit(
        source=collection.spec,
        name=collection.name,
        names=collection.names,
        renamed=collection.renamed,
        reading={source.name: source.notes for source in collection.sources if source.notes},
        voted=_voted(ok),
        files=len(ok) + len(unreadable) + len(dropped),
        images=len(ok),
        unreadable=len(unreadable),
        dropped=len(dropped),
        relabelled=len(ok.filter(pl.col("given_label").is_not_null())),
        ignored=len(ignored),
        classes=classes,
        sources=_counts(ok["source"]),
        imbalance=max(classes.values()) / min(classes.values()) if classes else None,
        unreadable_files=_by_path(unreadable, "reason"),
        ignored_files=_by_path(ignored, "reason"),
        notes=_by_path(ok.filter(pl.col("note").is_not_null()), "note"),
        formats=_counts(ok["format"]),
        sizes=_sizes(ok.select(pl.max_horizontal("width", "height")).to_series()),
        grey_share=float(ok["is_grey"].mean()) if len(ok) else None,  # type: ignore[arg-type]
        without_group=_without_group(ok),
        copies=CopiesFound(exact=exact, near=near),
        exact_duplicate_groups=exact.groups,
        near_duplicate_groups=near.groups,
        duplicate_files=len(ok) - ok["near_group"].n_unique(),
        conflicting_labels=len(conflicts),
        conflicts=conflicts,
        series=_series(ok),
        faces=_counts(ok["face_kind"]),
        flags={name: _counts(flags.filter(name)["label"]) for name in FLAGS},
        drawn_files=_by_path(
            flags.filter("drawn").sort("drawn_right", "path", descending=[True, False]), "drawn_right"
        ),
        drawn_from=SURELY_DRAWN,
        perhaps_drawn_from=PERHAPS_DRAWN,
    )


def _without_group(ok: pl.DataFrame) -> int:
    """Photos without one of the user's groups, where others have one."""
    lacking = ok["group"].null_count()
    return lacking if lacking < len(ok) else 0


def _voted(ok: pl.DataFrame) -> int:
    votes = list(vote_columns(ok).values())
    return int(ok.select((pl.sum_horizontal(votes) > 0).sum()).item()) if votes else 0


def _copies(ok: pl.DataFrame, column: str) -> Copies:
    repeated = ok.filter(pl.len().over(column) > 1)
    groups = repeated.group_by(column).agg(
        pl.col("label").drop_nulls().n_unique().alias("labels"),
        pl.col("given_split").drop_nulls().unique().sort(descending=True).str.join("+").alias("splits"),
        pl.struct("source", "group").filter(pl.col("group").is_not_null()).n_unique().alias("people"),
    )
    return Copies(
        groups=len(groups),
        across_labels=len(groups.filter(pl.col("labels") > 1)),
        across_groups=len(groups.filter(pl.col("people") > 1)),
        across_splits=_counts(groups.filter(pl.col("splits").str.contains("+", literal=True))["splits"]),
    )


def _conflicts(ok: pl.DataFrame) -> tuple[LabelConflict, ...]:
    mixed = (
        ok.filter(pl.col("label").is_not_null())
        .group_by("near_group", maintain_order=True)
        .agg("label", "path", pl.col("sha256"), pl.col("label").n_unique().alias("n"))
        .filter(pl.col("n") > 1)
    )
    return tuple(
        LabelConflict(labels=tuple(sorted(set(row["label"]))), paths=tuple(row["path"]), exact=_same_bytes(row))
        for row in mixed.iter_rows(named=True)
    )


def _same_bytes(row: dict[str, Sequence[Any]]) -> bool:
    """Whether one and the same file content stands under two labels."""
    labels: dict[str, set[str]] = {}
    for label, sha in zip(row["label"], row["sha256"], strict=True):
        labels.setdefault(sha, set()).add(label)
    return any(len(names) > 1 for names in labels.values())


def _series(ok: pl.DataFrame) -> tuple[int, int]:
    """Groups that hold more than copies of one picture, and the photos in them."""
    groups = ok.group_by("series").agg(pl.len(), pl.col("near_group").n_unique().alias("pictures"))
    several = groups.filter(pl.col("pictures") > 1)
    return len(several), int(several["len"].sum())


def _counts(values: pl.Series) -> dict[str, int]:
    counted = sorted(values.value_counts().iter_rows(), key=lambda item: (-item[1], item[0] or ""))
    return {name or "unknown": count for name, count in counted}


def _sizes(sides: pl.Series) -> tuple[int, int, int] | None:
    if sides.is_empty():
        return None
    low, middle, high = sides.min(), sides.median(), sides.max()
    return int(low), int(middle), int(high)  # type: ignore[arg-type]


def _by_path(rows: pl.DataFrame, column: str) -> dict[str, Any]:
    return dict(zip(rows["path"], rows[column], strict=True))
