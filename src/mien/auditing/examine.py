"""The parts of the audit that need a model or statistics: shortcuts, doubtful labels, drawings by look, leakage."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.pixels import Pixels
from mien.errors import MissingExtraError
from mien.progress import Progress

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
        results: ``shortcuts``, ``doubtful_labels`` and ``leakage``, as documented for the JSON.
    """

    manifest: pl.DataFrame
    results: dict[str, Any]


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
    results: dict[str, Any] = {"shortcuts": _shortcuts(manifest, seed, progress)}
    if labels_unjudged is not None:
        unmeasured = {"reason": labels_unjudged, "macro_f1": {}, "premium": {}} if leak_premium else None
        return Examined(manifest, results | {"doubtful_labels": {"reason": labels_unjudged}, "leakage": unmeasured})
    from mien.auditing.drawings import drawn_by_look
    from mien.auditing.features import photo_features

    photos = manifest.filter((pl.col("status") == "ok") & pl.col("label").is_not_null())
    features = photo_features(pixels, photos, folder, progress)
    by_look = photos.select("row", pl.Series("by_look", drawn_by_look(features), dtype=pl.Float32))
    manifest = manifest.join(by_look, on="row", how="left", maintain_order="left")
    manifest = manifest.with_columns(pl.coalesce("by_look", "drawn").alias("drawn")).drop("by_look")
    manifest, doubtful = _with_doubts(manifest, photos, features, seed, progress)
    leakage = _leakage(photos, features, seed, progress) if leak_premium else None
    return Examined(manifest, results | {"doubtful_labels": doubtful, "leakage": leakage})


def _shortcuts(manifest: pl.DataFrame, seed: int, progress: Progress) -> dict[str, Any]:
    if not find_spec("scipy"):
        return {"found": False, "reason": NOT_INSTALLED, "culprits": [], "macro_f1": None}
    from mien.auditing.shortcuts import find_shortcuts

    with progress.step("look for shortcuts", None, "properties"):
        return asdict(find_shortcuts(manifest, seed))


def _with_doubts(
    manifest: pl.DataFrame, photos: pl.DataFrame, features: NDArray[np.float32], seed: int, progress: Progress
) -> tuple[pl.DataFrame, dict[str, Any]]:
    from mien.auditing.doubts import doubt_labels

    labels = sorted(set(photos["label"]))
    y = photos["label"].replace_strict({name: i for i, name in enumerate(labels)}, return_dtype=pl.Int64).to_numpy()
    if reason := _too_few(photos, "near_group"):
        return manifest, {"reason": reason}
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
    return manifest, {
        "reason": None,
        "judged": len(photos),
        "found": int(doubts.is_doubtful.sum()),
        "accuracy": doubts.accuracy,
        "list": listed.select("id", "path", "row", "label", "suggested_label", "label_quality").to_dicts(),
    }


def _leakage(photos: pl.DataFrame, features: NDArray[np.float32], seed: int, progress: Progress) -> dict[str, Any]:
    from mien.auditing.leakage import leak_premium

    if reason := _too_few(photos, "near_group") or _too_few(photos, "series"):
        return {"reason": reason, "macro_f1": {}, "premium": {}}
    y = photos["label"].rank("dense").cast(pl.Int64).to_numpy() - 1
    groups = {
        "naive": photos["row"].to_numpy(),
        "grouped": photos["near_group"].to_numpy(),
        "series": photos["series"].to_numpy(),
    }
    with progress.step("measure the leak premium", None, "folds"):
        found = leak_premium(features, y, groups, seed=seed)
    premiums = {
        method: {"value": premium.value, "interval": [premium.interval.low, premium.interval.high]}
        for method, premium in found.premium.items()
    }
    return {"macro_f1": found.macro_f1, "premium": premiums, "reason": None}


def _too_few(photos: pl.DataFrame, column: str) -> str | None:
    """Why photos cannot be cross-validated with these groups whole, or None."""
    from mien.auditing.doubts import FOLDS

    label, n = photos.group_by("label").agg(pl.col(column).n_unique()).sort(column, "label").row(0)
    what = "series" if column == "series" else f"different picture{'s' * (n != 1)}"
    return f"class {label!r} has {n} {what}, too few for {FOLDS} folds" if n < FOLDS else None
