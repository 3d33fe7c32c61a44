"""What is in a set of photos, counted from its manifest: classes, copies, contradictions, faces, unreadable files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from mien.data.collection import Collection
from mien.data.face_audit import FLAGS, face_flags
from mien.data.manifest import usable

__all__ = ["Audit", "Copies", "LabelConflict", "audit", "audit_json"]


@dataclass(frozen=True)
class LabelConflict:
    """One picture that stands under several labels."""

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class Copies:
    """Groups of two or more files that are copies of one another.

    Attributes:
        across_labels: groups with several labels.
        across_splits: groups in several of the splits that the folders gave; ``train+test`` → groups.
    """

    groups: int
    across_labels: int
    across_splits: dict[str, int]


@dataclass(frozen=True)
class Audit:
    """What a set holds; every count is of files or of groups.

    Attributes:
        files: all files that take part: ``images`` + ``unreadable`` + ``dropped``. Ignored files are listed apart.
        dropped: files that corrections took out.
        relabelled: images whose class corrections changed.
        classes: label → usable images, sorted by label.
        sources: name → usable images.
        imbalance: images of the largest class per image of the smallest.
        unreadable_files: path → reason.
        ignored_files: path → reason.
        sizes: smallest, median and largest longer side, in pixels; None without images.
        exact: copies with the same bytes.
        near: copies that show the same picture, exact ones included.
        duplicate_files: files that are a further copy of a picture.
        series: groups of photos that may be of one shoot, copies apart, and photos in them.
        faces: kind → images: found, crop, none.
        flags: what the face audit found: flag → label → images.
        drawn_files: path → probability of a drawing, the surest first.
    """

    files: int
    images: int
    unreadable: int
    dropped: int
    relabelled: int
    classes: dict[str, int]
    sources: dict[str, int]
    imbalance: float | None
    unreadable_files: dict[str, str]
    ignored_files: dict[str, str]
    notes: dict[str, str]
    formats: dict[str, int]
    sizes: tuple[int, int, int] | None
    grey_share: float | None
    exact: Copies
    near: Copies
    duplicate_files: int
    conflicting_labels: tuple[LabelConflict, ...]
    series: tuple[int, int]
    faces: dict[str, int]
    flags: dict[str, dict[str, int]]
    drawn_files: dict[str, float]


def audit(manifest: pl.DataFrame) -> Audit:
    """Count what a manifest with groups holds."""
    ok = usable(manifest)
    unreadable = manifest.filter(pl.col("status") == "unreadable")
    ignored = manifest.filter(pl.col("status") == "ignored")
    dropped = manifest.filter(pl.col("status") == "dropped")
    classes = dict(sorted(ok["label"].drop_nulls().value_counts().iter_rows()))
    flags = face_flags(manifest).join(ok.select("id", "label", "path", "drawn"), on="id")
    return Audit(
        files=len(ok) + len(unreadable) + len(dropped),
        images=len(ok),
        unreadable=len(unreadable),
        dropped=len(dropped),
        relabelled=len(ok.filter(pl.col("given_label").is_not_null())),
        classes=classes,
        sources=_counts(ok["source"]),
        imbalance=max(classes.values()) / min(classes.values()) if classes else None,
        unreadable_files=_by_path(unreadable, "reason"),
        ignored_files=_by_path(ignored, "reason"),
        notes=_by_path(ok.filter(pl.col("note").is_not_null()), "note"),
        formats=_counts(ok["format"]),
        sizes=_sizes(ok.select(pl.max_horizontal("width", "height")).to_series()),
        grey_share=float(ok["is_grey"].mean()) if len(ok) else None,  # type: ignore[arg-type]
        exact=_copies(ok, "exact_group"),
        near=_copies(ok, "near_group"),
        duplicate_files=len(ok) - ok["near_group"].n_unique(),
        conflicting_labels=_conflicts(ok),
        series=_series(ok),
        faces=_counts(ok["face_kind"]),
        flags={name: _counts(flags.filter(name)["label"]) for name in FLAGS},
        drawn_files=_by_path(
            flags.filter("drawn").sort("drawn_right", "path", descending=[True, False]), "drawn_right"
        ),
    )


def audit_json(collection: Collection, found: Audit) -> dict[str, Any]:
    """An audit as the documented JSON object."""
    counted = asdict(found)
    copies = {"exact": counted.pop("exact"), "near": counted.pop("near")}
    return counted | {
        "copies": copies,
        "exact_duplicate_groups": found.exact.groups,
        "near_duplicate_groups": found.near.groups,
        "source": collection.spec,
        "name": collection.name,
        "names": list(collection.names),
        "renamed": collection.renamed,
        "conflicting_labels": len(found.conflicting_labels),
        "conflicts": [asdict(conflict) for conflict in found.conflicting_labels],
        "ignored": len(found.ignored_files),
    }


def _copies(ok: pl.DataFrame, column: str) -> Copies:
    repeated = ok.filter(pl.len().over(column) > 1)
    groups = repeated.group_by(column).agg(
        pl.col("label").drop_nulls().n_unique().alias("labels"),
        pl.col("given_split").drop_nulls().unique().sort(descending=True).str.join("+").alias("splits"),
    )
    return Copies(
        groups=len(groups),
        across_labels=len(groups.filter(pl.col("labels") > 1)),
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
        LabelConflict(tuple(sorted(set(row["label"]))), tuple(row["path"]), _same_bytes(row))
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
