"""Both sides of an adaptation: the photos from elsewhere, divided once, and the study's own, each as features.

From one half of the target labels and statistics may be taken; the other half is only scored. What belongs together
(copies, and groups that a table names) stands on one side, and copies of the study's photos on neither. At home the
validation photos are scored: the test photos of a study stay unread.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.adapting.blocks import LastBlocks
from mien.adapting.features import HeadModel
from mien.adapting.methods import Known
from mien.adapting.scoring import Side
from mien.data.grouping.duplicates import is_copy_of
from mien.data.grouping.independence import independent
from mien.data.grouping.splits import SPLITS, with_split_group
from mien.data.sources.collection import Collection
from mien.data.tables.manifest import usable
from mien.data.tables.prepare import Prepared, prepare
from mien.data.tables.vote_shares import vote_shares
from mien.errors import WorkFailedError
from mien.evaluation.altering import Views
from mien.evaluation.causes import like_the_target
from mien.evaluation.predictions import view_batches
from mien.labels import LabelMap, class_indices
from mien.progress import Advance, Progress
from mien.recognizer import Recognizer
from mien.results.scores import GroupKind
from mien.settings.choices import VotesAs
from mien.settings.training import HeadSettings
from mien.training.prior import prior_of

__all__ = ["Sides", "Target", "open_sides", "read_target"]

Opened = HeadModel | LastBlocks
"""A model whose features end where what is learnt anew begins."""
LEAST = 20
"""Photos that each half of the target must have."""


@dataclass(frozen=True)
class Target:
    """The photos from elsewhere that take part.

    Attributes:
        name: of their collection.
        rows: usable photos of the shared classes, of the kind that is adapted to.
        y: (N,) classes of the model.
        is_scored: (N,) those that are only scored.
        pixels: what the model looks at, and fingerprints.
        are_crops: whether they are face crops.
        copies: photos left out as copies of the study's.
        others: photos left out because another head of the model answers for them: face crops, or photos that are none.
        kind: what is independent of the others.
    """

    name: str
    rows: pl.DataFrame
    y: NDArray[np.int64]
    is_scored: NDArray[np.bool_]
    prepared: Prepared
    are_crops: bool
    copies: int
    others: int
    kind: GroupKind

    @property
    def pool(self) -> pl.DataFrame:
        """The rows that may be learnt from."""
        return self.rows.filter(~pl.Series(self.is_scored))


@dataclass(frozen=True)
class Sides:
    """Features of both.

    Attributes:
        known: the study's training photos, made like the target's.
        own: features (M, D) of the same photos, as they are.
        home: the study's validation photos, as they are.
        pool: the target's photos that may be learnt from.
        target: those that are only scored.
        had: (K,) class shares of the training photos.
        home_kind: what is independent among the photos at home.
    """

    known: Known
    own: NDArray[np.float32]
    home: Side
    pool: Side
    target: Side
    had: NDArray[np.float64]
    home_kind: GroupKind


def read_target(
    model: HeadModel,
    recognizer: Recognizer,
    own: Prepared,
    collection: Collection,
    label_map: LabelMap,
    *,
    work: Path | None,
    seed: int,
    progress: Progress,
) -> Target:
    """Read the photos from elsewhere and divide them.

    Args:
        work: a folder that keeps their pixels; None keeps them nowhere.
        seed: of the division.

    Raises:
        WorkFailedError: if they are too few to be divided.
    """
    prepared = prepare([collection], recognizer.contract.views, work, progress=progress)
    rows = usable(prepared.manifest).filter(pl.col("label").is_in(list(label_map.matched)))
    is_copy = is_copy_of(rows, prepared.pixels, own=_divided(own), own_pixels=own.pixels)
    rows, copies = rows.filter(~pl.Series(is_copy)), int(is_copy.sum())
    of_crops = (rows["face_kind"] == "crop").fill_null(value=False)
    are_crops = "face_head" in model.heads and bool((of_crops.mean() or 0) > 0.5)  # type: ignore[operator]
    kept = rows.filter(of_crops == are_crops) if "face_head" in model.heads else rows
    kept = with_split_group(kept)
    kind = independent(kept).kind
    y = class_indices(kept["label"], recognizer.labels, label_map.matched)
    is_scored = _halved(kept, seed)
    if min(is_scored.sum(), (~is_scored).sum()) < LEAST:
        raise WorkFailedError(
            f"{collection.spec}: {len(kept)} usable photos of shared classes that are no copies of the study's are too "
            f"few to learn from one half and to score the other; give at least {4 * LEAST}"
        )
    return Target(collection.name, kept, y, is_scored, prepared, are_crops, copies, len(rows) - len(kept), kind)


def _halved(rows: pl.DataFrame, seed: int) -> NDArray[np.bool_]:
    """One half (N,) of the groups, drawn by what they hold, so that order and names do not matter."""
    first = rows.with_columns(pl.col("sha256").min().over("split_group").alias("first"))["first"]
    return np.array([hashlib.sha256(f"{seed} {sha}".encode()).digest()[0] < 128 for sha in first], bool)


def _divided(own: Prepared) -> pl.DataFrame:
    return own.manifest.filter(pl.col("split").is_in(SPLITS))


def open_sides(
    model: Opened,
    recognizer: Recognizer,
    own: Prepared,
    target: Target,
    head: HeadSettings,
    progress: Progress,
    *,
    votes: VotesAs = "soft",
) -> Sides:
    """Run the frozen networks over both sides.

    Args:
        head: the settings of the head that is replaced.
        votes: what it learnt of raters' votes, where there are any.
    """
    train, val = (_of_kind(own.manifest.filter(pl.col("split") == split), model, target) for split in ("train", "val"))
    units = independent(val)
    y, y_val = (class_indices(rows["label"], recognizer.labels) for rows in (train, val))
    framed = "crop" if target.are_crops else ""
    shares = vote_shares(train, recognizer.labels) if votes == "soft" else None
    assert head.strength is not None
    n = (3 if head.mirrored else 2) * len(train) + len(val) + len(target.rows)
    with progress.step("features", n, "photos") as advance:
        alike = like_the_target(recognizer, own.pixels, train, target.pool)
        made = _features(model, alike, head.mirrored, advance)
        plain = like_the_target(recognizer, own.pixels, train, target.pool, only=framed)
        home = like_the_target(recognizer, own.pixels, val, target.pool, only=framed)
        there = (views for _, views in view_batches(recognizer, target.prepared.pixels, target.rows))
        whole = Side(_features(model, there, False, advance), target.y, target.rows["split_group"].to_numpy())
        times = len(made) // len(y)
        raters = None if shares is None else np.tile(shares, (times, 1))
        prior = prior_of(head, recognizer.labels)
        drawn_to = None if prior is None else prior.face_head if target.are_crops else prior.head
        return Sides(
            Known(made, np.tile(y, times), head.strength, raters, drawn_to),
            _features(model, plain, False, advance),
            Side(_features(model, home, False, advance), y_val, units.of),
            whole.part(~target.is_scored),
            whole.part(target.is_scored),
            np.bincount(y, minlength=len(recognizer.labels)) / len(y),
            units.kind,
        )


def _of_kind(rows: pl.DataFrame, model: Opened, target: Target) -> pl.DataFrame:
    """The study's photos that can be shown to the head in question: all can be cropped, but crops have no scene."""
    if target.are_crops or "face_head" not in model.heads:
        return rows
    return rows.filter((pl.col("face_kind") != "crop").fill_null(value=True))


def _features(model: Opened, batches: Iterable[Views], mirrored: bool, advance: Advance) -> NDArray[np.float32]:
    """Features of all photos, and then of their mirror images where asked."""
    straight, turned = [], []
    for views in batches:
        straight.append(model.features(views))
        advance(len(straight[-1]))
        if mirrored:
            turned.append(model.features({key: np.ascontiguousarray(each[:, :, ::-1]) for key, each in views.items()}))
            advance(len(turned[-1]))
    return np.concatenate([*straight, *turned])
