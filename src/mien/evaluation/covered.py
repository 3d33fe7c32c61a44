"""How much a model leans on face and background: the same photos, scored with one or the other covered."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mien.data.grouping.independence import independent
from mien.data.reading.pixels import Pixels
from mien.data.reading.preprocess import View
from mien.evaluation.predictions import view_batches
from mien.labels import class_indices
from mien.metrics import score
from mien.recognizer import Recognizer
from mien.results.behaviour import Covered, IntervalScore

__all__ = ["GREY", "score_covered"]

GREY = 127
"""What is painted over: the middle of the range, where the inputs of networks are near 0."""
WIDER = 0.15
"""Share of a face's sides by which the cover reaches beyond its box, for hair and chin say something too."""


def score_covered(recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, chance: float | None) -> Covered | None:
    """Score photos in which a face was found as they are, with the face covered, and with all but the face covered.

    The model was fitted with both in sight: what one fitted to the background alone would reach is another question.

    Args:
        rows: labelled rows of a manifest.
        chance: macro-F1 by chance on these photos.

    Returns:
        None where no face was found in any.
    """
    found = rows.filter(pl.col("face_kind") == "found")
    if found.is_empty():
        return None
    has_face = any(view.name == "face" for view in recognizer.contract.views)
    background = _score(recognizer, pixels, found, ("face",))
    low = background.interval.low if background.interval else None
    return Covered(
        images=len(found),
        whole=_score(recognizer, pixels, found, ()),
        background=background,
        face=_score(recognizer, pixels, found, ("scene",)) if has_face else None,
        chance=chance,
        tells_without_face=low is not None and chance is not None and low > chance,
        over=independent(found).over,
    )


def _score(recognizer: Recognizer, pixels: Pixels, rows: pl.DataFrame, covers: tuple[str, ...]) -> IntervalScore:
    labels = list(recognizer.labels)
    y = class_indices(rows["label"], labels)
    answers = []
    for batch, views in view_batches(recognizer, pixels, rows):
        for view in recognizer.contract.views:
            _cover(views[view.key], view, batch, covers)
        answers.append(recognizer.logits(views).argmax(1))
    scores = score(y, np.concatenate(answers), labels, groups=independent(rows).of)
    return IntervalScore(macro_f1=scores.macro_f1, interval=scores.macro_f1_interval)


def _cover(images: NDArray[np.uint8], view: View, rows: pl.DataFrame, covers: tuple[str, ...]) -> None:
    """Paint over a view (N, S, S, 3) in place."""
    is_face = view.name == "face"
    if (is_face and "face" in covers) or (not is_face and "scene" in covers):
        images[:] = GREY
    elif "face" in covers:
        names = ("face_left", "face_top", "face_right", "face_bottom", "width", "height")
        for image, box in zip(images, rows.select(names).iter_rows(), strict=True):
            left, top, right, bottom = _scaled(box, view.size)
            image[top:bottom, left:right] = GREY


def _scaled(box: tuple[float, ...], size: int) -> tuple[int, int, int, int]:
    """The face's box, somewhat wider, in pixels of a view."""
    left, top, right, bottom, width, height = box
    more_x, more_y = WIDER * (right - left), WIDER * (bottom - top)
    x, y = size / width, size / height
    low = (max(0, int((left - more_x) * x)), max(0, int((top - more_y) * y)))
    return (*low, int((right + more_x) * x) + 1, int((bottom + more_y) * y) + 1)
