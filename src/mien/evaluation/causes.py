"""Why a model scores otherwise on photos from elsewhere: the test photos are made like these, one property at a time.

Each property of the test photos is moved to where the target has it, and they are scored again. What moves a score so
is a cause that was measured, not guessed. Effects overlap, so they do not add up; what is left when all are moved at
once (faces of other people, other ways to show and to label an expression) is called unexplained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.independence import independent
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.evaluation.altering import Views, resized, saved_as_jpeg
from mien.evaluation.predictions import view_batches
from mien.labels import class_indices
from mien.metrics import Difference, Interval, balance_difference, confusion_matrix, macro_f1, paired_difference
from mien.recognizer import Recognizer
from mien.results.target import Causes, Effect, JpegQuality, Move, TargetScores

__all__ = ["find_causes", "like_the_target"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
LEAST_PHOTOS = 20
"""Test photos of shared classes below which nothing is said of causes."""


@dataclass(frozen=True)
class _Domain:
    """What is known of a set: for each property, its values in ascending order, and shares of its photos."""

    quantiles: dict[str, NDArray[np.float64]]
    grey: float
    crops: float
    jpegs: float


@dataclass(frozen=True)
class _Setting:
    """What every move looks at; ``is_coarse`` where the photos have been made as coarse as the target's."""

    views: tuple[View, ...]
    own: _Domain
    target: _Domain
    is_coarse: bool = False


Mover = Callable[[Views, pl.DataFrame, _Setting], None]


def find_causes(
    recognizer: Recognizer, pixels: Pixels, test: pl.DataFrame, target: pl.DataFrame, scored: TargetScores
) -> Causes | None:
    """Score the test photos of the shared classes as they are, and made like the target's.

    Args:
        test: labelled rows of the test split, with their properties.
        target: rows of the target.
        scored: the target's scores.

    Returns:
        None where there are too few photos.
    """
    names, reached = scored.labels.matched, scored.shared.macro_f1
    shared = target.filter(pl.col("label").is_in(list(names)))
    rows = test.filter(pl.col("label").is_in(sorted({*names.values()})))
    if len(rows) < LEAST_PHOTOS or shared.is_empty() or reached is None:
        return None
    setting = _Setting(recognizer.contract.views, _domain(rows), _domain(shared))
    labels = list(recognizer.labels)
    y = class_indices(rows["label"], labels)
    units, k = independent(rows), len(labels)
    plain = _answers(recognizer, pixels, rows, setting, [])
    moves = {name: move for name, move in MOVES.items() if _differs(name, setting)}
    moved = {name: _answers(recognizer, pixels, rows, setting, [move]) for name, move in moves.items()}
    together = _answers(recognizer, pixels, rows, setting, list(moves.values()))
    shares = _shares(shared, names, labels)
    changes = {name: paired_difference(y, answers, plain, k, groups=units.of) for name, answers in moved.items()}
    changes["class_balance"] = balance_difference(y, plain, plain, shares, groups=units.of)
    base = float(macro_f1(confusion_matrix(y, plain, k)))
    all_at_once = balance_difference(y, together, plain, shares, groups=units.of)
    return Causes(
        images=len(rows),
        macro_f1=base,
        moved=tuple(Move(property=name, **_effect(base, change)) for name, change in changes.items()),
        together=Effect(**_effect(base, all_at_once)),
        reached=reached,
        unexplained=reached - base - all_at_once.value,
        jpeg=_jpeg_quality(setting),
        over=units.over,
    )


def _jpeg_quality(setting: _Setting) -> JpegQuality:
    own, there = (domain.quantiles["jpeg_quality"] for domain in (setting.own, setting.target))
    return JpegQuality(
        share=setting.target.jpegs,
        test=float(np.median(own)) if len(own) else None,
        target=float(np.median(there)) if len(there) else None,
    )


class _Change(TypedDict):
    macro_f1: float
    change: float
    interval: Interval | None
    lowers: bool


def _effect(base: float, change: Difference) -> _Change:
    return {
        "macro_f1": base + change.value,
        "change": change.value,
        "interval": change.interval,
        "lowers": change.interval is not None and change.interval.high < 0,
    }


def like_the_target(
    recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, target: pl.DataFrame, *, only: str | None = None
) -> Iterator[Views]:
    """What the model looks at, a batch at a time, once photos are made like a target's.

    Args:
        rows: of photos whose properties are moved.
        target: rows of the target.
        only: the one property to move; all that differ where None.
    """
    setting = _Setting(recognizer.contract.views, _domain(rows), _domain(target))
    moves = [move for name, move in MOVES.items() if _differs(name, setting) and only in (None, name)]
    return _moved(recognizer, pixels, rows, setting, moves)


def _moved(
    recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, setting: _Setting, moves: list[Mover]
) -> Iterator[Views]:
    setting = replace(setting, is_coarse=_resolution in moves)
    for batch, views in view_batches(recognizer, pixels, rows):
        for move in moves:
            move(views, batch, setting)
        yield views


def _answers(
    recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, setting: _Setting, moves: list[Mover]
) -> NDArray[np.int64]:
    """The class (N,) that the model answers once the photos were moved."""
    moved = _moved(recognizer, pixels, rows, setting, moves)
    return np.concatenate([recognizer.logits(views).argmax(1) for views in moved])


def _domain(rows: pl.DataFrame) -> _Domain:
    photos = rows.with_columns(pl.max_horizontal("width", "height").alias("longer_side"))
    names = ("face_side", "longer_side", "brightness", "contrast", "jpeg_quality")
    values = {name: np.sort(photos[name].drop_nulls().to_numpy()).astype(np.float64) for name in names}
    shares = (rows["is_grey"], rows["face_kind"] == "crop", rows["jpeg_quality"].is_not_null())
    return _Domain(values, *(float(share.mean() or 0) for share in shares))  # type: ignore[arg-type]


def _shares(target: pl.DataFrame, names: Mapping[str, str], labels: list[str]) -> NDArray[np.float64]:
    """The target's share (K,) of each class of the model."""
    counts = np.bincount(class_indices(target["label"], labels, names), minlength=len(labels))
    return np.asarray(counts / counts.sum())


def _matched(value: float | None, name: str, setting: _Setting) -> float | None:
    """The value that stands as high among the target's as this one stands among the test photos' own."""
    own, there = setting.own.quantiles[name], setting.target.quantiles[name]
    if value is None or not len(own) or not len(there):
        return None
    below, up_to = (np.searchsorted(own, value, side) for side in ("left", "right"))  # equal values share their ranks
    return float(np.quantile(there, (below + up_to) / (2 * len(own))))


def _differs(name: str, setting: _Setting) -> bool:
    """Whether the target differs from the test photos in what a move changes."""
    own, there = setting.own, setting.target
    return {
        "crop": there.crops > own.crops,
        "resolution": _is_smaller("face_side", setting) or _is_smaller("longer_side", setting),
        "grey": there.grey > own.grey,
        "light": True,
        "compression": there.jpegs > 0,  # of other formats nothing tells how strongly they were compressed
    }[name]


def _is_smaller(name: str, setting: _Setting) -> bool:
    own, there = setting.own.quantiles[name], setting.target.quantiles[name]
    return bool(len(own) and len(there) and np.median(there) < np.median(own))


def _chosen(rows: pl.DataFrame, share: float) -> NDArray[np.bool_]:
    """About this share of photos, drawn by their content and so the same ones every time."""
    return np.array([int(sha[:8], 16) / 2**32 < share for sha in rows["sha256"]])


def _crop(views: Views, rows: pl.DataFrame, setting: _Setting) -> None:
    """Leave nothing but the face: the scene is blank, as it is for pictures that are face crops."""
    chosen = _chosen(rows, setting.target.crops)
    faces = next((views[view.key] for view in setting.views if view.name == "face"), None)
    for view in setting.views:
        if view.name == "scene":
            views[view.key][chosen] = 0
        elif view.name == "photo" and faces is not None:
            for i in np.flatnonzero(chosen):
                views[view.key][i] = resized(faces[i], view.size)


def _resolution(views: Views, rows: pl.DataFrame, setting: _Setting) -> None:
    """Make photos and faces as coarse as the target's; finer they cannot be made."""
    longer = rows.select(pl.max_horizontal("width", "height")).to_series()
    for view in setting.views:
        name = "face_side" if view.name == "face" else "longer_side"
        sides = rows["face_side"] if view.name == "face" else longer
        for image, side in zip(views[view.key], sides, strict=True):
            wanted = _matched(side, name, setting)
            if wanted is not None and wanted < min(view.size, side):
                image[:] = resized(resized(image, max(1, round(wanted))), view.size)


def _grey(views: Views, rows: pl.DataFrame, setting: _Setting) -> None:
    chosen = _chosen(rows, setting.target.grey)
    for images in views.values():
        grey = np.rint(images[chosen].astype(np.float32) @ LUMA).astype(np.uint8)
        images[chosen] = grey[..., None]


def _light(views: Views, rows: pl.DataFrame, setting: _Setting) -> None:
    """Give each photo the mean and the spread of luma that the target's have."""
    for i, (brightness, contrast) in enumerate(rows.select("brightness", "contrast").iter_rows()):
        mean, spread = _matched(brightness, "brightness", setting), _matched(contrast, "contrast", setting)
        if mean is None or spread is None or not contrast:
            continue
        for images in views.values():
            if images[i].any():  # a blank scene stays blank
                lit = (images[i].astype(np.float32) / 255 - brightness) * (spread / contrast) + mean
                images[i] = np.clip(np.rint(lit * 255), 0, 255).astype(np.uint8)


def _compression(views: Views, rows: pl.DataFrame, setting: _Setting) -> None:
    """Save photos as JPEGs, as the target's were, at the size they have; less compressed they cannot be made.

    A large photo's blocks of 8 px are blurred away when it is reduced to a view, those of a small one are not, so a
    photo is brought to its own size for it, or to twice that of the view where it is larger.
    """
    chosen = _chosen(rows, setting.target.jpegs)
    median = float(np.median(setting.target.quantiles["jpeg_quality"]))
    for i, photo in enumerate(rows.iter_rows(named=True)):
        own = photo["jpeg_quality"]
        wanted = _matched(own, "jpeg_quality", setting) or median
        if not chosen[i] or (own is not None and own <= wanted and not setting.is_coarse):
            continue
        for view in setting.views:
            image = views[view.key][i]
            if image.any():  # a blank scene stays blank
                side = round(min(_side(photo, view, setting), 2 * view.size))
                image[:] = resized(saved_as_jpeg(resized(image, side), round(wanted)), view.size)


def _side(photo: Mapping[str, Any], view: View, setting: _Setting) -> float:  # type: ignore[explicit-any]  # a row of Polars
    """Side of what a view shows, px of the photo as it is or as coarse as the target's."""
    is_face = view.name == "face" and photo["face_side"] is not None
    name = "face_side" if is_face else "longer_side"
    side = photo["face_side"] if is_face else max(photo["width"], photo["height"])
    wanted = _matched(side, name, setting) if setting.is_coarse else None
    return float(max(1, side if wanted is None else min(side, wanted)))


MOVES: dict[str, Mover] = {
    "crop": _crop,
    "resolution": _resolution,
    "grey": _grey,
    "light": _light,
    "compression": _compression,
}
"""In the order in which they are made when all are made at once."""
