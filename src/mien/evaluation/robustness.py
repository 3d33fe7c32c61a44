"""How a model takes pictures that get worse: the test photos, corrupted in one way at a time and by degrees.

After Hendrycks and Dietterich (2019), with levels in plain units and with parts of the face covered. What is corrupted
is what the network sees, so the degrees are of its input, not of the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mien.data.grouping.independence import independent
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import Box, View, square_around
from mien.evaluation.altering import Images, Views, resized, saved_as_jpeg
from mien.evaluation.covered import GREY
from mien.evaluation.predictions import view_batches
from mien.labels import class_indices
from mien.metrics import confusion_matrix, macro_f1, paired_difference
from mien.recognizer import Recognizer
from mien.results import behaviour as results
from mien.results.behaviour import CorruptionLevel, Robustness

__all__ = ["CORRUPTIONS", "measure_robustness"]

LEAST_PHOTOS = 20
"""Test photos below which nothing is said."""
MOST_PIXELS = 6_000_000
"""Of all views at one level; bounds the time. With views of 288 and 128 px these are 60 photos."""

Photo = dict[str, Any]  # type: ignore[explicit-any]  # a row of Polars
"""A row of the manifest."""
Corrupt = Callable[[Images, View, Photo, float], Images]


@dataclass(frozen=True)
class Corruption:
    """A way in which pictures get worse.

    Attributes:
        title: what it is called.
        unit: what its levels are.
        levels: as they are printed → the value; the mild one first.
        apply: makes a view (S, S, 3) of a photo worse.
    """

    title: str
    unit: str
    levels: dict[str, float]
    apply: Corrupt


def measure_robustness(recognizer: Recognizer, pixels: Pixels, test: pl.DataFrame) -> Robustness | None:
    """Score the test photos as they are, and corrupted by degrees.

    Args:
        test: labelled rows of the test split.

    Returns:
        None where there are too few photos.
    """
    if len(test) < LEAST_PHOTOS:
        return None
    rows = _some(test, recognizer.contract.views)
    labels = list(recognizer.labels)
    y, units = class_indices(rows["label"], labels), independent(rows)
    plain = _answers(recognizer, pixels, rows, lambda image, view, photo: image)
    base = float(macro_f1(confusion_matrix(y, plain, len(labels))))

    def point(kind: Corruption, level: str, value: float) -> CorruptionLevel:
        answers = _answers(recognizer, pixels, rows, lambda image, view, photo: kind.apply(image, view, photo, value))
        change = paired_difference(y, answers, plain, len(labels), groups=units.of)
        return CorruptionLevel(
            level=level,
            value=value,
            macro_f1=base + change.value,
            change=change.value,
            interval=change.interval,
            lowers=change.interval is not None and change.interval.high < 0,
        )

    curves = tuple(
        results.Corruption(
            corruption=name,
            title=kind.title,
            unit=kind.unit,
            points=tuple(point(kind, level, value) for level, value in kind.levels.items()),
        )
        for name, kind in CORRUPTIONS.items()
    )
    return Robustness(images=len(rows), of=len(test), macro_f1=base, curves=curves, over=units.over)


def _some(test: pl.DataFrame, views: tuple[View, ...]) -> pl.DataFrame:
    """As many photos as time allows, as evenly of each class as they are there, drawn by their content."""
    most = max(LEAST_PHOTOS, MOST_PIXELS // sum(view.size**2 for view in views))
    place = (pl.col("sha256").rank("ordinal").over("label") / pl.len().over("label")).alias("place")
    return test.with_columns(place).sort("place", "sha256").head(most).drop("place")


def _answers(
    recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, corrupt: Callable[[Images, View, Photo], Images]
) -> NDArray[np.int64]:
    """The class (N,) that the model answers to corrupted photos; a blank scene stays blank."""
    parts = []
    for batch, views in view_batches(recognizer, pixels, rows):
        _corrupt_all(views, batch, recognizer.contract.views, corrupt)
        parts.append(recognizer.logits(views).argmax(1))
    return np.concatenate(parts)


def _corrupt_all(
    views: Views, batch: pl.DataFrame, kinds: tuple[View, ...], corrupt: Callable[[Images, View, Photo], Images]
) -> None:
    for i, photo in enumerate(batch.iter_rows(named=True)):
        for view in kinds:
            image = views[view.key][i]
            if image.any():
                image[:] = corrupt(image, view, photo)


def _noise(image: Images, view: View, photo: Photo, level: float) -> Images:
    rng = np.random.default_rng(int(photo["sha256"][:8], 16))
    return _bytes(image.astype(np.float32) + rng.normal(0, 255 * level, image.shape).astype(np.float32))


def _blur(image: Images, view: View, photo: Photo, level: float) -> Images:
    blurred = Image.fromarray(image).filter(ImageFilter.GaussianBlur(level * view.size))
    return np.asarray(blurred)


def _jpeg(image: Images, view: View, photo: Photo, level: float) -> Images:
    return saved_as_jpeg(image, round(level))


def _brightness(image: Images, view: View, photo: Photo, level: float) -> Images:
    return _bytes(image.astype(np.float32) * level)


def _resolution(image: Images, view: View, photo: Photo, level: float) -> Images:
    """Reduce a photo so far that its face has so many pixels a side; without a face it stays as it is."""
    if photo["face_side"] is None:
        return image
    whole = 1.0 if view.name == "face" else max(photo["width"], photo["height"]) / photo["face_side"]
    side = max(1, round(level * whole))
    return image if side >= view.size else resized(resized(image, side), view.size)


def _eyes(image: Images, view: View, photo: Photo, level: float) -> Images:
    return _barred(image, view, photo, (0.38, level))


def _mouth(image: Images, view: View, photo: Photo, level: float) -> Images:
    return _barred(image, view, photo, (0.78, level))


def _barred(image: Images, view: View, photo: Photo, bar: tuple[float, float]) -> Images:
    """Lay a grey bar across the face.

    Args:
        bar: where its middle is, and how high it is, as shares of the height of the face's box.
    """
    box = _face_in_view(view, photo)
    if box is None:
        return image
    left, top, right, bottom = box
    middle, height = top + bar[0] * (bottom - top), bar[1] * (bottom - top)
    covered = image.copy()
    rows = slice(max(0, round(middle - height / 2)), max(0, round(middle + height / 2)))
    covered[rows, max(0, round(left)) : max(0, round(right))] = GREY
    return covered


def _face_in_view(view: View, photo: Photo) -> Box | None:
    """Where a view shows the face, px of the view; None where there is none."""
    if photo["face_kind"] == "crop":
        return (0.0, 0.0, float(view.size), float(view.size))
    if photo["face_kind"] != "found":
        return None
    face: Box = (photo["face_left"], photo["face_top"], photo["face_right"], photo["face_bottom"])
    size = (photo["width"], photo["height"])
    shown: Box = square_around(face, size) if view.name == "face" else (0.0, 0.0, float(size[0]), float(size[1]))
    x, y = view.size / (shown[2] - shown[0]), view.size / (shown[3] - shown[1])
    left, top, right, bottom = face
    return ((left - shown[0]) * x, (top - shown[1]) * y, (right - shown[0]) * x, (bottom - shown[1]) * y)


def _bytes(values: NDArray[np.float32]) -> Images:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


CORRUPTIONS = {
    "noise": Corruption("Noise", "its spread, of the range", {"5 %": 0.05, "15 %": 0.15}, _noise),
    "blur": Corruption("Blur", "its spread, of the side", {"1.5 %": 0.015, "4 %": 0.04}, _blur),
    "jpeg": Corruption("Compression", "JPEG quality", {"20": 20, "5": 5}, _jpeg),
    "resolution": Corruption("Low resolution", "side of the face", {"24 px": 24, "12 px": 12}, _resolution),
    "dark": Corruption("Darkness", "of the light", {"1/4": 0.25, "1/8": 0.125}, _brightness),
    "bright": Corruption("Too much light", "of the light", {"×2": 2, "×3": 3}, _brightness),
    "eyes": Corruption("Eyes covered", "bar, of the face’s height", {"15 %": 0.15, "30 %": 0.3}, _eyes),
    "mouth": Corruption("Mouth covered", "bar, of the face’s height", {"15 %": 0.15, "30 %": 0.3}, _mouth),
}
"""Name → corruption. The only place where levels are defined."""
