"""The parts of the audit that need a model or statistics: shortcuts, doubtful labels, drawings by look, leakage."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from msgspec.structs import asdict
from numpy.typing import NDArray

from mien.data.grouping.independence import Independent, independent
from mien.data.grouping.splits import with_split_group
from mien.data.reading.pixels import Pixels
from mien.data.sources.collection import Collection
from mien.data.tables.counts import count_audit
from mien.errors import MissingExtraError
from mien.labels import class_indices
from mien.progress import Progress
from mien.results.audit import DoubtfulLabel, DoubtfulLabels, ExaminedAudit, Leakage, Shortcuts
from mien.results.scores import GroupKind

__all__ = ["MOST_JUDGED", "Examined", "examine", "judges_labels"]

MOST_JUDGED = 5000
"""Photos up to which labels are judged without being asked: about a minute on two cores."""
MOST_LISTED = 60
"""Doubtful labels that the results list; the manifest and the table of findings have all."""
NOT_INSTALLED = "needs parts that are not installed; run: pip install 'mien[train]'"


@dataclass(frozen=True)
class Examined:
    """What was found.

    Attributes:
        manifest: with ``suggested_label``, ``label_quality``, ``is_doubtful`` and ``drawn`` filled in where asked.
        shortcuts: whether file and light predict the class.
        doubtful_labels: what a probe says of the labels.
        leakage: what copies across a split are worth; None unless asked for.
    """

    manifest: pl.DataFrame
    shortcuts: Shortcuts
    doubtful_labels: DoubtfulLabels
    leakage: Leakage | None

    def audit(self, collection: Collection, *, faces_searched: bool = True) -> ExaminedAudit:
        """The counts of a collection, with what was found."""
        return ExaminedAudit(
            **asdict(count_audit(collection, self.manifest)),
            shortcuts=self.shortcuts,
            doubtful_labels=self.doubtful_labels,
            leakage=self.leakage,
            faces_searched=faces_searched,
        )


def judges_labels(wanted: bool | None, n_photos: int) -> str | None:
    """Why labels are not judged, or None where they are.

    Args:
        wanted: None leaves it to the number of photos and to what is installed.

    Raises:
        MissingExtraError: if they are wanted and cannot be judged.
    """
    if wanted is False:
        return "not asked for"
    if not all(find_spec(name) for name in ("torch", "timm", "cleanlab", "sklearn")):
        if wanted:
            raise MissingExtraError(f"--check-labels {NOT_INSTALLED}")
        return NOT_INSTALLED
    if wanted is None and n_photos > MOST_JUDGED:
        minutes = max(1, round(n_photos * 0.01 / 60))
        return f"left out for {n_photos:,} photos, which takes some {minutes} minutes; ask with --check-labels"
    return None


def examine(
    manifest: pl.DataFrame,
    pixels: Pixels,
    folder: Path,
    *,
    labels_unjudged: str | None,
    leak_premium: bool,
    seed: int,
    progress: Progress,
) -> Examined:
    """Examine the usable photos of a manifest with groups.

    Args:
        folder: where features are kept.
        labels_unjudged: why labels are not judged, as ``judges_labels`` gave it.
        leak_premium: whether to score divisions that leak against ones that do not; needs labels to be judged.
    """
    shortcuts = _shortcuts(manifest, seed, progress)
    if labels_unjudged is not None:
        leakage = Leakage(reason=labels_unjudged) if leak_premium else None
        return Examined(manifest, shortcuts, DoubtfulLabels(reason=labels_unjudged), leakage)
    from mien.auditing.drawings import drawn_by_look
    from mien.auditing.features import photo_features

    photos = manifest.filter((pl.col("status") == "ok") & pl.col("label").is_not_null())
    features = photo_features(pixels, photos, folder, progress)
    by_look = photos.select("row", pl.Series("by_look", drawn_by_look(features), dtype=pl.Float32))
    manifest = manifest.join(by_look, on="row", how="left", maintain_order="left")
    manifest = manifest.with_columns(pl.coalesce("by_look", "drawn").alias("drawn")).drop("by_look")
    manifest, doubtful = _with_doubts(manifest, photos, features, seed, progress)
    leakage = _leakage(photos, features, seed, progress) if leak_premium else None
    return Examined(manifest, shortcuts, doubtful, leakage)


def _shortcuts(manifest: pl.DataFrame, seed: int, progress: Progress) -> Shortcuts:
    if not find_spec("scipy"):
        return Shortcuts(reason=NOT_INSTALLED)
    from mien.auditing.shortcuts import find_shortcuts

    with progress.step("look for shortcuts", None, "properties"):
        return find_shortcuts(manifest, seed)


def _with_doubts(
    manifest: pl.DataFrame, photos: pl.DataFrame, features: NDArray[np.float32], seed: int, progress: Progress
) -> tuple[pl.DataFrame, DoubtfulLabels]:
    from mien.auditing.doubts import FOLDS, doubt_labels

    labels = sorted(set(photos["label"]))
    y = class_indices(photos["label"], labels)
    units = independent(photos)
    if reason := _too_few(photos, photos["near_group"], "pictures") or _too_few(photos, units.of, units.kind, 2):
        return manifest, DoubtfulLabels(reason=reason)
    folds = min(FOLDS, _fewest(photos, units.of)[1])  # of few people, a fold each
    with progress.step("judge labels", None, "folds"):
        doubts = doubt_labels(features, y, units.of, seed=seed, folds=folds)
    columns = {
        "row": photos["row"],
        "suggested_label": pl.Series([labels[i] for i in doubts.suggested], dtype=pl.String),
        "label_quality": pl.Series(doubts.quality, dtype=pl.Float32),
        "is_doubtful": pl.Series(doubts.is_doubtful, dtype=pl.Boolean),
    }
    judged = pl.DataFrame(columns)
    order = manifest.columns
    manifest = manifest.drop(judged.columns[1:]).join(judged, on="row", how="left", maintain_order="left").select(order)
    listed = manifest.filter("is_doubtful").sort("label_quality").head(MOST_LISTED)
    columns_told = ("id", "path", "row", "label", "suggested_label", "label_quality")
    return manifest, DoubtfulLabels(
        judged=len(photos),
        found=int(doubts.is_doubtful.sum()),
        accuracy=doubts.accuracy,
        folds=doubts.folds,
        list=tuple(DoubtfulLabel(**row) for row in listed.select(columns_told).iter_rows(named=True)),
    )


def _leakage(photos: pl.DataFrame, features: NDArray[np.float32], seed: int, progress: Progress) -> Leakage:
    from mien.auditing.leakage import leak_premium

    photos = photos.drop("split_group", strict=False)  # not what this study keeps together, but what could be
    people, series = (with_split_group(photos, method)["split_group"] for method in ("grouped", "series"))
    groups = {"naive": photos["row"], "grouped": photos["near_group"], "people": people, "series": series}
    kind = independent(photos).kind
    if kind in ("pictures", "series"):
        del groups["people"]
        kind = "series"
    if reason := _too_few(photos, photos["near_group"], "pictures"):
        return Leakage(reason=reason)
    names: dict[str, GroupKind] = {"people": kind, "series": "series"}
    left_out = {name: reason for name in names if name in groups and (reason := _too_few(photos, groups[name], kind))}
    if len(groups) - len(left_out) < 3 and "series" in left_out:
        return Leakage(reason=left_out["series"])
    y = photos["label"].rank("dense").cast(pl.Int64).to_numpy() - 1
    scored = {name: group.to_numpy() for name, group in groups.items() if name not in left_out}
    with progress.step("measure the leak premium", None, "folds"):
        found = leak_premium(features, y, scored, Independent(series.to_numpy(), kind), seed=seed)
    return msgspec.structs.replace(found, left_out=left_out)


def _fewest(photos: pl.DataFrame, groups: pl.Series | NDArray[np.int64]) -> tuple[str, int]:
    """The class in the fewest groups, and how many these are."""
    counted = photos.select("label", pl.Series("unit", groups)).group_by("label").agg(pl.col("unit").n_unique())
    label, n = counted.sort("unit", "label").row(0)
    return str(label), int(n)


def _too_few(
    photos: pl.DataFrame, groups: pl.Series | NDArray[np.int64], kind: GroupKind, least: int | None = None
) -> str | None:
    """Why photos cannot be cross-validated with these groups whole, or None."""
    from mien.auditing.doubts import FOLDS

    label, n = _fewest(photos, groups)
    words = {"people": ("person", "people"), "groups": ("group", "groups"), "series": ("series", "series")}
    one, many = words.get(kind, ("different picture", "different pictures"))
    least = least or FOLDS
    return f"class {label!r} has {n} {one if n == 1 else many}, too few for {least} folds" if n < least else None
