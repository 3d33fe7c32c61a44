"""What is in a set of photos: counts, unreadable files, duplicates, pictures under two labels, imbalance.

Two pictures count as near duplicates when at most ``MAX_DISTANCE`` of the 256 bits of their difference hashes
differ and their aspect ratios agree within a fifth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.manifest import usable

__all__ = ["Audit", "LabelConflict", "assign_groups", "audit", "near_duplicate_pairs"]

MAX_DISTANCE = 18
"""Differing bits of 256 up to which two hashes count as the same picture."""

MIN_CONTRAST = 0.02
"""Pictures flatter than this have no gradients to compare; only exact copies of them are grouped."""


@dataclass(frozen=True)
class LabelConflict:
    """One picture that stands under several labels."""

    labels: tuple[str, ...]
    paths: tuple[str, ...]
    exact: bool


@dataclass(frozen=True)
class Audit:
    """What a set holds; every count is of files or of groups.

    Attributes:
        files: all files that take part: ``images`` + ``unreadable``. Ignored system files are listed apart.
        classes: label → usable images, sorted by label.
        imbalance: images of the largest class per image of the smallest.
        unreadable_files: path → reason.
        ignored_files: path → reason.
        sizes: smallest, median and largest longer side, in pixels; None without images.
        exact_duplicate_groups: groups of two or more files with the same bytes.
        near_duplicate_groups: groups of two or more files that show the same picture, exact ones included.
        duplicate_files: files that are a further copy of a picture.
        faces: kind → images: found, crop, none.
    """

    files: int
    images: int
    unreadable: int
    classes: dict[str, int]
    imbalance: float | None
    unreadable_files: dict[str, str]
    ignored_files: dict[str, str]
    notes: dict[str, str]
    formats: dict[str, int]
    sizes: tuple[int, int, int] | None
    grey_share: float | None
    exact_duplicate_groups: int
    near_duplicate_groups: int
    duplicate_files: int
    conflicting_labels: tuple[LabelConflict, ...]
    faces: dict[str, int]


def near_duplicate_pairs(hashes: NDArray[np.uint64], max_distance: int = MAX_DISTANCE) -> NDArray[np.int64]:
    """All pairs of hashes within a Hamming distance.

    Args:
        hashes: (N, 4) words of 64 bits.

    Returns:
        (M, 2) indices i < j, sorted.
    """
    found = []
    block = 256
    for start in range(0, len(hashes), block):
        rows = hashes[start : start + block]
        distance = np.zeros((len(rows), len(hashes) - start), np.uint16)
        for word in range(hashes.shape[1]):
            distance += np.bitwise_count(rows[:, None, word] ^ hashes[None, start:, word])
        i, j = np.nonzero(distance <= max_distance)
        pairs = np.stack([i, j], axis=1)[j > i] + start
        found.append(pairs)
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def assign_groups(manifest: pl.DataFrame) -> pl.DataFrame:
    """Fill ``exact_group`` and ``near_group``; rows that are not usable keep null.

    Groups are transitive: a is a copy of b and b of c puts all three together. A group is named by the
    first row in it.
    """
    ok = usable(manifest)
    rows = ok["row"].to_numpy()
    exact = _exact_edges(ok)
    hashes = np.array([np.frombuffer(h, np.uint64) for h in ok["dhash"]]).reshape(-1, 4)
    pairs = near_duplicate_pairs(hashes)
    pairs = pairs[_comparable(ok, pairs)]
    groups = pl.DataFrame(
        {
            "row": rows,
            "exact_group": rows[_components(len(ok), exact)],
            "near_group": rows[_components(len(ok), np.concatenate([exact, pairs]))],
        },
        schema={"row": pl.Int64, "exact_group": pl.Int64, "near_group": pl.Int64},
    )
    columns = manifest.columns
    rest = manifest.drop("exact_group", "near_group")
    return rest.join(groups, on="row", how="left", maintain_order="left").select(columns)


def audit(manifest: pl.DataFrame) -> Audit:
    """Count what a manifest with groups holds."""
    ok = usable(manifest)
    unreadable = manifest.filter(pl.col("status") == "unreadable")
    ignored = manifest.filter(pl.col("status") == "ignored")
    classes = dict(sorted(ok["label"].drop_nulls().value_counts().iter_rows()))
    sides = ok.select(pl.max_horizontal("width", "height")).to_series()
    return Audit(
        files=len(ok) + len(unreadable),
        images=len(ok),
        unreadable=len(unreadable),
        classes=classes,
        imbalance=max(classes.values()) / min(classes.values()) if classes else None,
        unreadable_files=_by_path(unreadable, "reason"),
        ignored_files=_by_path(ignored, "reason"),
        notes=_by_path(ok.filter(pl.col("note").is_not_null()), "note"),
        formats=_counts(ok["format"]),
        sizes=_sizes(sides),
        grey_share=float(ok["is_grey"].mean()) if len(ok) else None,  # type: ignore[arg-type]
        exact_duplicate_groups=_repeated(ok, "exact_group"),
        near_duplicate_groups=_repeated(ok, "near_group"),
        duplicate_files=len(ok) - ok["near_group"].n_unique(),
        conflicting_labels=_conflicts(ok),
        faces=_counts(ok["face_kind"]),
    )


def _exact_edges(ok: pl.DataFrame) -> NDArray[np.int64]:
    """Each file joined to the first one with the same bytes, (M, 2) positions."""
    first: dict[str, int] = {}
    edges = [(first.setdefault(sha, i), i) for i, sha in enumerate(ok["sha256"])]
    return np.array([e for e in edges if e[0] != e[1]], np.int64).reshape(-1, 2)


def _comparable(ok: pl.DataFrame, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    contrast = ok["contrast"].to_numpy()
    aspect = np.log(ok["width"].to_numpy() / ok["height"].to_numpy())
    i, j = pairs[:, 0], pairs[:, 1]
    alike = np.abs(aspect[i] - aspect[j]) <= np.log(1.2)
    return np.asarray(alike & (np.minimum(contrast[i], contrast[j]) >= MIN_CONTRAST))


def _components(n: int, edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """Connected components; each of n nodes gets the smallest node it is connected to."""
    parent = list(range(n))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in edges.tolist():
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    return np.array([root(i) for i in range(n)], np.int64)


def _conflicts(ok: pl.DataFrame) -> tuple[LabelConflict, ...]:
    labelled = ok.filter(pl.col("label").is_not_null())
    mixed = (
        labelled.group_by("near_group", maintain_order=True)
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


def _repeated(ok: pl.DataFrame, column: str) -> int:
    return int((ok[column].value_counts()["count"] > 1).sum())


def _counts(values: pl.Series) -> dict[str, int]:
    counted = sorted(values.value_counts().iter_rows(), key=lambda item: (-item[1], item[0]))
    return {name or "unknown": count for name, count in counted}


def _sizes(sides: pl.Series) -> tuple[int, int, int] | None:
    if sides.is_empty():
        return None
    low, middle, high = sides.min(), sides.median(), sides.max()
    return int(low), int(middle), int(high)  # type: ignore[arg-type]


def _by_path(rows: pl.DataFrame, column: str) -> dict[str, str]:
    return dict(zip(rows["path"], rows[column], strict=True))
