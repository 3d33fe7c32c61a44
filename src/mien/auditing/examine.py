"""The parts of the audit that need a model or statistics: shortcuts, doubtful labels, drawings by look, leakage."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
from msgspec.structs import asdict, replace
from numpy.typing import NDArray

from mien.data.grouping.splits import with_split_group
from mien.data.reading.pixels import Pixels
from mien.data.sources.collection import Collection
from mien.data.tables.counts import count_audit
from mien.errors import MissingExtraError
from mien.labels import class_indices
from mien.progress import Progress
from mien.results.audit import DoubtfulLabel, DoubtfulLabels, ExaminedAudit, Leakage, Shortcuts
from mien.settings.choices import SplitMethod

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
    if reason := _too_few(photos, "near_group"):
        return manifest, DoubtfulLabels(reason=reason)
    with progress.step("judge labels", None, "folds"):
        doubts = doubt_labels(features, y, photos["near_group"].to_numpy(), seed=seed)
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
        folds=FOLDS,
        list=tuple(DoubtfulLabel(**row) for row in listed.select(columns_told).iter_rows(named=True)),
    )


def _leakage(photos: pl.DataFrame, features: NDArray[np.float32], seed: int, progress: Progress) -> Leakage:
    from mien.auditing.leakage import leak_premium

    if reason := _too_few(photos, "near_group") or _too_few(photos, "series"):
        return Leakage(reason=reason)
    y = photos["label"].rank("dense").cast(pl.Int64).to_numpy() - 1
    groups = {
        "naive": photos["row"].to_numpy(),
        "grouped": photos["near_group"].to_numpy(),
        "series": photos["series"].to_numpy(),
    }
    by_person = photos["group"].drop_nulls().n_unique() > 1
    people = photos.with_columns(_together(photos, "grouped"))
    too_few_people = _too_few(people, "split_group") if by_person else None
    if by_person and too_few_people is None:
        groups["groups"] = people["split_group"].to_numpy()
    with progress.step("measure the leak premium", None, "folds"):
        found = leak_premium(features, y, groups, units=_together(photos, "series").to_numpy(), seed=seed)
    return replace(found, groups_reason=too_few_people)


def _together(photos: pl.DataFrame, method: SplitMethod) -> pl.Series:
    """(N,) what a division by this method would keep together, as ``split_group``."""
    named = with_split_group(photos.drop("split_group"), method).select("row", "split_group")
    return photos.select("row").join(named, on="row", how="left", maintain_order="left")["split_group"]


def _too_few(photos: pl.DataFrame, column: str) -> str | None:
    """Why photos cannot be cross-validated with these groups whole, or None."""
    from mien.auditing.doubts import FOLDS

    label, n = photos.group_by("label").agg(pl.col(column).n_unique()).sort(column, "label").row(0)
    several = "s" * (n != 1)
    what = {"series": "series", "split_group": f"group{several}"}.get(column, f"different picture{several}")
    return f"class {label!r} has {n} {what}, too few for {FOLDS} folds" if n < FOLDS else None
