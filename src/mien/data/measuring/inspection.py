"""Files → what each turned out to be: its properties, hashes, faces, and the pixels of the views wanted.

Nothing here needs tables, so that a process that only inspects files stays small.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.measuring.drawn import drawn_probabilities
from mien.data.measuring.faces import FaceDetector, Finding, unsearched
from mien.data.measuring.fingerprints import fingerprint
from mien.data.measuring.focus import focus, focus_view
from mien.data.measuring.properties import SURVEY_SIDE, Survey, measure, survey
from mien.data.reading.preprocess import Box, UnreadableImageError, View, decode, render

__all__ = ["Content", "Inspected", "inspect", "inspect_apart"]

T = TypeVar("T")
Content = tuple[dict[str, Any], bytes | None]
"""What is known of a file, as columns of the manifest, and its bytes; None where they are not to be had."""


@dataclass(frozen=True)
class Inspected:
    """What one file turned out to be.

    Attributes:
        row: values of the manifest's columns.
        views: view key → uint8 (S, S, 3); empty for a file that could not be read.
        finding: faces; None for a file that could not be read.
        fingerprint: what copies are found by, (SIDE, SIDE); None for a file that could not be read.
    """

    row: dict[str, Any]
    views: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    finding: Finding | None = None
    fingerprint: NDArray[np.uint8] | None = None


def inspect(contents: Iterable[Content], views: Sequence[View], detector: FaceDetector | None) -> list[Inspected]:
    """Inspect files; one that cannot be used becomes a row with its reason.

    What is measured of pictures of one size is measured of all of them at once.
    """
    opened = [_opened(row, content, views, detector) for row, content in contents]
    pictures = [picture for _, picture in opened if picture is not None]
    for alike in _together(pictures, lambda each: each.survey.grey.size):
        measured = measure([each.survey for each in alike])
        measured["drawn"] = drawn_probabilities([each.survey.grey for each in alike], [each.face for each in alike])
        for i, each in enumerate(alike):
            each.row.update((name, values[i].item()) for name, values in measured.items())
    judged = [(each.row, each.focus) for each in pictures if each.focus is not None]
    for alike_faces in _together(judged, lambda each: each[1].shape):
        values = focus(np.stack([face for _, face in alike_faces])).tolist()
        for (row, _), value in zip(alike_faces, values, strict=True):
            row["face_focus"] = None if math.isnan(value) else value
    return [inspected for inspected, _ in opened]


def _together(items: Iterable[T], size: Callable[[T], Any]) -> Iterable[list[T]]:
    """Those of one size as one list, by the first of each."""
    of_size: dict[Any, list[T]] = {}
    for item in items:
        of_size.setdefault(size(item), []).append(item)
    return of_size.values()


def inspect_apart(contents: Sequence[Content], views: Sequence[View], finds_faces: bool) -> list[Inspected]:
    """``inspect`` in a process that has a detector of its own, where faces are wanted."""
    warnings.filterwarnings("ignore", module="PIL")  # as the command does for its own process
    return inspect(contents, views, _own_detector() if finds_faces else None)


@cache
def _own_detector() -> FaceDetector:
    """The one of this process."""
    return FaceDetector()


@dataclass(frozen=True)
class _Measurable:
    """What the last measurements of a picture need; the picture itself is not kept.

    Attributes:
        row: of the manifest, to which they are added.
        survey: of the picture.
        face: box of the main face in pixels of the survey, or None.
        focus: greys by which the focus of its face is told, or None.
    """

    row: dict[str, Any]
    survey: Survey
    face: Box | None
    focus: NDArray[np.uint8] | None


def _opened(
    row: dict[str, Any], content: bytes | None, views: Sequence[View], detector: FaceDetector | None
) -> tuple[Inspected, _Measurable | None]:
    """What one file turned out to be, but for what can be measured of several at once; None where it is no picture."""
    if content is None:
        return Inspected(row), None
    row |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    try:
        decoded = decode(content, least_side=None if views or detector else SURVEY_SIDE)
    except UnreadableImageError as error:
        return Inspected(row | {"status": "unreadable", "reason": str(error)}), None
    image = decoded.image
    finding = detector.find(image) if detector else unsearched(*decoded.size)
    box = finding.main.box if finding.main else None
    row |= {"status": "ok", "format": decoded.format, "mode": decoded.mode, "note": decoded.note}
    row["jpeg_quality"] = decoded.quality
    row |= dict(zip(("width", "height"), decoded.size, strict=True)) | _face_columns(finding, image)
    reduced = survey(image, box)
    rendered = {view.key: render(image, view, box) for view in views}
    scale = max(reduced.grey.size) / max(image.size)
    face = (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale) if box else None
    judged = focus_view(image, box) if finding.kind != "none" else None
    return Inspected(row, rendered, finding, fingerprint(reduced.grey)), _Measurable(row, reduced, face, judged)


def _face_columns(finding: Finding, image: Image.Image) -> dict[str, Any]:
    columns: dict[str, Any] = {"face_kind": finding.kind, "face_count": len(finding.faces)}
    if finding.kind == "crop":
        columns |= {"face_count": 1, "face_side": min(image.size)}
    if finding.main:
        names = ("face_left", "face_top", "face_right", "face_bottom")
        columns |= dict(zip(names, finding.main.box, strict=True))
        columns |= {"face_score": finding.main.score, "face_side": finding.main.side, "face_cut": finding.main.cut}
    return columns
