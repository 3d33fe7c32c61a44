"""Read every file of a source once: its properties, hashes, faces, and the pixels of the views wanted.

Files are read side by side in threads (decoding and detection release Python's lock), with a bounded number under way.
Small ones are inspected many at once without, and many thousands of them in processes of their own, since threads would
wait for the lock more than they work. Results are taken in file order, so memory is flat and a second pass gives the
same table.
"""

from __future__ import annotations

import hashlib
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from mien.data.drawn import drawn_probabilities
from mien.data.faces import FaceDetector, Finding, unsearched
from mien.data.fingerprints import fingerprint
from mien.data.focus import focus, focus_view
from mien.data.manifest import SCHEMA
from mien.data.pixels import PixelWriter
from mien.data.preprocess import Box, UnreadableImageError, View, decode, render
from mien.data.processes import processes
from mien.data.properties import SURVEY_SIDE, Survey, measure, survey
from mien.data.read_ahead import SAMPLE, TOGETHER, in_order, read_ahead
from mien.data.sources import Source, SourceFile

__all__ = ["Inspected", "inspect_files", "inspect_together", "take_in"]

T = TypeVar("T")
Content = tuple[dict[str, Any], bytes | None]
"""What is known of a file, as columns of the manifest, and its bytes."""

SMALL_FILE = 8192
"""Bytes below which a file is small."""
AT_ONCE = 8
"""Files that a thread inspects in one go, so that it waits less often for Python's lock."""
MANY = 10_000
"""Small files from which on processes pay, which take a second to start."""
MOST_PROCESSES = 8
CHUNK = 1000
"""Rows that are kept as Python objects before they become part of the table, which is ten times smaller."""


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


def take_in(
    source: Source,
    views: Sequence[View],
    writer: PixelWriter,
    detector: FaceDetector | None,
    *,
    first_row: int = 0,
    advance: Callable[[int], None] = lambda n: None,
) -> pl.DataFrame:
    """Inspect every file, and write its views and its fingerprint.

    Args:
        detector: finds faces; with None, none are looked for.
        first_row: row of the source's first file in the pixel arrays.
        advance: called with the number of files done since the last call.

    Returns:
        One row per file, in the order of ``source.files``, with every column of the manifest's schema;
        groups and splits are still null.
    """
    parts, rows = [pl.DataFrame(schema=SCHEMA)], []
    for i, inspected in enumerate(inspect_files(source, source.files, views, detector)):
        rows.append(inspected.row | {"row": first_row + i})
        if inspected.fingerprint is not None:
            writer.put(first_row + i, inspected.views, inspected.fingerprint)
        if len(rows) == CHUNK or i + 1 == len(source.files):
            parts.append(_table(rows))
            rows = []
        advance(1)
    return pl.concat(parts)


def _table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    columns = {name: [row.get(name) for row in rows] for name in SCHEMA}
    return pl.DataFrame(columns, schema=SCHEMA)


def inspect_files(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> Iterator[Inspected]:
    """Inspect files, yielding in their order."""

    def inspect(some: Sequence[SourceFile]) -> list[Inspected]:
        return inspect_together(source, some, views, detector)

    if len(files) >= MANY and _cores() > 1 and all(_is_small(_read(source, file)) for file in files[:SAMPLE]):
        return _in_processes((_read(source, file) for file in files), views, finds_faces=detector is not None)
    return read_ahead(inspect, files, lambda inspected: inspected.row.get("bytes", 0) < SMALL_FILE, at_once=AT_ONCE)


def _cores() -> int:
    return min(MOST_PROCESSES, os.cpu_count() or 1)


def _is_small(content: Content) -> bool:
    return len(content[1] or b"") < SMALL_FILE


def _in_processes(contents: Iterable[Content], views: Sequence[View], *, finds_faces: bool) -> Iterator[Inspected]:
    work = partial(_inspect_apart, views=views, finds_faces=finds_faces)
    with processes(_cores(), "Run this again with less beside it") as pool:
        for some in in_order(pool, work, _chunks(contents), 4 * _cores()):
            yield from some


def _chunks(contents: Iterable[Content]) -> Iterator[list[Content]]:
    """Files for one process at a time: many small ones, but few where larger ones stand among them."""
    some, size = list[Content](), 0
    for content in contents:
        some.append(content)
        size += len(content[1] or b"")
        if len(some) >= TOGETHER or size >= TOGETHER * SMALL_FILE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _inspect_apart(contents: Sequence[Content], views: Sequence[View], finds_faces: bool) -> list[Inspected]:
    warnings.filterwarnings("ignore", module="PIL")  # as the command does for its own process
    return _inspected(contents, views, _own_detector() if finds_faces else None)


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


def inspect_together(
    source: Source, files: Sequence[SourceFile], views: Sequence[View], detector: FaceDetector | None
) -> list[Inspected]:
    """Inspect files; one that cannot be used becomes a row with its reason.

    What is measured of pictures of one size is measured of all of them at once.
    """
    return _inspected((_read(source, file) for file in files), views, detector)


def _inspected(contents: Iterable[Content], views: Sequence[View], detector: FaceDetector | None) -> list[Inspected]:
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


def _read(source: Source, file: SourceFile) -> Content:
    """What is known of a file, and its bytes; None where they are not to be had, for which the row has the reason."""
    row: dict[str, Any] = {
        "id": f"{source.name}/{file.path}",
        "source": source.name,
        "path": file.path,
        "label": file.label,
        "group": file.group,
        "given_split": file.split,
    }
    if file.ignored is not None:
        return row | {"status": "ignored", "reason": file.ignored}, None
    try:
        return row, source.read(file)
    except OSError as error:
        return row | {"status": "unreadable", "reason": error.strerror or str(error)}, None


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
