"""What is reviewed: the photos of a study as it audited them, or photos that are audited now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.auditing.examine import judges_labels
from mien.auditing.features import VIEWS, photo_features
from mien.auditing.run import audited
from mien.data.reading.pixels import Pixels
from mien.data.tables.manifest import read_manifest, usable
from mien.data.tables.streamed import pixels_of_study
from mien.errors import ConfigError, OutputError
from mien.progress import Progress, Silent
from mien.settings.audit import AuditSettings
from mien.system.paths import user_path

__all__ = ["Material", "opened", "study_in"]

CORRECTIONS = "corrections.csv"
"""The decisions that a study began with, in its folder."""


@dataclass(frozen=True)
class Material:
    """Photos to review.

    Attributes:
        manifest: as the audit left it, without photos from elsewhere.
        pixels: the decoded photos.
        shown: ``row``, ``source``, ``path``, ``label``, ``near_group`` and ``is_doubtful`` of the usable photos.
        looks: (len(shown), D) what each looks like, of length 1 or 0: the nearer two are, the larger their product.
        earlier: decisions that were applied before the audit.
    """

    manifest: pl.DataFrame
    pixels: Pixels
    shown: pl.DataFrame
    looks: NDArray[np.float32]
    earlier: Path | None


def study_in(data: tuple[str, ...]) -> Path | None:
    """The folder of the study that was given, or None where photos were."""
    folder = user_path(data[0]) if len(data) == 1 else None
    return folder if folder is not None and (folder / "study.toml").is_file() else None


@contextmanager
def opened(settings: AuditSettings, progress: Progress) -> Iterator[Material]:
    """Read a study's findings, or audit photos.

    Raises:
        ConfigError: if a study is to be audited in another way than it was.
        OutputError: if its photos are not there.
    """
    study = study_in(settings.data)
    if study is not None:
        if settings != AuditSettings(data=settings.data):
            raise ConfigError(f"{study}: a study is reviewed as it was audited; leave out what says how to read photos")
        yield _of_study(study, progress)
        return
    with audited(settings, progress, to_be_seen=True) as audit:
        if reason := audit.found.doubtful_labels.reason:
            progress.tell(f"labels were not judged: {reason}")
        yield _material(audit.found.manifest, audit.pixels, audit.features, None, Silent())  # looked at by now


def _of_study(folder: Path, progress: Progress) -> Material:
    manifest = read_manifest(folder / "manifest.parquet")
    pixels = pixels_of_study(folder, manifest)
    manifest = manifest.filter(pl.col("split").ne_missing("target"))
    view = pixels.largest("photo") or pixels.largest("face")
    if view is None:
        raise OutputError(f"{folder / 'pixels'}: the decoded photos are gone; a study makes them again with --resume")
    if not pixels.are_kept:  # refuse now, and not when somebody looks at them
        pixels.read(view, manifest["row"][:1].to_numpy())
    if manifest["is_doubtful"].null_count() == len(manifest):
        progress.tell("labels were not judged by this study, so none is called doubtful")
    earlier = folder / CORRECTIONS
    return _material(manifest, pixels, folder / "features", earlier if earlier.exists() else None, progress)


def _material(
    manifest: pl.DataFrame, pixels: Pixels, features: Path, earlier: Path | None, progress: Progress
) -> Material:
    shown = usable(manifest).filter(pl.col("label").is_not_null())
    were_judged = shown["suggested_label"].null_count() < len(shown)
    has_views = all(view.key in pixels.keys for view in VIEWS)
    if were_judged and has_views and judges_labels(None, 0) is None:
        looks = photo_features(pixels, shown, features, progress)
        looks -= looks.mean(0)
    else:  # small grey copies, which are near where light and pose are alike
        prints = pixels.fingerprints(shown["row"].to_numpy())
        looks = prints.reshape(len(prints), -1).astype(np.float32)
        looks -= looks.mean(1, keepdims=True)
    looks /= np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)
    columns = shown.select("row", "source", "path", "label", "near_group", pl.col("is_doubtful").fill_null(False))
    return Material(manifest, pixels, columns, looks, earlier)
